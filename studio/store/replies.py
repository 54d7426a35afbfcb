"""Replies of models that are kept under a seed, for agents that ask for it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from .database import Connection
from .tables import now, reply


def find(connection: Connection, owner: str, seed: str, key: str) -> str | None:
    """The JSON that was kept for a request (`key` is its hash), or None."""
    query = select(reply.c.body).where(
        reply.c.owner_id == owner, reply.c.seed == seed, reply.c.key == key
    )
    body: str | None = connection.execute(query).scalar()
    return body


def keep(connection: Connection, owner: str, seed: str, key: str, body: str) -> None:
    """Keeps the JSON, in place of an earlier one."""
    row = {"owner_id": owner, "seed": seed, "key": key, "body": body, "at": now()}
    statement = _insert(connection).values(**row)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["owner_id", "seed", "key"], set_={"body": body, "at": row["at"]}
        )
    )


def _insert(connection: Connection) -> Any:
    """The insert that can also update. PostgreSQL's dialect (50 ms) is loaded only where used."""
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(reply)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(reply)
