"""Validation errors as problems: a path to the field, and what is allowed in words."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from ..errors import Problem

_TAGS = {
    "assistant", "user_proxy", "workflow", "two_agent", "group_chat", "sequential", "graph",
    "python", "mcp",
}  # fmt: skip
_NOT_PATHS = {"function-after", "function-before", "constrained-str", "constrained-int"}


def problems_of(error: ValidationError, skip: int = 0, *, is_tagged: bool = False) -> list[Problem]:
    """Pydantic's errors as problems; branches of unions are not part of the path.

    `is_tagged`: the whole is one of a union, so that every path begins with its kind.
    """
    problems: dict[tuple[str | int, ...], Problem] = {}
    for item in error.errors(include_url=False, include_input=False):
        given = item["loc"][skip:]
        loc = tuple(_path(given[1:] if is_tagged and given[:1] and given[0] in _TAGS else given))
        if item["type"] in ("union_tag_invalid", "union_tag_not_found") and not loc:
            loc = ("kind",)
        problems.setdefault(loc, Problem(list(loc), _in_words(item), item["type"]))
    inside = {loc[:n] for loc in problems for n in range(len(loc))}
    # a word or an object: who gives an object with faults is told those, not of the words as well
    return [p for loc, p in problems.items() if p.code != "literal_error" or loc not in inside]


_WORDS = {
    "missing": "This is needed",
    "extra_forbidden": "There is no such field",
    "int_parsing": "Enter a whole number",
    "int_type": "Enter a whole number",
    "int_from_float": "Enter a whole number",
    "float_parsing": "Enter a number, such as 0.7",
    "float_type": "Enter a number, such as 0.7",
    "finite_number": "Enter a number, such as 0.7",
    "bool_parsing": "Say true or false",
    "bool_type": "Say true or false",
    "string_type": "Enter text",
    "list_type": "Give a list",
    "dict_type": "Give an object",
    "greater_than_equal": "At least {ge}",
    "greater_than": "More than {gt}",
    "less_than_equal": "At most {le}",
    "less_than": "Less than {lt}",
    "string_too_long": "At most {max_length:,} characters",
    "string_too_short": "At least {min_length} characters",
    "too_long": "At most {max_length:,}",
    "too_short": "At least {min_length}",
    "literal_error": "Choose one of {expected}",
}


def _in_words(item: Any) -> str:
    """What is allowed, said to a person; a sentence of ours is taken as it is."""
    words = _WORDS.get(item["type"])
    if words is not None:
        try:
            return words.format(**item.get("ctx", {}))
        except (KeyError, ValueError):
            pass
    message = str(item["msg"]).removeprefix("Value error, ")
    return message[:1].upper() + message[1:]


def _path(loc: tuple[str | int, ...]) -> list[str | int]:
    path: list[str | int] = []
    for i, part in enumerate(loc):
        if i == 0 and part in _TAGS and len(loc) > 1:
            continue
        if path[-1:] == ["transport"] and part in ("stdio", "http"):
            continue
        if isinstance(part, str) and (part.split("[")[0] in _NOT_PATHS or _is_branch(part)):
            continue
        path.append(part)
    return path


def _is_branch(part: str) -> bool:
    return part[:1].isupper() or "[" in part or part in ("bool", "int", "str")
