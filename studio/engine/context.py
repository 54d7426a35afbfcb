"""RunContext: all that a chat may touch outside itself."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, Protocol

from .compat import SAFE, Compat
from .effects import Effects, PlainEffects
from .errors import DefinitionError
from .events import ArtifactSaved, ContextChanged, Delta, Event, InputRequested, TurnStarted
from .llm.cache import Cache
from .stopping import StopCondition, Watch
from .strand import Activity, RunningVariables, Strand

MAX_DEPTH = 12


class Sink(Protocol):
    """Where events go.

    emit    what follows from the chat and its effects: said again, identically, in a replay
    report  what happened while an effect was performed (a retry): never said again
    delta   live text, not kept
    """

    def emit(self, chat: str, event: Event) -> None: ...
    def report(self, chat: str, event: Event) -> None: ...
    def delta(self, event: Delta) -> None: ...


class NullSink:
    """Drops everything."""

    def emit(self, chat: str, event: Event) -> None: ...
    def report(self, chat: str, event: Event) -> None: ...
    def delta(self, event: Delta) -> None: ...


Ask = Callable[[InputRequested], Awaitable[str]]


async def no_person(question: InputRequested) -> str:
    """Nobody is there to answer: the conversation ends."""
    return "exit"


@dataclass
class Progress:
    """Turns of one chat."""

    turns: int = 0
    begun: int = 0
    attempt: int = 1


@dataclass
class RunContext:
    """What one chat runs in. A nested chat gets a child with a path of its own.

    compat  where AutoGen 0.2's behaviour is wanted instead of ours, option by option
    seed    fixes question ids and the random speaker
    run     how often the conversation was opened, a follow-up being the next time
    strand  what this line of the conversation carries along
    heard_in  the chat whose messages a row of nothing new is made of; None: this one
    cache   where model replies are kept; None leaves it to the models' seeds and `open_cache`
    ask     how a person is reached when the effects do not suspend the chat
    """

    sink: Sink = field(default_factory=NullSink)
    effects: Effects = field(default_factory=PlainEffects)
    random: random.Random = field(default_factory=random.Random)
    ask: Ask = no_person
    seed: str = ""
    run: int = 1
    compat: Compat = SAFE
    chat: str = ""
    ended_by: str = ""
    task: str = ""
    heard_in: str | None = None
    progress: Progress = field(default_factory=Progress)
    strand: Strand = field(default_factory=Strand)
    activity: Activity = field(default_factory=Activity)
    cache: Cache | None = None
    open_cache: Callable[[int | str], Cache] = Cache.disk
    _keys: int = 0
    _children: int = 0

    @property
    def turns(self) -> int:
        return self.progress.turns

    def child(self, kind: str, **changes: Any) -> RunContext:
        """The context of a chat inside this one; its path says at which turn, and of what kind."""
        path = f"{self.turns + 1}/{kind}{self._children}"
        self._children += 1
        return self.inside(path, **changes)

    def inside(self, path: str, **changes: Any) -> RunContext:
        """The context of the chat at `path` in this one; it counts its own turns.

        Raises DefinitionError when chats stand in each other without end.
        """
        chat = f"{self.chat}/{path}" if self.chat else path
        if chat.count("/") >= 2 * MAX_DEPTH:
            raise DefinitionError("Conversations stand in each other too deep: one contains itself")
        fresh: dict[str, Any] = {"progress": Progress(), "ended_by": "", "task": "", "_keys": 0}
        return replace(self, chat=chat, heard_in=None, _children=0, **fresh | changes)

    def branch(self, path: str, strand: Strand) -> RunContext:
        """The same for a chat that runs beside others: its draws are its own too."""
        own = self.random
        if self.seed:
            own = random.Random(f"{self.seed}/{self.chat}/{path}")  # noqa: S311 - repeatable
        return self.inside(path, strand=strand, random=own)

    def emit(self, event: Event) -> None:
        self.sink.emit(self.chat, event)

    def report(self, event: Event) -> None:
        self.sink.report(self.chat, event)

    def set_variables(self, values: Mapping[str, Any], by: str) -> None:
        """Sets those context variables that there are and that change; tells which."""
        known = self.strand.variables
        changes = {k: v for k, v in values.items() if k in known and known[k] != v}
        if changes:
            known.update(changes)
            self.emit(ContextChanged(changes, by))

    def saved(self, turn: int, files: Iterable[Mapping[str, Any]]) -> None:
        """Tells of the files that an effect has made or changed."""
        for one in files:
            self.emit(ArtifactSaved(turn=turn, **one))

    def used(self, result: Mapping[str, Any]) -> None:
        """Counts what an effect has cost for the stop conditions."""
        for watch in self.strand.watches:
            watch.used(result)

    def heard(self, agent: str, content: Any) -> None:
        chat = self.chat if self.heard_in is None else self.heard_in
        for watch in self.strand.watches:
            watch.heard(chat, agent, content)

    def handed_to(self, agent: str) -> None:
        for watch in self.strand.watches:
            watch.handed_to(agent)

    def next_key(self) -> str:
        self._keys += 1
        return f"{self.chat}#{self._keys}"

    def identifier(self, key: str) -> str:
        """An unguessable id that is the same whenever the chat is played again. Keys of inner
        chats begin anew in each run, ids do not."""
        text = f"{self.run}:{key}" if self.chat else key
        return blake2b(text.encode(), key=self.seed.encode()[:64], digest_size=12).hexdigest()

    def begin_turn(self, agent: str) -> int:
        """The number of the turn that is being made; says once that it has begun."""
        turn = self.turns + 1
        if self.progress.begun < turn:
            self.progress.begun = turn
            self.emit(TurnStarted(turn=turn, attempt=1, agent=agent))
        return turn

    def finish_turn(self) -> tuple[int, int]:
        """Number and attempt of the turn whose message is now being sent."""
        self.progress.turns += 1
        attempt, self.progress.attempt = self.progress.attempt, 1
        return self.turns, attempt


_current: ContextVar[RunContext | None] = ContextVar("run_context", default=None)


def current_context() -> RunContext:
    """The context of the running chat; outside of one, a plain context that keeps nothing."""
    return _current.get() or RunContext()


class entered:  # noqa: N801  (used as a statement: `with entered(context):`)
    """Makes a context current for a block of code and whatever tasks it starts."""

    def __init__(self, context: RunContext) -> None:
        self.context = context

    def __enter__(self) -> RunContext:
        self._token = _current.set(self.context)
        return self.context

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


@contextmanager
def watched(condition: StopCondition | None) -> Iterator[None]:
    """The running conversation ends when the condition holds; None changes nothing."""
    if condition is None:
        yield
        return
    context = current_context()
    strand, before = context.strand, context.strand.watches
    strand.watches = (*before, Watch(condition, strand.mark))
    try:
        yield
    finally:
        strand.watches = before


def running_variables() -> RunningVariables:
    return RunningVariables(lambda: current_context().strand.variables)


def has_context() -> bool:
    return _current.get() is not None
