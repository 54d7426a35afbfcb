"""The effect log: what a session asked of the outside world, and the answers it got."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, text

from ..errors import ConflictError, NotFoundError
from .database import Statement
from .tables import now


@dataclass(frozen=True, slots=True)
class Recorded:
    """An effect as the log has it; `result` is None while it is open."""

    key: str
    kind: str
    attempt: int
    request_hash: str
    result: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Overdue:
    """A question that nobody answered in time; `then` says what is to happen."""

    session_id: str
    key: str
    question: str
    agent: str
    then: str


@dataclass(frozen=True, slots=True)
class Intent:
    """An effect that is about to be performed. `messages` follow the first `shared` of `base`; a
    question is waited for until `due`."""

    key: str
    kind: str
    run: int
    turn: int
    agent: str
    attempt: int
    request_hash: str
    request: str
    base: str | None
    shared: int
    messages: str | None
    due: str | None = None


_LOAD = text("SELECT key, kind, attempt, request_hash, result FROM effect WHERE session_id = :id")
_BEGIN = Statement(
    "INSERT INTO effect (session_id, key, kind, run, turn, agent, state, attempt, request_hash,"
    " request, base, shared, messages, due, at) VALUES (:session_id, :key, :kind, :run, :turn,"
    " :agent, 'intent', :attempt, :request_hash, :request, :base, :shared, :messages, :due, :at)"
    " ON CONFLICT (session_id, key) DO UPDATE SET attempt = excluded.attempt, at = excluded.at"
)
_FINISH = Statement(
    "UPDATE effect SET state = 'done', result = :result, due = NULL, at = :at"
    " WHERE session_id = :session_id AND key = :key AND state = 'intent'"
)
_ONE = text("SELECT * FROM effect WHERE session_id = :id AND key = :key")
_BY_EVENT = text("SELECT run, effect FROM event WHERE session_id = :id AND seq = :seq")


def load(connection: Connection, session_id: str) -> dict[str, Recorded]:
    return {
        key: Recorded(key, kind, attempt, digest, orjson.loads(result) if result else None)
        for key, kind, attempt, digest, result in connection.execute(_LOAD, {"id": session_id})
    }


def begin(connection: Connection, session_id: str, intent: Intent) -> None:
    _BEGIN(
        connection,
        {
            "session_id": session_id,
            "key": intent.key,
            "kind": intent.kind,
            "run": intent.run,
            "turn": intent.turn,
            "agent": intent.agent,
            "attempt": intent.attempt,
            "request_hash": intent.request_hash,
            "request": intent.request,
            "base": intent.base,
            "shared": intent.shared,
            "messages": intent.messages,
            "due": intent.due,
            "at": now(),
        },
    )


def finish(connection: Connection, session_id: str, key: str, result: str) -> None:
    """Records an answer. Raises ConflictError when there is one already."""
    values = {"session_id": session_id, "key": key, "result": result, "at": now()}
    done = _FINISH(connection, values)
    if not done.rowcount:
        raise ConflictError("This was answered before")


_OPEN = (
    " FROM effect e JOIN session s ON s.id = e.session_id"
    " WHERE e.due IS NOT NULL AND e.state = 'intent' AND e.run = s.run"
    " AND s.status IN ('waiting', 'running', 'queued')"
)
_NEXT_DUE = text(f"SELECT MIN(e.due){_OPEN}")
_OVERDUE = text(f"SELECT e.session_id, e.key, e.agent, e.request{_OPEN} AND e.due <= :at")


def next_due(connection: Connection) -> str | None:
    """When the next question of a session that is not held up is due."""
    return connection.execute(_NEXT_DUE).scalar()


def overdue(connection: Connection, at: str) -> list[Overdue]:
    found = []
    for session_id, key, agent, request in connection.execute(_OVERDUE, {"at": at}):
        asked = orjson.loads(request)
        found.append(Overdue(session_id, key, asked["question"], agent, asked["timeout"]["then"]))
    return found


def wait_for_ever(connection: Connection, session_id: str, key: str) -> None:
    """A question whose time is over is asked again, now without an end."""
    statement = "UPDATE effect SET due = NULL WHERE session_id = :id AND key = :key"
    connection.execute(text(statement), {"id": session_id, "key": key})


def answers(
    connection: Connection, session_id: str, keys: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """The results of those of these effects that are done."""
    found = {}
    for key in keys:
        row = connection.execute(_ONE, {"id": session_id, "key": key}).mappings().first()
        if row is not None and row["result"]:
            found[key] = orjson.loads(row["result"])
    return found


def question(connection: Connection, session_id: str, run: int, question_id: str) -> str | None:
    """The key of the open effect that a question belongs to."""
    query = text(
        "SELECT key, request FROM effect WHERE session_id = :id AND run = :run"
        " AND kind = 'input' AND state = 'intent'"
    )
    for key, request in connection.execute(query, {"id": session_id, "run": run}):
        if orjson.loads(request).get("question") == question_id:
            return str(key)
    return None


def model_call(connection: Connection, session_id: str, seq: int) -> dict[str, Any]:
    """The request and the answer of the model call that event `seq` tells of.

    {"request": {...}, "messages": [...], "result": {...} | None}. Raises NotFoundError.
    """
    found = connection.execute(_BY_EVENT, {"id": session_id, "seq": seq}).first()
    if found is None or found.effect is None:
        raise NotFoundError("There is no model call with this number")
    row = _one(connection, session_id, f"{found.run}:{found.effect}")
    return {
        "agent": row["agent"],
        "turn": row["turn"],
        "attempt": row["attempt"],
        "request": orjson.loads(row["request"]),
        "messages": messages_of(connection, session_id, row),
        "result": orjson.loads(row["result"]) if row["result"] else None,
    }


def messages_of(connection: Connection, session_id: str, row: Any) -> list[dict[str, Any]]:
    """Follows the chain of bases: each call stores only what the one before did not have."""
    tails: list[tuple[int, list[dict[str, Any]]]] = []
    while True:
        tails.append((row["shared"], orjson.loads(row["messages"] or "[]")))
        if row["base"] is None or row["shared"] == 0:
            break
        row = _one(connection, session_id, row["base"])
    messages: list[dict[str, Any]] = []
    for shared, tail in reversed(tails):
        messages = messages[:shared] + tail
    return messages


def _one(connection: Connection, session_id: str, key: str) -> Any:
    row = connection.execute(_ONE, {"id": session_id, "key": key}).mappings().first()
    if row is None:
        raise NotFoundError("The record of this call is missing")
    return row
