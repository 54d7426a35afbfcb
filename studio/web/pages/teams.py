"""Cards of workflows: who is in the team, and what it truly needs to run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...definitions.gallery import EXAMPLES, MADE_FOR_BUILT_IN, PAPER, SCRIPTED
from ...definitions.references import Noun
from ...runner.cast import cast
from ...store import closure
from ...store.definitions import Stored
from ..credentials import Principal
from ..dependencies import Services
from ..formats import KIND_WORDS, SELECTION_WORDS, plural
from .workflow_minis import Picture, of_graph, of_steps, of_team


@dataclass(frozen=True, slots=True)
class Card:
    """One workflow at a glance. `badge` is (words, look); `example` is a task that suits it.

    `agents` are all that take part, those inside its steps and nodes too; `size` counts what the
    workflow itself is made of.
    """

    id: str
    name: str
    description: str
    kind: str
    agents: list[dict[str, Any]]
    size: str
    picture: Picture
    badge: tuple[str, str]
    example: str
    is_sample: bool
    shelf: str
    revision: int
    updated_at: str


async def cards(studio: Services, me: Principal) -> list[Card]:
    """All workflows that are not part of another sample, samples first."""
    all_of = await studio.database.read(lambda c: closure.Everything(c, me.owner))
    parts = all_of.parts()
    made = [
        _card(stored, all_of.closure(stored))
        for stored in all_of.found["workflows"].values()
        if not (stored.origin and stored.id in parts)
    ]
    return sorted(made, key=lambda c: (not c.is_sample, c.badge[1] != "ok", c.name))


async def card(studio: Services, me: Principal, stored: Stored) -> Card:
    reached = await studio.database.read(lambda c: closure.closure(c, me.owner, stored.parsed()))
    return _card(stored, reached)


def _card(stored: Stored, reached: dict[Noun, dict[str, Stored]]) -> Card:
    agents = cast(closure.snapshot(stored, reached)) if _is_whole(stored, reached) else []
    body = stored.body
    kind = KIND_WORDS[body["kind"]]
    if body["kind"] == "group_chat":
        kind = SELECTION_WORDS[body["speaker_selection_method"]]
    badge = _badge(stored, reached)
    return Card(
        id=stored.id,
        name=stored.name,
        description=body["description"],
        kind=kind,
        agents=agents,
        size=_size(body, agents),
        picture=_picture(body, agents, reached),
        badge=badge,
        shelf=_shelf(stored.name, badge),
        example=EXAMPLES.get(stored.name, ""),
        is_sample=bool(stored.origin),
        revision=stored.revision,
        updated_at=stored.updated_at,
    )


def _is_whole(stored: Stored, reached: dict[Noun, dict[str, Stored]]) -> bool:
    body = stored.body
    wanted = [*body.get("agents", []), body.get("initiator"), body.get("recipient")]
    return all(one in reached["agents"] for one in wanted if one)


def _badge(stored: Stored, reached: dict[Noun, dict[str, Stored]]) -> tuple[str, str]:
    """What the team needs, read off its definition: never a promise of its own."""
    agents = reached["agents"].values()
    models = {m.name: m.body["provider"] for m in reached["models"].values()}
    providers = set(models.values())
    if any(a.body["code_execution_config"] or a.body["skills"] for a in agents):
        return "Needs code or network", "warn"
    if providers == {"scripted"}:
        return "Scripted example", ""
    if not providers:
        return "Needs a model", ""
    if "local" not in providers:
        return f"Runs on {min(models)}", "ok"
    if stored.origin and stored.name not in MADE_FOR_BUILT_IN:
        return "Needs a capable model", ""
    return "Runs on the built-in model", "ok"


def _shelf(name: str, badge: tuple[str, str]) -> str:
    """Where the gallery shows it."""
    if name in PAPER:
        return "paper"
    if badge[1] == "ok" or name == SCRIPTED:
        return "ready"
    return "code" if badge[1] == "warn" else "capable"


def _size(body: dict[str, Any], agents: list[dict[str, Any]]) -> str:
    if body["kind"] == "sequential":
        return plural(len(body["steps"]), "step")
    if body["kind"] == "graph":
        return plural(len(body["nodes"]), "node")
    return plural(len(_own(agents)), "agent")


def _own(agents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without those that only speak in a conversation inside this one."""
    return [a for a in agents if not a.get("inner")]


def _picture(
    body: dict[str, Any], agents: list[dict[str, Any]], reached: dict[Noun, dict[str, Stored]]
) -> Picture:
    names = {noun: {one: s.name for one, s in found.items()} for noun, found in reached.items()}
    if body["kind"] == "sequential":
        return of_steps([names["workflows"].get(s["workflow"], "?") for s in body["steps"]])
    if body["kind"] == "graph":
        hues = {a["id"]: a["hue"] for a in agents}
        return of_graph(body, names["agents"], names["workflows"], hues)
    return of_team(_own(agents))
