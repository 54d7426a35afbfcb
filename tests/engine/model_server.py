"""An OpenAI-compatible server on 127.0.0.1 that does what each test tells it, well or badly.

Every request takes the next act of a list. One request too many is answered with an error and
noted; one too few is noticed when the server closes. Both fail the test.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.listening import listen

USAGE = {"prompt_tokens": 10, "completion_tokens": 5}


@dataclass(frozen=True)
class Received:
    """A request as it arrived."""

    headers: dict[str, str]
    body: dict[str, Any]


Act = Callable[["ModelServer", web.Request], Awaitable[web.StreamResponse]]


class ModelServer:
    """`async with ModelServer(act, act) as server`: `server.url` is the base_url of a model."""

    def __init__(self, *acts: Act) -> None:
        self.acts = list(acts)
        self.received: list[Received] = []
        self.too_many = 0
        self.closing = asyncio.Event()

    async def __aenter__(self) -> ModelServer:
        self._runner, port = await listen("/v1/chat/completions", self._complete)
        self.url = f"http://127.0.0.1:{port}/v1"
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        self.closing.set()
        await self._runner.cleanup()
        if kind is None:
            assert not self.too_many, f"{self.too_many} more requests than expected"
            assert not self.acts, f"{len(self.acts)} requests fewer than expected"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [one.body for one in self.received]

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        headers = {k.lower(): v for k, v in request.headers.items()}
        self.received.append(Received(headers, await request.json()))
        if not self.acts:
            self.too_many += 1
            return web.json_response({"error": {"message": "one too many"}}, status=400)
        return await self.acts.pop(0)(self, request)


async def _stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    return response


def data(chunk: Any) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def text_chunk(text: str, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}


def sends(*pieces: bytes) -> Act:
    """A stream of exactly these bytes, ended properly."""

    async def act(server: ModelServer, request: web.Request) -> web.StreamResponse:
        response = await _stream(request)
        for piece in pieces:
            await response.write(piece)
        return response

    return act


def answers(*words: str, usage: dict[str, Any] | None = USAGE) -> Act:
    """A good answer in as many chunks as words are given."""
    chunks = [data(text_chunk(word)) for word in words]
    chunks.append(data({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
    if usage is not None:
        chunks.append(data({"choices": [], "usage": usage}))
    return sends(*chunks, b"data: [DONE]\n\n")


def refuses(status: int, error: Any = "no", headers: dict[str, str] | None = None) -> Act:
    """An error status; `error` is the message or the whole error object."""
    given = {"message": error} if isinstance(error, str) else error

    async def act(server: ModelServer, request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": given}, status=status, headers=headers)

    return act


def breaks_after(*pieces: bytes) -> Act:
    """Sends a part of the stream, then drops the connection."""

    async def act(server: ModelServer, request: web.Request) -> web.StreamResponse:
        response = await _stream(request)
        for piece in pieces:
            await response.write(piece)
        assert request.transport is not None
        request.transport.close()
        return response

    return act


def hangs(*pieces: bytes) -> Act:
    """Sends these bytes and then nothing more until the server closes."""

    async def act(server: ModelServer, request: web.Request) -> web.StreamResponse:
        response = await _stream(request)
        for piece in pieces:
            await response.write(piece)
        await server.closing.wait()
        return response

    return act
