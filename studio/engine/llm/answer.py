"""Reads one streamed chat completion: text, tool calls and usage out of server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from ..errors import ModelError
from ..messages import text_of
from .models import ModelReply, OnText, estimate_tokens

MAX_REPLY_CHARS = 2_000_000
MAX_COUNT = 100_000_000  # tokens of one call; a server that reports more is not believed
READ_OUT_SECONDS = 0.25
STREAM_ENDED_EARLY = "The answer broke off before its end"


@dataclass
class Answer:
    """Collects one streamed completion."""

    started: float
    on_text: OnText
    parts: list[str] = field(default_factory=list)
    calls: dict[int, dict[str, Any]] = field(default_factory=dict)
    usage: dict[str, Any] | None = None
    finish: str | None = None
    first: int | None = None
    length: int = 0
    size: int = 0
    fresh: list[str] = field(default_factory=list)
    done: bool = False
    function: dict[str, Any] = field(default_factory=dict)
    served: str = ""

    async def read(self, response: Any) -> None:
        pieces = response.aiter_bytes()
        async for lines in _lines(pieces):
            for line in lines:
                if line.startswith(b"data:") and not self.done:
                    self._take(line[5:].strip())
            self._tell()
            if self.done:
                break
        if not self.done and self.finish is None:
            raise ModelError(STREAM_ENDED_EARLY, retryable=True)
        await _read_out(pieces)

    def _tell(self) -> None:
        """Tells of the text that came in one piece over the wire at once, not token by token."""
        if self.fresh:
            text = "".join(self.fresh)
            self.fresh.clear()
            self.on_text(self.length, text)
            self.parts.append(text)
            self.length += len(text)

    def _take(self, data: bytes) -> None:
        if data == b"[DONE]":
            self.done = True
            return
        try:
            chunk = _parsed(data)
            if error := chunk.get("error"):
                detail = orjson.dumps(error).decode()
                raise ModelError("The model's server reported an error", detail=detail)
            if isinstance(usage := chunk.get("usage"), dict):
                self.usage = usage
            self.served = str(chunk.get("model") or self.served)
            choices = chunk.get("choices")
            if not choices:
                return
            choice = choices[0]
            delta = choice.get("delta") or {}
            self.finish = choice.get("finish_reason") or self.finish
            if text := delta.get("content"):
                self._add(str(text))
            for call in delta.get("tool_calls") or []:
                self._add_call(call)
            if function := delta.get("function_call"):
                self._add_function(self.function, function)
        except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
            raise ModelError(
                "The model's server sent something that is not valid JSON",
                retryable=True,
                detail=data.decode(errors="replace"),
            ) from error

    def _add(self, text: str) -> None:
        if self.first is None:
            self.first = int((time.monotonic() - self.started) * 1000)
        self._grow(len(text))
        self.fresh.append(text)

    def _grow(self, by: int) -> None:
        self.size += by
        if self.size > MAX_REPLY_CHARS:
            raise ModelError(f"The answer is longer than {MAX_REPLY_CHARS:,} characters")

    def _add_call(self, delta: dict[str, Any]) -> None:
        call = self.calls.setdefault(
            int(delta.get("index", 0)),
            {"id": "", "type": "function", "function": {"name": "", "arguments": ""}},
        )
        call["id"] = delta.get("id") or call["id"]
        self._add_function(call["function"], delta.get("function") or {})

    def _add_function(self, function: dict[str, Any], delta: dict[str, Any]) -> None:
        for key in ("name", "arguments"):
            text = delta.get(key) or ""
            self._grow(len(text))
            function[key] = function.get(key, "") + text

    def reply(self, body: dict[str, Any], left_out: int) -> ModelReply:
        content = "".join(self.parts) if self.parts else None
        usage = self.usage or {}
        written = usage.get("completion_tokens")
        estimated = not isinstance(written, int) or not 0 <= written <= MAX_COUNT
        if not isinstance(written, int) or estimated:
            written = estimate_tokens(content or "")
        sent = usage.get("prompt_tokens")
        if not isinstance(sent, int) or not 0 <= sent <= MAX_COUNT:
            sent = sum(estimate_tokens(text_of(m.get("content"))) for m in body["messages"])
        return ModelReply(
            content=content,
            prompt_tokens=sent,
            completion_tokens=written,
            latency_ms=int((time.monotonic() - self.started) * 1000),
            first_token_ms=self.first,
            tool_calls=[self.calls[i] for i in sorted(self.calls)] or None,
            function_call=self.function or None,
            served=self.served,
            finish_reason=self.finish or "stop",
            estimated=estimated,
            left_out=left_out,
            sent={k: v for k, v in body.items() if k != "messages"},
        )


def _parsed(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return orjson.loads(data.decode(errors="replace"))


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """Lines of the body as bytes: a broken UTF-8 sequence must not end the chat."""
    rest = b""
    async for piece in pieces:
        rest += piece
        if len(rest) > MAX_REPLY_CHARS * 4:
            raise ModelError(f"The answer is longer than {MAX_REPLY_CHARS:,} characters")
        *lines, rest = rest.split(b"\n")
        yield lines
    if rest:
        yield [rest]


async def _read_out(pieces: AsyncIterator[bytes]) -> None:
    """Reads what follows the end of the answer: only then can its connection be used again.

    A new connection for every call costs a quarter of the call. What goes wrong here concerns
    nobody: the answer is there.
    """
    with suppress(Exception):
        async with asyncio.timeout(READ_OUT_SECONDS):
            async for _ in pieces:
                pass
