"""What code needs on this machine: packages and images, and preparing them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import StringConstraints

from ...definitions.common import Strict
from ...definitions.references import Noun
from ...errors import InvalidError, Problem
from ...runner.preparing import Item, Preparing
from ..dependencies import Me, Services, StrictRoute, Studio, json_response

router = APIRouter(prefix="/api/preparations", route_class=StrictRoute, tags=["preparations"])
Id = Annotated[str, StringConstraints(min_length=1, max_length=80)]
_NOUNS: dict[str, Noun] = {"workflow": "workflows", "agent": "agents", "skill": "skills"}


class Whose(Strict):
    """One of them: the definition whose code is to be able to run."""

    workflow: Id | None = None
    agent: Id | None = None
    skill: Id | None = None

    def named(self) -> tuple[Noun, str]:
        """Raises InvalidError."""
        given = [(noun, getattr(self, word)) for word, noun in _NOUNS.items()]
        found = [(noun, one) for noun, one in given if one is not None]
        if len(found) != 1:
            raise InvalidError([Problem([], "Name a workflow, an agent or a skill", "which")])
        return found[0]


def whose(
    workflow: Annotated[Id | None, Query()] = None,
    agent: Annotated[Id | None, Query()] = None,
    skill: Annotated[Id | None, Query()] = None,
) -> tuple[Noun, str]:
    return Whose(workflow=workflow, agent=agent, skill=skill).named()


Named = Annotated[tuple[Noun, str], Depends(whose)]


def preparing(studio: Services) -> Preparing:
    return Preparing(studio.database, studio.runner.boxes)


def _shown(items: list[Item], status: int = 200) -> Response:
    return json_response({"items": [item.as_json() for item in items]}, status)


@router.get("")
async def listing(studio: Studio, me: Me, named: Named) -> Response:
    """What it needs beside itself, and whether it is there. Ask again to see how far it is."""
    return _shown(await preparing(studio).items(me.owner, *named))


@router.post("", status_code=202)
async def start(studio: Studio, me: Me, given: Whose) -> Response:
    """Begins what is missing or has failed. This is the only step in which the network is used."""
    return _shown(await preparing(studio).start(me.owner, *given.named()), 202)


@router.delete("")
async def forget(studio: Studio, me: Me, named: Named) -> Response:
    """Deletes what was prepared, for every definition that needs the same."""
    return _shown(await preparing(studio).forget(me.owner, *named))
