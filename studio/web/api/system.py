"""JSON routes of the studio itself: health, status, version."""

from __future__ import annotations

from fastapi import APIRouter, Response

from ... import __version__
from ...store import sessions
from ..dependencies import Me, Studio, json_response

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
                "sandbox": {"status": "missing", "detail": "No sandbox on this machine yet"},
            },
        }
    )  # fmt: skip
