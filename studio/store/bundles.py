"""Definitions out as one document, and in again: first staged, then, on consent, stored."""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import Connection

from ..definitions.bundle import Bundle, bundle_of, capabilities
from ..definitions.models import ModelDefinition, ModelInput
from ..definitions.nouns import parse
from ..definitions.references import NOUNS, AnyDefinition, Noun, references
from ..errors import ConflictError, InvalidError, NotFoundError, Problem
from . import closure, definitions, model_keys, settings
from .secrets import Vault
from .tables import new_id

Clash = Literal["copy", "skip", "replace"]
STAGED = "import:"
MAX_STAGED = 50


def export(connection: Connection, owner: str, one: str) -> dict[str, Any]:
    """The document of a workflow and of everything that it refers to."""
    root = definitions.get(connection, owner, "workflows", one)
    found = closure.closure(connection, owner, root.parsed())
    parsed: dict[Noun, dict[str, AnyDefinition]] = {
        noun: {i: stored.parsed() for i, stored in found[noun].items()} for noun in NOUNS
    }
    parsed["workflows"][one] = root.parsed()
    return bundle_of(parsed)


def stage(connection: Connection, owner: str, text: str, bundle: Bundle) -> dict[str, Any]:
    """Keeps a document without making anything of it; `bundle` is what was read of `text`."""
    problems, wanted = _looked_at(connection, owner, bundle)
    old = settings.names(connection, owner, STAGED)
    if len(old) >= MAX_STAGED:
        raise ConflictError("Too many imports wait to be confirmed: confirm or delete some first")
    one = new_id()
    settings.set_setting(connection, owner, STAGED + one, text)
    return {
        "id": one,
        "problems": [p.as_json() for p in problems],
        "capabilities": wanted,
        "holds": {noun: [str(b.get("name", "")) for b in bundle.bodies[noun]] for noun in NOUNS},
    }


def _looked_at(
    connection: Connection, owner: str, bundle: Bundle
) -> tuple[list[Problem], list[str]]:
    """Every problem with its place, names that are taken included, and what it could do."""
    problems: list[Problem] = []
    wanted: list[str] = []
    for noun in NOUNS:
        for i, body in enumerate(bundle.bodies[noun]):
            try:
                given = parse(noun, body)
            except InvalidError as error:
                problems += [Problem([noun, i, *p.loc], p.msg, p.code) for p in error.problems]
                continue
            wanted += capabilities(given)
            problems += [
                Problem([noun, i, *r.loc], f"The bundle has no {r.id}", "unknown_name")
                for r in references(given)
                if not _has(bundle, r.id)
            ]
            if definitions.owned(connection, owner, noun, given.name) is not None:
                words = f"{given.name} exists: say whether to copy, skip or replace"
                problems.append(Problem([noun, i, "name"], words, "name_taken", blocking=False))
    return problems, wanted


def _has(bundle: Bundle, reference: str) -> bool:
    noun, _, name = reference.partition("/")
    return any(b.get("name") == name for n in NOUNS if n == noun for b in bundle.bodies[n])


def staged(connection: Connection, owner: str, one: str) -> str:
    """The text of a document that waits to be confirmed."""
    text = settings.get_setting(connection, owner, STAGED + one)
    if text is None:
        raise NotFoundError("There is no such import; it may have been confirmed already")
    return str(text)


def confirm(
    connection: Connection,
    vault: Vault,
    owner: str,
    by: str,
    one: str,
    bundle: Bundle,
    consent: list[str],
    clash: Clash | None,
) -> list[dict[str, str]]:
    """Stores a staged document, all of it or nothing. Says what was made or replaced."""
    staged(connection, owner, one)  # it may have been confirmed just now
    problems, wanted = _looked_at(connection, owner, bundle)
    problems = [p for p in problems if p.blocking or clash is None]
    problems += [
        Problem(["consent"], f"Agree to this first: {what}", "consent")
        for what in wanted
        if what not in consent
    ]
    if problems:
        raise InvalidError(problems)
    made = []
    for noun, given in bundle.in_order():
        stored, is_new = _taken_in(connection, vault, owner, by, noun, given, clash)
        bundle.stored(noun, given.name, stored.id)
        if is_new:
            made.append({"noun": noun, "id": stored.id, "name": stored.name})
    settings.drop_setting(connection, owner, STAGED + one)
    return made


def _taken_in(
    connection: Connection,
    vault: Vault,
    owner: str,
    by: str,
    noun: Noun,
    given: AnyDefinition,
    clash: Clash | None,
) -> tuple[definitions.Stored, bool]:
    there = definitions.owned(connection, owner, noun, given.name)
    if there is not None and clash == "skip":
        return there, False
    if there is not None and clash == "copy":
        given = given.model_copy(update={"name": _free_name(connection, owner, noun, given.name)})
        there = None
    if isinstance(given, ModelDefinition):
        wanted = ModelInput.model_validate(given.model_dump(exclude={"secret"}))
        if there is None:
            return model_keys.create(connection, vault, owner, wanted, by), True
        return model_keys.replace(connection, vault, owner, there.id, wanted, by, None), True
    if there is None:
        return definitions.create(connection, owner, noun, given, by), True
    return definitions.replace(connection, owner, noun, there.id, given, by), True


def _free_name(connection: Connection, owner: str, noun: Noun, name: str) -> str:
    number = 2
    while definitions.owned(connection, owner, noun, f"{name[:60]}_{number}") is not None:
        number += 1
    return f"{name[:60]}_{number}"


def discard(connection: Connection, owner: str, one: str) -> None:
    staged(connection, owner, one)
    settings.drop_setting(connection, owner, STAGED + one)
