"""The portable document of definitions: references by name, never ids or secrets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, assert_never

import orjson
import yaml

from ..errors import InvalidError, Problem
from .agents import CodeExecutionConfig
from .models import ModelDefinition
from .nouns import parse
from .references import NOUNS, AnyDefinition, Noun, references, replaced
from .skills import (
    HttpTransport,
    McpSkillDefinition,
    PythonSkillDefinition,
    StdioTransport,
)

MAX_CHARS = 1_000_000
MAX_DEPTH = 50
MAX_DEFINITIONS = 500
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class Bundle:
    """Bodies by noun. References are written "models/SmolLM2"; `ids` turns them into ids."""

    bodies: dict[Noun, list[dict[str, Any]]]
    ids: dict[str, str] = field(default_factory=dict)

    def of(self, *nouns: Noun) -> Iterator[tuple[Noun, str, AnyDefinition]]:
        """(noun, name in the bundle, definition) of these nouns, references turned into ids.

        Agents and workflows may refer to each other in circles: the caller gives each an id by
        `stored` before it asks for them. Raises InvalidError for an unknown name.
        """
        known = set(self.ids.values())
        for noun in nouns:
            for body in self.bodies.get(noun, []):
                given = parse(noun, replaced(body, self.ids))
                for reference in references(given):
                    if reference.id not in known:
                        problem = f"{given.name} refers to the unknown {reference.id}"
                        raise InvalidError([Problem(list(reference.loc), problem, "unknown_name")])
                yield noun, str(body.get("name")), given

    def stored(self, noun: Noun, name: str, one: str) -> None:
        self.ids[f"{noun}/{name}"] = one


def load_bundle(text: str) -> Bundle:
    """Reads YAML or JSON as data only: no tags, no aliases. Raises InvalidError."""
    if len(text) > MAX_CHARS:
        raise _refused(f"A bundle has at most {MAX_CHARS:,} characters")
    try:
        _check_shape(text)
        document = yaml.load(text, _Loader)  # noqa: S506 - a safe loader, in C where there is one
        orjson.dumps(
            document, option=orjson.OPT_PASSTHROUGH_DATETIME
        )  # dates, endless nesting and the like are no definitions
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        raise _refused(f"This is not a YAML or JSON document: {str(error)[:500]}") from None
    if not isinstance(document, dict) or not set(document) <= {"v", *NOUNS}:
        raise _refused("A bundle holds models, skills, agents, workflows")
    bodies: dict[Noun, list[dict[str, Any]]] = {}
    for noun in NOUNS:
        found = document.get(noun) or []
        if not isinstance(found, list) or not all(isinstance(body, dict) for body in found):
            raise InvalidError([Problem([noun], "Give a list of definitions", "list_type")])
        bodies[noun] = found
    if sum(map(len, bodies.values())) > MAX_DEFINITIONS:
        raise _refused(f"A bundle holds at most {MAX_DEFINITIONS} definitions")
    return Bundle(bodies)


def _check_shape(text: str) -> None:
    """Aliases can blow a document up, and depth can exhaust the reader: neither is needed."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.AliasEvent):
            raise _refused("Write values out: aliases (*name) are not read")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _refused(f"A bundle is nested at most {MAX_DEPTH} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _refused(why: str) -> InvalidError:
    return InvalidError([Problem([], why, "bundle")])


# -- writing


def bundle_of(found: dict[Noun, dict[str, AnyDefinition]]) -> dict[str, Any]:
    """The document of some definitions: what differs from the defaults, by name.

    Two of one noun may share a name, as a sample and a person's own do; the later one gets a
    number.
    """
    names: dict[str, str] = {}
    for noun in NOUNS:
        taken: set[str] = set()
        for one, given in found[noun].items():
            name, number = given.name, 1
            while name.lower() in taken:
                number += 1
                name = f"{given.name[:60]}_{number}"
            taken.add(name.lower())
            names[one] = f"{noun}/{name}"
    document: dict[str, Any] = {"v": 1}
    for noun in NOUNS:
        bodies = [_body(one, given, names) for one, given in found[noun].items()]
        if noun == "workflows":
            bodies = _users_last(bodies)
        if bodies:
            document[noun] = bodies
    return document


def _body(one: str, given: AnyDefinition, names: dict[str, str]) -> dict[str, Any]:
    body = given.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    body.pop("secret", None)
    kind = getattr(given, "kind", None)
    start = {"name": names[one].partition("/")[2], **({"kind": kind} if kind else {})}
    return {**start, **replaced({k: v for k, v in body.items() if k not in start}, names)}


def _users_last(bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Workflows behind those that they refer to."""
    waiting, given, ordered = list(bodies), set[str](), list[dict[str, Any]]()
    while waiting:
        ready = [
            body
            for body in waiting
            if {n for n in _texts(body) if n.startswith("workflows/")} <= given
        ] or waiting[:1]
        for body in ready:
            waiting.remove(body)
            ordered.append(body)
            given.add(f"workflows/{body['name']}")
    return ordered


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


class _Dumper(yaml.SafeDumper):
    """Text of several lines as it is read: in a block."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
_Dumper.ignore_aliases = lambda *_: True  # type: ignore[method-assign]


def as_yaml(document: dict[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


# -- what a bundle could do once it is used


def capabilities(given: AnyDefinition) -> Iterator[str]:
    """What a person should know before this is taken in: code, addresses, open networks."""
    if isinstance(given, PythonSkillDefinition | McpSkillDefinition):
        yield from _of_skill(given)
        if given.network != "none":
            yield f"skill {given.name}: may use the network"
        for name in given.secrets:
            yield f"skill {given.name}: is given the secret {name}"
    elif isinstance(given, ModelDefinition):
        if given.base_url:
            yield f"model {given.name}: sends conversations to {given.destination}"
    else:
        code = getattr(given, "code_execution_config", False)
        if isinstance(code, CodeExecutionConfig):
            yield f"agent {given.name}: runs code that others write"
            if code.network != "none":
                yield f"agent {given.name}: its code may use the network"


def _of_skill(given: PythonSkillDefinition | McpSkillDefinition) -> Iterator[str]:
    if isinstance(given, PythonSkillDefinition):
        yield f"skill {given.name}: holds Python code"
        return
    match given.transport:
        case StdioTransport(command=command):
            yield f"skill {given.name}: runs the program {' '.join(command)}"
        case HttpTransport(destination=destination, headers=headers):
            yield f"skill {given.name}: sends what agents ask to {destination}"
            for name in dict.fromkeys(headers.values()):
                yield f"skill {given.name}: sends the secret {name} to {destination}"
        case _:
            assert_never(given.transport)
