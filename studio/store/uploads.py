"""Files that people give: each waits here, under an id, until a session takes a copy of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select

from ..errors import InvalidError, NotFoundError, Problem
from .files import MB, Received
from .folders import is_hidden, shown
from .media import media_type
from .tables import at_time, now, scope, upload

KEPT = timedelta(days=1)
MAX_WAITING = 1024 * MB  # of one owner, all together
MAX_NAME = 255  # bytes, as file systems have it


@dataclass(frozen=True, slots=True)
class Upload:
    id: str
    name: str
    media_type: str
    size: int


def checked_name(name: str) -> str:
    """The plain name of a file that somebody sends. Raises InvalidError for a path, a hidden name,
    or one that cannot be shown as it is."""
    refused = ""
    if not name.strip():
        refused = "The file needs a name"
    elif "/" in name or "\\" in name or name in (".", ".."):
        refused = "Give a plain name, not a path"
    elif is_hidden(name):
        refused = "Names like this are hidden in the working folder; choose another"
    elif len(name.encode(errors="replace")) > MAX_NAME:
        refused = f"A name may have at most {MAX_NAME} bytes"
    elif shown(name) != name:
        refused = "The name has characters that cannot be shown"
    if refused:
        raise InvalidError([Problem(["file"], refused, "file_name")])
    return name


def add(connection: Connection, owner: str, name: str, received: Received) -> Upload:
    """Raises InvalidError when too much waits already."""
    waiting = select(func.coalesce(func.sum(upload.c.bytes), 0)).where(scope(upload, owner))
    if int(connection.execute(waiting).scalar() or 0) + received.size > MAX_WAITING:
        words = f"Files of {MAX_WAITING // MB} MB wait to be used; delete some, or wait a day"
        raise InvalidError([Problem(["file"], words, "too_many")])
    kind = media_type(name, received.head)
    one = Upload(received.id, name, kind, received.size)
    connection.execute(
        insert(upload).values(
            id=one.id,
            owner_id=owner,
            name=name,
            media_type=kind,
            bytes=one.size,
            created_at=now(),
        )
    )
    return one


def get(connection: Connection, owner: str, one: str) -> Upload:
    query = select(upload.c.id, upload.c.name, upload.c.media_type, upload.c.bytes)
    row = connection.execute(query.where(scope(upload, owner), upload.c.id == one)).first()
    if row is None:
        raise NotFoundError("There is no such file")
    return Upload(*row)


def remove(connection: Connection, owner: str, one: str) -> None:
    """Raises NotFoundError."""
    gone = connection.execute(delete(upload).where(scope(upload, owner), upload.c.id == one))
    if not gone.rowcount:
        raise NotFoundError("There is no such file")


def expire(connection: Connection) -> list[str]:
    """Removes what nobody has used for a day, and says which files these were."""
    before = at_time(datetime.now(UTC) - KEPT)
    old = delete(upload).where(upload.c.created_at < before).returning(upload.c.id)
    return [str(one) for one in connection.execute(old).scalars()]


def ids(connection: Connection) -> list[str]:
    return [str(one) for one in connection.execute(select(upload.c.id)).scalars()]
