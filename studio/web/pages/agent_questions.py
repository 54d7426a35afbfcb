"""How a person behind an agent is asked: the definition's question, and the form that makes it."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import orjson
from pydantic import ValidationError

from ...definitions.problems import problems_of
from ...definitions.questions import FormField, FormSchema, HumanTimeout, QuestionDefinition
from ...errors import Problem
from ..context_rows import keys_of, name_faults, read_number, rows_of
from ..formats import plural
from ..forms import part, texts, words

FIELDS = "fields"
_STRINGS = {"": "string", "long": "string", "list": "string"}
_UNITS = {86_400: "day", 3_600: "hour", 60: "minute", 1: "second"}
_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def as_lines(items: list[str]) -> str | None:
    """One item on each line, or None where an item could not be told from its neighbours."""
    text = "\n".join(items)
    return text if lines(text) == items and "\r" not in text else None


# -- the question


def question_of(given: dict[str, Any], rows: Any) -> dict[str, Any]:
    """The definition's `question`. Choices come on lines, or one by one where lines cannot."""
    apart = given.get("choices")
    return {
        "form": words(given.get("form")) or "text",
        "prompt": words(given.get("prompt")),
        "choices": texts(apart) if apart else lines(words(given.get("lines"))),
        "schema": schema_of(rows),
    }


def question_shown(question: dict[str, Any]) -> dict[str, str]:
    flat = {"question.form": words(question.get("form")) or "text"}
    together = as_lines(texts(question.get("choices")))
    if together is not None:
        flat["question.lines"] = together
    schema = part(question, "schema")
    needed = texts(schema.get("required"))
    for i, (name, field) in enumerate(part(schema, "properties").items()):
        row = {"name": name, "required": "true" if name in needed else ""}
        row |= _row(dict(field) if isinstance(field, dict) else {})
        flat |= {f"{FIELDS}.{i}.{control}": text for control, text in row.items()}
    return flat


def schema_of(rows: Any) -> dict[str, Any] | None:
    """The schema that the rows describe. Names that cannot be are kept: the check refuses them."""
    found = rows_of(rows)
    if not found:
        return None
    keys = keys_of(found)
    return {
        "type": "object",
        "properties": {key: field_of(row) for key, row in zip(keys, found, strict=True)},
        "required": [k for k, row in zip(keys, found, strict=True) if row.get("required")],
    }


def field_of(row: dict[str, Any]) -> dict[str, Any]:
    """One field in JSON schema's words. `rest` is what a stored field has and no control shows."""
    kind = words(row.get("type"))
    field: dict[str, Any] = {
        **_rest(row.get("rest")),
        "type": _STRINGS.get(kind, kind),
        "title": words(row.get("title")),
        "description": words(row.get("help")),
    }
    default = words(row.get("default"))
    match kind:
        case "long":
            field["format"] = "textarea"
        case "list":
            apart = row.get("option")
            field["enum"] = texts(apart) if apart else lines(words(row.get("options")))
        case "integer" | "number":
            for limit in ("minimum", "maximum", "default"):
                text = words(row.get(limit))
                number = read_number(text)
                if text:
                    field[limit] = text if number is None else number
            return field
        case "boolean":
            default = words(row.get("ticked"))
            return field | ({"default": default == "true"} if default else {})
    return field | ({"default": default} if default else {})


def _row(field: dict[str, Any]) -> dict[str, str]:
    """The controls of one field."""
    options = texts(field.get("enum"))
    kind = str(field.get("type") or "string")
    if kind == "string":
        is_list = isinstance(field.get("enum"), list)
        kind = "list" if is_list else "long" if field.get("format") == "textarea" else ""
    default = field.get("default")
    said = "" if default is None else str(default)
    row = {
        "type": kind,
        "title": words(field.get("title")),
        "help": words(field.get("description")),
        "default": "" if kind == "boolean" else said,
        "ticked": _ticked(said) if kind == "boolean" else "",
        "minimum": _said(field.get("minimum")),
        "maximum": _said(field.get("maximum")),
    }
    together = as_lines(options)
    if together is not None:
        row["options"] = together
    else:
        row |= {f"option.{i}": option for i, option in enumerate(options)}
    made = field_of({**row, "option": options})
    unseen = {k: v for k, v in field.items() if k not in made and v is not None}
    return row | ({"rest": orjson.dumps(unseen).decode()} if unseen else {})


def _said(number: Any) -> str:
    whole = isinstance(number, float) and number.is_integer() and abs(number) < 1e15
    return "" if number is None else str(int(number) if whole else number)


def _ticked(said: str) -> str:
    return str(said.lower() in ("true", "1", "yes", "on", "t", "y")).lower() if said else ""


def _rest(text: Any) -> dict[str, Any]:
    try:
        found = orjson.loads(words(text) or "{}")
    except orjson.JSONDecodeError:
        return {}
    known = FormField.model_fields
    return {k: v for k, v in found.items() if k in known} if isinstance(found, dict) else {}


def field_faults(rows: Any) -> list[Problem]:
    """What is wrong with the fields of a form, at the control: ["fields", 2, "options"]."""
    found = rows_of(rows)
    problems = name_faults(found, FIELDS)
    for i, row in enumerate(found):
        try:
            FormField.model_validate(field_of(row))
        except ValidationError as error:
            problems += [_at_control(i, p) for p in problems_of(error)]
    return problems


def _at_control(row: int, problem: Problem) -> Problem:
    place = str(problem.loc[0]) if problem.loc else "default"
    control = {"description": "help", "enum": "options"}.get(place, place)
    msg = problem.msg
    if place == "enum" and len(problem.loc) == 1:
        msg = "List what can be chosen: one to 50, each on its line"
    return Problem([FIELDS, row, control], msg, problem.code)


# -- the time a person has


def timeout_of(given: dict[str, Any]) -> dict[str, Any] | None:
    """Seconds from an amount and a unit; without an amount nobody is hurried."""
    amount, unit = words(given.get("amount")).strip(), words(given.get("unit")) or "60"
    if not amount:
        return None
    seconds: Any = amount
    if _AMOUNT.fullmatch(amount) and unit in map(str, _UNITS):
        exact = Decimal(amount) * int(unit)
        seconds = int(exact) if exact == int(exact) else str(exact)
    return {"seconds": seconds, "then": words(given.get("then")) or "auto_reply"}


def timeout_shown(timeout: Any) -> dict[str, str]:
    """The largest unit that says the seconds exactly."""
    given = dict(timeout) if isinstance(timeout, dict) else {}
    seconds = given.get("seconds")
    amount, unit = ("", 60) if seconds is None else (str(seconds), 1)
    if isinstance(seconds, int) and seconds > 0:
        unit = next(u for u in _UNITS if seconds % u == 0)
        amount = str(seconds // unit)
    return {
        "human_timeout.amount": amount,
        "human_timeout.unit": str(unit),
        "human_timeout.then": words(given.get("then")) or "auto_reply",
    }


def in_words(timeout: HumanTimeout) -> str:
    unit = next(u for u in _UNITS if timeout.seconds % u == 0)
    return plural(timeout.seconds // unit, _UNITS[unit])


# -- what the person will see


def asked(body: dict[str, Any]) -> dict[str, Any] | None:
    """The card that asks the person; None where nobody is asked. `fault`: it cannot be shown."""
    if body.get("human_input_mode") not in ("ALWAYS", "TERMINATE"):
        return None
    card: dict[str, Any] = {"name": words(body.get("name")) or "the agent", "fault": False}
    try:
        question = QuestionDefinition.model_validate(_without_unused(part(body, "question")))
        schema = question.schema_
        if body.get("human_timeout"):
            timeout = HumanTimeout.model_validate(body["human_timeout"])
            card |= {"within": in_words(timeout), "then": timeout.then}
    except ValidationError:
        return card | {"fault": True}
    return card | {
        "form": question.form,
        "prompt": question.prompt,
        "choices": question.choices,
        "schema": _dumped(schema) if schema else None,
    }


def _without_unused(question: dict[str, Any]) -> dict[str, Any]:
    """A half-written form does not hide the preview of another way of asking."""
    unused = {"choice": "schema", "fields": "choices"}.get(words(question.get("form")))
    hidden = ("schema", "choices") if unused is None else (unused,)
    return {k: v for k, v in question.items() if k not in hidden}


def _dumped(schema: FormSchema) -> dict[str, Any]:
    return schema.model_dump(mode="json", by_alias=True)
