"""Server-sent events: rows with their numbers, comments as pings."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi.sse import format_sse_event
from starlette.responses import StreamingResponse

PING = b": ping\n\n"


def sse(data: str, event: str | None = None, number: int | None = None) -> bytes:
    """One message on the wire; FastAPI's own formatter splits the lines."""
    return format_sse_event(data_str=data, event=event, id=None if number is None else str(number))


async def _opened(messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield PING  # the answer's head goes out at once, also when nothing is said for a while
    async for message in messages:
        yield message or PING


def stream(messages: AsyncIterator[bytes]) -> StreamingResponse:
    """Streams messages; an empty one becomes a ping, so that no proxy thinks the stream dead."""
    return StreamingResponse(
        _opened(messages),
        media_type="text/event-stream",
        headers={"cache-control": "no-cache", "x-accel-buffering": "no"},
    )


def start_after(after: str | None, last_event_id: str | None) -> int:
    """max(after, Last-Event-ID), read leniently: a foreign or empty id counts as none."""
    numbers = [int(v) for v in (after, last_event_id) if v and v.isascii() and v.isdigit()]
    return max((n for n in numbers if n < 2**53), default=0)
