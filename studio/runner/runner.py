"""The verbs of a session: start, answer, pause, resume, stop, follow up, delete."""

from __future__ import annotations

import asyncio
import secrets as random_secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Concatenate, Literal, ParamSpec

import orjson

from ..config import Settings
from ..definitions.common import Limits
from ..engine.asking import EXIT
from ..engine.events import (
    Event,
    InputReceived,
    SessionFinished,
    SessionStarted,
    StatusChanged,
)
from ..errors import ConflictError, InvalidError, Problem
from ..store import consents, effects, events, sessions
from ..store.database import Connection, Database
from ..store.effects import Overdue
from ..store.events import Changes, Row, new_row
from ..store.files import Files
from ..store.known_secrets import KnownSecrets
from ..store.secrets import Vault
from ..store.sessions import Session
from ..store.tables import new_id
from ..streaming.bus import Bus
from .answers import Answer, checked, masked
from .attachments import Attachments
from .boxes import Boxes
from .build import Builder, exact_call
from .cast import cast
from .deadlines import Deadlines
from .local_model import BuiltInModel
from .mcp import McpServers
from .models import Models
from .packages import Preparations
from .readiness import Known, Readiness
from .skill_tests import SkillTests
from .states import Status, check_move
from .worker import Worker

P = ParamSpec("P")
STOP_SECONDS = 2.5  # of the 3 that are promised
NAME_LENGTH = 80
TIME_OUT = "time-out"  # who answers when nobody does


@dataclass(frozen=True)
class Start:
    """What a session begins with. `models` exchanges model ids, `pace` is full or reading;
    `attachments` are ids of uploads."""

    workflow: str
    message: str
    limits: Limits = field(default_factory=Limits)
    models: dict[str, str] | None = None
    pace: Literal["full", "reading"] = "full"
    name: str = ""
    attachments: tuple[str, ...] = ()


class OvertakenError(ConflictError):
    """Another move came between looking at a session and moving it."""


def _judged_again(
    verb: Callable[Concatenate[Runner, P], Awaitable[Session]],
) -> Callable[Concatenate[Runner, P], Awaitable[Session]]:
    """A verb that was overtaken is judged once more, from the state that is there now.

    Without it two clicks on Resume could queue a session a second time behind the back of the
    worker that the first one had already set on it.
    """

    @wraps(verb)
    async def again(self: Runner, /, *args: P.args, **kwargs: P.kwargs) -> Session:
        while True:
            with suppress(OvertakenError):
                return await verb(self, *args, **kwargs)

    return again


class Runner:
    """All that may be done to sessions, for the web and the CLI alike. Lives in one event loop."""

    def __init__(
        self, settings: Settings, database: Database, bus: Bus, vault: Vault, local: BuiltInModel
    ) -> None:
        self.settings, self.database, self.bus, self.vault = settings, database, bus, vault
        self.local = local
        token = [settings.token.get_secret_value()] if settings.token else []
        self.secrets = KnownSecrets(database, vault, token)
        self.models = Models(settings, self.secrets, local)
        self.files = Files(settings.home)
        self.attachments = Attachments(database, self.files)
        self.preparations = Preparations(settings.home)
        self.boxes = Boxes(settings, self.files, self.preparations)
        self.readiness = Readiness(settings, vault, local, self.boxes)
        self.mcp = McpServers(self.boxes, settings, self.secrets)
        self.skill_tests = SkillTests(self.boxes, self.secrets, self.mcp)
        self.deadlines = Deadlines(database, self._time_out)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._workers: dict[str, Worker] = {}
        self._clearing: asyncio.Task[None] | None = None
        self._closing = False

    # -- life of the runner

    async def recover(self) -> int:
        """Takes up every session that a crash or a restart cut off; says how many."""
        await self.attachments.clean()
        cut = await self.database.read(lambda c: sessions.unfinished(c, ("running", "queued")))
        for one in cut:
            session = await self.session(None, one)
            if session.status == "running":
                await self._move(None, session, "queued", "The studio was restarted")
            self._dispatch(one)
        if await self.database.read(effects.next_due) is not None:
            self.deadlines.look()
        self._clearing = asyncio.get_running_loop().create_task(self.boxes.clear())
        return len(cut)

    async def close(self) -> None:
        """Stops working without ending any session: they go on at the next start."""
        self._closing = True
        if self._clearing is not None:
            self._clearing.cancel()
        await self.deadlines.close()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self.mcp.close()
        await self.boxes.close()
        await self.preparations.close()
        await self.models.close()
        await self.local.close()

    # -- looking

    async def session(self, owner: str | None, one: str) -> Session:
        return await self.database.read(lambda c: sessions.get(c, owner, one))

    async def problems(self, owner: str, workflow: str) -> list[Problem]:
        """What stands in the way of running a workflow, blocking or not."""
        return await self.readiness.knowing_boxes(
            lambda known: self.database.read(
                lambda c: self.readiness.looked_at(c, owner, workflow, {}, known).problems
            )
        )

    async def exact_call(self, owner: str, one: str, seq: int) -> dict[str, Any]:
        """The request of a model call as it went over the wire, and the answer as it came back."""
        session = await self.session(owner, one)
        call = await self.database.read(lambda c: effects.model_call(c, one, seq))
        snapshot = await self.database.read(lambda c: sessions.snapshot(c, one))
        shown = exact_call(Builder(self.models, session.owner, snapshot), call)
        mask = await self.secrets.mask(session.owner)
        return orjson.loads(mask.text(orjson.dumps(shown).decode()))  # type: ignore[no-any-return]

    # -- the verbs

    async def start(self, owner: str, by: str, given: Start) -> Session:
        """Makes a session and sets it going. Raises InvalidError with every blocking problem."""
        if not given.message.strip():
            raise InvalidError([Problem(["message"], "Say what the team shall do", "missing")])
        seed = random_secrets.token_hex(16)
        mask = await self.secrets.mask(owner)
        message, name = mask.text(given.message), mask.text(given.name)
        files = await self.attachments.found(owner, given.attachments)
        one = new_id()

        def work(connection: Connection, known: Known) -> None:
            found = self.readiness.looked_at(
                connection, owner, given.workflow, given.models or {}, known
            )
            if blocking := [p for p in found.problems if p.blocking]:
                raise InvalidError(blocking)
            snapshot, workflow = found.snapshot, found.snapshot["workflow"]
            limits = self._limits(given.limits, Limits(**workflow["limits"]))
            sessions.create(
                connection,
                owner,
                {
                    "id": one,
                    "workflow_id": given.workflow,
                    "workflow_name": workflow["name"],
                    "revision": found.revision,
                    "name": name or _title(message),
                    "status": "queued",
                    "snapshot": orjson.dumps(snapshot).decode(),
                    "agents": orjson.dumps(cast(snapshot)).decode(),
                    "seed": seed,
                    "limits": limits.model_dump_json(),
                    "pace": given.pace,
                    "created_by": by,
                },
            )
            started = SessionStarted(workflow["name"], found.revision, message, by, attached)
            events.append(connection, one, 0, [new_row(started, 1)])

        async with self.attachments.given(one, files, is_new=True) as attached:
            await self.readiness.knowing_boxes(
                lambda known: self.database.write(lambda c: work(c, known))
            )
        self._dispatch(one)
        return await self.session(owner, one)

    async def answer(self, owner: str, by: str, one: str, given: Answer) -> Session:
        """Records a person's answer and lets the session go on. Unknown or answered: conflict.

        Raises InvalidError for an answer that does not fit the question, at the field.
        """
        await self.session(owner, one)
        given = masked(given, await self.secrets.mask(owner))
        return await self._record(owner, by, one, given.question, lambda q: checked(given, q))

    async def _record(
        self,
        owner: str | None,
        by: str,
        one: str,
        question: str,
        answer: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> Session:
        """Writes down what `answer` makes of the question, and wakes whoever waits for it."""

        def work(connection: Connection) -> tuple[list[Row], str, dict[str, Any]]:
            now = sessions.get(connection, owner, one)
            key = effects.question(connection, one, now.run, question)
            if key is None or now.is_over:
                raise ConflictError("Nobody asks this, or it was answered before")
            asked = sessions.open_question(connection, one, now.run, question)
            result = answer(asked)
            effects.finish(connection, one, key, orjson.dumps(result | {"by": by}).decode())
            consents.keep(connection, now.owner, now.workflow_id, asked, result, by)
            rows = [new_row(InputReceived(question, by, **result), now.run)]
            changes = Changes()
            if now.status == "waiting":
                rows.append(new_row(StatusChanged("waiting", "queued", "Answered", by), now.run))
                changes = Changes("queued", "Answered", new_epoch=True)
            return events.append(connection, one, now.epoch, rows, changes), key, result

        rows, key, result = await self.database.write(work)
        self.bus.rows(one, rows)
        if any(row.kind == "status_changed" for row in rows):
            self._dispatch(one)
        elif one in self._workers:  # other branches are at work: the one that asked joins them
            self._workers[one].answered(key, result)
        return await self.session(owner, one)

    async def _time_out(self, due: Overdue) -> bool:
        """Nobody answered in time: the agent answers by itself, the chat ends, or all fails."""
        if due.then != "fail":
            said = {"text": EXIT if due.then == "end" else ""}
            await self._record(None, TIME_OUT, due.session_id, due.question, lambda _: said)
            return True
        session = await self.session(None, due.session_id)
        if session.status != "waiting":  # other branches are at work: they come to rest first
            return False
        await self.database.write(lambda c: effects.wait_for_ever(c, due.session_id, due.key))
        await self._move(None, session, "failed", f"{due.agent} was not answered in time")
        return True

    @_judged_again
    async def pause(self, owner: str, by: str, one: str) -> Session:
        """Pauses before the next turn; the turn that is being made ends first."""
        session = await self.session(owner, one)
        if session.status == "paused":
            return session
        check_move(session.status, "paused")
        worker = self._workers.get(one)
        if worker is not None and session.status in ("running", "queued"):
            worker.pause("Paused by you", by)
            return await self.session(owner, one)
        return await self._move(owner, session, "paused", "Paused by you", by)

    @_judged_again
    async def resume(self, owner: str, by: str, one: str) -> Session:
        """Lets a paused session go on, and a failed one try its open turn again."""
        session = await self.session(owner, one)
        worker = self._workers.get(one)
        if session.status in ("running", "queued"):
            if worker is not None:
                worker.unpause()
            elif session.status == "queued":  # its worker could not claim it: the disk was full
                self._dispatch(one)
            return session
        if session.status not in ("paused", "failed"):
            raise ConflictError(f"The session is {session.status}; there is nothing to resume")
        session = await self._move(owner, session, "queued", "Resumed", by)
        self._dispatch(one)
        self.deadlines.look()  # a question may have come due meanwhile
        return session

    @_judged_again
    async def stop(self, owner: str, by: str, one: str) -> Session:
        """Ends the session now; what was said so far is kept."""
        session = await self.session(owner, one)
        if session.status == "stopped":
            return session
        check_move(session.status, "stopped")
        worker, task = self._workers.get(one), self._tasks.get(one)
        if worker is not None and task is not None and not task.done():
            if worker.stop(by):
                task.cancel()
            await asyncio.wait([task], timeout=STOP_SECONDS)
            session = await self.session(owner, one)
            if session.is_over:
                return session
        return await self._move(owner, session, "stopped", "Stopped by you", by)

    @_judged_again
    async def follow_up(
        self, owner: str, by: str, one: str, message: str, attachments: Sequence[str] = ()
    ) -> Session:
        """Gives a session that is over another message, and files; the history is kept."""
        if not message.strip():
            raise InvalidError([Problem(["message"], "Say what the team shall do", "missing")])
        message = (await self.secrets.mask(owner)).text(message)
        session = await self.session(owner, one)
        if not session.is_over:
            raise ConflictError(f"The session is {session.status}; wait until it has ended")
        files = await self.attachments.found(owner, attachments)
        async with self.attachments.given(one, files) as given:
            told = SessionStarted(session.workflow_name, session.revision, message, by, given)
            session = await self._move(owner, session, "queued", "A follow-up message", by, told)
        self._dispatch(one)
        return session

    async def change(
        self, owner: str, one: str, limits: Limits | None, tags: list[str] | None, pace: str | None
    ) -> Session:
        """Changes limits, tags or pace; a running session feels it at its next turn."""
        session = await self.session(owner, one)
        values: dict[str, Any] = {}
        if limits is not None:
            values["limits"] = self._raised(limits).model_dump_json()
        if tags is not None:
            values["tags"] = orjson.dumps(tags).decode()
        if pace is not None:
            values["pace"] = pace
        if values:
            session = await self.database.write(lambda c: sessions.patch(c, owner, one, values))
        recorder = self._workers[one].recorder if one in self._workers else None
        if recorder is not None:
            recorder.limits = Limits(**session.limits)
            recorder.pace = session.pace
        return session

    async def delete(self, owner: str, by: str, one: str) -> None:
        """Stops the session if it is active, then removes it with its whole log."""
        session = await self.session(owner, one)
        if not session.is_over:
            with suppress(ConflictError):  # it ended by itself
                await self.stop(owner, by, one)
        await self.database.write(lambda c: sessions.remove(c, owner, one))
        await self.boxes.close_session(one)
        await self.files.remove_session(one)

    # -- inside

    def _limits(self, asked: Limits, workflow: Limits) -> Limits:
        """Session within workflow within server, limit by limit."""
        return asked.within(workflow).within(self._server_limits())

    def _raised(self, asked: Limits) -> Limits:
        """A person may raise what the workflow allows, up to the server's own limits."""
        server = self._server_limits()
        problems = [
            Problem(["limits", name], f"This studio allows at most {most:,g}", "limit")
            for name in Limits.model_fields
            if (value := getattr(asked, name)) is not None
            and value > (most := getattr(server, name))
        ]
        if problems:
            raise InvalidError(problems)
        return asked.within(server)

    def _server_limits(self) -> Limits:
        s = self.settings
        return Limits(
            max_messages=s.max_messages,
            max_tokens=s.max_tokens,
            max_cost_usd=s.max_cost_usd,
            max_seconds=s.max_seconds,
        )

    async def _move(
        self,
        owner: str | None,
        seen: Session,
        to: Status,
        reason: str,
        by: str | None = None,
        started: SessionStarted | None = None,
    ) -> Session:
        """Changes the state of a session that is still as it was `seen`.

        Raises ConflictError when it cannot become `to`, OvertakenError when it is no longer so.
        `started` opens the next run. No worker goes on behind an end or a move that it did not make
        itself: the epoch is bumped.
        """
        check_move(seen.status, to)

        def work(connection: Connection) -> list[Row]:
            now = sessions.get(connection, owner, seen.id)
            if (now.status, now.run) != (seen.status, seen.run):
                raise OvertakenError(f"The session is {now.status} meanwhile")
            run = now.run + (started is not None)
            told: list[Event] = [StatusChanged(now.status, to, reason, by)]
            if started is not None:
                told.insert(0, started)
            if to in sessions.TERMINAL:
                told.append(SessionFinished(run, to, reason, "", by))
            fence = to in sessions.TERMINAL or now.status == "running"
            changes = Changes(to, reason, run=run, new_epoch=fence)
            rows = [new_row(event, run) for event in told]
            return events.append(connection, now.id, now.epoch, rows, changes)

        self.bus.rows(seen.id, await self.database.write(work))
        return await self.session(owner, seen.id)

    def _dispatch(self, one: str) -> None:
        """Sets a worker on a queued session, after the one that may just be leaving it."""
        if self._closing:
            return
        before = self._tasks.get(one)
        worker = self._workers[one] = Worker(
            self.database, self.bus, self.models, self.boxes, self.mcp, one, self.deadlines.look
        )
        task = asyncio.get_running_loop().create_task(worker.work(before), name=f"session {one}")
        self._tasks[one] = task
        task.add_done_callback(lambda done: self._forget(one, done))

    def _forget(self, one: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(one) is task:
            del self._tasks[one]
            self._workers.pop(one, None)


def _title(message: str) -> str:
    line = next((x.strip() for x in message.splitlines() if x.strip()), "Session")
    return line if len(line) <= NAME_LENGTH else f"{line[: NAME_LENGTH - 1]}…"
