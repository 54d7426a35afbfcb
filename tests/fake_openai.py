"""A server that speaks OpenAI's chat completions API and can misbehave in every known way.

`FakeOpenAI.endpoint("hang")` opens an address of its own, `http://127.0.0.1:PORT/hang-3/v1`, with
its own log of requests. Each good reply carries a nonce that is never used again, so a test can
see in a transcript whether an answer was shown twice.
"""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import web

from tests.listening import listen

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
HUGE_CHARS = 20_000_000


@dataclass
class Received:
    """One request as it came over the wire."""

    authorization: str
    body: dict[str, Any]

    @property
    def messages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.body["messages"]
        return found


@dataclass
class Endpoint:
    """One address, how it behaves, and what it was asked.

    behaviour     the name of a function below
    text          the words of every reply, before its nonce
    tokens, itl   pieces of a reply and seconds between them
    times         how many requests misbehave before the rest are answered well; None is all
    retry_after   seconds, for `busy`
    pad           characters before the echoed key, for `unauthorized` and `malformed`
    waits         whether `echo` begins only after `release`
    """

    url: str
    behaviour: str
    text: str = "All is well"
    tokens: int = 6
    itl: float = 0.0
    times: int | None = None
    retry_after: str = "0"
    pad: int = 0
    waits: bool = False
    requests: list[Received] = field(default_factory=list)
    nonces: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    gone: int = 0

    @property
    def held(self) -> int:
        """How many requests are open: received and neither answered nor dropped."""
        return len(self.requests) - self.gone

    def release(self) -> None:
        """Lets replies of `held` go on to their end, those that wait now and all later ones."""
        self.released.set()

    def pieces(self) -> list[str]:
        nonce = f"nonce{next(_numbers):06d}"
        self.nonces.append(nonce)
        words = [*self.text.split(), nonce]
        padding = ["word"] * max(0, self.tokens - len(words))
        return [f"{w} " for w in [*words[:-1], *padding]] + [nonce]


_numbers = count(1)
Behaviour = Callable[[web.Request, Endpoint], Awaitable[web.StreamResponse]]


class FakeOpenAI:
    """Runs in a thread of its own until `close`."""

    def __init__(self) -> None:
        self._endpoints: dict[str, Endpoint] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="fake-openai", daemon=True
        )
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)

    def endpoint(self, behaviour: str = "ok", **options: Any) -> Endpoint:
        """An address that behaves so. Raises KeyError for a behaviour there is not."""
        _BEHAVIOURS[behaviour]
        place = f"{behaviour}-{next(_numbers)}"
        made = Endpoint(f"http://127.0.0.1:{self.port}/{place}/v1", behaviour, **options)
        self._endpoints[place] = made
        return made

    def close(self) -> None:
        for endpoint in self._endpoints.values():
            endpoint.release()
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _open(self) -> int:
        self._runner, port = await listen(
            "/{place}/v1/chat/completions", self._complete, handler_cancellation=True
        )
        return port

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        endpoint = self._endpoints[request.match_info["place"]]
        received = Received(request.headers.get("Authorization", ""), await request.json())
        endpoint.requests.append(received)
        is_well = endpoint.times is not None and len(endpoint.requests) > endpoint.times
        try:
            return await _BEHAVIOURS["ok" if is_well else endpoint.behaviour](request, endpoint)
        finally:
            endpoint.gone += 1


# -- behaviours


async def _ok(request: web.Request, endpoint: Endpoint) -> web.StreamResponse:
    response = await _streaming(request)
    for i, piece in enumerate(endpoint.pieces()):
        if i and endpoint.itl:
            await asyncio.sleep(endpoint.itl)
        await _send(response, _delta(piece))
    return await _end(response)


async def _held(request: web.Request, endpoint: Endpoint) -> web.StreamResponse:
    """Says half of the reply and then waits for `release`."""
    response = await _streaming(request)
    pieces = endpoint.pieces()
    half = len(pieces) // 2
    for piece in pieces[:half]:
        await _send(response, _delta(piece))
    await _released(endpoint)
    for piece in pieces[half:]:
        await _send(response, _delta(piece))
    return await _end(response)


async def _busy(request: web.Request, endpoint: Endpoint) -> web.StreamResponse:
    return web.json_response(
        {"error": {"message": "Rate limit reached"}},
        status=429,
        headers={"Retry-After": endpoint.retry_after},
    )


async def _failing(request: web.Request, endpoint: Endpoint) -> web.StreamResponse:
    return web.json_response({"error": {"message": "boom"}}, status=500)


async def _complaining(request: web.Request, endpoint: Endpoint) -> web.StreamResponse:
    return web.json_response({"error": {"message": endpoint.text}}, status=400)


async def _hang(request: web.Request, endpoint: Endpoint) -> web.StreamResponse:
    await _released(endpoint)
    return web.Response(status=503)


async def _truncated(request: web.Request, endpoint: Endpoint) -> web.StreamResponse:
    response = await _streaming(request)
    await _send(response, _delta("This breaks "))
    if request.transport is not None:
        request.transport.abort()
    return response


async def _ended_early(request: web.Request, endpoint: Endpoint) -> web.StreamResponse:
    """Closes the body properly, without a finish_reason and without [DONE]."""
    response = await _streaming(request)
    await _send(response, _delta("This just stops "))
    return response


async def _malformed(request: web.Request, endpoint: Endpoint) -> web.StreamResponse:
    response = await _streaming(request)
    key = request.headers.get("Authorization", "").removeprefix("Bearer ")
    await response.write(f"data: {{{'x' * endpoint.pad}{key} not json\n\n".encode())
    return await _end(response)


async def _invalid_utf8(request: web.Request, endpoint: Endpoint) -> web.StreamResponse:
    response = await _streaming(request)
    await response.write(b'data: {"choices": [{"delta": {"content": "\xff\xfe"}}]}\n\n')
    return await _end(response)


async def _html(request: web.Request, endpoint: Endpoint) -> web.StreamResponse:
    return web.Response(text="<html><body>Welcome to the proxy</body></html>")


async def _empty(request: web.Request, endpoint: Endpoint) -> web.StreamResponse:
    return await _end(await _streaming(request))


async def _unauthorized(request: web.Request, endpoint: Endpoint) -> web.StreamResponse:
    """Echoes the header, as some proxies do."""
    said = "." * endpoint.pad + request.headers.get("Authorization", "")
    return web.json_response({"error": {"message": f"bad key: {said}"}}, status=401)


async def _echo(request: web.Request, endpoint: Endpoint) -> web.StreamResponse:
    """Says the key that it was sent back in its reply, three letters at a time."""
    response = await _streaming(request)
    if endpoint.waits:
        await _released(endpoint)
    key = request.headers.get("Authorization", "").removeprefix("Bearer ")
    said = f"It is {key}, or {base64.b64encode(key.encode()).decode()}, and that was it."
    for start in range(0, len(said), 3):
        await _send(response, _delta(said[start : start + 3]))
        await asyncio.sleep(0.01)
    return await _end(response)


async def _calling(request: web.Request, endpoint: Endpoint) -> web.StreamResponse:
    """Calls a tool that nobody offered, with arguments that are no JSON."""
    response = await _streaming(request)
    call = {"index": 0, "id": "call_1", "type": "function",
            "function": {"name": "rm -rf <b>", "arguments": '{"a": <img src=x>'}}  # fmt: skip
    await _send(response, {"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]})
    return await _end(response)


async def _huge(request: web.Request, endpoint: Endpoint) -> web.StreamResponse:
    response = await _streaming(request)
    piece = _delta("x" * 100_000)
    for _ in range(HUGE_CHARS // 100_000):
        await _send(response, piece)
    return await _end(response)


_BEHAVIOURS: dict[str, Behaviour] = {
    "ok": _ok,
    "held": _held,
    "busy": _busy,
    "failing": _failing,
    "complaining": _complaining,
    "hang": _hang,
    "truncated": _truncated,
    "ended-early": _ended_early,
    "malformed": _malformed,
    "invalid-utf8": _invalid_utf8,
    "html": _html,
    "empty": _empty,
    "unauthorized": _unauthorized,
    "echo": _echo,
    "calling": _calling,
    "huge": _huge,
}


# -- the wire


async def _released(endpoint: Endpoint) -> None:
    while not endpoint.released.is_set():  # noqa: ASYNC110 - it is set by another thread
        await asyncio.sleep(0.005)


async def _streaming(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    return response


def _delta(text: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}}]}


async def _send(response: web.StreamResponse, chunk: dict[str, Any]) -> None:
    await response.write(f"data: {json.dumps(chunk)}\n\n".encode())


async def _end(response: web.StreamResponse) -> web.StreamResponse:
    await _send(response, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    await _send(response, {"choices": [], "usage": USAGE})
    await response.write(b"data: [DONE]\n\n")
    return response
