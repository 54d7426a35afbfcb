"""Cards of workflows: who is in the team, and what it truly needs to run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ...definitions.gallery import EXAMPLES, MADE_FOR_BUILT_IN
from ...definitions.references import Noun
from ...runner.build import cast
from ...store import closure
from ...store.definitions import Stored
from ..credentials import Principal
from ..dependencies import Services
from ..formats import KIND_WORDS, SELECTION_WORDS


@dataclass(frozen=True, slots=True)
class Card:
    """One workflow at a glance. `badge` is (words, look); `suggestion` is a task that suits it."""

    id: str
    name: str
    description: str
    kind: str
    agents: list[dict[str, Any]]
    seats: list[tuple[float, float]]
    badge: tuple[str, str]
    example: str
    is_sample: bool
    revision: int
    updated_at: str


async def cards(studio: Services, me: Principal) -> list[Card]:
    found = await studio.catalog.all_of(me.owner, "workflows")
    made = [await card(studio, me, stored) for stored in found]
    return sorted(made, key=lambda c: (not c.is_sample, c.badge[1] != "ok", c.name))


async def card(studio: Services, me: Principal, stored: Stored) -> Card:
    reached = await studio.database.read(lambda c: closure.closure(c, me.owner, stored.parsed()))
    agents = cast(closure.snapshot(stored, reached)) if _is_whole(stored, reached) else []
    body = stored.body
    kind = KIND_WORDS[body["kind"]]
    if body["kind"] == "group_chat":
        kind = SELECTION_WORDS[body["speaker_selection_method"]]
    return Card(
        id=stored.id,
        name=stored.name,
        description=body["description"],
        kind=kind,
        agents=agents,
        seats=_seats(len(agents)),
        badge=_badge(stored, reached),
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


def _seats(number: int) -> list[tuple[float, float]]:
    """Places around a table of 240 by 116, for the little picture of a card."""
    if number == 2:
        return [(76.0, 58.0), (164.0, 58.0)]
    return [
        (
            round(120 + 66 * math.cos(2 * math.pi * i / number - math.pi / 2), 1),
            round(58 + 36 * math.sin(2 * math.pi * i / number - math.pi / 2), 1),
        )
        for i in range(number)
    ]
