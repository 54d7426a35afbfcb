"""Pages of sessions: the list, the conversation live and after, playback, the definition."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Header, Path, Query, Request, Response

from ...definitions.common import Limits
from ...errors import InvalidError, NotFoundError, Problem
from ...runner.runner import Answer, Start
from ...store import events, sessions
from ...store.database import Connection
from ...store.events import Row
from ...store.sessions import Session
from ...streaming.follow import follow
from ..dependencies import Me, Services, Studio
from ..session_view import SessionView, Turn
from ..sse import start_after, stream
from ..templating import render
from .common import go, show
from .session_parts import Parts

router = APIRouter(prefix="/sessions", include_in_schema=False)
Number = Annotated[int, Path(ge=1, lt=2**53)]
SHOWN_TURNS = 200
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


async def _folded(studio: Services, me: Me, one: str) -> tuple[Session, SessionView]:
    """A session and its whole log, from one read, so that page and stream fit together."""

    def work(c: Connection) -> tuple[Session, list[Row]]:
        return sessions.get(c, me.owner, one), events.after(c, one, 0, 10_000_000)

    session, rows = await studio.database.read(work)
    return session, SessionView(session).fold(rows)


@router.get("/{one}")
async def conversation(
    request: Request,
    studio: Studio,
    me: Me,
    one: str,
    all: str = "",  # noqa: A002
) -> Response:
    session, view = await _folded(studio, me, one)
    snapshot = await studio.database.read(lambda c: sessions.snapshot(c, one))
    blocks = list(view.blocks.values())
    turns = [i for i, block in enumerate(blocks) if isinstance(block, Turn)]
    earlier = 0 if all or len(turns) <= SHOWN_TURNS else len(turns) - SHOWN_TURNS
    if earlier:
        blocks = blocks[turns[earlier] :]
    parts = Parts(view, snapshot)
    values = {**parts.values(), "session": session, "blocks": blocks, "earlier": earlier,
              "ended": view.is_over}  # fmt: skip
    return await show(request, studio, me, "sessions/show.html", values, nav="sessions")


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
    session, view = await _folded(studio, me, one)
    snapshot = await studio.database.read(lambda c: sessions.snapshot(c, one))
    parts = Parts(view, snapshot)
    values = {**parts.values(), "session": session, "blocks": list(view.blocks.values()),
              "ticks": parts.ticks()}  # fmt: skip
    return await show(request, studio, me, "sessions/playback.html", values, nav="sessions")


@router.get("/{one}/definition")
async def definition(request: Request, studio: Studio, me: Me, one: str) -> Response:
    session = await studio.runner.session(me.owner, one)
    snapshot = await studio.database.read(lambda c: sessions.snapshot(c, one))
    values = {"session": session, "snapshot": snapshot}
    return await show(request, studio, me, "sessions/definition.html", values, nav="sessions")


@router.get("/{one}/why/{seq}")
async def why(studio: Studio, me: Me, one: str, seq: Number) -> Response:
    session = await studio.runner.session(me.owner, one)
    rows = await studio.database.read(lambda c: events.after(c, one, seq - 1, 1))
    if not rows or rows[0].kind != "speaker_selected":
        raise NotFoundError("There is no such choice of a speaker")
    values = {"view": SessionView(session), "data": {"trace": None, **rows[0].data()}}
    return Response(render("sessions/_why.html", values), media_type="text/html")


@router.get("/{one}/request/{seq}")
async def exact_request(studio: Studio, me: Me, one: str, seq: Number) -> Response:
    call = await studio.runner.exact_call(me.owner, one, seq)
    call["parameters"] = {k: v for k, v in call["request"].items() if k != "messages"}
    values = {"call": call, "session_id": one, "seq": seq}
    return Response(render("sessions/_request.html", values), media_type="text/html")


@router.get("/{one}/again")
async def again_form(request: Request, studio: Studio, me: Me, one: str) -> Response:
    return await _again(request, studio, me, one, [])


async def _again(
    request: Request, studio: Services, me: Me, one: str, problems: list[Problem]
) -> Response:
    session = await studio.runner.session(me.owner, one)
    snapshot = await studio.database.read(lambda c: sessions.snapshot(c, one))
    tasks = await studio.database.read(lambda c: events.tasks(c, one))
    values = {
        "session": session,
        "task": tasks[0],
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
    given = Start(session.workflow_id, message, models=exchanged or None, pace="reading")
    try:
        started = await studio.runner.start(me.owner, me.by, given)
    except InvalidError as error:
        return await _again(request, studio, me, one, error.problems)
    return go(f"/sessions/{started.id}")


# -- the verbs, from buttons and cards: htmx swaps nothing, the stream shows what follows


def _done(request: Request, one: str) -> Response:
    if request.headers.get("hx-request") == "true":
        return Response(status_code=204)
    return go(f"/sessions/{one}")


@router.post("/{one}/pause")
async def pause(request: Request, studio: Studio, me: Me, one: str) -> Response:
    session = await studio.runner.pause(me.owner, me.by, one)
    if request.headers.get("hx-request") == "true" and session.status != "paused":
        _, view = await _folded(studio, me, one)
        html = render("sessions/_bar.html", {"view": view, "pausing": True})
        return Response(html, media_type="text/html")
    return _done(request, one)


@router.post("/{one}/stop")
async def stop(request: Request, studio: Studio, me: Me, one: str) -> Response:
    await studio.runner.stop(me.owner, me.by, one)
    return _done(request, one)


@router.post("/{one}/resume")
async def resume(request: Request, studio: Studio, me: Me, one: str) -> Response:
    was_over = (await studio.runner.session(me.owner, one)).is_over
    await studio.runner.resume(me.owner, me.by, one)
    if was_over:  # its stream has ended: the page must open a new one
        return Response(status_code=204, headers={"hx-refresh": "true"})
    if request.headers.get("hx-request") == "true":
        _, view = await _folded(studio, me, one)
        return Response(render("sessions/_bar.html", {"view": view}), media_type="text/html")
    return _done(request, one)


@router.post("/{one}/answer")
async def answer(
    request: Request,
    studio: Studio,
    me: Me,
    one: str,
    question: Annotated[str, Form()],
    text: Annotated[str, Form()] = "",
    action: Annotated[str, Form()] = "choose",
) -> Response:
    if action == "say" and not text.strip():
        raise InvalidError([Problem(["text"], "Write something, or choose Skip", "missing")])
    said = {"skip": "", "end": "exit"}.get(action, text)
    await studio.runner.answer(me.owner, me.by, one, Answer(question, text=said))
    return _done(request, one)


@router.post("/{one}/messages")
async def follow_up(studio: Studio, me: Me, one: str, message: Annotated[str, Form()]) -> Response:
    await studio.runner.follow_up(me.owner, me.by, one, message)
    return go(f"/sessions/{one}")


@router.post("/{one}/pace")
async def pace(
    request: Request, studio: Studio, me: Me, one: str, pace: Annotated[str, Form()] = "full"
) -> Response:
    wanted = "reading" if pace == "reading" else "full"
    await studio.runner.change(me.owner, one, None, None, wanted)
    return _done(request, one)


@router.post("/{one}/limit")
async def limit(
    request: Request,
    studio: Studio,
    me: Me,
    one: str,
    limit: Annotated[str, Form()],
    value: Annotated[float, Form(gt=0, le=1e12, allow_inf_nan=False)],
) -> Response:
    session = await studio.runner.session(me.owner, one)
    if limit not in Limits.model_fields:
        raise NotFoundError("There is no such limit")
    number = value if limit == "max_cost_usd" else int(min(value, 1e12))
    used = used_of(session)[limit]
    if number <= used:
        problem = Problem(["value"], f"{used:,g} are used already; enter more", "limit")
        raise InvalidError([problem])
    raised = Limits(**{**session.limits, limit: number})
    await studio.runner.change(me.owner, one, raised, None, None)
    await studio.runner.resume(me.owner, me.by, one)
    return _done(request, one)


def used_of(session: Session) -> dict[str, float]:
    return {
        "max_messages": session.turns,
        "max_tokens": session.prompt_tokens + session.completion_tokens,
        "max_cost_usd": session.cost_nano / events.NANO,
        "max_seconds": session.active_ms / 1000,
    }


@router.post("/{one}/delete")
async def delete(studio: Studio, me: Me, one: str) -> Response:
    await studio.runner.delete(me.owner, me.by, one)
    return go("/sessions", "deleted")
