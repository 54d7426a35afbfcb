"""A person's answer to a question, from the card in the transcript."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import InvalidError, Problem
from ...runner.answers import Answer
from ..session_blocks import Ask

VALUES = "values."
SAID = {"skip": "", "end": "exit"}


@dataclass(frozen=True)
class Typed:
    """What stands in the form of a question, and what is wrong with it, by the names of fields."""

    values: dict[str, str] = field(default_factory=dict)
    problems: dict[str, Problem] = field(default_factory=dict)
    general: list[Problem] = field(default_factory=list)

    @classmethod
    def of(cls, form: Mapping[str, Any], found: list[Problem]) -> Typed:
        names = _values(form)
        for name in ("text", "edited", "reason"):
            if name in form:
                names[name] = str(form[name])
        placed: dict[str, Problem] = {}
        general: list[Problem] = []
        for problem in found:
            place = [str(part) for part in problem.loc]
            name = place[1] if place[:1] == ["values"] and len(place) > 1 else "".join(place[:1])
            if name in names and name not in placed:
                placed[name] = problem
            else:
                general.append(problem)
        return cls(names, placed, general)


def answer_of(form: Mapping[str, Any], ask: Ask | None) -> Answer:
    """The answer that a form gives. Raises InvalidError where nothing was said.

    A switch that is off is not sent by a browser: it counts as false.
    """
    question, action = str(form.get("question", "")), str(form.get("action", "choose"))
    if action in SAID:
        return Answer(question, text=SAID[action])
    if action in ("approve", "edit", "reject"):
        edited = str(form.get("edited", "")).replace("\r\n", "\n")
        return Answer(
            question,
            approve=action != "reject",
            edited=edited if action == "edit" else None,
            reason=str(form.get("reason", "")).strip()[:1000] or None,
            payload_hash=str(form.get("payload_hash", "")) or None,
        )
    if ask is not None and ask.question["form"] == "fields":
        fields = (ask.question.get("schema") or {}).get("properties", {})
        switches = {name: "false" for name, one in fields.items() if one.get("type") == "boolean"}
        return Answer(question, values=switches | _values(form))
    text = str(form.get("text", ""))
    if action == "say" and not text.strip():
        raise InvalidError([Problem(["text"], "Write something, or choose Skip", "missing")])
    return Answer(question, text=text)


def _values(form: Mapping[str, Any]) -> dict[str, str]:
    """Of a name that comes twice the last counts: a switch stands behind its hidden "false"."""
    return {
        name.removeprefix(VALUES): str(value).replace("\r\n", "\n")
        for name, value in form.items()
        if name.startswith(VALUES)
    }
