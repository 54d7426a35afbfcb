"""Replies of models that are kept under a seed, for agents that ask for it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

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
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    row = {"owner_id": owner, "seed": seed, "key": key, "body": body, "at": now()}
    statement = dialect.insert(reply).values(**row)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["owner_id", "seed", "key"], set_={"body": body, "at": row["at"]}
        )
    )
