"""JSON routes of the studio itself: health, status, version."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from ... import __version__
from ...runner.box_words import detail, used
from ...store import sessions
from ..dependencies import Me, Services, Studio, json_response

router = APIRouter(prefix="/api", tags=["system"])


@router.get("/health")
async def health() -> Response:
    """Public: says only that the studio answers."""
    return json_response({"status": "ok"})


@router.get("/version")
async def version(_: Me) -> Response:
    return json_response({"version": __version__})


@router.get("/status")
async def status(studio: Studio, me: Me) -> Response:
    """The state of each part."""
    active = await studio.database.read(
        lambda c: sessions.count(c, me.owner, status=sessions.ACTIVE)
    )
    local = studio.local
    return json_response(
        {
            "version": __version__,
            "parts": {
                "database": {"status": "ok", "kind": "sqlite" if studio.database.is_sqlite
                             else "postgresql"},
                "sessions": {"status": "ok", "active": active},
                "built_in_model": {
                    "status": "ok" if local.is_ready else "missing",
                    "installed": local.is_installed,
                    "fetched": local.is_fetched,
                    "running": local.is_running,
                },
                "boxes": await _boxes(studio),
            },
        }
    )  # fmt: skip


async def _boxes(studio: Services) -> dict[str, Any]:
    """The first to ask waits until a canary has tried to get out of each."""
    probes = await studio.runner.boxes.known()
    found: dict[str, Any] = {
        kind: {
            "status": "ok" if probe.ready else "missing",
            "detail": detail(probe),
            "python": probe.python,
            "checks": dict(probe.checks),
        }
        for kind, probe in probes.items()
    }
    return found | {"used": used(probes)}
