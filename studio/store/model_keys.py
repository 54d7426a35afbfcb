"""Saving models: the key goes to the vault, bound to the host that it was entered for."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, update

from ..definitions.models import ModelDefinition, ModelInput
from ..errors import NotFoundError
from . import definitions, secrets
from .definitions import Stored
from .secrets import Vault
from .tables import definition, revision

NEEDS_KEY = frozenset({"openai", "anthropic", "gemini", "openrouter", "groq", "mistral", "azure"})


def secret_name(model_id: str) -> str:
    return f"model:{model_id}"


def create(
    connection: Connection,
    vault: Vault,
    owner: str,
    given: ModelInput,
    by: str,
    origin: str = "",
) -> Stored:
    stored = definitions.create(connection, owner, "models", given.definition(None), by, origin)
    if given.api_key is None:
        return stored
    name = secret_name(stored.id)
    model = given.definition(name)
    _keep(connection, vault, owner, model, given.api_key.get_secret_value(), stored.id)
    return _amend(connection, owner, stored, model)


def replace(
    connection: Connection,
    vault: Vault,
    owner: str,
    one: str,
    given: ModelInput,
    by: str,
    if_match: int | None,
) -> Stored:
    """A key that is not sent is kept only while scheme, host and port stay the same."""
    current = definitions.get(connection, owner, "models", one).parsed()
    assert isinstance(current, ModelDefinition)
    name = secret_name(one)
    sent = "api_key" in given.model_fields_set
    if given.api_key is not None:
        model = given.definition(name)
    elif sent:
        model = given.definition(None)
    else:
        model = given.definition(current.secret)
    stored = definitions.replace(connection, owner, "models", one, model, by, if_match)
    if given.api_key is not None:
        _keep(connection, vault, owner, model, given.api_key.get_secret_value(), one)
    elif current.secret and (sent or current.destination != model.destination):
        with suppress(NotFoundError):
            secrets.remove(connection, vault, owner, current.secret)
    return stored


def _keep(
    connection: Connection, vault: Vault, owner: str, model: ModelDefinition, key: str, one: str
) -> None:
    secrets.put(
        connection,
        vault,
        owner,
        secret_name(one),
        key,
        destination=model.destination,
        model_id=one,
    )


def _amend(connection: Connection, owner: str, stored: Stored, model: ModelDefinition) -> Stored:
    """Writes the secret's name into revision 1 of a model that has just been made."""

    body = definitions.as_text(model)
    connection.execute(update(definition).where(definition.c.id == stored.id).values(body=body))
    connection.execute(
        update(revision).where(revision.c.definition_id == stored.id).values(body=body)
    )
    return definitions.get(connection, owner, "models", stored.id)


def key_info(connection: Connection, owner: str, model: ModelDefinition) -> dict[str, Any]:
    """What may be told of a model's key: whether there is one, and how it ends."""
    found = secrets.info(connection, owner, model.secret) if model.secret else None
    fits = found is not None and found.destination in ("", model.destination)
    return {"api_key_set": fits, "api_key_hint": found.hint if found and fits else None}


def lacks_key(connection: Connection, vault: Vault, owner: str, model: ModelDefinition) -> bool:
    """Whether a call would fail for want of a readable key."""
    if model.secret is None:
        return model.provider in NEEDS_KEY
    return secrets.reveal(connection, vault, owner, model.secret, model.destination) is None
