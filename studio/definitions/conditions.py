"""Conditions: when a graph goes along an edge, an agent hands over, or a conversation ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from .common import JsonScalar, Reference, Strict, Word

Question = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]


class ContextTest(Strict):
    """A context variable compared with a value; one that there is not fails every test but !=."""

    name: Word
    op: Literal["==", "!=", "<", "<=", ">", ">=", "contains"]
    value: JsonScalar


class Condition(Strict):
    """Holds when the message contains a text, when a model says yes to a question about it, or by
    a context variable."""

    contains: Question | None = None
    model: Question | None = None
    context: ContextTest | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Condition:
        if sum(v is not None for v in (self.contains, self.model, self.context)) != 1:
            raise ValueError("a condition says exactly one thing")
        return self


class Termination(Strict):
    """A tree of stop conditions: exactly one field of a node is set.

    text      somebody said it
    tokens    of all model calls, prompts included
    seconds   models, tools and code were at work; waiting for people does not count
    source    this agent spoke
    handoff   the conversation was handed to this agent
    stale     so many messages in a row that said only what was said before
    """

    any: list[Termination] | None = Field(default=None, min_length=1, max_length=20)
    all: list[Termination] | None = Field(default=None, min_length=1, max_length=20)
    max_messages: Annotated[int, Field(ge=1, le=100_000)] | None = None
    text: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None
    tokens: Annotated[int, Field(ge=1)] | None = None
    cost_usd: Annotated[float, Field(gt=0)] | None = None
    seconds: Annotated[int, Field(ge=1)] | None = None
    source: Reference | None = None
    handoff: Reference | None = None
    stale: Annotated[int, Field(ge=2, le=100)] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Termination:
        given = [n for n in type(self).model_fields if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError("a condition says exactly one thing")
        return self

    @property
    def rule(self) -> tuple[str, Any]:
        """The one field that is set, and its value."""
        return next((n, v) for n in type(self).model_fields if (v := getattr(self, n)) is not None)

    def walk(self, loc: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
        """Every condition of the tree that is no group, with the path to it."""
        name, value = self.rule
        if name not in ("any", "all"):
            yield (*loc, name), self
            return
        for i, one in enumerate(value):
            yield from one.walk((*loc, name, i))


def aloud(tree: Termination, name_of: Callable[[str], str]) -> str:
    """The tree as a sentence: "Ends when somebody says “DONE” or after 20 messages."."""
    return f"Ends {_words(tree, name_of, inside='')}."


def _words(tree: Termination, name_of: Callable[[str], str], inside: str) -> str:
    name, value = tree.rule
    if name in ("any", "all"):
        if len(value) == 1:
            return _words(value[0], name_of, inside)
        parts = [_words(one, name_of, name) for one in value]
        said = (" or " if name == "any" else " and ").join(parts)
        if not inside or inside == name:
            return said
        return f"once ({said})"
    return _leaf(name, value, name_of)


def _leaf(name: str, value: Any, name_of: Callable[[str], str]) -> str:
    match name:
        case "max_messages":
            return f"after {value:,} message{'' if value == 1 else 's'}"
        case "text":
            return f"when somebody says “{value}”"
        case "tokens":
            return f"after {value:,} tokens"
        case "cost_usd":
            return f"after {value:,g} USD"
        case "seconds":
            return f"after {_duration(value)} of work"
        case "source":
            return f"when {name_of(value)} has spoken"
        case "handoff":
            return f"when the word is handed to {name_of(value)}"
        case _:
            return f"when {value} messages in a row say nothing new"


def _duration(seconds: int) -> str:
    if seconds % 60 == 0:
        minutes = seconds // 60
        return f"{minutes:,} minute{'' if minutes == 1 else 's'}"
    return f"{seconds:,} second{'' if seconds == 1 else 's'}"
