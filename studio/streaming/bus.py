"""Wake-ups and live text within one process.

A channel per session holds the text of open turns, so that whoever joins in mid-turn gets the text
so far. Deltas are gathered: uncoalesced they saturate a browser at 2,000 tokens/s. What comes after
a pause goes out almost at once, and at most 25 times a second after that.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..engine.events import Delta
from ..store.events import Row

COALESCE_SECONDS, FIRST_SECONDS = 0.04, 0.004
BACKLOG = 512


@dataclass
class Subscription:
    """What one follower has yet to read. When it falls behind, it reads the log again."""

    items: deque[Row | Delta] = field(default_factory=deque)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    resync: bool = True
    shows_pages: bool = False

    def put(self, item: Row | Delta) -> None:
        if len(self.items) >= BACKLOG:
            self.items.clear()
            self.resync = True
        else:
            self.items.append(item)
        self.woken.set()


class _OpenTurn:
    """The text so far of a turn that is being made, and what followers have not heard of it.

    Pieces are kept apart until somebody wants them: joining at every token would be quadratic.
    """

    def __init__(self, delta: Delta) -> None:
        self.chat, self.agent = delta.chat, delta.agent
        self.turn, self.attempt = delta.turn, delta.attempt
        self.parts, self.length = [delta.text], delta.offset + len(delta.text)
        self.fresh, self.fresh_at = [delta.text], delta.offset

    def continues(self, delta: Delta) -> bool:
        same = (self.turn, self.attempt) == (delta.turn, delta.attempt)
        return same and delta.offset == self.length

    def add(self, text: str) -> None:
        self.parts.append(text)
        self.fresh.append(text)
        self.length += len(text)

    def whole(self) -> Delta:
        self.parts = ["".join(self.parts)]
        return self._delta(self.length - len(self.parts[0]), self.parts[0])

    def news(self) -> Delta | None:
        """What came since the last call."""
        if not self.fresh:
            return None
        delta = self._delta(self.fresh_at, "".join(self.fresh))
        self.fresh, self.fresh_at = [], self.length
        return delta

    def _delta(self, offset: int, text: str) -> Delta:
        return Delta(self.chat, self.turn, self.attempt, self.agent, offset, text)


@dataclass
class _Channel:
    subscriptions: list[Subscription] = field(default_factory=list)
    live: dict[str, _OpenTurn] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None
    flushed_at: float = 0.0

    @property
    def is_idle(self) -> bool:
        return not self.subscriptions and not self.live


class Bus:
    """Publish and subscribe by session id. All methods belong to one event loop."""

    def __init__(self) -> None:
        self._channels: dict[str, _Channel] = {}

    def subscribe(self, session_id: str, *, shows_pages: bool = False) -> Subscription:
        subscription = Subscription(shows_pages=shows_pages)
        self._channel(session_id).subscriptions.append(subscription)
        return subscription

    def unsubscribe(self, session_id: str, subscription: Subscription) -> None:
        channel = self._channel(session_id)
        channel.subscriptions.remove(subscription)
        self._forget(session_id, channel)

    def is_watched(self, session_id: str) -> bool:
        """Whether a page shows this session now."""
        channel = self._channels.get(session_id)
        return channel is not None and any(s.shows_pages for s in channel.subscriptions)

    def join(self, session_id: str, subscription: Subscription) -> list[Delta]:
        """The text so far of every open turn, each as one delta from offset 0.

        What was gathered for the subscription is part of it, so it is not told again.
        """
        channel = self._channel(session_id)
        self._flush(channel)
        subscription.items = deque(i for i in subscription.items if isinstance(i, Row))
        return [turn.whole() for turn in channel.live.values()]

    def rows(self, session_id: str, rows: Sequence[Row]) -> None:
        """Tells of committed rows, after the live text that came before them."""
        channel = self._channels.get(session_id)
        if channel is None:
            return
        self._flush(channel)
        for row in rows:
            if row.kind in ("message", "turn_started", "session_finished"):
                channel.live.pop(_chat_of(row), None)
            for subscription in channel.subscriptions:
                subscription.put(row)
        self._forget(session_id, channel)

    def delta(self, session_id: str, delta: Delta) -> None:
        channel = self._channel(session_id)
        turn = channel.live.get(delta.chat)
        if turn is not None and turn.continues(delta):
            turn.add(delta.text)
        else:
            if turn is not None:
                self._flush(channel)
            channel.live[delta.chat] = _rewound(turn, delta)
        if channel.timer is None:
            loop = asyncio.get_running_loop()
            pause = channel.flushed_at + COALESCE_SECONDS - loop.time()
            channel.timer = loop.call_later(max(pause, FIRST_SECONDS), self._flush, channel)

    def clear(self, session_id: str) -> None:
        """Forgets live text: the turn was cut."""
        channel = self._channels.get(session_id)
        if channel is not None:
            self._flush(channel)
            channel.live.clear()
            self._forget(session_id, channel)

    def _channel(self, session_id: str) -> _Channel:
        return self._channels.setdefault(session_id, _Channel())

    def _forget(self, session_id: str, channel: _Channel) -> None:
        if channel.is_idle:
            self._channels.pop(session_id, None)

    def _flush(self, channel: _Channel) -> None:
        if channel.timer is not None:
            channel.timer.cancel()
            channel.timer = None
            channel.flushed_at = asyncio.get_running_loop().time()
        for turn in channel.live.values():
            delta = turn.news()
            if delta is not None:
                for subscription in channel.subscriptions:
                    subscription.put(delta)


def _rewound(before: _OpenTurn | None, delta: Delta) -> _OpenTurn:
    """The turn with its text replaced from the delta's offset on, as a retry does."""
    turn = _OpenTurn(delta)
    if before is None or (before.turn, before.attempt) != (delta.turn, delta.attempt):
        return turn
    said = before.whole()
    keep = delta.offset - said.offset
    if 0 <= keep <= len(said.text):
        turn.parts.insert(0, said.text[:keep])
    return turn


def _chat_of(row: Row) -> str:
    return str(row.data().get("chat", ""))
