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
    """One workflow at a glance. `badge` is (words, look); `example` is a task that suits it;
    `needs` are (what, names) of all that its code and skills use.

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
    needs: list[tuple[str, str]]
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
    needs = _needs(reached)
    badge = _badge(stored, reached, needs)
    return Card(
        id=stored.id,
        name=stored.name,
        description=body["description"],
        kind=kind,
        agents=agents,
        size=_size(body, agents),
        picture=_picture(body, agents, reached),
        badge=badge,
        needs=needs,
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


def _needs(reached: dict[Noun, dict[str, Stored]]) -> list[tuple[str, str]]:
    """Read off the definitions: never a promise of its own."""
    codes = [(a.name, a.body["code_execution_config"]) for a in reached["agents"].values()]
    runs = [(name, config) for name, config in codes if config]
    runs += [(skill.name, skill.body) for skill in reached["skills"].values()]
    boxed = [name for name, body in runs if (body.get("transport") or {}).get("kind") != "http"]
    found: dict[str, list[str]] = {
        "Sandbox": boxed,
        "Packages": [p for _, body in runs for p in body.get("packages", [])],
        "Images": [body["image"] for _, body in runs if body.get("image")],
        "Network": [host for _, body in runs for host in _hosts(body["network"])],
        "Secrets": [s for _, body in runs for s in body.get("secrets", [])],
        "Servers": [n for n, body in runs if n not in boxed],
    }
    return [(what, ", ".join(dict.fromkeys(names))) for what, names in found.items() if names]


def _hosts(network: Any) -> list[str]:
    if isinstance(network, dict):
        return [str(host) for host in network["hosts"]]
    return ["any public host"] if network == "open" else []


def _badge(
    stored: Stored, reached: dict[Noun, dict[str, Stored]], needs: list[tuple[str, str]]
) -> tuple[str, str]:
    """What the team needs, in few words."""
    models = {m.name: m.body["provider"] for m in reached["models"].values()}
    providers = set(models.values())
    if needs:
        first, *more = [{"Sandbox": "a sandbox"}.get(what, what.lower()) for what, _ in needs]
        return f"Needs {', '.join([first, *more[:2]])}", "warn"
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
