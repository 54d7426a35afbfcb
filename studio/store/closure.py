"""Everything that a workflow refers to, directly and through others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from ..definitions.agents import AGENT
from ..definitions.models import ModelDefinition
from ..definitions.references import NOUNS, AnyDefinition, Noun, references, replaced
from ..definitions.surroundings import Surroundings
from ..definitions.workflows import WORKFLOW, WorkflowDefinition
from ..errors import NotFoundError
from . import definitions
from .definitions import Stored
from .model_keys import lacks_key
from .secrets import Vault


def closure(
    connection: Connection, owner: str, root: AnyDefinition
) -> dict[Noun, dict[str, Stored]]:
    """All definitions reachable from `root`, by noun and id; what is gone is left out."""
    found: dict[Noun, dict[str, Stored]] = {
        "models": {}, "skills": {}, "agents": {}, "workflows": {},
    }  # fmt: skip
    todo = list(references(root))
    while todo:
        reference = todo.pop()
        if reference.id in found[reference.noun]:
            continue
        try:
            stored = definitions.get(connection, owner, reference.noun, reference.id)
        except NotFoundError:
            continue
        found[reference.noun][reference.id] = stored
        todo += references(stored.parsed())
    return found


class Everything:
    """All definitions of an owner, read and parsed once: the closures of many are cheap then."""

    def __init__(self, connection: Connection, owner: str) -> None:
        self.found: dict[Noun, dict[str, Stored]] = {
            noun: {s.id: s for s in definitions.all_of(connection, owner, noun)} for noun in NOUNS
        }
        self._references: dict[str, list[tuple[Noun, str]]] = {}

    def references(self, stored: Stored) -> list[tuple[Noun, str]]:
        if stored.id not in self._references:
            found = references(stored.parsed())
            self._references[stored.id] = [(r.noun, r.id) for r in found]
        return self._references[stored.id]

    def closure(self, root: Stored) -> dict[Noun, dict[str, Stored]]:
        """As `closure`; what is gone is left out."""
        reached: dict[Noun, dict[str, Stored]] = {noun: {} for noun in NOUNS}
        todo = list(self.references(root))
        while todo:
            noun, one = todo.pop()
            stored = self.found[noun].get(one)
            if stored is not None and one not in reached[noun]:
                reached[noun][one] = stored
                todo += self.references(stored)
        return reached

    def parts(self) -> set[str]:
        """The ids of workflows that others hold: steps, nodes, nested chats, teams."""
        users = [s for noun in ("agents", "workflows") for s in self.found[noun].values()]
        return {one for user in users for noun, one in self.references(user) if noun == "workflows"}


def surroundings(
    connection: Connection,
    vault: Vault,
    owner: str,
    found: dict[Noun, dict[str, Stored]],
    *,
    local_ready: bool,
) -> Surroundings:
    """The closure as the checks want it."""
    parsed: dict[str, dict[str, Any]] = {
        noun: {one: stored.parsed() for one, stored in group.items()}
        for noun, group in found.items()
    }
    models: dict[str, ModelDefinition] = parsed["models"]
    return Surroundings(
        models=models,
        skills=parsed["skills"],
        agents=parsed["agents"],
        workflows=parsed["workflows"],
        without_key=frozenset(
            one for one, model in models.items() if lacks_key(connection, vault, owner, model)
        ),
        unready=frozenset(
            one for one, model in models.items() if model.provider == "local" and not local_ready
        ),
    )


def snapshot(root: Stored, found: dict[Noun, dict[str, Stored]]) -> dict[str, Any]:
    """The frozen whole that a session carries; later edits never change it."""
    return {
        "v": 1,
        "workflow": {"id": root.id, **root.body},
        **{
            noun: {one: {"revision": s.revision, **s.body} for one, s in found[noun].items()}
            for noun in ("agents", "models", "skills", "workflows")
        },
    }


def workflow_of(frozen: dict[str, Any]) -> WorkflowDefinition:
    """The workflow of a snapshot."""
    return WORKFLOW.validate_python(frozen["workflow"])


def exchanged(around: Surroundings, models: dict[str, str]) -> Surroundings:
    """Surroundings in which agents use other models."""
    return replace(
        around,
        agents={
            one: AGENT.validate_python(replaced(agent.model_dump(by_alias=True), models))
            for one, agent in around.agents.items()
        },
        workflows={
            one: WORKFLOW.validate_python(replaced(inner.model_dump(by_alias=True), models))
            for one, inner in around.workflows.items()
        },
    )
