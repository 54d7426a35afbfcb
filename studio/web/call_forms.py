"""The form of a call: a control for every parameter of a function, made from its schema."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from ..errors import Problem

PREFIX = "_args."  # names with an underscore are no part of the definition in the same form
TYPED = "_typed."  # beside a checkbox, which is not sent while it is off
Control = Literal["text", "number", "truth", "choice", "json"]
_WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "yes or no",
          "array": "list", "object": "object", "null": "null"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parameter:
    """One control. `note` says its type and its default, `value` is what stands in it."""

    name: str
    control: Control
    note: str
    help: str
    needed: bool
    value: str
    default: str = ""
    options: tuple[str, ...] = ()
    problem: str = ""


def parameters(
    function: Mapping[str, Any], typed: Mapping[str, str], problems: Iterable[Problem] = ()
) -> list[Parameter]:
    """The controls of a function ({name, description, parameters}), with what was typed."""
    schema = function["parameters"]
    told = _told(str(function["description"]))
    faults: dict[str, str] = {}
    for problem in problems:
        if problem.loc[:1] == ["arguments"] and len(problem.loc) > 1:
            faults.setdefault(str(problem.loc[1]), _at(problem))
    found = []
    for name, one in _properties(schema):
        needed = name in (schema.get("required") or ())
        control, is_null = _control(one)
        default = _shown(one["default"], control) if one.get("default") is not None else ""
        first = default if control == "truth" else ""
        described = str(one.get("description") or "")
        found.append(
            Parameter(
                name=name, control=control, needed=needed, default=default,
                note=_note(one, needed=needed, is_null=is_null),
                help=described if described != name else told.get(name, ""),
                value=typed.get(name, first), problem=faults.get(name, ""),
                options=tuple(_shown(v, "choice") for v in one.get("enum") or ()),
            )
        )  # fmt: skip
    return found


def read_typed(form: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What stands in the controls, by parameter. A checkbox that is off is "false"."""
    typed: dict[str, str] = {}
    for name, value in form:
        if name.startswith(TYPED):
            typed.setdefault(name.removeprefix(TYPED), "false")
        elif name.startswith(PREFIX):
            typed[name.removeprefix(PREFIX)] = value.replace("\r\n", "\n").replace("\x00", "")
    return typed


def read_arguments(
    function: Mapping[str, Any], typed: Mapping[str, str]
) -> tuple[dict[str, Any], list[Problem]]:
    """The arguments that were typed. An empty control is left out where it may be.

    Only what cannot be read is a problem here; whether the rest fits is seen before the call.
    """
    schema = function["parameters"]
    arguments: dict[str, Any] = {}
    problems = []
    for name, one in _properties(schema):
        text = typed.get(name, "")
        control, is_null = _control(one)
        if not text.strip() and control != "text":
            if is_null and name in (schema.get("required") or ()):
                arguments[name] = None
            continue
        if not text and name not in (schema.get("required") or ()):
            continue
        try:
            arguments[name] = _value(one, control, text)
        except ValueError as error:
            problems.append(Problem(["arguments", name], str(error), "type"))
    return arguments, problems


def _value(schema: Mapping[str, Any], control: Control, text: str) -> Any:
    match control:
        case "text":
            return text
        case "truth":
            return text == "true"
        case "choice":
            return next((v for v in schema["enum"] if _shown(v, "choice") == text), text)
        case "number":
            return _number(text, is_whole="integer" in _types(schema))
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if "string" in _types(schema) or not _types(schema):
            return text
        raise ValueError(f"This is not JSON: {error}") from None


def _number(text: str, *, is_whole: bool) -> int | float:
    try:
        number = int(text) if is_whole else float(text)
    except ValueError:
        number = math.nan
    if isinstance(number, float) and not math.isfinite(number):
        kind = "whole number" if is_whole else "number"
        raise ValueError(f"Must be a {kind}, not '{text[:40]}'")
    return number


def _properties(schema: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """A tool from elsewhere may describe a parameter by `true`: anything."""
    given = schema.get("properties")
    pairs = given.items() if isinstance(given, dict) else ()
    return [(str(name), one if isinstance(one, dict) else {}) for name, one in pairs]


def _control(schema: Mapping[str, Any]) -> tuple[Control, bool]:
    """The control for a type, and whether it may be null."""
    if schema.get("enum"):
        return "choice", False
    kinds = _types(schema)
    is_null = "null" in kinds
    match [kind for kind in kinds if kind != "null"]:
        case ["string"]:
            return "text", is_null
        case ["integer"] | ["number"]:
            return "number", is_null
        case ["boolean"] if not is_null:
            return "truth", False
    return "json", is_null


def _types(schema: Mapping[str, Any]) -> list[str]:
    """The types that a schema names; none where it accepts anything."""
    found: list[str] = []
    for one in schema.get("anyOf") or [schema]:
        kind = one.get("type") if isinstance(one, dict) else None
        if kind is None:
            return []
        found += kind if isinstance(kind, list) else [kind]
    return found


def _note(schema: Mapping[str, Any], *, needed: bool, is_null: bool) -> str:
    kinds = [_WORDS.get(kind, kind) for kind in _types(schema) if kind != "null"]
    words = "one of these" if schema.get("enum") else " or ".join(kinds) or "anything"
    if schema.get("type") == "array":
        inner = schema.get("items")
        of = _types(inner) if isinstance(inner, dict) else []
        words = f"list of {_WORDS.get(of[0], of[0])}s" if len(of) == 1 else "list"
    if needed:
        return f"{words}, empty for none" if is_null else words
    default = schema.get("default")
    shown = "its default" if "default" not in schema else orjson.dumps(default).decode()
    return f"{words}, {shown if len(shown) <= 40 else 'its default'} if left out"


def _shown(value: Any, control: Control) -> str:
    if isinstance(value, str) and control != "json":
        return value
    return orjson.dumps(value).decode()


def _at(problem: Problem) -> str:
    place = "".join(f"[{step!r}]" for step in problem.loc[2:])
    return f"At {place}: {problem.msg[:1].lower()}{problem.msg[1:]}" if place else problem.msg


_PARAMETER = re.compile(
    r"^[ \t]*(?:[-*][ \t]+)?(?::param[ \t]+)?(?P<name>[A-Za-z_]\w*)[ \t]*(?:\([^)\n]*\))?[ \t]*:"
    r"[ \t]+(?P<text>\S.*)$",
    re.MULTILINE,
)


def _told(docstring: str) -> dict[str, str]:
    """What a docstring says of parameters, in lines like "limit: stop after this many rows"."""
    return {found["name"]: found["text"].strip() for found in _PARAMETER.finditer(docstring)}
