"""API tokens: for programs that use the studio. Only a hash and the end of a token are stored."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, delete, insert, or_, select, update

from ..errors import NotFoundError
from .tables import api_token, at_time, new_id, now, scope

PREFIX = "rts_"
Scope = Literal["read", "write"]
USED_SECONDS = 60  # how exactly the last use is known: a write for every request would be dear


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """What may be told of a token: never the token."""

    id: str
    name: str
    scope: str
    hint: str
    created_at: str
    expires_at: str | None
    last_used_at: str | None

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= now()


_INFO = [api_token.c[name] for name in TokenInfo.__slots__]


def hashed(token: str) -> str:
    """SHA-256 is enough: a token is 256 random bits, which nobody can guess."""
    return hashlib.sha256(token.encode()).hexdigest()


def create(
    connection: Connection, owner: str, name: str, kind: Scope, days: int | None
) -> tuple[TokenInfo, str]:
    """A new token and what is stored of it. The token itself is never to be had again."""
    token = PREFIX + secrets.token_urlsafe(32)
    expires = None if days is None else at_time(datetime.now(UTC) + timedelta(days=days))
    info = TokenInfo(new_id(), name, kind, f"...{token[-4:]}", now(), expires, None)
    row = {field: getattr(info, field) for field in TokenInfo.__slots__}
    connection.execute(insert(api_token).values(**row, owner_id=owner, token_hash=hashed(token)))
    return info, token


def listing(connection: Connection, owner: str) -> list[TokenInfo]:
    query = select(*_INFO).where(scope(api_token, owner))
    order = (api_token.c.created_at.desc(), api_token.c.id.desc())
    return [TokenInfo(*row) for row in connection.execute(query.order_by(*order))]


def find(connection: Connection, token: str) -> tuple[str, TokenInfo] | None:
    """The owner of a token that is good at this moment, and what is known of it."""
    query = select(api_token.c.owner_id, *_INFO).where(
        api_token.c.token_hash == hashed(token),
        or_(api_token.c.expires_at.is_(None), api_token.c.expires_at > now()),
    )
    row = connection.execute(query).first()
    return (str(row[0]), TokenInfo(*row[1:])) if row else None


def used(connection: Connection, one: str) -> None:
    connection.execute(update(api_token).where(api_token.c.id == one).values(last_used_at=now()))


def needs_note(last_used_at: str | None) -> bool:
    """Whether a use shall be written down."""
    edge = at_time(datetime.now(UTC) - timedelta(seconds=USED_SECONDS))
    return last_used_at is None or last_used_at < edge


def remove(connection: Connection, owner: str, one: str) -> None:
    """Revokes a token: it is refused from this moment on."""
    gone = connection.execute(
        delete(api_token).where(scope(api_token, owner), api_token.c.id == one)
    )
    if not gone.rowcount:
        raise NotFoundError("There is no such token")
