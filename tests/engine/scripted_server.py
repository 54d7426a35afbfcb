"""The model server of a recorded scenario: one queue of replies for each agent or model."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from tests.listening import listen

NOT_AGAIN = {"retry-after": "86400"}  # the reference was recorded with retries switched off


class ScriptedServer:
    """Pops one reply per request from the queue of the agent that the address names."""

    def __init__(self, replies: dict[str, list[Any]]) -> None:
        self.replies = {name: list(queue) for name, queue in replies.items()}
        self.calls: list[dict[str, Any]] = []

    async def __aenter__(self) -> ScriptedServer:
        self._runner, self.port = await listen("/{agent}/v1/chat/completions", self._complete)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        agent = request.match_info["agent"]
        body = await request.json()
        self.calls.append({"agent": agent, "messages": body["messages"]})
        queue = self.replies.get(agent) or []
        if not queue:
            return web.json_response({"error": {"message": f"no reply for {agent}"}}, status=400)
        reply = queue.pop(0)
        if isinstance(reply, dict) and "error" in reply:
            status = reply["error"].get("status", 500)
            return web.json_response({"error": reply["error"]}, status=status, headers=NOT_AGAIN)
        content = reply if isinstance(reply, str) else reply.get("content")
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        delta: dict[str, Any] = {"role": "assistant", "content": content}
        usage = {"prompt_tokens": 10, "completion_tokens": 5}
        for chunk in (
            {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            {"choices": [], "usage": usage},
        ):
            await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        await response.write(b"data: [DONE]\n\n")
        return response
