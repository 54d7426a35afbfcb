"""JSON routes of API tokens and of browsers that are logged in: seen, made, revoked."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field, StringConstraints

from ...definitions.common import Strict
from ...errors import ForbiddenError
from ...store import logins, tokens
from ..dependencies import Me, StrictRoute, Studio, json_response

router = APIRouter(prefix="/api", tags=["access"], route_class=StrictRoute)
TokenName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]


class NewToken(Strict):
    """`expires_in_days` None never expires."""

    name: TokenName
    scope: tokens.Scope = "read"
    expires_in_days: Annotated[int, Field(ge=1, le=3650)] | None = None


def check_may_make(me: Me) -> None:
    """A stolen token must not be able to make others that outlive it."""
    if me.via == "api_token":
        raise ForbiddenError("An API token cannot make or revoke access; log in for that")


@router.get("/tokens")
async def listing(studio: Studio, me: Me) -> Response:
    found = await studio.database.read(lambda c: tokens.listing(c, me.owner))
    return json_response({"items": [asdict(t) for t in found], "next": None})


@router.post("/tokens", status_code=201)
async def create(studio: Studio, me: Me, given: NewToken) -> Response:
    """The answer holds the token: this once and never again."""
    check_may_make(me)
    info, token = await studio.database.write(
        lambda c: tokens.create(c, me.owner, given.name, given.scope, given.expires_in_days)
    )
    return json_response({**asdict(info), "token": token}, 201)


@router.delete("/tokens/{one}", status_code=204)
async def revoke(studio: Studio, me: Me, one: str) -> Response:
    check_may_make(me)
    await studio.database.write(lambda c: tokens.remove(c, me.owner, one))
    return Response(status_code=204)


@router.get("/logins")
async def browsers(studio: Studio, me: Me) -> Response:
    found = await studio.database.read(lambda c: logins.listing(c, me.owner))
    return json_response({"items": [asdict(b) for b in found], "next": None})


@router.delete("/logins/{one}", status_code=204)
async def log_out(studio: Studio, me: Me, one: str) -> Response:
    check_may_make(me)
    await studio.database.write(lambda c: logins.revoke(c, me.owner, one))
    return Response(status_code=204)
