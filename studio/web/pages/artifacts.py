"""Pages of files that sessions made: what they look like, whatever is in them."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response

from ...errors import NotFoundError
from ...store import artifacts
from ...store.artifacts import Version
from ..dependencies import Me, Services, Studio
from ..downloads import FRAMED, IMAGE, download, inline
from ..formats import IMAGES
from ..previews import preview
from .common import show
from .session_page import folded

router = APIRouter(prefix="/sessions", include_in_schema=False)
PAGES = ("text/html", "application/xhtml+xml")


@router.get("/{one}/artifacts/{artifact}")
async def look(request: Request, studio: Studio, me: Me, one: str, artifact: str) -> Response:
    session, view = await folded(studio, me, one)
    every = [made for versions in view.files.values() for made in versions]
    found = next((made for made in (*every, *view.given) if made.id == artifact), None)
    if found is None:
        raise NotFoundError("There is no such file")
    path = studio.runner.files.artifact(one, found.id)
    values = {
        "session": session,
        "file": found,
        "versions": view.files.get(found.name, []) if found in every else [],
        "others": [versions[-1] for versions in view.files.values()],
        "preview": await asyncio.to_thread(preview, path, found.media_type),
    }
    return await show(request, studio, me, "sessions/artifact.html", values, nav="sessions")


@router.get("/{one}/artifacts/{artifact}/raw")
async def raw(studio: Studio, me: Me, one: str, artifact: str) -> Response:
    """A picture, for pages that show it; anything else is handed out to be saved."""
    found = await _mine(studio, me.owner, one, artifact)
    path = studio.runner.files.artifact(one, found.id)
    if found.media_type not in IMAGES:
        return download(path, found)
    return inline(path, found, IMAGE)


@router.get("/{one}/artifacts/{artifact}/page")
async def page(request: Request, studio: Studio, me: Me, one: str, artifact: str) -> Response:
    """An HTML file inside the frame of its preview, where it can run nothing and fetch nothing.

    Opened by itself it could still lead the reader away, so then it is handed out to be saved.
    """
    found = await _mine(studio, me.owner, one, artifact)
    if found.media_type not in PAGES:
        raise NotFoundError("There is no such page")
    path = studio.runner.files.artifact(one, found.id)
    if request.headers.get("sec-fetch-dest", "iframe") != "iframe":
        return download(path, found)
    return inline(path, found, FRAMED)


async def _mine(studio: Services, owner: str, one: str, artifact: str) -> Version:
    await studio.runner.session(owner, one)
    return await studio.database.read(lambda c: artifacts.get(c, one, artifact))
