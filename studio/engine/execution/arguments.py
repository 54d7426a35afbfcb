"""Whether arguments fit the schema of a function, said before it is called.

Nothing is converted: a text that looks like a number is a text. Only the words that schema.py uses
in its schemas are looked at; whatever else the schema of a tool from elsewhere says, its server
checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Place = tuple[str | int, ...]

_NAMES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


@dataclass(frozen=True, slots=True)
class ArgumentProblem:
    """`place` is the path inside the arguments: ("rows", 0, "name")."""

    place: Place
    msg: str
    code: str


def argument_problems(
    schema: Mapping[str, Any], arguments: Mapping[str, Any]
) -> list[ArgumentProblem]:
    """What is wrong with the arguments of a call; `schema` is a function's `parameters`."""
    properties = _inner(schema, "properties")
    known = ", ".join(properties) or "none"
    problems = [
        ArgumentProblem((name,), f"There is no such parameter (there are: {known})", "unknown")
        for name in arguments
        if name not in properties and not schema.get("additionalProperties")
    ]
    problems += [
        ArgumentProblem((name,), "This is needed", "missing")
        for name in schema.get("required") or ()
        if name not in arguments
    ]
    for name, value in arguments.items():
        expected = _inner(properties, name)
        if expected and not _same(value, expected.get("default", _NOTHING)):
            problems += _problems((name,), expected, value)
    return problems


def argument_error(function: str, schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> str:
    """The same as the text for a model, "Error: ...", or "" where nothing is wrong.

    What is missing and what is unknown is said as Python says it, which models know.
    """
    problems = argument_problems(schema, arguments)
    said = [
        f"{function}() got an unexpected keyword argument '{p.place[0]}'"
        for p in problems
        if p.code == "unknown"
    ]
    missing = [f"'{p.place[0]}'" for p in problems if p.code == "missing"]
    if missing:
        *others, last = missing
        names = (
            f"{', '.join(others)}{',' if len(others) > 1 else ''} and {last}" if others else last
        )
        noun = "arguments" if others else "argument"
        said.append(f"{function}() missing {len(missing)} required positional {noun}: {names}")
    said += [
        f"argument {_path(p.place)}: {p.msg[:1].lower()}{p.msg[1:]}"
        for p in problems
        if p.code == "type"
    ]
    return f"Error: {'; '.join(said)}" if said else ""


_NOTHING = object()


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


def _problems(place: Place, schema: Mapping[str, Any], value: Any) -> list[ArgumentProblem]:
    if choices := schema.get("anyOf"):
        found = [_problems(place, one, value) for one in choices]
        if not all(found):
            return []
        deeper = [one for one in found if all(p.place != place for p in one)]
        return deeper[0] if deeper else [_wrong(place, schema, value)]
    if "enum" in schema:
        fits = any(_same(value, one) for one in schema["enum"])
        return [] if fits else [_wrong(place, schema, value)]
    kinds = _kinds(schema)
    if kinds and not any(_is(kind, value) for kind in kinds):
        return [_wrong(place, schema, value)]
    problems: list[ArgumentProblem] = []
    if isinstance(value, list):
        for at, one in enumerate(value):
            problems += _problems((*place, at), _inner(schema, "items"), one)
    elif isinstance(value, dict):
        for key, one in value.items():
            problems += _problems((*place, key), _inner(schema, "additionalProperties"), one)
    return problems


def _inner(schema: Mapping[str, Any], word: str) -> Mapping[str, Any]:
    found = schema.get(word)
    return found if isinstance(found, dict) else {}


def _kinds(schema: Mapping[str, Any]) -> list[str]:
    """The types that are allowed; none where the schema says nothing, or what is not known here."""
    kind = schema.get("type")
    kinds = [str(one) for one in kind] if isinstance(kind, list) else [str(kind)] if kind else []
    return kinds if all(one in _NAMES for one in kinds) else []


def _is(kind: str, value: Any) -> bool:
    match value:
        case None:
            return kind == "null"
        case bool():
            return kind == "boolean"
        case int():
            return kind in ("integer", "number")
        case float():
            return kind == "number"
        case str():
            return kind == "string"
        case list():
            return kind == "array"
        case dict():
            return kind == "object"
    return False


def _wrong(place: Place, schema: Mapping[str, Any], value: Any) -> ArgumentProblem:
    shown = repr(value)
    given = shown if len(shown) <= 40 else shown[:40] + "..."
    return ArgumentProblem(place, f"Must be {_words(schema)}, not {given}", "type")


def _words(schema: Mapping[str, Any]) -> str:
    if schema.get("anyOf"):
        return " or ".join(_words(one) for one in schema["anyOf"])
    if "enum" in schema:
        return "one of " + ", ".join(repr(one) for one in schema["enum"])
    return " or ".join(_NAMES[one] for one in _kinds(schema)) or "anything"


def _path(place: Place) -> str:
    first, *rest = place
    return str(first) + "".join(f"[{step!r}]" for step in rest)
