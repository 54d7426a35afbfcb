"""Turns JSON into definitions, and validation errors into problems with a path to the field."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, assert_never

from pydantic import ValidationError

from ..errors import InvalidError, Problem
from .agents import AGENT
from .models import ModelDefinition
from .references import AnyDefinition, Noun
from .skills import SkillDefinition
from .workflows import WORKFLOW

_TAGS = {
    "assistant", "user_proxy", "workflow", "two_agent", "group_chat", "sequential", "graph",
}  # fmt: skip
_NOT_PATHS = {"function-after", "function-before", "constrained-str", "constrained-int"}


def parse(noun: Noun, body: Any) -> AnyDefinition:
    """The definition that a JSON body describes. Raises InvalidError with every problem."""
    try:
        match noun:
            case "models":
                return ModelDefinition.model_validate(body)
            case "skills":
                return SkillDefinition.model_validate(body)
            case "agents":
                return AGENT.validate_python(body)
            case "workflows":
                return WORKFLOW.validate_python(body)
            case _:
                assert_never(noun)
    except ValidationError as error:
        problems = problems_of(error)
        if noun == "agents" and isinstance(body, dict):
            problems = [_with_fix(p, str(body.get("name", ""))) for p in problems]
        raise InvalidError(problems) from None


def _with_fix(problem: Problem, name: str) -> Problem:
    """A name with spaces is offered without them."""
    if problem.loc != ["name"] or " " not in name.strip():
        return problem
    return replace(problem, fix=re.sub(r"\s+", "_", name.strip()))


def problems_of(error: ValidationError, skip: int = 0) -> list[Problem]:
    """Pydantic's errors as problems; branches of unions are not part of the path."""
    problems: dict[tuple[str | int, ...], Problem] = {}
    for item in error.errors(include_url=False, include_input=False):
        loc = tuple(_path(item["loc"][skip:]))
        if item["type"] in ("union_tag_invalid", "union_tag_not_found") and not loc:
            loc = ("kind",)
        problems.setdefault(loc, Problem(list(loc), _in_words(item), item["type"]))
    return list(problems.values())


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
        if isinstance(part, str) and (part.split("[")[0] in _NOT_PATHS or _is_branch(part)):
            continue
        path.append(part)
    return path


def _is_branch(part: str) -> bool:
    return part[:1].isupper() or "[" in part or part in ("bool", "int", "str")


def dump(definition: AnyDefinition) -> dict[str, Any]:
    """The JSON body that is stored and sent: every field, by its public name."""
    return definition.model_dump(mode="json", by_alias=True)
