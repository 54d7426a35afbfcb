"""JSON routes of workflows."""

from __future__ import annotations

from fastapi import Response

from ...definitions.workflows import WorkflowDefinition
from ..dependencies import Me, Studio, json_response
from .nouns import noun_router

router = noun_router("workflows", WorkflowDefinition)


@router.post("/{one}/check")
async def check(studio: Studio, me: Me, one: str) -> Response:
    """Everything that stands in the way of a session, and what is unwise."""
    problems = await studio.runner.problems(me.owner, one)
    return json_response({"problems": [p.as_json() for p in problems]})
