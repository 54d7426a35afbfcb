"""Questions that are not waited for any longer: one clock for all sessions of this studio."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

from ..errors import StudioError
from ..store import effects
from ..store.database import Database
from ..store.effects import Overdue
from ..store.tables import at_time

log = logging.getLogger("studio.runner")
LONGEST, AGAIN = 3600.0, 2.0  # seconds between looks; when something overdue could not be ended

Ended = Callable[[Overdue], Awaitable[bool]]
"""Ends one question; False when that is not possible yet."""


class Deadlines:
    """Sleeps until the next question is due. Starts when there is one, lives in one event loop."""

    def __init__(self, database: Database, ended: Ended) -> None:
        self.database, self._ended = database, ended
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    def look(self) -> None:
        """There may be a new question with a deadline."""
        self._news.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._mind())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _mind(self) -> None:
        while True:
            self._news.clear()
            try:
                pause = await self._until_next()
            except StudioError as error:  # the database is away for a moment: the clock stays
                log.warning("deadlines are looked at again in a moment: %s", error)
                pause = AGAIN
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), min(LONGEST, max(0.0, pause)))

    async def _until_next(self) -> float:
        """Seconds until the next question is due; those that are due now are ended."""
        due = await self.database.read(effects.next_due)
        if due is None:
            return LONGEST
        pause = (datetime.fromisoformat(due) - datetime.now(UTC)).total_seconds()
        if pause > 0:
            return pause
        return 0.0 if await self._end_overdue() else AGAIN

    async def _end_overdue(self) -> bool:
        at = at_time(datetime.now(UTC))
        results = []
        for one in await self.database.read(lambda c: effects.overdue(c, at)):
            try:
                results.append(await self._ended(one))
            except StudioError as error:  # it was answered just now, or its session is over
                log.info("a question of session %s stays: %s", one.session_id, error)
                results.append(False)
        return all(results)
