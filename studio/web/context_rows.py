"""Context variables as rows of a form: a name, a type and a value each. Types survive.

A control of a row is empty where it says the usual thing (a text, no), so that an empty row sends
nothing at all and is left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from ..errors import Problem
from .forms import words

GROUP = "variables"  # not "context_variables": a variable may be called 0, as a row is
FIELD = "context_variables"
UNREAD = "number"  # of a dict that stands for a text which is no number: no definition takes it
NOT_A_NUMBER = "Enter a number, such as 0.7"
_NAME = re.compile(r"\w{1,64}")
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")


def rows_of(value: Any) -> list[dict[str, Any]]:
    """The rows of a group; a client that sent something else in a row gets an empty one."""
    if not isinstance(value, list):
        return []
    return [dict(row) if isinstance(row, dict) else {} for row in value]


def keys_of(rows: Iterable[dict[str, Any]]) -> list[str]:
    """The name of each row. A missing or repeated one becomes a name that is refused."""
    keys: dict[str, None] = {}
    for i, row in enumerate(rows):
        name = words(row.get("name"))
        keys[f"{name}'{i}" if name in keys else name] = None
    return list(keys)


def name_faults(rows: list[dict[str, Any]], group: str) -> list[Problem]:
    """Why a row's name is refused, at the row."""
    found: list[Problem] = []
    for i, key in enumerate(keys_of(rows)):
        name = words(rows[i].get("name"))
        if key != name:
            msg = "Another row has this name" if name else "It needs a name"
        elif not name:
            msg = "It needs a name"
        elif not _NAME.fullmatch(name):
            msg = "Up to 64 letters, digits and underscores"
        else:
            continue
        found.append(Problem([group, i, "name"], msg, "name"))
    return found


def read_number(text: str) -> int | float | None:
    """A number as a person writes it; None for anything else and for what JSON cannot hold."""
    text = text.strip()
    if _INTEGER.fullmatch(text):
        whole = int(text)
        return whole if -(2**63) <= whole < 2**63 else None
    if _DECIMAL.fullmatch(text):
        value = float(text)
        return value if math.isfinite(value) else None
    return None


def typed(row: dict[str, Any]) -> Any:
    """The value that a row's controls `value`, `type` and `truth` give."""
    text = words(row.get("value"))
    match row.get("type"):
        case "number":
            value = read_number(text)
            return {UNREAD: text} if value is None else value
        case "boolean":
            return row.get("truth") == "true"
        case "nothing":
            return None
        case _:
            return text


def shown(value: Any) -> dict[str, str]:
    """The controls that show a value: the other way round."""
    match value:
        case None:
            return {"type": "nothing", "value": "", "truth": ""}
        case bool():
            return {"type": "boolean", "value": "", "truth": "true" if value else ""}
        case int() | float():
            return {"type": "number", "value": str(value), "truth": ""}
        case {"number": text}:
            return {"type": "number", "value": words(text), "truth": ""}
        case _:
            return {"type": "", "value": str(value), "truth": ""}


def from_rows(rows: Any) -> dict[str, Any]:
    """The variables by name. What cannot be read is given so that the definition refuses it."""
    found = rows_of(rows)
    return {key: typed(row) for key, row in zip(keys_of(found), found, strict=True)}


def to_rows(variables: Any, group: str = GROUP) -> dict[str, str]:
    """Every control of the rows, by its flat name."""
    flat: dict[str, str] = {}
    for i, (name, value) in enumerate(variables.items() if isinstance(variables, dict) else ()):
        controls = {"name": str(name), **shown(value)}
        flat |= {f"{group}.{i}.{control}": text for control, text in controls.items()}
    return flat


def faults(rows: Any, group: str = GROUP) -> list[Problem]:
    """What is wrong with rows, said where it is: ["variables", 2, "name"]."""
    found = rows_of(rows)
    values = [
        Problem([group, i, "value"], NOT_A_NUMBER, "number")
        for i, row in enumerate(found)
        if isinstance(typed(row), dict)
    ]
    return name_faults(found, group) + values


def at_rows(problems: list[Problem], rows: Any, group: str = GROUP) -> list[Problem]:
    """Problems of a definition, those of its context variables at the rows of the form."""
    found = faults(rows, group)
    if not found:
        return problems
    return [p for p in problems if p.loc[:1] != [FIELD]] + found
