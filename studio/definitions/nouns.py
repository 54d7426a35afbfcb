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
        message = item["msg"].removeprefix("Value error, ")
        message = message[:1].upper() + message[1:]
        problems.setdefault(loc, Problem(list(loc), message, item["type"]))
    return list(problems.values())


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
