"""Definitions with their drafts, revisions and references, for all four nouns alike."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from ..definitions.nouns import dump, parse
from ..definitions.references import AnyDefinition, Noun, references
from ..errors import InUseError, InvalidError, NotFoundError, Problem, StaleError
from .tables import definition, new_id, now, reference, revision, scope

MAX_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Stored:
    """A definition as it is stored: its body as JSON, and what the store knows of it."""

    id: str
    noun: Noun
    revision: int
    body: dict[str, Any]
    draft: dict[str, Any] | None
    origin: str
    created_at: str
    updated_at: str

    @property
    def name(self) -> str:
        return str(self.body["name"])

    def parsed(self) -> AnyDefinition:
        return parse(self.noun, self.body)

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "revision": self.revision,
            "has_draft": self.draft is not None,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            **self.body,
        }


@dataclass(frozen=True, slots=True)
class Page:
    items: list[Any]
    next: str | None


def create(
    connection: Connection,
    owner: str,
    noun: Noun,
    given: AnyDefinition,
    by: str,
    origin: str = "",
    one: str | None = None,
) -> Stored:
    """Stores revision 1. Raises InvalidError for a taken name or an unknown reference.

    `one` is an id that was given out before, to a definition of a bundle that others in it refer
    to: its own references are not looked for either, the bundle vouches for them.
    """
    at = now()
    row = {
        "id": one or new_id(),
        "owner_id": owner,
        "noun": noun,
        "name": given.name,
        "kind": getattr(given, "kind", ""),
        "revision": 1,
        "body": _json(dump(given)),
        "words": _words(dump(given)),
        "origin": origin,
        "created_at": at,
        "updated_at": at,
    }
    if one is None:
        _check_references(connection, owner, given)
    try:
        connection.execute(insert(definition).values(row))
    except IntegrityError:
        raise _name_taken(given.name) from None
    _save_revision(connection, str(row["id"]), 1, str(row["body"]), by, at)
    _save_references(connection, str(row["id"]), given)
    return get(connection, owner, noun, str(row["id"]))


def get(connection: Connection, owner: str, noun: Noun, one: str) -> Stored:
    """Raises NotFoundError for an unknown id, a deleted definition, or another's."""
    query = select(definition).where(
        scope(definition, owner),
        definition.c.noun == noun,
        definition.c.id == one,
        definition.c.deleted_at.is_(None),
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFoundError(f"There is no such {noun.removesuffix('s')}")
    return _stored(row)


def listing(
    connection: Connection,
    owner: str,
    noun: Noun,
    q: str = "",
    limit: int = 50,
    cursor: str | None = None,
) -> Page:
    """Newest first; `q` is searched in name and text, without wildcards."""
    query = (
        select(definition)
        .where(scope(definition, owner), definition.c.noun == noun)
        .where(definition.c.deleted_at.is_(None))
        .order_by(definition.c.created_at.desc(), definition.c.id.desc())
        .limit(limit + 1)
    )
    if q:
        query = query.where(contains(definition.c.words, q))
    if cursor:
        query = query.where(before(definition, cursor))
    rows = connection.execute(query).mappings().all()
    return page([_stored(r) for r in rows], limit)


def all_of(connection: Connection, owner: str, noun: Noun) -> list[Stored]:
    query = (
        select(definition)
        .where(scope(definition, owner), definition.c.noun == noun)
        .where(definition.c.deleted_at.is_(None))
        .order_by(func.lower(definition.c.name))
    )
    return [_stored(r) for r in connection.execute(query).mappings()]


def replace(
    connection: Connection,
    owner: str,
    noun: Noun,
    one: str,
    given: AnyDefinition,
    by: str,
    if_match: int | None = None,
    *,
    sealed: bool = False,
) -> Stored:
    """Makes a revision, unless nothing changed; clears the draft. Raises StaleError.

    `sealed`: it comes from a bundle that vouches for its references.
    """
    current = get(connection, owner, noun, one)
    if if_match is not None and if_match != current.revision:
        raise StaleError(current.as_json())
    if not sealed:
        _check_references(connection, owner, given)
    body, at = _json(dump(given)), now()
    changed = orjson.loads(body) != current.body
    number = current.revision + changed
    try:
        connection.execute(
            update(definition)
            .where(definition.c.id == one)
            .values(
                name=given.name,
                kind=getattr(given, "kind", ""),
                body=body,
                words=_words(dump(given)),
                revision=number,
                draft=None,
                updated_at=at if changed else current.updated_at,
            )
        )
    except IntegrityError:
        raise _name_taken(given.name) from None
    if changed:
        _save_revision(connection, one, number, body, by, at)
        _save_references(connection, one, given)
    return get(connection, owner, noun, one)


def remove(connection: Connection, owner: str, noun: Noun, one: str) -> None:
    """Deletes what nobody uses; `undelete` brings it back. Raises InUseError with the users."""
    current = get(connection, owner, noun, one)
    users = users_of(connection, owner, one)
    if users:
        raise InUseError(current.name, users)
    connection.execute(update(definition).where(definition.c.id == one).values(deleted_at=now()))


def undelete(connection: Connection, owner: str, noun: Noun, one: str) -> Stored:
    try:
        connection.execute(
            update(definition)
            .where(scope(definition, owner), definition.c.id == one, definition.c.noun == noun)
            .values(deleted_at=None)
        )
    except IntegrityError:
        raise InvalidError([Problem(["name"], "The name is in use again", "name_taken")]) from None
    return get(connection, owner, noun, one)


def users_of(connection: Connection, owner: str, one: str) -> list[dict[str, str]]:
    """Who refers to a definition: [{"noun", "id", "name"}]."""
    query = (
        select(definition.c.noun, definition.c.id, definition.c.name)
        .join(reference, reference.c.from_id == definition.c.id)
        .where(scope(definition, owner), reference.c.to_id == one)
        .where(definition.c.deleted_at.is_(None), definition.c.id != one)
        .order_by(definition.c.name)
    )
    return [dict(r) for r in connection.execute(query).mappings()]


def use_counts(connection: Connection, owner: str) -> dict[str, int]:
    """How many definitions refer to each id."""
    query = (
        select(reference.c.to_id, func.count())
        .join(definition, definition.c.id == reference.c.from_id)
        .where(scope(definition, owner), definition.c.deleted_at.is_(None))
        .group_by(reference.c.to_id)
    )
    return {str(to): int(n) for to, n in connection.execute(query)}


def set_draft(
    connection: Connection,
    owner: str,
    noun: Noun,
    one: str,
    draft: dict[str, Any] | None,
    if_match: int | None = None,
) -> Stored:
    """Keeps or drops a draft; not where `if_match` is no longer the revision."""
    current = get(connection, owner, noun, one)
    if if_match is not None and if_match != current.revision:
        return current
    text = None if draft is None else _json(draft)
    connection.execute(update(definition).where(definition.c.id == one).values(draft=text))
    return get(connection, owner, noun, one)


def revisions(connection: Connection, owner: str, noun: Noun, one: str) -> list[dict[str, Any]]:
    get(connection, owner, noun, one)
    query = (
        select(revision.c.n, revision.c.by, revision.c.created_at)
        .where(revision.c.definition_id == one)
        .order_by(revision.c.n.desc())
    )
    return [{"revision": n, "by": by, "created_at": at} for n, by, at in connection.execute(query)]


def revision_body(
    connection: Connection, owner: str, noun: Noun, one: str, n: int
) -> dict[str, Any]:
    get(connection, owner, noun, one)
    query = select(revision.c.body).where(revision.c.definition_id == one, revision.c.n == n)
    body = connection.execute(query).scalar()
    if body is None:
        raise NotFoundError(f"There is no revision {n}")
    return orjson.loads(body)  # type: ignore[no-any-return]


def by_name(connection: Connection, owner: str, noun: Noun, name: str) -> Stored | None:
    """The definition of that name; a person's own before a sample."""
    query = select(definition).where(
        scope(definition, owner),
        definition.c.noun == noun,
        definition.c.name == name,
        definition.c.deleted_at.is_(None),
    )
    row = connection.execute(query.order_by(definition.c.origin)).mappings().first()
    return _stored(row) if row else None


def owned(connection: Connection, owner: str, noun: Noun, name: str) -> Stored | None:
    """A person's own definition of that name, samples left out."""
    found = by_name(connection, owner, noun, name)
    return found if found is not None and found.origin == "" else None


# -- shared with other stores


def contains(column: Any, q: str) -> Any:
    """Case-insensitive search for literal text: the caller's % and _ mean themselves."""
    escaped = q.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    return column.ilike(f"%{escaped}%", escape="\\")


def before(table: Any, cursor: str) -> Any:
    """Rows that come after a page which ended at `cursor`. Raises InvalidError for nonsense."""
    try:
        at, one = base64.urlsafe_b64decode(cursor.encode()).decode().split("|")
    except (ValueError, binascii.Error):
        raise InvalidError([Problem(["cursor"], "This is not a cursor", "cursor")]) from None
    return or_(table.c.created_at < at, and_(table.c.created_at == at, table.c.id < one))


def page(found: list[Any], limit: int) -> Page:
    """`limit` items of at most limit + 1 found, and the cursor of the next page."""
    if len(found) <= limit:
        return Page(found, None)
    last = found[limit - 1]
    cursor = base64.urlsafe_b64encode(f"{last.created_at}|{last.id}".encode()).decode()
    return Page(found[:limit], cursor)


# -- inside


def _stored(row: Any) -> Stored:
    return Stored(
        id=row["id"],
        noun=row["noun"],
        revision=row["revision"],
        body=orjson.loads(row["body"]),
        draft=orjson.loads(row["draft"]) if row["draft"] else None,
        origin=row["origin"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def as_text(given: AnyDefinition) -> str:
    """The stored form of a definition."""
    return _json(dump(given))


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _words(body: dict[str, Any]) -> str:
    """What people wrote, without field names, numbers and the choices of fields."""
    names = ("name", "description", "system_message", "ask", "model", "source")
    return "\n".join(body[name] for name in names if isinstance(body.get(name), str))


def _name_taken(name: str) -> InvalidError:
    return InvalidError([Problem(["name"], f"The name {name} is taken", "name_taken")])


def _save_revision(connection: Connection, one: str, n: int, body: str, by: str, at: str) -> None:
    row = {"definition_id": one, "n": n, "body": body, "by": by, "created_at": at}
    connection.execute(insert(revision).values(row))


def _save_references(connection: Connection, one: str, given: AnyDefinition) -> None:
    connection.execute(delete(reference).where(reference.c.from_id == one))
    targets = {r.id for r in references(given)}
    if targets:
        rows = [{"from_id": one, "to_id": to} for to in targets]
        connection.execute(insert(reference), rows)


def _check_references(connection: Connection, owner: str, given: AnyDefinition) -> None:
    wanted = list(references(given))
    if not wanted:
        return
    query = select(definition.c.id, definition.c.noun).where(
        scope(definition, owner),
        definition.c.id.in_({r.id for r in wanted}),
        definition.c.deleted_at.is_(None),
    )
    nouns = {str(one): str(noun) for one, noun in connection.execute(query)}
    problems = [
        Problem(list(r.loc), f"There is no such {r.noun.removesuffix('s')}", "unknown_reference")
        for r in wanted
        if nouns.get(r.id) != r.noun
    ]
    if problems:
        raise InvalidError(problems)
