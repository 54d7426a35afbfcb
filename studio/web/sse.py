"""Server-sent events: one message per row, comments as pings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi.sse import format_sse_event
from starlette.responses import StreamingResponse

PING_SECONDS = 15.0
PING = b": ping\n\n"


def sse(data: str, event: str | None = None, number: int | None = None) -> bytes:
    """One message on the wire; FastAPI's own formatter splits the lines."""
    return format_sse_event(data_str=data, event=event, id=None if number is None else str(number))


async def with_pings(messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The messages, and a comment whenever nothing was said for a while."""
    upcoming: asyncio.Task[bytes] | None = None
    try:
        yield PING
        while True:
            if upcoming is None:
                upcoming = asyncio.ensure_future(anext(messages))
            done, _ = await asyncio.wait([upcoming], timeout=PING_SECONDS)
            if not done:
                yield PING
                continue
            try:
                message = upcoming.result()
            except StopAsyncIteration:
                return
            upcoming = None
            yield message
    finally:
        if upcoming is not None:
            upcoming.cancel()
            await asyncio.gather(upcoming, return_exceptions=True)
        await messages.aclose()  # type: ignore[attr-defined]


def stream(messages: AsyncIterator[bytes]) -> StreamingResponse:
    return StreamingResponse(
        with_pings(messages),
        media_type="text/event-stream",
        headers={"cache-control": "no-cache", "x-accel-buffering": "no"},
    )


def start_after(after: str | None, last_event_id: str | None) -> int:
    """max(after, Last-Event-ID), read leniently: a foreign or empty id counts as none."""
    numbers = [int(v) for v in (after, last_event_id) if v and v.isascii() and v.isdigit()]
    return max((n for n in numbers if n < 2**53), default=0)
