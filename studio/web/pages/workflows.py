"""Pages of workflows: the list with the gallery, the form with the table of who may follow whom."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Form, Request, Response

from ...definitions.models import ModelDefinition
from ...errors import InvalidError
from ...runner.build import HUES
from ...runner.runner import Start
from ...store.definitions import Stored
from ..credentials import Principal
from ..dependencies import Me, Services, Studio
from ..forms import KEEP, FormState, flatten, part, texts
from ..templating import render
from .common import go, show
from .nouns import NounPages, noun_pages, sent
from .teams import card, cards

NEW: dict[str, Any] = {
    "name": "",
    "description": "",
    "kind": "group_chat",
    "speaker_selection_method": "round_robin",
    "max_round": 10,
    "summary_method": "last_msg",
}
FOLLOW = "allowed_or_disallowed_speaker_transitions"
ONLY = {
    "two_agent": {"recipient", "max_turns"},
    "group_chat": {
        "agents", "speaker_selection_method", "max_round", "allow_repeat_speaker", FOLLOW,
        "speaker_transitions_type", "send_introductions", "max_retries_for_selecting_speaker",
    },
}  # fmt: skip


def from_form(raw: dict[str, Any]) -> dict[str, Any]:
    """Fields of the other kind are dropped; the table becomes transitions by agent."""
    body = dict(raw)
    kind = body.get("kind", "group_chat")
    for other, names in ONLY.items():
        if other != kind:
            body = {k: v for k, v in body.items() if k not in names}
    restricted = body.pop("restricted", "false") == "true"
    pairs = body.pop("follow", [])
    if kind == "group_chat" and restricted:
        table: dict[str, list[str]] = {a: [] for a in _ids(body.get("agents"))}
        for pair in pairs:
            a, _, b = str(pair).partition(">")
            if a in table and b in table:
                table[a].append(b)
        body[FOLLOW], body["speaker_transitions_type"] = table, "allowed"
        body.pop("allow_repeat_speaker", None)
    else:
        body.pop(FOLLOW, None)
        body.pop("speaker_transitions_type", None)
    if body.pop("compat_on", "false") == "true":
        body["compat"] = "autogen-0.2"
    if not part(body, "is_termination_msg").get("kind"):
        body.pop("is_termination_msg", None)
    return body


def _ids(agents: Any) -> list[str]:
    return [str(a) for a in agents] if isinstance(agents, list) else []


def to_form(body: dict[str, Any]) -> dict[str, str]:
    repeat = body.get("allow_repeat_speaker")
    return {
        "restricted": "true" if body.get(FOLLOW) is not None else "false",
        "compat_on": "true" if body.get("compat") else "false",
        "allow_repeat_speaker": (
            KEEP if isinstance(repeat, list) else "" if repeat is None else str(repeat).lower()
        ),
        **_as_allowed(body),
    }


def _as_allowed(body: dict[str, Any]) -> dict[str, str]:
    """A table of what is disallowed, shown as the form shows it: what is allowed."""
    table, team = body.get(FOLLOW), texts(body.get("agents"))
    if not isinstance(table, dict) or body.get("speaker_transitions_type") != "disallowed":
        return {}
    pairs = [f"{a}>{b}" for a in team for b in team if b not in texts(table.get(a))]
    return {f"follow.{i}": pair for i, pair in enumerate(pairs)}


async def values(
    studio: Services, me: Principal, form: FormState, stored: Stored | None
) -> dict[str, Any]:
    agents = await studio.catalog.all_of(me.owner, "agents")
    models = await studio.catalog.all_of(me.owner, "models")
    team = [form.value(f"agents.{i}") for i in form.rows("agents")]
    names = {a.id: a.name for a in agents}
    members = [(a, names[a], HUES[i % len(HUES)]) for i, a in enumerate(team) if a in names]
    problems = await studio.runner.problems(me.owner, stored.id) if stored else []
    return {
        "agents": agents,
        "models": models,
        "members": members,
        "follows": _follows(form, stored),
        "checks": problems,
        "cards": await cards(studio, me) if not form.values else [],
        "card": await card(studio, me, stored) if stored else None,
        "is_small": _is_small(models, form.value("models.0")),
        "formless": form.value("kind") in ("sequential", "graph"),
    }


def _follows(form: FormState, stored: Stored | None) -> set[str]:
    """The checked cells of the table, as "a>b"."""
    checked = {v for k, v in form.values.items() if k.startswith("follow")}
    checked_in_form = bool(checked)
    for key, value in form.values.items():
        if key.startswith(f"{FOLLOW}.") and not checked_in_form:
            checked.add(f"{key.split('.')[1]}>{value}")
    if not checked:  # the table has just been opened: so far everyone may follow everyone
        team = [form.values[f"agents.{i}"] for i in form.rows("agents")]
        checked = {f"{a}>{b}" for a in team for b in team}
    return checked


def _is_small(models: list[Stored], one: str) -> bool:
    for stored in models:
        if stored.id == one:
            model = stored.parsed()
            assert isinstance(model, ModelDefinition)
            return model.size_b is not None and model.size_b < 1
    return False


PAGES = NounPages(
    "workflows",
    NEW,
    from_form,
    to_form,
    values,
    {"restricted": FOLLOW, "compat_on": "compat", "models.0": "models", "agents.0": "agents"},
)
router = noun_pages(PAGES)


@router.post("/parts/team")
async def team(request: Request, studio: Studio, me: Me) -> Response:
    """The members and the table of who may follow whom, after a change of the team."""
    raw = await sent(request)
    form = FormState(flatten(raw))
    filled = {**await values(studio, me, form, None), "form": form}
    return Response(render("workflows/_team.html", filled), media_type="text/html")


@router.post("/{one}/start")
async def start(
    request: Request, studio: Studio, me: Me, one: str, message: Annotated[str, Form()] = ""
) -> Response:
    """Starts a session from a card or from the form's own field."""
    given = Start(one, message, pace="reading")
    try:
        session = await studio.runner.start(me.owner, me.by, given)
    except InvalidError as error:
        stored = await studio.catalog.stored(me.owner, "workflows", one)
        found = {
            "card": await card(studio, me, stored),
            "message": message,
            "problems": error.problems,
        }
        name = "workflows/start.html"
        return await show(request, studio, me, name, found, nav="workflows", status=422)
    return go(f"/sessions/{session.id}")


@router.get("/{one}/start")
async def start_form(request: Request, studio: Studio, me: Me, one: str) -> Response:
    stored = await studio.catalog.stored(me.owner, "workflows", one)
    blocking = [p for p in await studio.runner.problems(me.owner, one) if p.blocking]
    found = {"card": await card(studio, me, stored), "message": "", "problems": blocking}
    return await show(request, studio, me, "workflows/start.html", found, nav="workflows")
