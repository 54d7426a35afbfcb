"""JSON routes of skills."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Request, Response
from pydantic import StringConstraints

from ...definitions.common import Strict
from ...definitions.skills import SKILL, SkillDefinition
from ...runner.skill_tests import Tested
from ..dependencies import Me, Studio, json_response
from ..waiting import while_there
from .nouns import noun_router

router = noun_router("skills", SkillDefinition)


class SkillCall(Strict):
    """One call of one function of a skill, as it is saved."""

    function: Annotated[str, StringConstraints(max_length=200)]
    arguments: dict[str, Any] = {}


@router.post("/{one}/test")
async def test(request: Request, studio: Studio, me: Me, one: str, given: SkillCall) -> Response:
    """Calls a function in a box of its own. A client that goes away stops the call."""
    stored = await studio.catalog.stored(me.owner, "skills", one)
    skill = SKILL.validate_python(stored.body)
    tests = studio.runner.skill_tests
    tested = await while_there(request, tests.run(me.owner, skill, given.function, given.arguments))
    return json_response(as_json(tested)) if tested else Response(status_code=204)


def as_json(tested: Tested) -> dict[str, Any]:
    """`result` is JSON, and text where the function returned something else."""
    called = tested.called
    told: dict[str, Any] = {"ok": called.ok}
    if called.ok:
        is_text = called.value is None and called.content != "null"
        told["result"] = called.content if is_text else called.value
    else:
        told["error"] = called.content.removeprefix("Error: ")
    told |= {"stdout": called.printed, "stderr": called.errors, "seconds": round(called.seconds, 3)}
    if called.limit:
        told["limit"] = called.limit
    if tested.requests:
        told["network"] = [asdict(one) for one in tested.requests]
    return told
