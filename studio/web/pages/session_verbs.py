"""The verbs of a session, from buttons and cards: the stream shows what follows from them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from ...definitions.common import Limits
from ...errors import InvalidError, NotFoundError, Problem
from ...store import events
from ...store.sessions import Session
from ..dependencies import Me, Studio
from ..templating import render
from .attaching import attached
from .common import go
from .session_answers import Typed, answer_of
from .session_page import folded, show_conversation

router = APIRouter()


def _done(request: Request, one: str) -> Response:
    if request.headers.get("hx-request") == "true":
        return Response(status_code=204)
    return go(f"/sessions/{one}")


@router.post("/{one}/pause")
async def pause(request: Request, studio: Studio, me: Me, one: str) -> Response:
    session = await studio.runner.pause(me.owner, me.by, one)
    if request.headers.get("hx-request") == "true" and session.status != "paused":
        _, view = await folded(studio, me, one)
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
        _, view = await folded(studio, me, one)
        return Response(render("sessions/_bar.html", {"view": view}), media_type="text/html")
    return _done(request, one)


@router.post("/{one}/answer")
async def answer(request: Request, studio: Studio, me: Me, one: str) -> Response:
    """What cannot be accepted comes back at its fields, with all that was typed."""
    form = await request.form()
    _, view = await folded(studio, me, one)
    ask = view.asks.get(f"ask-{form.get('question', '')}")
    try:
        await studio.runner.answer(me.owner, me.by, one, answer_of(form, ask))
    except InvalidError as error:
        if ask is None:
            raise
        typed = {ask.id: Typed.of(form, error.problems)}
        if request.headers.get("hx-request") != "true":
            return await show_conversation(request, studio, me, one, typed)
        html = render("sessions/_ask.html", {"view": view, "block": ask, "typed": typed})
        return Response(html, media_type="text/html")  # htmx swaps no page of 422
    return _done(request, one)


@router.post("/{one}/messages")
async def follow_up(
    request: Request, studio: Studio, me: Me, one: str, message: Annotated[str, Form()]
) -> Response:
    files = await attached(request, studio, me)
    await studio.runner.follow_up(me.owner, me.by, one, message, files)
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
