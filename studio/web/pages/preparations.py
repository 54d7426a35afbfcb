"""The card that prepares what code needs; forms and the start of a session show it."""

from __future__ import annotations

from fastapi import APIRouter, Response

from ...definitions.references import Noun
from ...runner.preparing import Item
from ..api.preparations import Named, preparing
from ..dependencies import Me, Studio
from ..templating import render

router = APIRouter(prefix="/prepare", include_in_schema=False)


def _card(noun: Noun, one: str, items: list[Item], *, watched: bool) -> dict[str, object]:
    """`can` says whether a button could help, `next` where to go once all is there."""
    states = {item.state for item in items}
    state = next((s for s in ("running", "failed", "missing") if s in states), "ready")
    return {
        "items": items,
        "whose": f"{noun.removesuffix('s')}={one}",
        "state": state if items else "none",
        "can": any(item.kind != "none" for item in items if item.state in ("failed", "missing")),
        "next": f"/workflows/{one}/start" if noun == "workflows" and watched else "",
    }


def _part(named: tuple[Noun, str], items: list[Item], *, watched: bool = False) -> Response:
    shown = {"preparing": _card(*named, items, watched=watched)}
    return Response(render("_prepare.html", shown), media_type="text/html")


@router.get("")
async def show(studio: Studio, me: Me, named: Named, watched: bool = False) -> Response:
    """`watched` by a card that has seen it run."""
    return _part(named, await preparing(studio).items(me.owner, *named), watched=watched)


@router.post("")
async def start(studio: Studio, me: Me, named: Named) -> Response:
    return _part(named, await preparing(studio).start(me.owner, *named))


@router.post("/cancel")
async def cancel(studio: Studio, me: Me, named: Named) -> Response:
    return _part(named, await preparing(studio).cancel(me.owner, *named))


@router.post("/forget")
async def forget(studio: Studio, me: Me, named: Named) -> Response:
    return _part(named, await preparing(studio).forget(me.owner, *named))
