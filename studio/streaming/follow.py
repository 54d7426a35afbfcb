"""Follows a session: replay after N, then live, then the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from ..engine.events import Delta
from ..errors import NotFoundError
from ..store import events, sessions
from ..store.database import Connection, Database
from ..store.events import Row
from .bus import Bus, Subscription

BATCH = 1000
QUIET_SECONDS = 15.0
Item = Row | Delta


async def follow(
    database: Database, bus: Bus, session_id: str, after: int = 0, *, shows_pages: bool = False
) -> AsyncIterator[list[Item]]:
    """Every row after `after`, exactly once and in order, and the live text between them.

    Yields what has come since the last time, together; an empty list when nothing has for 15 s.
    Ends after a `session_finished` that is the last row while the session is over. A row is only
    ever yielded once it is committed.
    """
    last = (await database.read(lambda c: sessions.get(c, None, session_id))).last_seq
    after = min(after, last)  # a number from elsewhere must not wait for rows that never come
    subscription = bus.subscribe(session_id, shows_pages=shows_pages)
    follower = _Follower(database, bus, session_id, after, subscription)
    try:
        async for items in follower.batches():
            yield items
    finally:
        bus.unsubscribe(session_id, subscription)


class _Follower:
    def __init__(
        self, database: Database, bus: Bus, session_id: str, after: int, mine: Subscription
    ) -> None:
        self.database, self.bus, self.session_id = database, bus, session_id
        self.cursor = after
        self.mine = mine
        self.last_kind = ""
        self.open: dict[str, tuple[int, int]] = {}

    async def batches(self) -> AsyncIterator[list[Item]]:
        over = False
        while not over:
            if self.mine.resync:
                self.mine.resync = False
                async for items in self._catch_up():
                    yield items
                over = await self._is_over()
            elif self.mine.items:
                if items := self._gathered():
                    yield items
                    over = await self._is_over()
            else:
                self.mine.woken.clear()
                try:
                    async with asyncio.timeout(QUIET_SECONDS):
                        await self.mine.woken.wait()
                except TimeoutError:
                    yield []

    def _gathered(self) -> list[Item]:
        """What the bus has told, up to the end of a run: whether more follows is looked up then."""
        found: list[Item] = []
        while self.mine.items and not self.mine.resync:
            item = self.mine.items.popleft()
            if self._is_news(item):
                found.append(item)
                if isinstance(item, Row) and item.kind == "session_finished":
                    break
        return found

    def _is_news(self, item: Item) -> bool:
        """Takes the next row; asks for a look at the log when one is missing in between."""
        if isinstance(item, Delta):
            return self._is_current(item)
        if item.seq > self.cursor + 1:
            self.mine.resync = True
        if item.seq != self.cursor + 1:
            return False
        self._take(item)
        return True

    async def _catch_up(self) -> AsyncIterator[list[Item]]:
        """The rows of the log after the cursor, then the text so far of open turns."""
        rows: list[Row] = []
        while not rows or len(rows) == BATCH:
            rows = await self.database.read(self._next_rows)
            for row in rows:
                self._take(row)
            if not rows:
                break
            yield [*rows]
        joined = self.bus.join(self.session_id, self.mine)
        if current := [delta for delta in joined if self._is_current(delta)]:
            yield [*current]

    def _next_rows(self, connection: Connection) -> list[Row]:
        return events.after(connection, self.session_id, self.cursor, BATCH)

    def _take(self, row: Row) -> None:
        self.cursor = row.seq
        self.last_kind = row.kind
        if row.kind in ("turn_started", "message"):
            data = row.data()
            ended = row.kind == "message"
            self.open[data["chat"]] = (data["turn"] + ended, 1 if ended else data["attempt"])

    def _is_current(self, delta: Delta) -> bool:
        """Text of a turn that has ended, or of an attempt that was cut, is not shown again."""
        return (delta.turn, delta.attempt) >= self.open.get(delta.chat, (0, 0))

    async def _is_over(self) -> bool:
        if self.last_kind not in ("session_finished", ""):
            return False
        try:
            session = await self.database.read(lambda c: sessions.get(c, None, self.session_id))
        except NotFoundError:  # it was deleted while it was followed
            return True
        return session.is_over and session.last_seq <= self.cursor
