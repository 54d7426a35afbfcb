"""JSON routes of sessions: the verbs, the log and its stream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import Field, StringConstraints, model_validator

from ...definitions.common import Limits, Line, Strict, Text
from ...engine.events import Delta, as_row
from ...runner.answers import Answer
from ...runner.attachments import MOST
from ...runner.runner import Start
from ...store import events, sessions
from ...store.events import Row
from ...store.sessions import Session
from ...streaming.follow import follow
from ..dependencies import Cursor, Limit, Me, Search, Services, StrictRoute, Studio, json_response
from ..sse import sse, start_after, stream

router = APIRouter(prefix="/api/sessions", tags=["sessions"], route_class=StrictRoute)

Message = Annotated[Text, StringConstraints(min_length=1)]
Reference = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Status = Literal["queued", "running", "waiting", "paused", "finished", "failed", "stopped"]


class NewSession(Strict):
    """`models` exchanges model ids of the workflow for others, for this session only."""

    workflow: Reference
    message: Message
    attachments: list[Reference] = Field(default=[], max_length=MOST)
    limits: Limits = Limits()
    models: dict[Reference, Reference] | None = None
    pace: Literal["full", "reading"] = "full"
    name: Line = ""


class GivenAnswer(Strict):
    """One of text, approve and values, as the question's form asks."""

    question: Reference
    text: Text | None = None
    approve: bool | None = None
    values: dict[str, Any] | None = None
    edited: Text | None = None
    reason: Line | None = None
    payload_hash: Line | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> GivenAnswer:
        if sum(v is not None for v in (self.text, self.approve, self.values)) != 1:
            raise ValueError("give exactly one of text, approve and values")
        return self


class FollowUp(Strict):
    message: Message
    attachments: list[Reference] = Field(default=[], max_length=MOST)


class Changes(Strict):
    limits: Limits | None = None
    tags: list[Line] | None = Field(default=None, max_length=50)
    pace: Literal["full", "reading"] | None = None


async def shown(studio: Services, session: Session) -> dict[str, Any]:
    questions = await studio.database.read(
        lambda c: sessions.open_questions(c, session.id, session.run)
    )
    return session.as_json([] if session.is_over else questions)


async def _accepted(studio: Services, session: Session, status: int = 202) -> Response:
    return json_response(await shown(studio, session), status)


@router.get("")
async def listing(
    studio: Studio,
    me: Me,
    q: Search = "",
    status: Annotated[Status | None, Query()] = None,
    workflow: Annotated[str, Query(max_length=64)] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    page = await studio.database.read(
        lambda c: sessions.listing(
            c,
            me.owner,
            q=q,
            status=(status,) if status else (),
            workflow=workflow,
            limit=limit,
            cursor=cursor,
        )
    )
    return json_response({"items": [s.as_json([]) for s in page.items], "next": page.next})


@router.post("", status_code=201)
async def start(studio: Studio, me: Me, given: NewSession) -> Response:
    session = await studio.runner.start(
        me.owner,
        me.by,
        Start(
            workflow=given.workflow,
            message=given.message,
            limits=given.limits,
            models=given.models,
            pace=given.pace,
            name=given.name,
            attachments=tuple(given.attachments),
        ),
    )
    return await _accepted(studio, session, 201)


@router.get("/{one}")
async def read(studio: Studio, me: Me, one: str) -> Response:
    return await _accepted(studio, await studio.runner.session(me.owner, one), 200)


@router.patch("/{one}")
async def change(studio: Studio, me: Me, one: str, given: Changes) -> Response:
    session = await studio.runner.change(me.owner, one, given.limits, given.tags, given.pace)
    return await _accepted(studio, session, 200)


@router.delete("/{one}", status_code=204)
async def delete(studio: Studio, me: Me, one: str) -> Response:
    await studio.runner.delete(me.owner, me.by, one)
    return Response(status_code=204)


@router.post("/{one}/answer", status_code=202)
async def answer(studio: Studio, me: Me, one: str, given: GivenAnswer) -> Response:
    reply = Answer(**given.model_dump())
    return await _accepted(studio, await studio.runner.answer(me.owner, me.by, one, reply))


@router.post("/{one}/pause", status_code=202)
async def pause(studio: Studio, me: Me, one: str) -> Response:
    return await _accepted(studio, await studio.runner.pause(me.owner, me.by, one))


@router.post("/{one}/resume", status_code=202)
async def resume(studio: Studio, me: Me, one: str) -> Response:
    return await _accepted(studio, await studio.runner.resume(me.owner, me.by, one))


@router.post("/{one}/stop", status_code=202)
async def stop(studio: Studio, me: Me, one: str) -> Response:
    return await _accepted(studio, await studio.runner.stop(me.owner, me.by, one))


@router.post("/{one}/messages", status_code=202)
async def follow_up(studio: Studio, me: Me, one: str, given: FollowUp) -> Response:
    session = await studio.runner.follow_up(me.owner, me.by, one, given.message, given.attachments)
    return await _accepted(studio, session)


@router.get("/{one}/events")
async def log(
    studio: Studio,
    me: Me,
    one: str,
    after: Annotated[int, Query(ge=0, lt=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> Response:
    await studio.runner.session(me.owner, one)
    rows = await studio.database.read(lambda c: events.after(c, one, after, limit))
    items = ",".join(row.json for row in rows)
    last = rows[-1].seq if rows else None
    body = f'{{"items":[{items}],"next":{orjson.dumps(last).decode()}}}'
    return Response(body, media_type="application/json")


@router.get("/{one}/stream", response_class=StreamingResponse)
async def live(
    studio: Studio,
    me: Me,
    one: str,
    after: Annotated[str | None, Query(max_length=100)] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """The log as server-sent events: every row once and in order, live text between them."""
    await studio.runner.session(me.owner, one)
    batches = follow(studio.database, studio.bus, one, start_after(after, last_event_id))

    async def messages() -> AsyncIterator[bytes]:
        async for items in batches:
            yield b"".join(_message(item) for item in items)

    return stream(messages())


def _message(item: Row | Delta) -> bytes:
    if isinstance(item, Row):
        return sse(item.json, item.kind, item.seq)
    return sse(orjson.dumps(as_row(item)).decode(), "delta")


@router.get("/{one}/calls/{seq}")
async def call(
    studio: Studio, me: Me, one: str, seq: Annotated[int, Path(ge=1, lt=2**53)]
) -> Response:
    """The exact request and answer of the model call that event `seq` tells of."""
    return json_response(await studio.runner.exact_call(me.owner, one, seq))
