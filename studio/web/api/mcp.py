"""JSON routes of skills that are MCP servers."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ...definitions.skills import SKILL, McpSkillDefinition
from ...errors import ConflictError
from ..dependencies import Me, StrictRoute, Studio, json_response
from ..waiting import while_there

router = APIRouter(prefix="/api/skills", tags=["skills"], route_class=StrictRoute)


@router.post("/{one}/tools")
async def tools(request: Request, studio: Studio, me: Me, one: str) -> Response:
    """What the server of a stored skill offers now. It is started for that, in a box of its own."""
    stored = await studio.catalog.stored(me.owner, "skills", one)
    skill = SKILL.validate_python(stored.body)
    if not isinstance(skill, McpSkillDefinition):
        raise ConflictError("Only an MCP server is asked for its tools: this skill has its source")
    found = await while_there(request, studio.runner.skill_tests.tools(me.owner, skill))
    if found is None:
        return Response(status_code=204)
    items = [
        {**one.tool.model_dump(), "chosen": one.chosen, "changed": one.changed} for one in found
    ]
    return json_response({"items": items})
