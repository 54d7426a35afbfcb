"""A session's conversation as a file: JSON, Markdown or CSV."""

from __future__ import annotations

import csv
import io
import re
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query, Response

from ...store import events
from ...store.sessions import Session
from ..dependencies import Me, StrictRoute, Studio, media

router = APIRouter(prefix="/api/sessions", tags=["sessions"], route_class=StrictRoute)
Format = Literal["json", "md", "csv"]
COLUMNS = ("run", "chat", "turn", "at", "agent", "to", "content")
# What a spreadsheet would run as a formula.
FORMULA = re.compile(r"^[=+\-@\t\r]")
MEDIA = {"json": "application/json", "md": "text/markdown", "csv": "text/csv"}


@router.get("/{one}/transcript", responses=media("text/markdown", "text/csv"))
async def transcript(
    studio: Studio,
    me: Me,
    one: str,
    format: Annotated[Format, Query()] = "json",  # noqa: A002
) -> Response:
    """Every message, oldest first; JSON also holds the session's figures."""
    session = await studio.runner.session(me.owner, one)
    rows = await studio.database.read(lambda c: events.of_kind(c, one, "message"))
    messages = [row.data() for row in rows]
    text = {"json": _json, "md": _markdown, "csv": _csv}[format](session, messages)
    headers = {"content-disposition": f'attachment; filename="session-{one}.{format}"'}
    return Response(text, headers=headers, media_type=MEDIA[format])


def _json(session: Session, messages: list[dict[str, Any]]) -> str:
    document = {"session": session.as_json([]), "messages": messages}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


def _markdown(session: Session, messages: list[dict[str, Any]]) -> str:
    lines = [f"# {session.name}", "", f"{session.workflow_name}, {session.created_at}: "
             f"{session.status}" + (f" ({session.reason})" if session.reason else "")]  # fmt: skip
    for number, message in enumerate(messages, 1):
        place = f" ({message['chat']})" if message["chat"] else ""
        lines += ["", f"## {number}. {message['agent']}{place}", "", _said(message)]
    return "\n".join(lines) + "\n"


def _csv(_: Session, messages: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(COLUMNS)
    for message in messages:
        cells = [_said(message) if c == "content" else str(message.get(c, "")) for c in COLUMNS]
        table.writerow([f"'{cell}" if FORMULA.match(cell) else cell for cell in cells])
    return out.getvalue()


def _said(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    return orjson.dumps(content).decode() if content is not None else ""
