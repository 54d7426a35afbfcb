"""The first page: what should your agents talk on?, and after that the start of every task."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Request, Response

from ...config import environment_keys
from ...definitions.gallery import EXAMPLES, SCRIPTED, SCRIPTED_TASK
from ...definitions.models import PRESETS
from ...errors import NotFoundError, StudioError
from ...runner.runner import Start
from ...store import events, sessions, settings
from ...store.samples import sample_ids
from ...store.sessions import Session
from ..credentials import Principal
from ..dependencies import Me, Services, Studio
from ..session_view import SessionView
from .attaching import attached
from .common import go, show
from .session_parts import Parts
from .teams import cards

router = APIRouter(include_in_schema=False)
WELCOMED, EXAMPLE = "welcomed", "example_session"
KEYED = ("openai", "anthropic", "gemini", "openrouter", "groq", "mistral", "azure")


@router.get("/")
async def home(request: Request, studio: Studio, me: Me, workflow: str = "") -> Response:
    welcomed = await studio.database.read(
        lambda c: settings.get_setting(c, me.owner, WELCOMED, default=False)
    )
    if not welcomed and not await _knows_its_way(studio, me):
        return await welcome(request, studio, me)
    teams = await cards(studio, me)
    recent = await studio.database.read(lambda c: sessions.listing(c, me.owner, limit=6).items)
    values = {
        "teams": teams,
        "samples": [t for t in teams if t.is_sample][:4],
        "recent": recent,
        "chosen": workflow or next((t.id for t in teams if t.name == "Name Studio"), ""),
        "models": await studio.catalog.all_of(me.owner, "models"),
        "local": studio.local,
        "steps": await _steps(studio, me, recent),
    }
    return await show(request, studio, me, "home.html", values, nav="home")


async def _knows_its_way(studio: Services, me: Principal) -> bool:
    """Whoever has made something or run a team needs no welcome."""
    for noun in ("models", "agents", "workflows"):
        if any(not s.origin for s in await studio.catalog.all_of(me.owner, noun)):
            return True
    ran = await studio.database.read(lambda c: sessions.listing(c, me.owner, limit=5).items)
    return any(s.workflow_name != SCRIPTED for s in ran)


async def _steps(
    studio: Services, me: Principal, recent: list[Session]
) -> list[tuple[str, str, bool]]:
    """Getting started: (what, where, done)."""
    models = await studio.catalog.all_of(me.owner, "models")
    agents = await studio.catalog.all_of(me.owner, "agents")
    teams = await studio.catalog.all_of(me.owner, "workflows")
    own = [s for s in recent if s.workflow_name != SCRIPTED]
    return [
        ("Run a team", "/workflows", bool(own)),
        ("Add a model with your key", "/models/new",
         any(m.body["provider"] not in ("local", "scripted") for m in models)),
        ("Make an agent of your own", "/agents/new", any(not a.origin for a in agents)),
        ("Put a team together", "/workflows/new", any(not t.origin for t in teams)),
        ("Play a session back", "/sessions", any(s.is_over for s in own)),
    ]  # fmt: skip


@router.get("/welcome")
async def welcome(request: Request, studio: Studio, me: Me) -> Response:
    """Three ways to give agents a model, and beside them a scripted team that talks."""
    ids = await sample_ids(studio.catalog, me.owner)
    example = await _example(studio, me, ids)
    variables = environment_keys()
    values: dict[str, Any] = {
        "local": studio.local,
        "keyed": [(name, PRESETS[name]) for name in KEYED],
        "in_environment": [
            (name, PRESETS[name]) for name in KEYED if PRESETS[name].env in variables
        ],
        "first": ids.get("workflows/Name Studio", ""),
        "example": None,
    }
    if example is not None:
        rows = await studio.database.read(lambda c: events.after(c, example.id, 0, 5000))
        snapshot = await studio.database.read(lambda c: sessions.snapshot(c, example.id))
        view = SessionView(example).fold(rows)
        values |= {**Parts(view, snapshot).values(), "example": example,
                   "blocks": list(view.blocks.values())}  # fmt: skip
    return await show(request, studio, me, "welcome.html", values, nav="home")


async def _example(studio: Services, me: Principal, ids: dict[str, str]) -> Session | None:
    """The scripted session of the first page: started once, then only shown."""
    one = await studio.database.read(lambda c: settings.get_setting(c, me.owner, EXAMPLE))
    if one is not None:
        try:
            return await studio.runner.session(me.owner, one)
        except NotFoundError:  # deleted: another one is started
            one = None
    workflow = ids.get(f"workflows/{SCRIPTED}")
    if workflow is None:
        return None
    try:
        started = await studio.runner.start(
            me.owner, "studio", Start(workflow, SCRIPTED_TASK, pace="reading")
        )
    except StudioError:  # the sample was deleted: the page goes without it
        return None
    await studio.database.write(lambda c: settings.set_setting(c, me.owner, EXAMPLE, started.id))
    return started


@router.post("/welcome")
async def choose(studio: Studio, me: Me, then: Annotated[str, Form()] = "") -> Response:
    """The first choice is made; the page comes back only when it is asked for."""
    await studio.database.write(lambda c: settings.set_setting(c, me.owner, WELCOMED, value=True))
    ids = await sample_ids(studio.catalog, me.owner)
    if then == "name-studio" and (one := ids.get("workflows/Name Studio")):
        try:
            task = Start(one, EXAMPLES["Name Studio"], pace="reading")
            started = await studio.runner.start(me.owner, me.by, task)
        except StudioError:  # what is missing is said on the team's own page
            return go(f"/workflows/{one}/start")
        return go(f"/sessions/{started.id}")
    return go("/models/new" if then == "model" else "/")


@router.post("/")
async def start(
    request: Request,
    studio: Studio,
    me: Me,
    workflow: Annotated[str, Form()],
    message: Annotated[str, Form()] = "",
    pace: Annotated[str, Form()] = "full",
) -> Response:
    """Starts a session from the home page; what is missing is said on the team's own page."""
    wanted: Literal["reading", "full"] = "reading" if pace == "reading" else "full"
    files = await attached(request, studio, me)
    try:
        given = Start(workflow, message, pace=wanted, attachments=files)
        session = await studio.runner.start(me.owner, me.by, given)
    except StudioError:
        return go(f"/workflows/{workflow}/start")
    return go(f"/sessions/{session.id}")


# -- for scripts of the page


@router.get("/parts/waiting")
async def waiting(studio: Studio, me: Me) -> dict[str, int]:
    """How many sessions wait for a person: for the title of hidden tabs."""
    number = await studio.database.read(lambda c: sessions.count(c, me.owner, status=("waiting",)))
    return {"waiting": number}


@router.get("/parts/palette")
async def palette(
    studio: Studio, me: Me, q: Annotated[str, Query(max_length=200)] = ""
) -> list[dict[str, str]]:
    """Everything that can be gone to by name."""
    found = []
    for noun in ("workflows", "agents", "models", "skills"):
        for stored in await studio.catalog.all_of(me.owner, noun):
            if q.lower() in stored.name.lower():
                url = f"/{noun}/{stored.id}"
                found.append({"title": stored.name, "kind": noun.removesuffix("s"), "url": url})
    page_of = await studio.database.read(
        lambda c: sessions.listing(c, me.owner, q=q, limit=8).items
    )
    found += [{"title": s.name, "kind": "session", "url": f"/sessions/{s.id}"} for s in page_of]
    return found[:40]
