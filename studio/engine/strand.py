"""A strand: one line of a conversation, with what it carries along.

A conversation is one strand until a graph lets branches run in parallel. Each branch is then a
strand of its own, forked from those that led to it, and where branches join, their strands are
merged. What a strand knows never depends on which branch was faster: a run that is played again
from its recorded effects goes the same way.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .context_variables import ContextVariables
from .stopping import Watch

MOST_RUNNING = 32


class StrandVariables(ContextVariables):
    """Context variables that remember when each was set; in a merge the latest wins."""

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        self.stamps: dict[str, int] = dict.fromkeys(self.data, 0)
        self.clock = 0

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self.stamps[key] = self.clock

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self.stamps.pop(key, None)

    def take_in(self, other: StrandVariables) -> None:
        """What `other` has set at the same time or later."""
        for key, stamp in other.stamps.items():
            if key in other and stamp >= self.stamps.get(key, -1):
                self.data[key], self.stamps[key] = other.data[key], stamp
        self.clock = max(self.clock, other.clock)


class RunningVariables(ContextVariables):
    """The context variables of whatever strand is running, for a group that outlives it."""

    def __init__(self, running: Callable[[], StrandVariables]) -> None:
        self._running = running

    @property
    def data(self) -> dict[str, Any]:  # type: ignore[override]
        return self._running().data

    def __setitem__(self, key: str, value: Any) -> None:
        self._running()[key] = value

    def __delitem__(self, key: str) -> None:
        del self._running()[key]


class Strand:
    """calls      how often each (model id, agent) was asked: the place in a script
    variables  context variables
    watches    what stop conditions have seen, the outermost conversation first
    mark       the strand's own name in the run
    approved   hashes of what people have approved for good
    """

    def __init__(
        self,
        calls: Counter[tuple[str, str]] | None = None,
        variables: StrandVariables | None = None,
        watches: tuple[Watch, ...] = (),
        mark: str = "",
        approved: frozenset[str] = frozenset(),
    ) -> None:
        self.calls: Counter[tuple[str, str]] = Counter() if calls is None else calls
        self.variables = variables or StrandVariables()
        self.watches = watches
        self.mark = mark
        self.approved = approved

    @property
    def stop_reason(self) -> str:
        """Why the running conversation ends, by the conditions of any that it is part of."""
        return next((why for watch in self.watches if (why := watch.reason())), "")

    @classmethod
    def merged(cls, strands: Sequence[Strand], mark: str) -> Strand:
        """A new strand after these, in their order; `mark` is its own name in the run."""
        first = strands[0]
        merged = cls(watches=tuple(w.forked(mark) for w in first.watches), mark=mark)
        merged.take_in(strands)
        merged.variables.clock += 1
        return merged

    def take_in(self, strands: Sequence[Strand]) -> None:
        """What these have come to; a model's script goes on behind whoever read furthest."""
        for strand in strands:
            self.calls |= strand.calls
            self.variables.take_in(strand.variables)
            self.approved = self.approved | strand.approved
        for i, watch in enumerate(self.watches):
            watch.joined([strand.watches[i] for strand in strands])


class Activity:
    """How many strands of a run are at work; the others wait for people or for their branches.

    Only so many run at the same time; the rest begin as these come to an end or to a rest.
    """

    def __init__(self) -> None:
        self.at_work = 1
        self.on_idle: Callable[[], None] | None = None
        self._running = 1
        self._queue: list[asyncio.Future[None]] = []

    def begins(self) -> None:
        """A strand that rested goes on."""
        self.at_work += 1
        self._running += 1

    def rests(self) -> None:
        """Says so when nobody is at work any more."""
        self.at_work -= 1
        self.ends()
        if self.at_work == 0 and self.on_idle is not None:
            self.on_idle()

    def enlists(self) -> asyncio.Future[None]:
        """A new strand is at work as soon as this is done; it `ends` afterwards."""
        self.at_work += 1
        place = asyncio.get_running_loop().create_future()
        if self._running < MOST_RUNNING:
            self._running += 1
            place.set_result(None)
        else:
            self._queue.append(place)
        return place

    def ends(self) -> None:
        """A strand runs no more: the innermost of those that wait begins, or else all of a deep
        conversation would begin at once."""
        self._running -= 1
        while self._queue and self._running < MOST_RUNNING:
            place = self._queue.pop()
            if not place.done():
                self._running += 1
                place.set_result(None)
