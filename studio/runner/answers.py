"""What people answer, checked against what they were asked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import orjson

from ..definitions.questions import FormSchema, checked_values
from ..engine.asking import EXIT
from ..engine.tool_text import read_arguments
from ..errors import ConflictError, InvalidError, Problem
from ..store.known_secrets import Mask

ANSWERS = {"text": "text", "choice": "text", "approval": "approve", "fields": "values"}


@dataclass(frozen=True)
class Answer:
    """One of text, approve and values, as the form of the question wants it. To a question that
    may be skipped or ended, "" and "exit" as text do that, whatever its form.

    payload_hash  of what an approval was given to; another one is refused
    edited        what shall happen instead: code, or the arguments of a call as JSON
    """

    question: str
    text: str | None = None
    approve: bool | None = None
    values: dict[str, Any] | None = None
    edited: str | None = None
    reason: str | None = None
    payload_hash: str | None = None


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
        if value is not None and name not in ("question", "payload_hash")
    }
    if form == "fields" and _leaves(given, question):
        return said
    if getattr(given, wanted) is None:
        message = f"This question is answered with {wanted}"
        raise InvalidError([Problem([wanted], message, "missing")])
    if form == "fields":
        schema = FormSchema.model_validate(question["schema"])
        return said | {"values": checked_values(schema, given.values or {})}
    if form == "approval":
        _check_approval(given, question)
    if form == "choice" and not _leaves(given, question) and not _chosen(given, question):
        names = ", ".join(question["choices"])
        raise InvalidError([Problem(["text"], f"Choose one of {names}", "choice")])
    return said


def _check_approval(given: Answer, question: dict[str, Any]) -> None:
    if given.payload_hash not in (None, question.get("payload_hash")):
        raise ConflictError("This is not what you saw any more: look at it again")
    if given.edited is None:
        return
    what = (question.get("payload") or {}).get("kind")
    if what not in ("tool", "code"):
        raise InvalidError([Problem(["edited"], "There is nothing here to change", "edited")])
    if not given.edited.strip():
        raise InvalidError([Problem(["edited"], "Reject it instead of leaving nothing", "edited")])
    if what == "tool" and isinstance(error := read_arguments(given.edited), str):
        words = error.removeprefix("Error: ").partition("\n")[0]
        raise InvalidError([Problem(["edited"], f"Write a JSON object: {words}", "edited")])


def _leaves(given: Answer, question: dict[str, Any]) -> bool:
    actions = question["actions"]
    return given.text == EXIT or (given.text == "" and "skip" in actions)


def _chosen(given: Answer, question: dict[str, Any]) -> bool:
    """A choice of speakers also takes a number, or q for the next in order (ENGINE 2.3)."""
    return given.text in question["choices"] or question["agent"] == "*manual*"
