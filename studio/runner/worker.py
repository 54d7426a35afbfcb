"""One worker on one session: claims it, plays it from the start, and leaves it in a true state."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from ..definitions.common import Limits
from ..engine.context import RunContext
from ..engine.errors import EngineError, ModelError, Suspend
from ..engine.events import Failure, SessionFinished, StatusChanged
from ..errors import StudioError, UnavailableError
from ..store import effects, events, sessions
from ..store.database import Connection, Database
from ..store.events import Changes, FencedError, new_row
from ..streaming.bus import Bus
from .boxes import Boxes
from .build import Builder, LiveChat
from .kept_replies import KeptReplies
from .mcp import McpServers
from .models import Models
from .recorder import Recorder
from .workshop import Workshop

log = logging.getLogger("studio.runner")


class Worker:
    """Plays one session until it ends, waits, pauses or is cut."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        models: Models,
        boxes: Boxes,
        mcp: McpServers,
        session_id: str,
        on_deadline: Callable[[], None],
    ) -> None:
        self.on_deadline = on_deadline
        self.database, self.bus, self.models = database, bus, models
        self.boxes, self.mcp, self.session_id = boxes, mcp, session_id
        self.recorder: Recorder | None = None
        self._pause: tuple[str, str] | None = None
        self._stopped_by: str | None = None

    def pause(self, reason: str, by: str) -> None:
        self._pause = (reason, by)
        if self.recorder is not None:
            self.recorder.pause_reason, self.recorder.pause_by = reason, by

    def unpause(self) -> None:
        self._pause = None
        if self.recorder is not None:
            self.recorder.pause_reason, self.recorder.pause_by = "", None

    def stop(self, by: str) -> bool:
        """Said before the task is cancelled: the session ends instead of going on later.

        False when it was said before: a second cancellation would disturb the end.
        """
        first = self._stopped_by is None
        self._stopped_by = self._stopped_by or by
        return first

    def answered(self, key: str, result: dict[str, Any]) -> None:
        """A question of the session was answered while other branches are at work."""
        if self.recorder is not None:
            self.recorder.answered(key, result)

    async def work(self, before: asyncio.Task[None] | None) -> None:
        if before is not None and not before.done():
            await asyncio.wait([before])
        while await self._goes_on():
            pass

    async def _goes_on(self) -> bool:
        """Plays the session once; True when it is to be played again at once."""
        claiming = asyncio.ensure_future(self._claim())
        try:
            recorder = self.recorder = await asyncio.shield(claiming)
        except StudioError as error:
            log.info("session %s was not taken: %s", self.session_id, error)
            return False
        except asyncio.CancelledError:  # the claim may stand in the writer's queue: see it through
            await asyncio.wait([claiming])
            if claiming.exception() is None:
                await self._cut(claiming.result())
            raise
        try:
            async with self._equipment():
                summary, context = await self._play(recorder)
            reason = context.ended_by or "The conversation ended"
            await self._quietly(lambda: self._finish(recorder, "finished", reason, summary))
        except Suspend as suspended:
            if suspended.state == "paused":
                return await self._left(recorder, suspended.reason)
        except asyncio.CancelledError:
            await self._cut(recorder)
            raise
        except FencedError:
            log.info("session %s was taken over", self.session_id)
        except Exception as error:  # noqa: BLE001 - a session must never be left "running"
            await self._fail(recorder, error)
        return False

    @asynccontextmanager
    async def _equipment(self) -> AsyncIterator[None]:
        """Boxes and servers live as long as the session is being played."""
        try:
            yield
        finally:
            await asyncio.shield(self._put_away())

    async def _put_away(self) -> None:
        for part in (self.mcp, self.boxes):
            try:
                await part.close_session(self.session_id)
            except Exception:  # the session's end is written whatever happens to its boxes
                log.exception("what session %s ran with was not closed", self.session_id)

    async def _claim(self) -> Recorder:
        """Takes a queued session: a new epoch fences off whoever had it before."""

        def work(connection: Connection) -> tuple[Recorder, list[events.Row]]:
            session = sessions.get(connection, None, self.session_id)
            if session.status != "queued":
                raise FencedError(f"the session is {session.status}")
            moved = StatusChanged("queued", "running", "")
            rows = events.append(
                connection,
                session.id,
                session.epoch,
                [new_row(moved, session.run)],
                Changes("running", "", new_epoch=True),
            )
            recorder = Recorder(
                database=self.database,
                bus=self.bus,
                session=session,
                epoch=session.epoch + 1,
                recorded=effects.load(connection, session.id),
                said=events.said(connection, session.id),
                limits=Limits(**session.limits),
                pace=session.pace,
                secrets=self.models.secrets,
                on_deadline=self.on_deadline,
            )
            return recorder, rows

        recorder, rows = await self.database.write(work)
        if self._pause is not None:
            recorder.pause_reason, recorder.pause_by = self._pause
        self.bus.rows(self.session_id, rows)
        return recorder

    async def _play(self, recorder: Recorder) -> tuple[str, RunContext]:
        """Plays every run of the session in order; those before the last are only replayed."""
        session = recorder.session
        snapshot = await self.database.read(lambda c: sessions.snapshot(c, session.id))
        tasks = await self.database.read(lambda c: events.tasks(c, session.id))
        context = RunContext(
            sink=recorder,
            effects=recorder,
            random=random.Random(session.seed),  # noqa: S311 - for repeatable speakers
            seed=session.seed,
            activity=recorder.activity,
            open_cache=lambda seed: KeptReplies(
                self.database, session.owner, seed, self.models.secrets.mask_now
            ),
        )
        workshop = Workshop(self.boxes, self.mcp, self.models.secrets, session.owner, session.id)
        chat = Builder(self.models, session.owner, snapshot, workshop).chat(context)
        summary = ""
        for number, task in enumerate(tasks, 1):
            recorder.run = context.run = number
            summary = await self._run(chat, recorder, task, first=number == 1)
        return summary, context

    @staticmethod
    async def _run(chat: LiveChat, recorder: Recorder, task: str, *, first: bool) -> str:
        try:
            return await chat.play(task, first=first)
        except Suspend as cut:
            if cut.state != "cut":
                raise
            return ""

    async def _finish(
        self,
        recorder: Recorder,
        status: str,
        reason: str,
        summary: str = "",
        by: str | None = None,
        failure: Failure | None = None,
    ) -> None:
        if recorder.status in sessions.TERMINAL:
            return  # cancelled while its end was being written, which goes on
        recorder.run = recorder.last_run
        moved = StatusChanged(recorder.status, status, reason, by)
        ended = SessionFinished(recorder.last_run, status, reason, summary, by)
        told = (moved, ended) if failure is None else (failure, moved, ended)
        await recorder.commit(*told, changes=Changes(status, reason, new_epoch=True))
        self.bus.clear(self.session_id)

    async def _left(self, recorder: Recorder, reason: str) -> bool:
        """Pauses; True when somebody let the session go on while its last branch came to rest."""
        recorder.run = recorder.last_run
        goes_on = not recorder.is_held
        to, why = ("queued", "Resumed") if goes_on else ("paused", reason)
        moved = StatusChanged("running", to, why, None if goes_on else recorder.pause_by)
        await self._quietly(lambda: recorder.commit(moved, changes=Changes(to, why)))
        return goes_on

    async def _cut(self, recorder: Recorder) -> None:
        """Cancelled: by Stop, which ends the session, or by the studio's end, which does not."""
        self.bus.clear(self.session_id)
        if self._stopped_by is not None:
            await self._quietly(
                lambda: self._finish(recorder, "stopped", "Stopped by you", by=self._stopped_by)
            )

    async def _fail(self, recorder: Recorder, error: Exception) -> None:
        """Every failure is a state that a person can read."""
        known = isinstance(error, EngineError | StudioError)
        if not known:
            log.exception("session %s failed", self.session_id, exc_info=error)
        message = str(error) if known else f"The studio failed inside: {type(error).__name__}"
        self.bus.clear(self.session_id)
        failure = Failure(
            who=getattr(error, "who", "storage"),
            message=message,
            retryable=True,
            detail=(error.detail or None) if isinstance(error, ModelError) else None,
        )
        await self._quietly(lambda: self._finish(recorder, "failed", message, failure=failure))

    async def _quietly(self, work: Callable[[], Awaitable[object]]) -> None:
        """Writes an end; while the disk is full, again and again: no session stays "running"."""
        pause = 1.0
        while True:
            try:
                await work()
            except FencedError:
                log.info("session %s was taken over", self.session_id)
            except UnavailableError as error:
                log.warning("session %s waits to be written: %s", self.session_id, error)
                await asyncio.sleep(pause)
                pause = min(30.0, pause * 2)
                continue
            return
