"""The portable document of definitions: references by name, never ids or secrets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from ..errors import InvalidError, Problem
from .nouns import parse
from .references import NOUNS, AnyDefinition, Noun, references, replaced


@dataclass
class Bundle:
    """Bodies by noun. References are written "models/SmolLM2"; `ids` turns them into ids."""

    bodies: dict[Noun, list[dict[str, Any]]]
    ids: dict[str, str] = field(default_factory=dict)

    def in_order(self) -> Iterator[tuple[Noun, AnyDefinition]]:
        """Definitions in an order in which everything they refer to has been given before.

        The caller reports each new id by `stored`. Raises InvalidError for an unknown name.
        """
        for noun in NOUNS:
            for body in self.bodies.get(noun, []):
                given = parse(noun, replaced(body, self.ids))
                for reference in references(given):
                    if reference.id not in self.ids.values():
                        problem = f"{given.name} refers to the unknown {reference.id}"
                        raise InvalidError([Problem(list(reference.loc), problem, "unknown_name")])
                yield noun, given

    def stored(self, noun: Noun, name: str, one: str) -> None:
        self.ids[f"{noun}/{name}"] = one


def load_bundle(text: str) -> Bundle:
    """Reads YAML or JSON. Raises InvalidError."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidError([Problem([], f"This is not YAML: {error}", "yaml")]) from None
    if not isinstance(document, dict) or not set(document) <= {"v", *NOUNS}:
        raise InvalidError(
            [Problem([], "A bundle holds models, skills, agents, workflows", "yaml")]
        )
    return Bundle({noun: list(document.get(noun) or []) for noun in NOUNS})
