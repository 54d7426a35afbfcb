"""The effects and the sink of one session: everything a chat does passes here into the log.

Events are gathered between effects. The next effect commits them together with the result that
caused them and with its own intent: one transaction a turn. When a chat is run again from the
start, effects that are done answer at once and events that stand in the log are not said again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

import orjson

from ..definitions.common import Limits
from ..engine.effects import Effect, Outcome, Perform
from ..engine.errors import DivergenceError, Suspend
from ..engine.events import Delta, Event, LimitReached, StatusChanged, TurnStarted
from ..errors import UnavailableError
from ..store import effects, events
from ..store.database import Connection, Database
from ..store.effects import Intent, Recorded
from ..store.events import Changes, NewRow, Row, new_row
from ..store.known_secrets import KnownSecrets, Mask
from ..store.sessions import Session
from ..streaming.bus import Bus
from .live_mask import LiveMask

log = logging.getLogger("studio.runner")
NO_CHANGES = Changes()
READING_FIRST, READING_PER_WORD, READING_MOST = 0.6, 0.06, 2.5  # seconds between speakers


@dataclass
class Totals:
    """What the session has used so far, for its limits."""

    messages: int
    tokens: int
    cost_nano: int
    active_ms: int

    def add(self, rows: list[NewRow]) -> None:
        for row in rows:
            self.messages += row.turns
            self.tokens += row.prompt_tokens + row.completion_tokens
            self.cost_nano += row.cost_nano

    def exceeded(self, limits: Limits) -> LimitReached | None:
        used = {
            "max_messages": self.messages,
            "max_tokens": self.tokens,
            "max_cost_usd": self.cost_nano / events.NANO,
            "max_seconds": self.active_ms / 1000,
        }
        for name, value in used.items():
            most = getattr(limits, name)
            if most is not None and value >= most:
                return LimitReached(limit=name, value=value, max=most)
        return None


@dataclass(frozen=True, slots=True)
class _Call:
    """The last request of an agent: the next one usually begins with the same messages."""

    key: str
    digest: str
    messages: list[dict[str, Any]]


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
    _counts: dict[tuple[int, str], int] = field(default_factory=dict)
    _buffer: list[NewRow] = field(default_factory=list)
    _finished: list[tuple[str, str]] = field(default_factory=list)
    _calls: dict[tuple[str, str], _Call] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _background: set[asyncio.Task[None]] = field(default_factory=set)
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

    # -- Sink

    def emit(self, chat: str, event: Event) -> None:
        place = (self.run, chat)
        n = self._counts[place] = self._counts.get(place, 0) + 1
        if n > self.said.get(place, 0):
            self._keep(self._row(event, chat, n))
            if event.kind == "message":
                self._words = len(str(event.content or "").split())

    def _keep(self, row: NewRow) -> None:
        """For the next commit; counted at once, so that a limit stops the very next effect."""
        self._buffer.append(row)
        self.totals.add([row])

    def report(self, chat: str, event: Event) -> None:
        self._buffer.append(self._row(event, chat))
        task = asyncio.get_running_loop().create_task(self.commit())
        self._background.add(task)
        task.add_done_callback(self._reported)

    def _reported(self, task: asyncio.Task[None]) -> None:
        """A report that could not be written is no reason to fail: the next commit says why."""
        self._background.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.info("a report was not written: %s", task.exception())

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
        calls_before = dict(self._calls)
        intent = self._intent(key, effect)
        known = self.recorded.get(key)
        if known is not None and known.request_hash != intent.request_hash:
            raise DivergenceError(
                f"At turn {effect.turn} the replay of this session asks for something else than "
                "its log recorded; it was made by another version of the studio"
            )
        if known is not None and known.result is not None:
            return Outcome(known.result, known.attempt)
        if self.run < self.last_run:
            if known is None:
                self._calls = calls_before
            raise Suspend("cut", "an earlier run ended here")
        if effect.kind == "input":
            await self._wait_for_person(intent if known is None else None)
        await self._check_brakes()
        await self._keep_pace(effect)
        if known is None:
            await self.commit(intent=intent)
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

    async def _wait_for_person(self, intent: Intent | None) -> None:
        """Suspends the chat; question and state are committed together, so none is lost."""
        if self.pause_reason:
            await self.commit(intent=intent)
            raise Suspend("paused", self.pause_reason)
        moved = StatusChanged(from_="running", to="waiting", reason="A person is asked")
        await self.commit(moved, intent=intent, changes=Changes("waiting", moved.reason))
        raise Suspend("waiting", moved.reason)

    async def _check_brakes(self) -> None:
        if self.pause_reason:
            await self.commit()
            raise Suspend("paused", self.pause_reason)
        self._count_time()
        reached = self.totals.exceeded(self.limits)
        if reached is not None:
            await self.commit(reached)
            words = reached.limit.removeprefix("max_").replace("cost_usd", "USD")
            raise Suspend("paused", f"The limit of {reached.max:,g} {words} is reached")

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

    def _intent(self, key: str, effect: Effect) -> Intent:
        """The effect as it is stored: only the messages that the call before did not have."""
        base, shared, tail = None, 0, None
        if effect.messages is not None:
            place = (effect.agent, str(effect.request.get("purpose")))
            last = self._calls.get(place)
            if last is not None:
                shared = _common(last.messages, effect.messages)
                base = last if shared else None
            tail = effect.messages[shared:]
        request = orjson.dumps(effect.request, option=orjson.OPT_SORT_KEYS)
        messages = None if tail is None else orjson.dumps(tail, option=orjson.OPT_SORT_KEYS)
        digest = blake2b(request, digest_size=16)
        digest.update(f"{base.digest if base else ''}:{shared}:".encode())
        digest.update(messages or b"")
        if effect.messages is not None:
            self._calls[place] = _Call(key, digest.hexdigest(), effect.messages)
        return Intent(
            key=key,
            kind=effect.kind,
            run=self.run,
            turn=effect.turn,
            agent=effect.agent,
            attempt=1,
            request_hash=digest.hexdigest(),
            request=request.decode(),
            base=base.key if base else None,
            shared=shared,
            messages=messages.decode() if messages is not None else None,
        )

    # -- the log

    async def commit(
        self,
        *last: Event,
        chat: str = "",
        intent: Intent | None = None,
        changes: Changes = NO_CHANGES,
    ) -> None:
        """Writes what was gathered and `last` behind it, then tells the followers.

        `last` and `changes` go in together: no other commit can come between an end and its state.
        Survives being cancelled.
        """
        rows = [self._row(event, chat) for event in last]
        before, self.status = self.status, changes.status or self.status
        try:
            await asyncio.shield(self._commit(rows, intent, changes))
        except UnavailableError:
            self.status = before
            raise

    async def _commit(self, last: list[NewRow], intent: Intent | None, changes: Changes) -> None:
        async with self._lock:
            gathered, self._buffer = self._buffer, []
            finished, self._finished = self._finished, []
            buffer = [*gathered, *last]
            if not (buffer or finished or intent or changes.status):
                return
            self._count_time()
            elapsed, self._unsaved_ms = self._unsaved_ms, 0
            merged = replace(changes, active_ms=elapsed)

            def work(connection: Connection) -> list[Row]:
                rows = events.append(connection, self.session.id, self.epoch, buffer, merged)
                for key, result in finished:
                    effects.finish(connection, self.session.id, key, result)
                if intent is not None:
                    effects.begin(connection, self.session.id, intent)
                return rows

            try:
                rows = await self.database.write(work)
            except UnavailableError:  # it was not written: it goes with the next commit
                self._buffer[:0], self._finished[:0] = gathered, finished
                self._unsaved_ms += elapsed
                raise
            self.bus.rows(self.session.id, rows)

    def _count_time(self) -> None:
        now = time.monotonic()
        elapsed = int((now - self._clock) * 1000)
        self._clock += elapsed / 1000
        self.totals.active_ms += elapsed
        self._unsaved_ms += elapsed


def _common(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> int:
    """How many leading messages are the same; almost always by identity, which is fast."""
    most = min(len(before), len(now))
    if before[:most] == now[:most]:
        return most
    for i in range(most):
        if before[i] is not now[i] and before[i] != now[i]:
            return i
    return most
