"""Sessions: their rows, lists and searches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, delete, exists, func, insert, or_, select, update

from ..errors import NotFoundError
from .definitions import Page, before, contains, page
from .events import NANO, latest
from .tables import event, new_id, now, scope, session, session_snapshot

ACTIVE = ("queued", "running", "waiting", "paused")
TERMINAL = ("finished", "failed", "stopped")


@dataclass(frozen=True, slots=True)
class Session:
    """A session without its log. `agents` is the cast: [{"name", "kind", "role", "hue"}]."""

    id: str
    owner: str
    workflow_id: str
    workflow_name: str
    revision: int
    name: str
    status: str
    reason: str
    run: int
    seed: str
    agents: list[dict[str, Any]]
    limits: dict[str, Any]
    tags: list[str]
    pace: str
    last_seq: int
    epoch: int
    turns: int
    prompt_tokens: int
    completion_tokens: int
    cost_nano: int
    active_ms: int
    parent: str | None
    created_at: str
    updated_at: str

    @property
    def is_free(self) -> bool:
        """Whether every model of the team runs here, at no cost."""
        return all(member.get("free") for member in self.agents)

    @property
    def is_over(self) -> bool:
        return self.status in TERMINAL

    def as_json(self, questions: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.id,
            "status": self.status,
            "reason": self.reason,
            "workflow": self.workflow_id,
            "workflow_name": self.workflow_name,
            "revision": self.revision,
            "name": self.name,
            "run": self.run,
            "question": questions[0] if questions else None,
            "questions": questions,
            "turns": self.turns,
            "usage": {
                "prompt_tokens": self.prompt_tokens,
                "completion_tokens": self.completion_tokens,
                "total_tokens": self.prompt_tokens + self.completion_tokens,
            },
            "cost_usd": self.cost_nano / NANO,
            "seconds": round(self.active_ms / 1000, 3),
            "limits": self.limits,
            "tags": self.tags,
            "pace": self.pace,
            "parent": self.parent,
            "last_seq": self.last_seq,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }


_COLUMNS = [c for c in session.c if c.name not in ("created_by",)]


def create(connection: Connection, owner: str, values: dict[str, Any]) -> str:
    """Returns its id, a new one unless `values` has it."""
    at, one = now(), str(values.get("id") or new_id())
    row = {"id": one, "owner_id": owner, "created_at": at, "updated_at": at, **values}
    body = row.pop("snapshot")
    connection.execute(insert(session).values(row))
    connection.execute(insert(session_snapshot).values(session_id=one, body=body))
    return one


def get(connection: Connection, owner: str | None, one: str) -> Session:
    """Raises NotFoundError. `owner` None is for the runner itself."""
    query = select(*_COLUMNS).where(session.c.id == one)
    if owner is not None:
        query = query.where(scope(session, owner))
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFoundError("There is no such session")
    return _session(row)


def ids(connection: Connection) -> list[str]:
    """Every session there is, whoever owns it."""
    return [str(one) for one in connection.execute(select(session.c.id)).scalars()]


def snapshot(connection: Connection, one: str) -> dict[str, Any]:
    query = select(session_snapshot.c.body).where(session_snapshot.c.session_id == one)
    text = connection.execute(query).scalar()
    if text is None:
        raise NotFoundError("There is no such session")
    return orjson.loads(text)  # type: ignore[no-any-return]


def listing(
    connection: Connection,
    owner: str,
    *,
    q: str = "",
    status: tuple[str, ...] = (),
    workflow: str = "",
    limit: int = 50,
    cursor: str | None = None,
) -> Page:
    """Newest first; `q` is searched in the name and in what was said."""
    query = (
        _filtered(select(*_COLUMNS), owner, q, status, workflow)
        .order_by(session.c.created_at.desc(), session.c.id.desc())
        .limit(limit + 1)
    )
    if cursor:
        query = query.where(before(session, cursor))
    found = [_session(r) for r in connection.execute(query).mappings()]
    return page(found, limit)


def count(
    connection: Connection,
    owner: str,
    *,
    q: str = "",
    status: tuple[str, ...] = (),
    workflow: str = "",
) -> int:
    query = _filtered(select(func.count()).select_from(session), owner, q, status, workflow)
    return int(connection.execute(query).scalar() or 0)


def _filtered(query: Any, owner: str, q: str, status: tuple[str, ...], workflow: str) -> Any:
    query = query.where(scope(session, owner))
    if status:
        query = query.where(session.c.status.in_(status))
    if workflow:
        query = query.where(session.c.workflow_id == workflow)
    if q:
        in_log = exists(
            select(event.c.seq).where(
                event.c.session_id == session.c.id,
                event.c.kind == "message",
                contains(event.c.words, q),
            )
        )
        query = query.where(or_(contains(session.c.name, q), in_log))
    return query


def open_questions(connection: Connection, one: str, run: int) -> list[dict[str, Any]]:
    """The questions of this run that nobody has answered, oldest first."""
    asked = [r.data() for r in latest(connection, one, "input_requested", 50)]
    answered = {r.data()["question"] for r in latest(connection, one, "input_received", 1000)}
    return [
        {k: v for k, v in q.items() if k not in ("kind", "run", "at", "seq")}
        | {"id": q["question"]}
        for q in reversed(asked)
        if q["run"] == run and q["question"] not in answered
    ]


def open_question(connection: Connection, one: str, run: int, question: str) -> dict[str, Any]:
    """One of them. Raises NotFoundError."""
    found = (q for q in open_questions(connection, one, run) if q["id"] == question)
    if (asked := next(found, None)) is None:
        raise NotFoundError("Nobody asks this")
    return asked


def unfinished(connection: Connection, statuses: tuple[str, ...]) -> list[str]:
    query = (
        select(session.c.id).where(session.c.status.in_(statuses)).order_by(session.c.created_at)
    )
    return [str(one) for one in connection.execute(query).scalars()]


def patch(connection: Connection, owner: str, one: str, values: dict[str, Any]) -> Session:
    connection.execute(
        update(session).where(scope(session, owner), session.c.id == one).values(values)
    )
    return get(connection, owner, one)


def remove(connection: Connection, owner: str, one: str) -> None:
    get(connection, owner, one)
    connection.execute(delete(session).where(scope(session, owner), session.c.id == one))


def _session(row: Any) -> Session:
    values = {k: row[k] for k in Session.__slots__ if k in row}
    return Session(
        **{
            **values,
            "owner": row["owner_id"],
            "agents": orjson.loads(row["agents"]),
            "limits": orjson.loads(row["limits"]),
            "tags": orjson.loads(row["tags"]),
        }
    )
