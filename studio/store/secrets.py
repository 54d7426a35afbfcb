"""Secrets: encrypted at rest with a key that is not in the database; they go in and stay in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Connection, delete, insert, select, update

from ..errors import NotFoundError, SettingsError
from .database import after_commit
from .tables import new_id, now, scope, secret

KEY_FILE = "secret.key"


class Vault:
    """Encrypts and decrypts. Owner and name are part of what is encrypted: no row swapping."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.changes = 0
        try:
            self._fernet = MultiFernet([Fernet(k) for k in keys])
        except ValueError:
            raise SettingsError(
                "The secret key is not a Fernet key: 32 bytes in URL-safe base64"
            ) from None

    def changed(self) -> None:
        """Said after the commit of a change: what was read before it is old."""
        self.changes += 1

    def seal(self, owner: str, name: str, value: str) -> str:
        return self._fernet.encrypt(orjson.dumps([owner, name, value])).decode()

    def open(self, owner: str, name: str, sealed: str) -> str | None:
        """The value, or None when this key cannot open it or it belongs elsewhere."""
        try:
            found = orjson.loads(self._fernet.decrypt(sealed.encode()))
        except (InvalidToken, orjson.JSONDecodeError):
            return None
        return found[2] if found[:2] == [owner, name] else None


def load_keys(home: Path, given: str | None, file: Path | None) -> list[str]:
    """The keys of the vault: from the settings, a file, or one made in the data folder."""
    if given:
        return [k.strip() for k in given.split(",") if k.strip()]
    path = file or home / KEY_FILE
    if not path.exists():
        if file is not None:
            raise SettingsError(f"STUDIO_SECRET_KEY_FILE {file} does not exist")
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(Fernet.generate_key())
    return path.read_text().split()


@dataclass(frozen=True, slots=True)
class SecretInfo:
    """What may be told of a secret: never its value. `hint` is its end, like "...1234"."""

    name: str
    hint: str
    destination: str
    updated_at: str
    readable: bool = True


def put(
    connection: Connection,
    vault: Vault,
    owner: str,
    name: str,
    value: str,
    *,
    destination: str = "",
    model_id: str | None = None,
) -> None:
    """Stores or replaces a secret; a model's key is bound to scheme, host and port."""
    after_commit(connection, vault.changed)
    at = now()
    row = {
        "ciphertext": vault.seal(owner, name, value),
        "hint": f"...{value[-4:]}" if len(value) >= 12 else "set",
        "destination": destination,
        "model_id": model_id,
        "updated_at": at,
    }
    changed = connection.execute(
        update(secret).where(scope(secret, owner), secret.c.name == name).values(row)
    )
    if not changed.rowcount:
        new = {"id": new_id(), "owner_id": owner, "name": name, "created_at": at, **row}
        connection.execute(insert(secret).values(new))


def reveal(
    connection: Connection, vault: Vault, owner: str, name: str, destination: str
) -> str | None:
    """The value, only for the destination it was entered for. For model calls, never for a page."""
    query = select(secret.c.ciphertext, secret.c.destination).where(
        scope(secret, owner), secret.c.name == name
    )
    row = connection.execute(query).first()
    if row is None or row.destination not in ("", destination):
        return None
    return vault.open(owner, name, row.ciphertext)


def info(connection: Connection, owner: str, name: str) -> SecretInfo | None:
    query = select(secret).where(scope(secret, owner), secret.c.name == name)
    row = connection.execute(query).mappings().first()
    return _info(row) if row else None


def infos(connection: Connection, vault: Vault, owner: str) -> list[SecretInfo]:
    """All secrets by name; one that the key of this machine cannot open must be entered again."""
    query = select(secret).where(scope(secret, owner)).order_by(secret.c.name)
    return [
        replace(_info(row), readable=vault.open(owner, row["name"], row["ciphertext"]) is not None)
        for row in connection.execute(query).mappings()
    ]


def _info(row: object) -> SecretInfo:
    return SecretInfo(**{k: row[k] for k in ("name", "hint", "destination", "updated_at")})  # type: ignore[index]


def remove(connection: Connection, vault: Vault, owner: str, name: str) -> None:
    after_commit(connection, vault.changed)
    gone = connection.execute(delete(secret).where(scope(secret, owner), secret.c.name == name))
    if not gone.rowcount:
        raise NotFoundError("There is no such secret")


@dataclass(frozen=True, slots=True)
class OpenSecret:
    value: str = field(repr=False)
    destination: str


def opened(connection: Connection, vault: Vault, owner: str) -> dict[str, OpenSecret]:
    """All readable secrets by name: for model calls, and to be masked elsewhere."""
    query = select(secret.c.name, secret.c.ciphertext, secret.c.destination)
    found = {}
    for name, sealed, destination in connection.execute(query.where(scope(secret, owner))):
        value = vault.open(owner, name, sealed)
        if value is not None:
            found[str(name)] = OpenSecret(value, str(destination))
    return found
