"""JSON routes that take definitions in and hand them out as one document."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import Field, StringConstraints

from ...definitions.bundle import MAX_CHARS, as_yaml, load_bundle
from ...definitions.common import Strict
from ...store import bundles
from ..dependencies import Me, StrictRoute, Studio, json_response, media

Format = Annotated[Literal["yaml", "json"], Query()]

router = APIRouter(prefix="/api", tags=["bundles"], route_class=StrictRoute)


class NewImport(Strict):
    """`document` is YAML or JSON, as an export gives it."""

    document: Annotated[str, StringConstraints(min_length=1, max_length=MAX_CHARS)]


class Consent(Strict):
    """`consent` repeats the capabilities that were named; `clash` says what of taken names."""

    consent: list[Annotated[str, StringConstraints(max_length=2000)]] = Field(
        default=[], max_length=5000
    )
    clash: bundles.Clash | None = None


@router.get("/workflows/{one}/export", responses=media("application/yaml"))
async def export(
    studio: Studio,
    me: Me,
    one: str,
    format: Format = "yaml",  # noqa: A002
) -> Response:
    """A workflow with all that it refers to: without ids and without keys."""
    document = await studio.database.read(lambda c: bundles.export(c, me.owner, one))
    mask = await studio.runner.secrets.mask(me.owner)
    if format == "json":
        text = orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
        return Response(mask.text(text), media_type="application/json")
    return Response(mask.text(as_yaml(document)), media_type="application/yaml")


@router.post("/import", status_code=201)
async def take_in(studio: Studio, me: Me, given: NewImport) -> Response:
    """Only looks: nothing of the document is stored as a definition, none of it is run."""
    bundle = await asyncio.to_thread(load_bundle, given.document)
    staged = await studio.database.write(
        lambda c: bundles.stage(c, me.owner, given.document, bundle)
    )
    return json_response(staged, 201)


@router.post("/import/{one}/confirm", status_code=201)
async def confirm(studio: Studio, me: Me, one: str, given: Consent) -> Response:
    text = await studio.database.read(lambda c: bundles.staged(c, me.owner, one))
    bundle = await asyncio.to_thread(load_bundle, text)
    made = await studio.database.write(
        lambda c: bundles.confirm(
            c, studio.vault, me.owner, me.by, one, bundle, given.consent, given.clash
        )
    )
    return json_response({"items": made}, 201)


@router.delete("/import/{one}", status_code=204)
async def discard(studio: Studio, me: Me, one: str) -> Response:
    await studio.database.write(lambda c: bundles.discard(c, me.owner, one))
    return Response(status_code=204)
