"""The conversation of a session as a page, whole or as it was when an answer was refused."""

from __future__ import annotations

from fastapi import Request, Response

from ...store import events, sessions
from ...store.database import Connection
from ...store.events import Row
from ...store.sessions import Session
from ..dependencies import Me, Services
from ..session_view import SessionView
from .common import show
from .session_answers import Typed
from .session_parts import Parts

SHOWN_TURNS = 200


async def folded(studio: Services, me: Me, one: str) -> tuple[Session, SessionView]:
    """A session and its whole log, from one read, so that page and stream fit together."""

    def work(c: Connection) -> tuple[Session, list[Row]]:
        return sessions.get(c, me.owner, one), events.after(c, one, 0, 10_000_000)

    session, rows = await studio.database.read(work)
    return session, SessionView(session).fold(rows)


async def show_conversation(
    request: Request,
    studio: Services,
    me: Me,
    one: str,
    typed: dict[str, Typed] | None = None,
    *,
    everything: bool = False,
) -> Response:
    """The page of a session. `typed` is what stood in the forms of questions that were refused."""
    session, view = await folded(studio, me, one)
    snapshot = await studio.database.read(lambda c: sessions.snapshot(c, one))
    hidden = set() if everything else view.before(SHOWN_TURNS)
    values = {
        **Parts(view, snapshot).values(),
        "session": session,
        "blocks": [block for block in view.blocks.values() if block.id not in hidden],
        "hidden": hidden,
        "earlier": sum(turn.id in hidden for turn in view.turn_list),
        "ended": view.is_over,
        "typed": typed or {},
    }
    status = 422 if typed else 200
    return await show(
        request, studio, me, "sessions/show.html", values, nav="sessions", status=status
    )
