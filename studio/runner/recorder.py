"""The effects and the sink of one session: everything a chat does passes here into the log.

Events are gathered between effects. The next effect commits them together with the result that
caused them and with its own intent: one transaction a turn. When a chat is run again from the
start, effects that are done answer at once and events that stand in the log are not said again.

A strand that asks a person waits here while others are at work; when all wait, the session does,
and holds nothing any more.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from ..definitions.common import Limits
from ..engine.effects import Effect, Outcome, Perform
from ..engine.errors import DivergenceError, Suspend
from ..engine.events import Delta, Event, StatusChanged, TurnStarted
from ..engine.strand import Activity
from ..errors import UnavailableError
from ..store import effects, events
from ..store.database import Connection, Database
from ..store.effects import Intent, Recorded
from ..store.events import Changes, NewRow, Row, new_row
from ..store.known_secrets import KnownSecrets, Mask
from ..store.sessions import Session
from ..streaming.bus import Bus
from .live_mask import LiveMask
from .requests import Requests
from .totals import Totals
from .unknown import question_about, unknown_result

log = logging.getLogger("studio.runner")
NO_CHANGES = Changes()
WAITING = "A person is asked"
FLUSH_SECONDS = 0.03
READING_FIRST, READING_PER_WORD, READING_MOST = 0.6, 0.06, 2.5  # seconds between speakers


@dataclass
class Recorder:
    """One writer of one session, fenced by `epoch`. Implements Effects and Sink.

    `run` is the run that is being played; runs before `last_run` are only replayed. `status` is the
    state that the last commit has written or is writing.
    """

    database: Database
    bus: Bus
    session: Session
    epoch: int
    recorded: dict[str, Recorded]
    said: dict[tuple[int, str], int]
    limits: Limits
    secrets: KnownSecrets
    run: int = 1
    status: str = "running"
    pause_reason: str = ""
    pause_by: str | None = None
    pace: str = "full"
    activity: Activity = field(default_factory=Activity)
    on_deadline: Callable[[], None] = lambda: None
    _counts: dict[tuple[int, str], int] = field(default_factory=dict)
    _buffer: list[NewRow] = field(default_factory=list)
    _finished: list[tuple[str, str]] = field(default_factory=list)
    _requests: Requests = field(default_factory=Requests)
    _intents: list[Intent] = field(default_factory=list)
    _asked: dict[str, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)
    _braked: Suspend | None = None
    _at_rest: Suspend | None = None
    _flush: asyncio.TimerHandle | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _background: set[asyncio.Task[Any]] = field(default_factory=set)
    _mask: Mask = field(default_factory=Mask)
    _live: dict[str, LiveMask] = field(default_factory=dict)
    _words: int = 0
    _unsaved_ms: int = 0

    def __post_init__(self) -> None:
        s = self.session
        self.last_run = s.run
        self.totals = Totals(
            s.turns, s.prompt_tokens + s.completion_tokens, s.cost_nano, s.active_ms
        )
        self._clock = time.monotonic()
        self.activity.on_idle = self._when_idle

    # -- Sink

    def emit(self, chat: str, event: Event) -> None:
        place = (self.run, chat)
        n = self._counts[place] = self._counts.get(place, 0) + 1
        if n > self.said.get(place, 0) and self.run == self.last_run:
            self._keep(self._row(event, chat, n))
            if event.kind == "message":
                self._words = len(str(event.content or "").split())

    def _keep(self, row: NewRow) -> None:
        """For the next commit; counted at once, so that a limit stops the very next effect."""
        self._buffer.append(row)
        self.totals.add([row])
        if self.activity.at_work > 1 and self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flushed)

    def _flushed(self) -> None:
        """The last words of a branch do not wait for the next effect of another one."""
        self._flush = None
        if self._buffer:
            self._in_background(self.commit())

    def report(self, chat: str, event: Event) -> None:
        self._buffer.append(self._row(event, chat))
        self._in_background(self.commit())

    def _in_background(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._reported)

    def _reported(self, task: asyncio.Task[Any]) -> None:
        """What could not be written now is no reason to fail: the next commit says why."""
        self._background.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.info("the log was not written in passing: %s", task.exception())

    def _row(self, event: Event, chat: str, n: int | None = None) -> NewRow:
        row = new_row(event, self.run, chat, n)
        body = self._mask.text(row.body)
        words = row.words if row.words is None else self._mask.text(row.words)
        return row if body is row.body else replace(row, body=body, words=words)

    def delta(self, event: Delta) -> None:
        if not self._mask.forms:
            self.bus.delta(self.session.id, event)
            return
        live = self._live.get(event.chat)
        if live is None or not live.continues(event):
            live = self._live[event.chat] = LiveMask(self._mask, event)
        if shown := live.shown(event):
            self.bus.delta(self.session.id, shown)

    # -- Effects

    async def do(self, effect: Effect, perform: Perform) -> Outcome:
        self._mask = await self.secrets.mask(self.session.owner)
        key = f"{self.run}:{effect.key}"
        known = self.recorded.get(key)
        is_cut = self.run < self.last_run and known is None
        intent = self._requests.intent(key, self.run, effect, keeps=not is_cut)
        if known is not None and known.request_hash != intent.request_hash:
            raise DivergenceError(
                f"At turn {effect.turn} the replay of this session asks for something else than "
                "its log recorded; it was made by another version of the studio"
            )
        if known is not None and known.result is not None:
            return Outcome(known.result, known.attempt)
        if self.run < self.last_run:
            raise Suspend("cut", "an earlier run ended here")
        if effect.kind == "input":
            return await self._answered(intent, is_new=known is None)
        await self._check_brakes()
        await self._keep_pace(effect)
        if known is None:
            await self.commit(intent=intent)
        elif skipped := await self._not_again(effect, key, known.attempt):
            self._finished.append((key, orjson.dumps(skipped).decode()))
            return Outcome(skipped, known.attempt)
        else:
            intent = await self._again(intent, known.attempt + 1, effect)
        result, text = self._masked(await perform(intent.attempt))
        self._finished.append((key, text))
        return Outcome(result, intent.attempt)

    def _masked(self, result: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """An answer as the chat may see and the log may keep it: a server that says its key back,
        or a tool that prints one, must not spread it."""
        text = orjson.dumps(result).decode()
        masked = self._mask.text(text)
        return (result if masked is text else orjson.loads(masked)), masked

    async def _again(self, intent: Intent, attempt: int, effect: Effect) -> Intent:
        """A crash cut this effect: its turn starts again and replaces what was shown of it."""
        intent = replace(intent, attempt=attempt)
        if effect.request.get("purpose") == "turn":
            chat = effect.key.rpartition("#")[0]
            started = TurnStarted(turn=effect.turn, attempt=attempt, agent=effect.agent)
            await self.commit(started, chat=chat, intent=intent)
        else:
            await self.commit(intent=intent)
        return intent

    async def _not_again(self, effect: Effect, key: str, attempt: int) -> dict[str, Any] | None:
        """What stands for code or a call that was cut, when a person does not want it run again."""
        if effect.request.get("repeatable", True):
            return None
        about, asked = question_about(effect, key, attempt, self.session.seed)
        own = f"{self.run}:{about.key}"
        known = self.recorded.get(own)
        if known is not None and known.result is not None:
            answer = known.result
        else:
            if known is None:
                self._keep(self._row(asked, effect.key.rpartition("#")[0]))
            intent = self._requests.intent(own, self.run, about, keeps=False)
            answer = (await self._answered(intent, is_new=known is None)).result
        if answer.get("approve"):
            return None
        return unknown_result(effect, str(answer.get("reason") or ""))

    # -- people

    async def _answered(self, intent: Intent, *, is_new: bool) -> Outcome:
        """Waits for a person while other strands are at work. Raises Suspend when none is."""
        future = asyncio.get_running_loop().create_future()
        self._asked[intent.key] = future
        if is_new:
            self._intents.append(intent)
        try:
            self.activity.rests()
            if self.activity.at_work:
                await self.commit()
            result: dict[str, Any] = await future
        except asyncio.CancelledError:
            self.activity.begins()
            raise
        finally:
            del self._asked[intent.key]
        return Outcome(result, intent.attempt)

    def answered(self, key: str, result: dict[str, Any]) -> None:
        """An answer has come and was recorded: the strand that asked goes on, or will not ask when
        it gets there."""
        future, known = self._asked.get(key), self.recorded.get(key)
        if future is None and known is not None:
            self.recorded[key] = replace(known, result=result)
        elif future is not None and not future.done():
            self.activity.begins()
            future.set_result(result)

    def _when_idle(self) -> None:
        self._in_background(self._rest())

    async def _rest(self) -> None:
        """All strands wait for people: the session does, unless an answer has come meanwhile.

        Questions and state are committed together, so none is lost.
        """
        try:
            if self.pause_reason or self._at_rest is not None:
                await self.commit()
                raise self._at_rest or Suspend("paused", self.pause_reason)
            if not await self._wait():
                raise Suspend("waiting", WAITING)
        except Exception as error:  # noqa: BLE001 - whatever it is, the strands end with it
            self._give_up(error)
        except Suspend as suspended:
            self._give_up(suspended)

    def _give_up(self, error: BaseException) -> None:
        for future in self._asked.values():
            if not future.done():
                self.activity.begins()
                future.set_exception(error)

    async def _wait(self) -> bool:
        """Makes the session wait; True when there was an answer instead, which is passed on."""
        moved = StatusChanged(from_="running", to="waiting", reason=WAITING)
        found = await self.commit(moved, changes=Changes("waiting", WAITING), asked=[*self._asked])
        for key, result in found.items():
            self.answered(key, result)
        return bool(found)

    # -- brakes

    @property
    def is_held(self) -> bool:
        """Whether a pause or a limit would stop the next effect."""
        return bool(self.pause_reason) or self.totals.exceeded(self.limits) is not None

    async def _check_brakes(self) -> None:
        if self.pause_reason:
            await self.commit()
            raise self._resting(self.pause_reason)
        self._count_time()
        reached = self.totals.exceeded(self.limits)
        if reached is None:
            self._braked = None
            return
        words = reached.limit.removeprefix("max_").replace("cost_usd", "USD")
        braked = self._resting(f"The limit of {reached.max:,g} {words} is reached")
        if self._braked is None:  # told once, though every strand ends with it
            self._braked = braked
            await self.commit(reached)
        raise braked

    def _resting(self, reason: str) -> Suspend:
        """A strand rests here until the session is played again: once the others have come to rest
        too it pauses, or goes on at once if nothing holds it any more, but does not wait."""
        self._at_rest = Suspend("paused", reason)
        return self._at_rest

    async def _keep_pace(self, effect: Effect) -> None:
        """A breath between speakers while a page watches; tokens are never slowed."""
        if self.pace != "reading" or effect.request.get("purpose") == "summary":
            return
        await self.commit()
        if self.bus.is_watched(self.session.id) and self._words:
            pause = READING_FIRST + READING_PER_WORD * self._words
            self._words = 0
            await asyncio.sleep(min(pause, READING_MOST))
            await self._check_brakes()

    # -- the log

    async def commit(
        self,
        *last: Event,
        chat: str = "",
        intent: Intent | None = None,
        changes: Changes = NO_CHANGES,
        asked: Sequence[str] = (),
    ) -> dict[str, dict[str, Any]]:
        """Writes what was gathered and `last` behind it, then tells the followers.

        `last` and `changes` go in together: no other commit can come between an end and its state.
        When one of the questions `asked` has its answer already, they are left out, and the answers
        are returned. Survives being cancelled.
        """
        rows = [self._row(event, chat) for event in last]
        before, self.status = self.status, changes.status or self.status
        try:
            found = await asyncio.shield(self._commit(rows, intent, changes, asked))
        except UnavailableError:
            self.status = before
            raise
        if found:
            self.status = before
        return found

    async def _commit(
        self, last: list[NewRow], intent: Intent | None, changes: Changes, asked: Sequence[str]
    ) -> dict[str, dict[str, Any]]:
        async with self._lock:
            gathered, self._buffer = self._buffer, []
            finished, self._finished = self._finished, []
            intents, self._intents = self._intents, []
            begun = [*intents, intent] if intent is not None else intents
            if not (gathered or last or finished or begun or changes.status):
                return {}
            self._count_time()
            elapsed, self._unsaved_ms = self._unsaved_ms, 0

            def work(connection: Connection) -> tuple[list[Row], dict[str, dict[str, Any]]]:
                found = effects.answers(connection, self.session.id, asked)
                rest = NO_CHANGES if found else changes
                buffer = gathered if found else [*gathered, *last]
                merged = replace(rest, active_ms=elapsed)
                rows = events.append(connection, self.session.id, self.epoch, buffer, merged)
                for key, result in finished:
                    effects.finish(connection, self.session.id, key, result)
                for one in begun:
                    effects.begin(connection, self.session.id, one)
                return rows, found

            try:
                rows, found = await self.database.write(work)
            except UnavailableError:  # it was not written: it goes with the next commit
                self._buffer[:0], self._finished[:0] = gathered, finished
                self._intents[:0] = intents
                self._unsaved_ms += elapsed
                raise
            self.bus.rows(self.session.id, rows)
            if any(one.due for one in begun):
                self.on_deadline()
            return found

    def _count_time(self) -> None:
        now = time.monotonic()
        elapsed = int((now - self._clock) * 1000)
        self._clock += elapsed / 1000
        self.totals.active_ms += elapsed
        self._unsaved_ms += elapsed
