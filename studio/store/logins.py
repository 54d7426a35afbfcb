"""Browsers that are logged in. Only hashes of their cookies are stored."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from ..errors import NotFoundError
from .tables import at_time, login, now, scope

LIFETIME = timedelta(days=30)
ID_LENGTH = 16  # of the hash, enough to name a login; the cookie does not follow from it


@dataclass(frozen=True, slots=True)
class LoginInfo:
    """A logged-in browser; `browser` is what it said of itself."""

    id: str
    browser: str
    created_at: str
    expires_at: str
    last_used_at: str | None


def id_of(cookie: str) -> str:
    return _hash(cookie)[:ID_LENGTH]


def _hash(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()


def create(connection: Connection, owner: str, browser: str = "") -> str:
    """A new cookie value; it cannot be read back from the database."""
    cookie = secrets.token_urlsafe(32)
    row = {
        "id_hash": _hash(cookie),
        "owner_id": owner,
        "browser": browser,
        "created_at": now(),
        "expires_at": at_time(datetime.now(UTC) + LIFETIME),
    }
    connection.execute(delete(login).where(login.c.expires_at < now()))
    connection.execute(insert(login).values(row))
    return cookie


def find(connection: Connection, cookie: str) -> tuple[str, LoginInfo] | None:
    """The owner of a cookie that is good at this moment, and what is known of it."""
    query = select(login).where(login.c.id_hash == _hash(cookie), login.c.expires_at > now())
    row = connection.execute(query).mappings().first()
    return (str(row["owner_id"]), _info(row)) if row else None


def listing(connection: Connection, owner: str) -> list[LoginInfo]:
    """Newest first; those that have run out are left out."""
    query = select(login).where(scope(login, owner), login.c.expires_at > now())
    rows = connection.execute(query.order_by(login.c.created_at.desc())).mappings()
    return [_info(row) for row in rows]


def used(connection: Connection, cookie: str) -> None:
    connection.execute(
        update(login).where(login.c.id_hash == _hash(cookie)).values(last_used_at=now())
    )


def remove(connection: Connection, cookie: str) -> None:
    connection.execute(delete(login).where(login.c.id_hash == _hash(cookie)))


def revoke(connection: Connection, owner: str, one: str) -> None:
    """Logs a browser out, from wherever. Raises NotFoundError."""
    gone = (
        connection.execute(
            delete(login).where(
                scope(login, owner), login.c.id_hash.startswith(one, autoescape=True)
            )
        )
        if len(one) == ID_LENGTH
        else None
    )
    if gone is None or not gone.rowcount:
        raise NotFoundError("There is no such login")


def _info(row: object) -> LoginInfo:
    known = {k: row[k] for k in ("browser", "created_at", "expires_at", "last_used_at")}  # type: ignore[index]
    return LoginInfo(id=row["id_hash"][:ID_LENGTH], **known)  # type: ignore[index]
