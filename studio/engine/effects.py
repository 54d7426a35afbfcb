"""Effects: everything a chat asks of the outside world, with the answer it got.

A chat is plain recursive code. It can be resumed, forked or replayed because it is deterministic
apart from its effects: run it again from the start, hand it the recorded answers, and it stands
where it stood. `Effects.do` is the one gate through which a chat reaches outside.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol


@dataclass(frozen=True, slots=True)
class Effect:
    """One request to the outside world.

    key       chat path and a counter: stable when the chat is run again, also in parallel branches
    kind      what is asked: a model, a person, a tool, a code block, which branch was first
    request   JSON: everything that decides the answer, apart from `messages`
    messages  the messages of a model call; kept apart because each call repeats the one before
    """

    key: str
    kind: Literal["model", "input", "tool", "code", "order"]
    turn: int
    agent: str
    request: dict[str, Any]
    messages: list[dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer, as JSON, and which attempt gave it (1 unless a crash cut an earlier one)."""

    result: dict[str, Any]
    attempt: int = 1


Perform = Callable[[int], Awaitable[dict[str, Any]]]
"""Does the real thing; is given the number of the attempt."""


class Effects(Protocol):
    """May return a recorded answer, perform the effect, or raise `Suspend`."""

    async def do(self, effect: Effect, perform: Perform) -> Outcome: ...


class PlainEffects:
    """Performs every effect and remembers nothing: a chat run as a library."""

    async def do(self, effect: Effect, perform: Perform) -> Outcome:
        return Outcome(await perform(1))
