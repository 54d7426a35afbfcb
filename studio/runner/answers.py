"""What people answer, checked against what they were asked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import orjson

from ..definitions.questions import FormSchema, checked_values
from ..engine.asking import EXIT
from ..errors import InvalidError, Problem
from ..store.known_secrets import Mask

ANSWERS = {"text": "text", "choice": "text", "approval": "approve", "fields": "values"}


@dataclass(frozen=True)
class Answer:
    """One of text, approve and values, as the form of the question wants it. To a question that
    may be skipped or ended, "" and "exit" as text do that, whatever its form."""

    question: str
    text: str | None = None
    approve: bool | None = None
    values: dict[str, Any] | None = None
    edited: str | None = None
    reason: str | None = None


def masked(given: Answer, mask: Mask) -> Answer:
    """A key that is pasted into a conversation must not reach its log, nor the models."""
    said = asdict(given)
    return Answer(**orjson.loads(mask.text(orjson.dumps(said).decode())))


def checked(given: Answer, question: dict[str, Any]) -> dict[str, Any]:
    """The answer as it is recorded, without what was not said. Raises InvalidError."""
    form = question["form"]
    wanted = ANSWERS[form]
    said = {
        name: value
        for name, value in asdict(given).items()
        if value is not None and name != "question"
    }
    if form == "fields" and _leaves(given, question):
        return said
    if getattr(given, wanted) is None:
        message = f"This question is answered with {wanted}"
        raise InvalidError([Problem([wanted], message, "missing")])
    if form == "fields":
        schema = FormSchema.model_validate(question["schema"])
        return said | {"values": checked_values(schema, given.values or {})}
    if form == "choice" and not _leaves(given, question) and not _chosen(given, question):
        names = ", ".join(question["choices"])
        raise InvalidError([Problem(["text"], f"Choose one of {names}", "choice")])
    return said


def _leaves(given: Answer, question: dict[str, Any]) -> bool:
    actions = question["actions"]
    return given.text == EXIT or (given.text == "" and "skip" in actions)


def _chosen(given: Answer, question: dict[str, Any]) -> bool:
    """A choice of speakers also takes a number, or q for the next in order (ENGINE 2.3)."""
    return given.text in question["choices"] or question["agent"] == "*manual*"
