"""The append-only log of a session, and the counters that follow from it.

`append` is the hot path: one statement fences the writer and reserves the numbers, one inserts the
rows, all in the writer's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, text

from ..engine.events import Event, as_row
from ..errors import ConflictError
from .database import Statement
from .tables import now

NANO = 1_000_000_000


class FencedError(ConflictError):
    """Somebody else has taken the session over: this writer must stop at once."""


@dataclass(frozen=True, slots=True)
class Row:
    """A stored event; `json` is the flat object that is streamed, seq included."""

    seq: int
    kind: str
    json: str

    def data(self) -> dict[str, Any]:
        return orjson.loads(self.json)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class NewRow:
    """An event on its way into the log. `n` numbers what a replay would say again."""

    kind: str
    run: int
    chat: str
    n: int | None
    effect: str | None
    body: str
    words: str | None = None
    turns: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_nano: int = 0


@dataclass(frozen=True, slots=True)
class Changes:
    """What changes on the session row together with the events."""

    status: str | None = None
    reason: str | None = None
    run: int | None = None
    active_ms: int = 0
    new_epoch: bool = False
    extra: dict[str, Any] = field(default_factory=dict)


def new_row(event: Event, run: int, chat: str = "", n: int | None = None) -> NewRow:
    """The row of an event, with what it adds to the session's counters."""
    row = as_row(event)
    kind = str(row.pop("kind"))
    effect = row.pop("effect", None)
    body = orjson.dumps({"kind": kind, "at": now(), "run": run, "chat": chat, **row}).decode()
    if kind == "message":
        content = row["content"]
        words = content if isinstance(content, str) else None
        return NewRow(kind, run, chat, n, effect, body, words, turns=1)
    if kind == "model_called":
        return NewRow(
            kind,
            run,
            chat,
            n,
            effect,
            body,
            prompt_tokens=row["prompt_tokens"],
            completion_tokens=row["completion_tokens"],
            cost_nano=round(row["cost_usd"] * NANO),
        )
    return NewRow(kind, run, chat, n, effect, body)


_RESERVE = Statement(
    "UPDATE session SET last_seq = last_seq + :count, turns = turns + :turns,"
    " prompt_tokens = prompt_tokens + :prompt, completion_tokens = completion_tokens + :written,"
    " cost_nano = cost_nano + :cost, active_ms = active_ms + :active, updated_at = :at,"
    " status = COALESCE(:status, status), reason = COALESCE(:reason, reason),"
    " run = COALESCE(:run, run), epoch = epoch + :step"
    " WHERE id = :id AND epoch = :epoch RETURNING last_seq"
)
_INSERT = Statement(
    "INSERT INTO event (session_id, seq, kind, run, chat, n, effect, words, body)"
    " VALUES (:session_id, :seq, :kind, :run, :chat, :n, :effect, :words, :body)"
)


def append(
    connection: Connection,
    session_id: str,
    epoch: int,
    rows: Sequence[NewRow],
    changes: Changes = Changes(),
) -> list[Row]:
    """Appends rows and changes the session. Raises FencedError when the epoch has moved on."""
    last = _RESERVE(
        connection,
        {
            "count": len(rows),
            "turns": sum(r.turns for r in rows),
            "prompt": sum(r.prompt_tokens for r in rows),
            "written": sum(r.completion_tokens for r in rows),
            "cost": sum(r.cost_nano for r in rows),
            "active": changes.active_ms,
            "at": now(),
            "status": changes.status,
            "reason": changes.reason,
            "run": changes.run,
            "step": int(changes.new_epoch),
            "id": session_id,
            "epoch": epoch,
        },
    ).scalar()
    if last is None:
        raise FencedError("The session has been taken over")
    if not rows:
        return []
    first = int(last) - len(rows) + 1
    _INSERT(
        connection,
        [
            {
                "session_id": session_id,
                "seq": first + i,
                "kind": r.kind,
                "run": r.run,
                "chat": r.chat,
                "n": r.n,
                "effect": r.effect,
                "words": r.words,
                "body": r.body,
            }
            for i, r in enumerate(rows)
        ],
    )
    return [Row(first + i, r.kind, _numbered(first + i, r.body)) for i, r in enumerate(rows)]


def _numbered(seq: int, body: str) -> str:
    return f'{{"seq":{seq},{body[1:]}'


_AFTER = text(
    "SELECT seq, kind, body FROM event WHERE session_id = :id AND seq > :after"
    " ORDER BY seq LIMIT :limit"
)
_LAST = text(
    "SELECT seq, kind, body FROM event WHERE session_id = :id AND kind = :kind"
    " ORDER BY seq DESC LIMIT :limit"
)
_OF_KIND = text(
    "SELECT seq, kind, body FROM event WHERE session_id = :id AND kind = :kind ORDER BY seq"
)
_COUNTS = text(
    "SELECT run, chat, MAX(n) FROM event WHERE session_id = :id AND n IS NOT NULL"
    " GROUP BY run, chat"
)
_RUNS = text(
    "SELECT body FROM event WHERE session_id = :id AND kind = 'session_started' ORDER BY seq"
)


def after(connection: Connection, session_id: str, seq: int, limit: int = 1000) -> list[Row]:
    found = connection.execute(_AFTER, {"id": session_id, "after": seq, "limit": limit})
    return [Row(seq, kind, _numbered(seq, body)) for seq, kind, body in found]


def latest(connection: Connection, session_id: str, kind: str, limit: int = 1) -> list[Row]:
    """The last rows of a kind, newest first."""
    found = connection.execute(_LAST, {"id": session_id, "kind": kind, "limit": limit})
    return [Row(seq, kind, _numbered(seq, body)) for seq, kind, body in found]


def of_kind(connection: Connection, session_id: str, kind: str) -> list[Row]:
    """All rows of a kind, oldest first."""
    found = connection.execute(_OF_KIND, {"id": session_id, "kind": kind})
    return [Row(seq, kind, _numbered(seq, body)) for seq, kind, body in found]


def said(connection: Connection, session_id: str) -> dict[tuple[int, str], int]:
    """How many events each (run, chat) has logged that a replay would say again."""
    found = connection.execute(_COUNTS, {"id": session_id})
    return {(int(run), str(chat)): int(n) for run, chat, n in found}


def tasks(connection: Connection, session_id: str) -> list[str]:
    """The opening message of every run as agents hear it, in order."""
    return [_as_heard(one) for one in runs(connection, session_id)]


def runs(connection: Connection, session_id: str) -> list[dict[str, Any]]:
    """How every run began: its task and the files that came with it, in order."""
    found = connection.execute(_RUNS, {"id": session_id}).scalars()
    return [orjson.loads(body) for body in found]


def _as_heard(started: dict[str, Any]) -> str:
    """A task, and which files came with it: the same words in every replay."""
    files = [
        f"{one['name']} ({one['media_type']}, {_size(one['bytes'])})"
        for one in started.get("attachments", ())
    ]
    task = str(started["message"])
    return f"{task}\n\nFiles in the working folder: {', '.join(files)}" if files else task


def _size(number: float) -> str:
    for unit in ("B", "kB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} MB"
