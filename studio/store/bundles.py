"""Definitions out as one document, and in again: first staged, then, on consent, stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection

from ..definitions.bundle import Bundle, bundle_of, capabilities
from ..definitions.models import ModelDefinition, ModelInput
from ..definitions.nouns import parse
from ..definitions.references import NOUNS, AnyDefinition, Noun, references
from ..errors import ConflictError, InvalidError, NotFoundError, Problem
from . import closure, definitions, model_keys, settings
from .definitions import Stored
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
    made = take_in(connection, vault, owner, by, bundle, clash)
    settings.drop_setting(connection, owner, STAGED + one)
    return [{"noun": noun, "id": stored.id, "name": stored.name} for noun, stored in made]


def take_in(
    connection: Connection,
    vault: Vault,
    owner: str,
    by: str,
    bundle: Bundle,
    clash: Clash | None = None,
    origin: str = "",
) -> list[tuple[Noun, Stored]]:
    """Stores what a document holds; says what was made or replaced. `bundle.ids` has all ids."""
    taker = _Taker(connection, vault, owner, by, clash, origin)
    made: list[tuple[Noun, Stored]] = []
    for noun, name, given in bundle.of("models", "skills"):
        stored, is_new = taker.take(noun, given, None)
        bundle.stored(noun, name, stored.id)
        made += [(noun, stored)] if is_new else []
    for noun in ("agents", "workflows"):
        for body in bundle.bodies.get(noun, []):
            name = str(body.get("name"))
            there = definitions.owned(connection, owner, noun, name)
            keeps = there is not None and clash in ("skip", "replace")
            bundle.stored(noun, name, there.id if there is not None and keeps else new_id())
    for noun, name, given in list(bundle.of("agents", "workflows")):
        stored, is_new = taker.take(noun, given, bundle.ids[f"{noun}/{name}"])
        made += [(noun, stored)] if is_new else []
    return made


@dataclass(frozen=True)
class _Taker:
    connection: Connection
    vault: Vault
    owner: str
    by: str
    clash: Clash | None
    origin: str

    def take(self, noun: Noun, given: AnyDefinition, one: str | None) -> tuple[Stored, bool]:
        """The definition as it is stored now, and whether that is news. `one` is its id."""
        there = definitions.owned(self.connection, self.owner, noun, given.name)
        if there is not None and self.clash == "skip":
            return there, False
        if there is not None and self.clash == "copy":
            name = _free_name(self.connection, self.owner, noun, given.name)
            given, there = given.model_copy(update={"name": name}), None
        if isinstance(given, ModelDefinition):
            return self._model(given, there), True
        if there is None:
            made = definitions.create(
                self.connection, self.owner, noun, given, self.by, self.origin, one
            )
            return made, True
        changed = definitions.replace(
            self.connection, self.owner, noun, there.id, given, self.by, sealed=True
        )
        return changed, True

    def _model(self, given: ModelDefinition, there: Stored | None) -> Stored:
        """Without a key: a document never holds one."""
        wanted = ModelInput.model_validate(given.model_dump(exclude={"secret"}))
        by = self.by
        if there is None:
            return model_keys.create(
                self.connection, self.vault, self.owner, wanted, by, self.origin
            )
        return model_keys.replace(
            self.connection, self.vault, self.owner, there.id, wanted, by, None
        )


def _free_name(connection: Connection, owner: str, noun: Noun, name: str) -> str:
    number = 2
    while definitions.owned(connection, owner, noun, f"{name[:60]}_{number}") is not None:
        number += 1
    return f"{name[:60]}_{number}"


def discard(connection: Connection, owner: str, one: str) -> None:
    staged(connection, owner, one)
    settings.drop_setting(connection, owner, STAGED + one)
