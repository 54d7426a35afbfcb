"""Pages of workflows: the list with the gallery, and the form, which differs by kind."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Form, Query, Request, Response

from ...definitions.models import ModelDefinition
from ...errors import InvalidError
from ...runner.cast import HUES
from ...runner.runner import Start
from ...store.definitions import Stored
from ..credentials import Principal
from ..dependencies import Me, Services, Studio
from ..forms import FormState
from ..templating import render
from .attaching import attached, waiting
from .common import go, show
from .nouns import NounPages, noun_pages
from .teams import card, cards
from .workflow_forms import NEW, STANDS_FOR, from_form, leftovers, to_form
from .workflow_parts import AT, Do, as_sent, ending, operated, picture
from .workflow_problems import place
from .workflow_rows import numbers


async def values(
    studio: Services, me: Principal, form: FormState, stored: Stored | None
) -> dict[str, Any]:
    if not form.values:  # the list
        return {"cards": await cards(studio, me)}
    if form.problems:
        place(form)
    problems = await studio.runner.problems(me.owner, stored.id) if stored else []
    return {
        **await _around(studio, me, form, stored.id if stored else ""),
        "checks": problems,
        "card": await card(studio, me, stored) if stored else None,
        "leftovers": {},
        "focus": "",
    }


async def _around(studio: Services, me: Principal, form: FormState, own: str) -> dict[str, Any]:
    """What can be chosen in a form, and what is drawn and said beside it. `own` is its id."""
    agents = await studio.catalog.all_of(me.owner, "agents")
    models = await studio.catalog.all_of(me.owner, "models")
    flows = [w for w in await studio.catalog.all_of(me.owner, "workflows") if w.id != own]
    team = [form.value(f"agents.{i}") for i in form.rows("agents")]
    names = {a.id: a.name for a in agents}
    members = [(a, names[a], HUES[i % len(HUES)]) for i, a in enumerate(team) if a in names]
    is_graph = form.value("kind") == "graph"
    return {
        "own": own,
        "agents": agents,
        "models": models,
        "flows": flows,
        "held": {
            "agents": [(f"agent:{a.id}", a.name) for a in agents],
            "flows": [(f"workflow:{w.id}", w.name) for w in flows],
        },
        "numbers_of": lambda form, group: numbers(form.values, group),
        "members": members,
        "follows": _follows(form),
        "is_small": _is_small(models, form.value("models.0")),
        "drawing": picture(form.values, names, {w.id: w.name for w in flows}) if is_graph else None,
        "ending": ending(form.values, names),
    }


def _follows(form: FormState) -> set[str]:
    """The checked cells of the table, as "a>b"."""
    if "rows.follow" in form.values:
        return {v for k, v in form.values.items() if k.startswith("follow.")}
    team = [form.value(f"agents.{i}") for i in form.rows("agents")]
    return {f"{a}>{b}" for a in team for b in team}  # just opened: nobody is barred yet


def _is_small(models: list[Stored], one: str) -> bool:
    for stored in models:
        if stored.id == one:
            model = stored.parsed()
            assert isinstance(model, ModelDefinition)
            return model.size_b is not None and model.size_b < 1
    return False


PAGES = NounPages("workflows", NEW, from_form, to_form, values, STANDS_FOR)
router = noun_pages(PAGES)
PART_OF = {
    "steps": "_steps", "nodes": "_nodes", "edges": "_nodes", "variables": "_variables",
    "ends": "_ends",
}  # fmt: skip


def _part(name: str, values: dict[str, Any]) -> Response:
    return Response(render(f"workflows/{name}.html", values), media_type="text/html")


@router.post("/parts/team")
async def team(request: Request, studio: Studio, me: Me) -> Response:
    """What differs by kind. What was typed for other kinds comes along, hidden."""
    form, asides = await as_sent(request)
    around = await _around(studio, me, form, asides.get("_one", ""))
    left = leftovers(form.values)
    return _part("_kind", {**around, "form": form, "focus": "", "leftovers": left})


@router.post("/parts/rows")
async def rows(
    request: Request,
    studio: Studio,
    me: Me,
    do: Annotated[Do, Query()],
    at: Annotated[str, Query(pattern=AT, max_length=40)],
    n: Annotated[int, Query(ge=0, lt=10_000)] = 0,
    by: Annotated[Literal["-1", "1"], Query()] = "1",
) -> Response:
    """A group of rows after a button in it was pressed."""
    form, asides = await as_sent(request)
    held = asides.get("_holds", "")
    noun, _, one = held.partition(":")
    name = ""
    if noun in ("agent", "workflow"):
        of_noun = await studio.catalog.all_of(
            me.owner, "agents" if noun == "agent" else "workflows"
        )
        name = next((stored.name for stored in of_noun if stored.id == one), "")
    form.values, focus = operated(form.values, do, at, n, int(by), (held if name else "", name))
    around = await _around(studio, me, form, asides.get("_one", ""))
    head = at.partition(".")[0]
    return _part(PART_OF[head], {**around, "form": form, "focus": focus})


@router.post("/parts/graph")
async def graph(request: Request, studio: Studio, me: Me) -> Response:
    """The picture of a graph and its table, as the form is typed."""
    form, asides = await as_sent(request)
    if form.value("kind") != "graph":
        return Response(status_code=204)
    return _part("_picture", await _around(studio, me, form, asides.get("_one", "")))


@router.post("/parts/termination")
async def termination(request: Request, studio: Studio, me: Me) -> Response:
    """When it ends, read aloud, as the form is typed."""
    form, asides = await as_sent(request)
    around = await _around(studio, me, form, asides.get("_one", ""))
    return _part("_aloud", {**around, "is_part": True})


@router.post("/{one}/start")
async def start(
    request: Request, studio: Studio, me: Me, one: str, message: Annotated[str, Form()] = ""
) -> Response:
    """Starts a session from a card or from the form's own field."""
    files: tuple[str, ...] = ()
    try:
        files = await attached(request, studio, me)
        given = Start(one, message, pace="reading", attachments=files)
        session = await studio.runner.start(me.owner, me.by, given)
    except InvalidError as error:
        stored = await studio.catalog.stored(me.owner, "workflows", one)
        found = {
            "card": await card(studio, me, stored),
            "message": message,
            "problems": error.problems,
            "waiting": await waiting(studio, me, files),
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
