"""Pages of sessions: the list, the conversation live and after, playback, the definition."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Header, Path, Query, Request, Response

from ...definitions.conditions import Termination, aloud
from ...errors import InvalidError, NotFoundError, Problem
from ...runner.runner import Start
from ...store import events, sessions
from ...store.database import Connection
from ...streaming.follow import follow
from ..dependencies import Me, Services, Studio
from ..session_progress import drawing_of, root_cast
from ..session_view import SessionView
from ..sse import start_after, stream
from ..templating import render
from . import session_verbs
from .attaching import attached, waiting
from .common import go, show
from .session_page import folded, show_conversation
from .session_parts import Parts

router = APIRouter(prefix="/sessions", include_in_schema=False)
Number = Annotated[int, Path(ge=1, lt=2**53)]
PAGE_SIZE = 50


@router.get("")
async def listing(
    request: Request,
    studio: Studio,
    me: Me,
    q: Annotated[str, Query(max_length=500)] = "",
    status: str = "",
    workflow: Annotated[str, Query(max_length=64)] = "",
    cursor: str | None = None,
) -> Response:
    wanted = (status,) if status in sessions.ACTIVE + sessions.TERMINAL else ()

    def work(c: Connection) -> dict[str, Any]:
        page = sessions.listing(
            c, me.owner, q=q, status=wanted, workflow=workflow, limit=PAGE_SIZE, cursor=cursor
        )
        return {
            "items": page.items,
            "next": page.next,
            "total": sessions.count(c, me.owner, q=q, status=wanted, workflow=workflow),
            "total_any": sessions.count(c, me.owner, q=q, workflow=workflow) if wanted else 0,
        }

    found = await studio.database.read(work)
    name = found["items"][0].workflow_name if workflow and found["items"] else "This workflow"
    values = {
        **found,
        "q": q,
        "status": status,
        "workflow": workflow,
        "workflow_name": name,
        "query": urlencode({"q": q, "status": status, "workflow": workflow}),
    }
    return await show(request, studio, me, "sessions/list.html", values, nav="sessions")


@router.get("/{one}")
async def conversation(
    request: Request,
    studio: Studio,
    me: Me,
    one: str,
    all: str = "",  # noqa: A002
) -> Response:
    return await show_conversation(request, studio, me, one, everything=bool(all))


@router.get("/{one}/stream")
async def live(
    studio: Studio,
    me: Me,
    one: str,
    after: Annotated[str | None, Query(max_length=100)] = None,
    parts: str = "",
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """The log as partials for htmx: the same templates as the page, one message per row.

    `parts` "turns" sends the transcript only, for pages that show nothing else of a session.
    """
    session = await studio.runner.session(me.owner, one)
    cursor = start_after(after, last_event_id)
    snapshot = await studio.database.read(lambda c: sessions.snapshot(c, one))
    seen = await studio.database.read(lambda c: events.after(c, one, 0, 10_000_000))
    view = SessionView(session).fold([row for row in seen if row.seq <= cursor])
    batches = follow(studio.database, studio.bus, one, cursor, shows_pages=True)

    async def messages() -> AsyncIterator[bytes]:
        made = Parts(view, snapshot, only_turns=parts == "turns")
        async for items in batches:
            yield made.messages(items)
        yield made.done()

    return stream(messages())


@router.get("/{one}/playback")
async def playback(request: Request, studio: Studio, me: Me, one: str) -> Response:
    session, view = await folded(studio, me, one)
    snapshot = await studio.database.read(lambda c: sessions.snapshot(c, one))
    parts = Parts(view, snapshot)
    values = {**parts.values(), "session": session, "blocks": list(view.blocks.values()),
              "ticks": parts.ticks()}  # fmt: skip
    return await show(request, studio, me, "sessions/playback.html", values, nav="sessions")


@router.get("/{one}/definition")
async def definition(request: Request, studio: Studio, me: Me, one: str) -> Response:
    session = await studio.runner.session(me.owner, one)
    snapshot = await studio.database.read(lambda c: sessions.snapshot(c, one))
    workflow = snapshot["workflow"]
    names = {one: body["name"] for one, body in snapshot["agents"].items()}
    ends = workflow.get("termination")
    values = {
        "session": session,
        "snapshot": snapshot,
        "drawing": drawing_of(session, snapshot) if workflow["kind"] == "graph" else None,
        "ends": ends and aloud(Termination.model_validate(ends), lambda a: names.get(a, a)),
    }
    return await show(request, studio, me, "sessions/definition.html", values, nav="sessions")


@router.get("/{one}/why/{seq}")
async def why(studio: Studio, me: Me, one: str, seq: Number) -> Response:
    session, view = await folded(studio, me, one)
    rows = await studio.database.read(lambda c: events.after(c, one, seq - 1, 1))
    if not rows or rows[0].kind != "speaker_selected":
        raise NotFoundError("There is no such choice of a speaker")
    data = {"trace": None, **rows[0].data()}
    thread = view.threads.get((data["run"], data["chat"]), view.root)
    group = root_cast(view) if thread is view.root else []
    there = {data["agent"], *data["candidates"], *thread.speakers, *(m["name"] for m in group)}
    cast = [member for member in session.agents if member["name"] in there]
    values = {"view": view, "cast": cast, "data": data}
    return Response(render("sessions/_why.html", values), media_type="text/html")


@router.get("/{one}/request/{seq}")
async def exact_request(studio: Studio, me: Me, one: str, seq: Number) -> Response:
    call = await studio.runner.exact_call(me.owner, one, seq)
    call["parameters"] = {k: v for k, v in call["request"].items() if k != "messages"}
    _, view = await folded(studio, me, one)
    turn = next((turn for turn in view.turn_list if turn.call == seq), None)
    values = {"call": call, "turn": turn, "session_id": one, "seq": seq}
    return Response(render("sessions/_request.html", values), media_type="text/html")


@router.get("/{one}/again")
async def again_form(request: Request, studio: Studio, me: Me, one: str) -> Response:
    return await _again(request, studio, me, one, [])


async def _again(
    request: Request,
    studio: Services,
    me: Me,
    one: str,
    problems: list[Problem],
    files: tuple[str, ...] | None = None,
) -> Response:
    session = await studio.runner.session(me.owner, one)
    snapshot = await studio.database.read(lambda c: sessions.snapshot(c, one))
    (first, *_) = await studio.database.read(lambda c: events.runs(c, one))
    values = {
        "session": session,
        "task": first["message"],
        "given": first.get("attachments", ()) if files is None else (),
        "waiting": await waiting(studio, me, files or ()),
        "used": [(i, m["name"]) for i, m in snapshot["models"].items()],
        "models": await studio.catalog.all_of(me.owner, "models"),
        "problems": problems,
    }
    status = 422 if problems else 200
    name = "sessions/again.html"
    return await show(request, studio, me, name, values, nav="sessions", status=status)


@router.post("/{one}/again")
async def again(
    request: Request, studio: Studio, me: Me, one: str, message: Annotated[str, Form()]
) -> Response:
    session = await studio.runner.session(me.owner, one)
    form = await request.form()
    exchanged = {
        key.removeprefix("model."): str(value)
        for key, value in form.items()
        if key.startswith("model.") and value
    }
    files: tuple[str, ...] = ()
    try:
        old = [str(file) for file in form.getlist("given")]
        files = await studio.runner.attachments.once_more(me.owner, one, old)
        files += await attached(request, studio, me)
        given = Start(session.workflow_id, message, models=exchanged or None, pace="reading",
                      attachments=files)  # fmt: skip
        started = await studio.runner.start(me.owner, me.by, given)
    except InvalidError as error:
        return await _again(request, studio, me, one, error.problems, files)
    return go(f"/sessions/{started.id}")


router.include_router(session_verbs.router)
