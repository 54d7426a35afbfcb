"""Turns JSON into definitions, and validation errors into problems with a path to the field."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, assert_never

from pydantic import ValidationError

from ..errors import InvalidError, Problem
from .agents import AGENT
from .models import ModelDefinition
from .problems import problems_of
from .references import AnyDefinition, Noun
from .skills import SKILL
from .workflows import WORKFLOW


def parse(noun: Noun, body: Any) -> AnyDefinition:
    """The definition that a JSON body describes. Raises InvalidError with every problem."""
    try:
        match noun:
            case "models":
                return ModelDefinition.model_validate(body)
            case "skills":
                return SKILL.validate_python(body)
            case "agents":
                return AGENT.validate_python(body)
            case "workflows":
                return WORKFLOW.validate_python(body)
            case _:
                assert_never(noun)
    except ValidationError as error:
        problems = problems_of(error, is_tagged=noun != "models")
        if noun == "agents" and isinstance(body, dict):
            problems = [_with_fix(p, str(body.get("name", ""))) for p in problems]
        raise InvalidError(problems) from None


def _with_fix(problem: Problem, name: str) -> Problem:
    """A name with spaces is offered without them."""
    if problem.loc != ["name"] or " " not in name.strip():
        return problem
    return replace(problem, fix=re.sub(r"\s+", "_", name.strip()))


def dump(definition: AnyDefinition) -> dict[str, Any]:
    """The JSON body that is stored and sent: every field, by its public name."""
    return definition.model_dump(mode="json", by_alias=True)
