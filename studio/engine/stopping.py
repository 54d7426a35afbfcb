"""Stop conditions over what is said and used in a conversation, composable with & and |.

    MaxMessages(20) | TextSaid("DONE") & SpokenBy("Editor")

A condition is a description. A `Watch` follows one conversation, the chats inside it included, and
says whether its condition holds. What was once said stays said: conditions latch. In parallel
branches each follows its own past; where branches join, what they saw adds up. So a run that is
played again ends where it ended, however long each branch took.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from .messages import text_of

NANO = 1_000_000_000


class StopCondition(ABC):
    """Base of all. `seen` is what a watch has summed up."""

    @abstractmethod
    def holds(self, seen: Seen) -> str:
        """Why the conversation ends, or nothing."""

    def latches(self, message: Said) -> bool:
        """Whether this message makes the condition true for good."""
        return False

    def leaves(self) -> tuple[StopCondition, ...]:
        return (self,)

    def __or__(self, other: StopCondition) -> AnyOf:
        return AnyOf((self, other))

    def __and__(self, other: StopCondition) -> AllOf:
        return AllOf((self, other))


@dataclass(frozen=True)
class Said:
    """A message as conditions see it; `repeats` counts those in a row that said nothing new."""

    agent: str
    text: str
    repeats: int


@dataclass(frozen=True)
class Seen:
    messages: int
    tokens: int
    cost_nano: int
    milliseconds: int
    latched: frozenset[StopCondition]


@dataclass(frozen=True)
class AnyOf(StopCondition):
    conditions: tuple[StopCondition, ...]

    def holds(self, seen: Seen) -> str:
        return next((why for one in self.conditions if (why := one.holds(seen))), "")

    def leaves(self) -> tuple[StopCondition, ...]:
        return tuple(leaf for one in self.conditions for leaf in one.leaves())


@dataclass(frozen=True)
class AllOf(StopCondition):
    conditions: tuple[StopCondition, ...]

    def holds(self, seen: Seen) -> str:
        reasons = [one.holds(seen) for one in self.conditions]
        return " and ".join(reasons) if all(reasons) else ""

    def leaves(self) -> tuple[StopCondition, ...]:
        return tuple(leaf for one in self.conditions for leaf in one.leaves())


@dataclass(frozen=True)
class MaxMessages(StopCondition):
    """Messages in all, those of inner chats included."""

    most: int

    def holds(self, seen: Seen) -> str:
        return f"{self.most:,} messages were said" if seen.messages >= self.most else ""


@dataclass(frozen=True)
class TokensUsed(StopCondition):
    most: int

    def holds(self, seen: Seen) -> str:
        return f"{self.most:,} tokens were used" if seen.tokens >= self.most else ""


@dataclass(frozen=True)
class CostReached(StopCondition):
    usd: float

    def holds(self, seen: Seen) -> str:
        return f"{self.usd:,g} USD were spent" if seen.cost_nano >= self.usd * NANO else ""


@dataclass(frozen=True)
class WorkedFor(StopCondition):
    """Seconds that models, tools and code were at work; waiting for people does not count."""

    seconds: int

    def holds(self, seen: Seen) -> str:
        done = seen.milliseconds >= self.seconds * 1000
        return f"{self.seconds:,} seconds of work are over" if done else ""


class _Latching(StopCondition):
    reason: str

    def holds(self, seen: Seen) -> str:
        return self.reason if self in seen.latched else ""


@dataclass(frozen=True)
class TextSaid(_Latching):
    text: str

    @property
    def reason(self) -> str:  # type: ignore[override]
        return f"“{self.text}” was said"

    def latches(self, message: Said) -> bool:
        return self.text in message.text


@dataclass(frozen=True)
class SpokenBy(_Latching):
    agent: str

    @property
    def reason(self) -> str:  # type: ignore[override]
        return f"{self.agent} has spoken"

    def latches(self, message: Said) -> bool:
        return message.agent == self.agent


@dataclass(frozen=True)
class HandedTo(_Latching):
    """The conversation was handed to this agent."""

    agent: str

    @property
    def reason(self) -> str:  # type: ignore[override]
        return f"the word was handed to {self.agent}"


@dataclass(frozen=True)
class NothingNew(_Latching):
    """So many messages in a row that only said what had been said before: of one chat, or of the
    agents along a way through a graph."""

    messages: int

    @property
    def reason(self) -> str:  # type: ignore[override]
        return f"{self.messages} messages in a row said nothing new"

    def latches(self, message: Said) -> bool:
        return message.repeats >= self.messages


@dataclass
class Tally:
    """What one stretch of a conversation added."""

    messages: int = 0
    tokens: int = 0
    cost_nano: int = 0
    milliseconds: int = 0
    latched: set[StopCondition] = field(default_factory=set)


@dataclass
class Watch:
    """Follows one conversation. `parts` are the stretches that are over, by their marks."""

    condition: StopCondition
    mark: str = ""
    own: Tally = field(default_factory=Tally)
    parts: dict[str, Tally] = field(default_factory=dict)
    _said: dict[str, set[bytes]] = field(default_factory=dict)
    _repeats: dict[str, int] = field(default_factory=dict)

    def heard(self, chat: str, agent: str, content: Any) -> None:
        text, leaves = text_of(content), self.condition.leaves()
        counts = any(isinstance(leaf, NothingNew) for leaf in leaves)
        said = Said(agent, text, self._repeated(chat, text) if counts else 0)
        self.own.messages += 1
        self.own.latched |= {leaf for leaf in leaves if leaf.latches(said)}

    def _repeated(self, chat: str, text: str) -> int:
        digest = blake2b(" ".join(text.lower().split()).encode(), digest_size=8).digest()
        known = self._said.setdefault(chat, set())
        self._repeats[chat] = self._repeats.get(chat, 0) + 1 if digest in known else 0
        known.add(digest)
        return self._repeats[chat]

    def used(self, result: Mapping[str, Any]) -> None:
        """A model's answer, paid for or kept; a tool's or a program's result."""
        self.own.tokens += result.get("prompt_tokens", 0) + result.get("completion_tokens", 0)
        if not result.get("cached"):
            self.own.cost_nano += result.get("cost_nano", 0)
        seconds = float(result.get("seconds", 0))
        self.own.milliseconds += int(result.get("latency_ms", 0)) + int(1000 * seconds)

    def handed_to(self, agent: str) -> None:
        self.own.latched |= {
            leaf
            for leaf in self.condition.leaves()
            if isinstance(leaf, HandedTo) and leaf.agent == agent
        }

    def reason(self) -> str:
        """Why the conversation ends now, or nothing."""
        tallies = [*self.parts.values(), self.own]
        seen = Seen(
            sum(t.messages for t in tallies),
            sum(t.tokens for t in tallies),
            sum(t.cost_nano for t in tallies),
            sum(t.milliseconds for t in tallies),
            frozenset(leaf for t in tallies for leaf in t.latched),
        )
        return self.condition.holds(seen)

    def forked(self, mark: str) -> Watch:
        """For a branch: it has this past, and adds to its own stretch."""
        said = {chat: set(known) for chat, known in self._said.items()}
        past = {**self.parts, self.mark: self.own}
        return Watch(self.condition, mark, parts=past, _said=said, _repeats=dict(self._repeats))

    def joined(self, others: list[Watch]) -> None:
        """Takes in what branches saw; their common past counts once, and what is new in one of
        them ends a row of nothing new."""
        for other in others:
            past = {**other.parts, other.mark: other.own}
            self.parts |= {mark: tally for mark, tally in past.items() if mark != self.mark}
            for chat, known in other._said.items():
                self._said.setdefault(chat, set()).update(known)
        for chat in self._said:
            self._repeats[chat] = min(one._repeats.get(chat, 0) for one in (self, *others))
