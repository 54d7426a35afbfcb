"""A fast OpenAI-compatible server for the benchmark, so that what is measured is the studio.

    python -m tests.benchmarks.fake_model 9100

Its manners stand in the path of the base URL, so that many clients may use one server at once:
`http://127.0.0.1:9100/tokens=50,delay=0.02,stamp=1/v1` streams 50 tokens, one each 20 ms, and each
token is the moment it was sent (time.perf_counter, which all processes of a machine share).
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from typing import Any

import httptools
import orjson

STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
END = b"data: [DONE]\n\n"


def manners(path: str) -> dict[str, float]:
    """{"tokens": 20, "delay": 0.0, "stamp": 0} changed by the first part of the path."""
    found = {"tokens": 20.0, "delay": 0.0, "stamp": 0.0}
    first = path.split("/")[1]
    pairs = (part.split("=", 1) for part in first.split(",") if "=" in part)
    return found | {name: float(value) for name, value in pairs}


class FakeModel(asyncio.Protocol):
    """One connection; requests on it come one after another."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)
        self.task: asyncio.Task[None] | None = None

    def connection_lost(self, _: Exception | None) -> None:
        if self.task is not None:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.url, self.body = b"", b""

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        path = self.url.decode()
        if not path.endswith("/chat/completions"):
            self._send({"object": "list", "data": [{"id": "gpt-4o", "object": "model"}]})
            return
        request, how = orjson.loads(self.body), manners(path)
        if not request.get("stream"):
            self._send(_answer(request, int(how["tokens"])))
        elif how["delay"]:
            self.task = asyncio.get_running_loop().create_task(self._slowly(request, how))
        else:
            pieces = b"".join(_chunked(piece) for piece in _pieces(request, how))
            self.transport.write(STREAM_HEAD + pieces + _chunked(END) + b"0\r\n\r\n")

    async def _slowly(self, request: dict[str, Any], how: dict[str, float]) -> None:
        """Each piece at its moment on a fixed schedule, so that load does not stretch it."""
        self.transport.write(STREAM_HEAD)
        due = time.perf_counter()
        for piece in _pieces(request, how):
            self.transport.write(_chunked(piece))
            due += how["delay"]
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        self.transport.write(_chunked(END) + b"0\r\n\r\n")

    def _send(self, value: dict[str, Any]) -> None:
        body = orjson.dumps(value)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        self.transport.write(head % len(body) + body)


def _answer(request: dict[str, Any], tokens: int) -> dict[str, Any]:
    message = {"role": "assistant", "content": "tok " * tokens}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o",
        "choices": [choice], "usage": _usage(request, tokens),
    }  # fmt: skip


def _usage(request: dict[str, Any], tokens: int) -> dict[str, int]:
    prompt = 10 * len(request["messages"])
    return {
        "prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens,
    }  # fmt: skip


def _pieces(request: dict[str, Any], how: dict[str, float]) -> Iterator[bytes]:
    tokens = int(how["tokens"])
    yield _piece({"role": "assistant", "content": ""})
    for _ in range(tokens):
        yield _piece({"content": f"{time.perf_counter():.6f} " if how["stamp"] else "tok "})
    yield _piece({}, finish="stop")
    if (request.get("stream_options") or {}).get("include_usage"):
        yield _piece(None, usage=_usage(request, tokens))


def _piece(
    delta: dict[str, Any] | None, finish: str | None = None, usage: dict[str, int] | None = None
) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    value = {
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o",
        "choices": choices, **({"usage": usage} if usage else {}),
    }  # fmt: skip
    return b"data: " + orjson.dumps(value) + b"\n\n"


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(
        FakeModel, "127.0.0.1", port, backlog=4096
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_serve(int(sys.argv[1]) if sys.argv[1:] else 0))
