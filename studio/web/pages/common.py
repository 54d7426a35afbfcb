"""What every page needs: the navigation around it, redirects, toasts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from ...store import sessions
from ...store.sessions import Session
from ..credentials import Principal
from ..dependencies import Services
from ..templating import page

RECENT = 5


@dataclass(frozen=True, slots=True)
class Frame:
    """The navigation: sessions that wait for a person, recent ones, the built-in model."""

    waiting: int
    recent: list[Session]
    local_ready: bool
    local_running: bool


async def frame(studio: Services, me: Principal) -> Frame:
    waiting, recent = await studio.database.read(
        lambda c: (
            sessions.count(c, me.owner, status=("waiting",)),
            sessions.listing(c, me.owner, limit=RECENT).items,
        )
    )
    return Frame(waiting, recent, studio.local.is_ready, studio.local.is_running)


async def show(
    request: Request,
    studio: Services,
    me: Principal,
    name: str,
    values: dict[str, Any],
    *,
    nav: str,
    status: int = 200,
) -> Response:
    """A page inside the navigation, with the toast that a redirect may have left."""
    around = {"frame": await frame(studio, me), "nav": nav, "toast": _toast(request)}
    return page(request, name, {**around, **values}, status)


def go(path: str, toast: str = "", undo: str = "") -> Response:
    """After a form: to the next page, which says what was done and how to undo it."""
    query = {k: v for k, v in (("toast", toast), ("undo", undo)) if v}
    return RedirectResponse(f"{path}?{urlencode(query)}" if query else path, 303)


_TOASTS = {
    "saved": ("Saved.", ""),
    "created": ("Created.", ""),
    "unchanged": ("Nothing had changed.", "No revision was made."),
    "deleted": ("Deleted.", ""),
    "revoked": ("Revoked.", "It is refused from now on."),
    "restored": ("Restored.", ""),
    "discarded": ("The draft is gone.", "The last revision is back."),
    "copied": ("Copied.", "Change what should differ, then save."),
    "pulled": ("The built-in model is ready.", ""),
    "used": ("All teams use it now.", ""),
    "looked": ("Looked again.", ""),
}


def _toast(request: Request) -> dict[str, str] | None:
    """Only our own words and paths: a link from elsewhere cannot put text on the page."""
    words = _TOASTS.get(request.query_params.get("toast", ""))
    if words is None:
        return None
    undo = request.query_params.get("undo", "")
    noun, _, one = undo.partition("/")
    is_ours = noun in ("models", "agents", "skills", "workflows") and one.isalnum()
    return {
        "title": words[0],
        "text": words[1],
        "undo": f"/{noun}/{one}/undelete" if is_ours else "",
    }
