"""JSON routes of secrets: names only; a value goes in and never comes out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import SecretStr, StringConstraints, field_validator

from ...definitions.common import Strict
from ...store import secrets
from ..dependencies import Me, StrictRoute, Studio, json_response

router = APIRouter(prefix="/api/secrets", tags=["secrets"], route_class=StrictRoute)
SecretName = Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]{0,63}$")]


class NewSecret(Strict):
    name: SecretName
    value: SecretStr

    @field_validator("value")
    @classmethod
    def _is_given(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if not 1 <= len(text) <= 10_000 or "\x00" in text:
            raise ValueError("a value of 1 to 10,000 characters without NUL is needed")
        return value


@router.get("")
async def listing(studio: Studio, me: Me) -> Response:
    found = await studio.database.read(lambda c: secrets.infos(c, studio.vault, me.owner))
    return json_response({"items": [asdict(s) for s in found], "next": None})


@router.post("", status_code=201)
async def put(studio: Studio, me: Me, given: NewSecret) -> Response:
    value = given.value.get_secret_value()
    await studio.database.write(lambda c: secrets.put(c, studio.vault, me.owner, given.name, value))
    return json_response({"name": given.name}, 201)


@router.delete("/{name}", status_code=204)
async def remove(studio: Studio, me: Me, name: str) -> Response:
    await studio.database.write(lambda c: secrets.remove(c, studio.vault, me.owner, name))
    return Response(status_code=204)
