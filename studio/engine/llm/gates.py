"""Clients around a client: one waits for its turn, one refuses answers that are not wanted."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from ..errors import ModelError
from ..sync import call_plain
from .models import ModelClient, ModelReply, ModelRequest, ModelSpec, OnText

REFUSED = "refused"


@dataclass
class RateLimit:
    """At most `per_second` calls a second, evenly spaced, from all threads and event loops.

    AutoGen 0.2's api_rate_limit: each configuration has its own.
    """

    per_second: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _free: float = field(default=float("-inf"), init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    async def wait(self) -> None:
        """Takes the next free place and waits for it."""
        with self._lock:
            now = self.clock()
            place = max(now, self._free)
            self._free = place + 1 / self.per_second
        if place > now:
            await self.sleep(place - now)


@dataclass(frozen=True)
class Gated:
    """Asks `inner` at the rate of `limit`, and lets `accepts` judge the answer.

    A refused answer is a ModelError, so that the next configuration is asked; that of the last
    configuration is taken as it is (AutoGen 0.2's filter_func(context=..., response=...)).
    """

    inner: ModelClient
    limit: RateLimit | None = None
    accepts: Callable[..., Any] | None = None
    is_last: bool = False

    async def complete(self, spec: ModelSpec, request: ModelRequest, on_text: OnText) -> ModelReply:
        if self.limit is not None:
            await self.limit.wait()
        reply = await self.inner.complete(spec, request, on_text)
        if self.accepts is None or self.is_last:
            return reply
        context = request.messages[-1].get("context") if request.messages else None
        fits = await call_plain(self.accepts, context=context or {}, response=_response(reply))
        if not (await fits if inspect.isawaitable(fits) else fits):
            raise ModelError(f"The answer of {spec.name} did not pass filter_func", code=REFUSED)
        return reply


def _response(reply: ModelReply) -> Any:
    """A reply in the shape of a chat completion, which is what filter functions read."""
    message = SimpleNamespace(
        role="assistant",
        content=reply.content,
        tool_calls=reply.tool_calls,
        function_call=reply.function_call,
    )
    choice = SimpleNamespace(index=0, message=message, finish_reason=reply.finish_reason)
    usage = SimpleNamespace(
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        total_tokens=reply.prompt_tokens + reply.completion_tokens,
    )
    return SimpleNamespace(choices=[choice], usage=usage, model=reply.served)
