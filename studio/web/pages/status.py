"""The Status page: what works on this machine, what does not, and what to do about it."""

from __future__ import annotations

import asyncio
import platform
import time
from typing import Any

from fastapi import APIRouter, Request, Response

from ... import __version__
from ...runner.box_words import INSTALL, NAMES, NO_BOX, checks, detail, used
from ...store import sessions
from ...store.database import Connection
from ...store.disk import DatabaseUse, database_use, disk_use
from ..dependencies import Me, Services, Studio
from ..status import Counted, folder_rows, network_parts, studio_parts
from ..templating import render
from .common import go, show

router = APIRouter(prefix="/status", include_in_schema=False)
PATIENCE = 1.5  # seconds that an answer waits for a look at the boxes


@router.get("")
async def status(request: Request, studio: Studio, me: Me) -> Response:
    """What takes long is not waited for: the boxes follow, and the sizes are said to be more."""
    boxes = studio.runner.boxes
    if not boxes.probes:
        boxes.looking()
    disk, (counted, database), found = await asyncio.gather(
        asyncio.to_thread(disk_use, studio.settings.home),
        _from_database(studio, me),
        _found(studio),
    )
    values = {
        **found,
        "network": network_parts(studio.settings),
        "parts": studio_parts(counted, studio.local, database, disk),
        "home": str(studio.settings.home),
        "folders": folder_rows(disk),
        "version": __version__,
        "python": platform.python_version(),
        "uptime": time.monotonic() - studio.started,
    }
    return await show(request, studio, me, "status/show.html", values, nav="status")


@router.post("/look")
async def look(request: Request, studio: Studio, _: Me) -> Response:
    """Looks at the boxes again. A page without scripts waits for what is found."""
    looking = studio.runner.boxes.looking()
    if request.headers.get("hx-request") == "true":
        return Response(_part(await _found(studio, 0)), media_type="text/html")
    await asyncio.wait([looking])
    return go("/status", "looked")


@router.get("/boxes")
async def boxes(studio: Studio, _: Me) -> Response:
    """The part of the page about boxes, as soon as the look is over or after a moment."""
    return Response(_part(await _found(studio)), media_type="text/html")


def _part(values: dict[str, Any]) -> str:
    return render("status/_boxes.html", values)


async def _found(studio: Services, patience: float = PATIENCE) -> dict[str, Any]:
    boxes = studio.runner.boxes
    if boxes.is_looking and patience:
        await asyncio.wait([boxes.looking()], timeout=patience)
    probes = boxes.probes
    return {
        "looking": boxes.is_looking,
        "looked_at": boxes.looked_at,
        "boxes": [
            {
                "kind": kind, "name": NAMES[kind], "ready": probe.ready, "detail": detail(probe),
                "python": probe.python, "checks": checks(probe),
            }
            for kind, probe in probes.items()
        ],
        "used": used(probes) if probes else None,
        "no_box": NO_BOX,
        "install": INSTALL,
    }  # fmt: skip


async def _from_database(studio: Services, me: Me) -> tuple[Counted, DatabaseUse]:
    def work(c: Connection) -> tuple[Counted, DatabaseUse]:
        def number(*states: str) -> int:
            return sessions.count(c, me.owner, status=states)

        counted = Counted(number("queued", "running"), number("waiting"), number("paused"))
        return counted, database_use(c)

    return await studio.database.read(work)
