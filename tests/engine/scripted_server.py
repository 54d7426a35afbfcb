"""The model server of a recorded scenario: one queue of replies for each agent or model."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from tests.listening import listen

NOT_AGAIN = {"retry-after": "86400"}  # the reference was recorded with retries switched off


class ScriptedServer:
    """Pops one reply per request from the queue of the agent that the address names."""

    def __init__(self, replies: dict[str, list[Any]]) -> None:
        self.replies = {name: list(queue) for name, queue in replies.items()}
        self.calls: list[dict[str, Any]] = []
        self.bodies: list[dict[str, Any]] = []  # of all requests, whole
        self._ids = 0

    async def __aenter__(self) -> ScriptedServer:
        self._runner, self.port = await listen("/{agent}/v1/chat/completions", self._complete)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        agent = request.match_info["agent"]
        body = await request.json()
        self.bodies.append(body)
        kept = {k: body[k] for k in ("tools", "functions", "response_format") if body.get(k)}
        self.calls.append({"agent": agent, "messages": body["messages"], **kept})
        queue = self.replies.get(agent) or []
        if not queue:
            return web.json_response({"error": {"message": f"no reply for {agent}"}}, status=400)
        reply = queue.pop(0)
        if isinstance(reply, dict) and "error" in reply:
            status = reply["error"].get("status", 500)
            return web.json_response({"error": reply["error"]}, status=status, headers=NOT_AGAIN)
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        delta = {"role": "assistant", **self._delta(reply)}
        usage = {"prompt_tokens": 10, "completion_tokens": 5}
        model = f"script/{agent}"
        for chunk in (
            {"model": model, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
            {"model": model, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            {"model": model, "choices": [], "usage": usage},
        ):
            await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        await response.write(b"data: [DONE]\n\n")
        return response

    def _delta(self, reply: Any) -> dict[str, Any]:
        """A scripted reply as the delta of a stream; ids of tool calls count up per server."""
        if isinstance(reply, str):
            return {"content": reply}
        delta: dict[str, Any] = {"content": reply.get("content")}
        if function := reply.get("function_call"):
            delta["function_call"] = _function(function)
        calls = []
        for index, call in enumerate(reply.get("tool_calls", [])):
            self._ids += 1
            calls.append({"index": index, "id": f"call_{self._ids}", "type": "function",
                          "function": _function(call)})  # fmt: skip
        return {**delta, "tool_calls": calls} if calls else delta


def _function(call: dict[str, Any]) -> dict[str, Any]:
    arguments = call["arguments"]
    return {
        "name": call["name"],
        "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments),
    }


@contextmanager
def serving(replies: dict[str, list[Any]]) -> Iterator[ScriptedServer]:
    """A scripted server in a thread of its own, for programs that run in other processes."""
    server, loop = ScriptedServer(replies), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="scripted-server", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
        yield server
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
