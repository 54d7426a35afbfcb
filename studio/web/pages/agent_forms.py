"""The form of an agent: from what it sends to a definition, and back. Pure functions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...errors import Problem
from ..context_rows import (
    FIELD,
    GROUP,
    NOT_A_NUMBER,
    at_rows,
    from_rows,
    read_number,
    rows_of,
    shown,
    to_rows,
    typed,
)
from ..formats import field_name
from ..forms import FormState, part, texts, unflatten, words
from . import agent_code
from .agent_code import code_of, code_problem, code_shown, ticked_of
from .agent_questions import (
    FIELDS,
    as_lines,
    field_faults,
    lines,
    question_of,
    question_shown,
    timeout_of,
    timeout_shown,
)

STANDS_FOR = {
    "history_n": "history",
    "reply.starts": "reply.starts_with",
    "models.0": "models",
    "kind": "skills",
    f"{GROUP}.0.name": FIELD,
    **agent_code.STANDS_FOR,
}
ONLY_TEAMS = ("workflow", "response_preparer")


def from_form(raw: dict[str, Any]) -> dict[str, Any]:
    """The form's own controls as fields of the definition."""
    body = dict(raw)
    if body.pop("default_system", "") == "true" and not body.get("system_message"):
        body["system_message"] = None
    number = read_number(words(body.pop("history_n", "10")))
    if body.get("history") == "last":
        body["history"] = 10 if number is None else number
    body = ticked_of(code_of(body))
    if not part(body, "is_termination_msg").get("kind"):
        body["is_termination_msg"] = None  # said, so that the stored one is not carried over
    body["reply"] = _reply(part(body, "reply"))
    parameters = part(body, "parameters")
    if isinstance(parameters.get("stop"), str):
        body["parameters"] = parameters | {"stop": [parameters["stop"]]}
    if body.get("kind") != "workflow":
        for name in ONLY_TEAMS:
            body.pop(name, None)
    return _with_people(_with_handoffs(body))


def _reply(reply: dict[str, Any]) -> dict[str, Any]:
    if "starts" in reply:
        reply["starts_with"] = lines(words(reply.pop("starts")))
    return reply


def _with_handoffs(body: dict[str, Any]) -> dict[str, Any]:
    if isinstance(body.get("handoffs"), list):
        body["handoffs"] = [_handoff(row) for row in rows_of(body["handoffs"])]
    if GROUP in body:
        body[FIELD] = from_rows(body.pop(GROUP))
    return body


def _handoff(row: dict[str, Any]) -> dict[str, Any]:
    """Each kind of condition has a control of its own, so that none forgets what was typed."""
    test = part(row, "context")
    when: Any
    match row.get("kind"):
        case "always":
            when = "always"
        case "contains" | "model" as kind:
            when = {kind: words(row.get(kind))}
        case "context":
            name, op = words(test.get("name")), words(test.get("op")) or "=="
            when = {"context": {"name": name, "op": op, "value": typed(test)}}
        case _:
            when = words(row.get("words"))
    return {k: row[k] for k in ("to",) if k in row} | {"when": when}


def _with_people(body: dict[str, Any]) -> dict[str, Any]:
    if "question" in body or FIELDS in body:
        body["question"] = question_of(part(body, "question"), body.pop(FIELDS, None))
    if "human_timeout" in body:
        body["human_timeout"] = timeout_of(part(body, "human_timeout"))
    return body


def to_form(body: dict[str, Any]) -> dict[str, str]:
    """The controls whose names or words are not those of the definition."""
    history = body.get("history", "all")
    reply = part(body, "reply")
    starts = as_lines(texts(reply.get("starts_with")))
    return {
        "history": "last" if isinstance(history, int) else str(history),
        "history_n": str(history) if isinstance(history, int) else "10",
        "default_system": "true" if body.get("system_message", "") is None else "",
        "reply.commas": str(reply.get("commas", True)).lower(),
        **({} if starts is None else {"reply.starts": starts}),
        **code_shown(body),
        **_nested_shown(body.get("nested")),
        **_handoffs_shown(body.get("handoffs")),
        **to_rows(body.get(FIELD)),
        **question_shown(part(body, "question")),
        **timeout_shown(body.get("human_timeout")),
    }


def _nested_shown(nested: Any) -> dict[str, str]:
    flat = {}
    for i, row in enumerate(rows_of(nested)):
        method = words(row.get("summary_method"))
        flat[f"nested.{i}.summary_method"] = "" if method == "last_msg" else method
    return flat


def _handoffs_shown(handoffs: Any) -> dict[str, str]:
    flat: dict[str, str] = {}
    for i, row in enumerate(rows_of(handoffs)):
        when, place = row.get("when"), f"handoffs.{i}"
        if not isinstance(when, dict):
            always = when == "always"
            flat |= {f"{place}.kind": "always" if always else ""}
            flat |= {} if always else {f"{place}.words": words(when)}
            continue
        kind = next((k for k in ("contains", "model", "context") if when.get(k) is not None), "")
        flat |= {f"{place}.kind": kind}
        if kind == "context":
            test = part(when, "context")
            controls = {"name": words(test.get("name")), "op": _op(words(test.get("op")))}
            controls |= shown(test.get("value"))
            flat |= {f"{place}.context.{control}": text for control, text in controls.items()}
        elif kind:
            flat |= {f"{place}.{kind}": words(when[kind])}
    return flat


def _op(op: str) -> str:
    """The usual one goes without saying, so that an empty row stays empty."""
    return "" if op == "==" else op


# -- problems


_WORDS = {
    "string_pattern_mismatch": "Letters, digits and underscores only",
    "string_too_short": "This is needed",
}


def place_problems(form: FormState) -> None:
    """Puts each problem at the control that can mend it; what a row shows is not said above too."""
    if not form.problems:
        return
    raw = unflatten(form.values.items())
    problems = _of_handoffs([_reworded(p) for p in form.problems])
    problems = at_rows(problems, raw.get(GROUP))
    found = field_faults(raw.get(FIELDS))
    if found:
        problems = [p for p in problems if p.loc[:2] != ["question", "schema"]] + found
    form.problems = problems = [code_problem(_of_lines(p, raw), raw) for p in problems]
    for problem in problems:
        if problem.loc[:1] and problem.loc[0] in _IN_ROWS:
            form.values.setdefault(field_name(problem.loc), "")


_IN_ROWS = {"nested", "handoffs", GROUP, FIELDS, "question", "human_timeout", *ONLY_TEAMS}


def _reworded(problem: Problem) -> Problem:
    return replace(problem, msg=_WORDS.get(problem.code, problem.msg))


def _of_lines(problem: Problem, raw: dict[str, Any]) -> Problem:
    """Items that the form shows as lines of one control have their problems there."""
    for group, items, control in _LINES:
        if problem.loc[:2] == [group, items] and not part(raw, group).get(items):
            return replace(problem, loc=[group, control])
    return problem


_LINES = (("question", "choices", "lines"), ("reply", "starts_with", "starts"))


def _of_handoffs(problems: list[Problem]) -> list[Problem]:
    """Problems of conditions at the control of their kind, one for each control.

    A condition that lacks something is also no text: that is not said.
    """
    known = {tuple(p.loc[:3]) for p in problems if p.loc[:1] == ["handoffs"] and len(p.loc) > 3}
    placed: dict[str, Problem] = {}
    for problem in problems:
        loc = problem.loc
        if loc[:1] == ["handoffs"] and loc[2:3] == ["when"]:
            if len(loc) == 3 and tuple(loc) in known:
                continue
            loc = [*loc[:2], *(loc[3:5] or ["words"])]
            is_value = loc[3:] == ["value"]
            problem = replace(problem, loc=loc, msg=NOT_A_NUMBER if is_value else problem.msg)
        placed.setdefault(field_name(loc), problem)
    return list(placed.values())
