"""Browsers that are logged in. Only hashes of their cookies are stored."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from .tables import login, now

LIFETIME = timedelta(days=30)


def _hash(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()


def create(connection: Connection, owner: str) -> str:
    """A new cookie value; it cannot be read back from the database."""
    cookie = secrets.token_urlsafe(32)
    expires = datetime.now(UTC) + LIFETIME
    row = {
        "id_hash": _hash(cookie),
        "owner_id": owner,
        "created_at": now(),
        "expires_at": expires.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    connection.execute(delete(login).where(login.c.expires_at < now()))
    connection.execute(insert(login).values(row))
    return cookie


def owner_of(connection: Connection, cookie: str) -> str | None:
    query = select(login.c.owner_id).where(
        login.c.id_hash == _hash(cookie), login.c.expires_at > now()
    )
    return connection.execute(query).scalar()


def remove(connection: Connection, cookie: str) -> None:
    connection.execute(delete(login).where(login.c.id_hash == _hash(cookie)))
