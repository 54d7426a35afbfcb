"""Who and what has access: API tokens, logged-in browsers, named secrets."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from pydantic import ValidationError

from ...definitions.problems import problems_of
from ...errors import NotFoundError
from ...store import definitions, logins, secrets, tokens
from ...store.database import Connection
from ..api.secrets import NewSecret
from ..api.tokens import NewToken, check_may_make
from ..credentials import COOKIE
from ..dependencies import Me, Services, Studio
from ..forms import FormState
from .common import go, show

router = APIRouter(prefix="/settings", include_in_schema=False)
Short = Annotated[str, Form(max_length=200)]
# Names as a person knows them; the order matters, as each browser also names those before it.
BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"),
            ("Safari", "Safari"))  # fmt: skip
SYSTEMS = (("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
           ("Mac OS", "macOS"), ("Linux", "Linux"))  # fmt: skip


def browser_name(agent: str) -> str:
    """ "Firefox on Linux"; what a browser says of itself is long and full of other names."""
    browser = next((name for mark, name in BROWSERS if f"{mark}/" in agent), "")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    if browser or system:
        return f"{browser or 'A browser'}{f' on {system}' if system else ''}"
    return re.sub(r"[^\w./ -]", "", agent)[:40] or "A program"


async def _page(
    request: Request,
    studio: Services,
    me: Me,
    *,
    made: str = "",
    token_form: FormState | None = None,
    secret_form: FormState | None = None,
) -> Response:
    def work(c: Connection) -> dict[str, Any]:
        return {
            "tokens": tokens.listing(c, me.owner),
            "browsers": logins.listing(c, me.owner),
            "secrets": secrets.infos(c, studio.vault, me.owner),
            "models": {m.id: m.name for m in definitions.all_of(c, me.owner, "models")},
        }

    values = await studio.database.read(work)
    cookie = request.cookies.get(COOKIE, "")
    values |= {
        "made": made,
        "this": logins.id_of(cookie) if cookie else "",
        "browser_name": browser_name,
        "token_form": token_form or FormState({"name": "", "scope": "read", "days": "90"}),
        "secret_form": secret_form or FormState({"secret": ""}),
    }
    status = 422 if token_form or secret_form else 200
    return await show(request, studio, me, "settings.html", values, nav="settings", status=status)


@router.get("")
async def settings(request: Request, studio: Studio, me: Me) -> Response:
    return await _page(request, studio, me)


@router.post("/tokens")
async def make_token(
    request: Request,
    studio: Studio,
    me: Me,
    name: Short = "",
    scope: Short = "read",
    days: Short = "",
) -> Response:
    """Shows the new token on the page that answers, and nowhere else."""
    check_may_make(me)
    typed = {"name": name, "scope": scope, "days": days}
    try:
        given = NewToken.model_validate(
            {"name": name, "scope": scope, "expires_in_days": int(days) if days.isdigit() else None}
        )
    except ValidationError as error:
        return await _page(request, studio, me, token_form=_refused(typed, error))
    _, token = await studio.database.write(
        lambda c: tokens.create(c, me.owner, given.name, given.scope, given.expires_in_days)
    )
    return await _page(request, studio, me, made=token)


@router.post("/tokens/{one}/revoke")
async def revoke(studio: Studio, me: Me, one: str) -> Response:
    check_may_make(me)
    await studio.database.write(lambda c: tokens.remove(c, me.owner, one))
    return go("/settings", "revoked")


@router.post("/logins/{one}/revoke")
async def log_out(studio: Studio, me: Me, one: str) -> Response:
    check_may_make(me)
    await studio.database.write(lambda c: logins.revoke(c, me.owner, one))
    return go("/settings", "revoked")


@router.post("/secrets")
async def put_secret(
    request: Request,
    studio: Studio,
    me: Me,
    secret: Short = "",
    value: Annotated[str, Form(max_length=20_000)] = "",
) -> Response:
    try:
        given = NewSecret.model_validate({"name": secret.strip().upper(), "value": value.strip()})
    except ValidationError as error:
        return await _page(request, studio, me, secret_form=_refused({"secret": secret}, error))
    sealed = given.value.get_secret_value()
    await studio.database.write(
        lambda c: secrets.put(c, studio.vault, me.owner, given.name, sealed)
    )
    return go("/settings", "saved")


@router.post("/secrets/{name}/delete")
async def remove_secret(studio: Studio, me: Me, name: str) -> Response:
    if name.startswith("model:"):
        raise NotFoundError("A model's key is cleared on the page of the model")
    await studio.database.write(lambda c: secrets.remove(c, studio.vault, me.owner, name))
    return go("/settings", "deleted")


CONTROLS = {"expires_in_days": "days"}


def _refused(typed: dict[str, str], error: ValidationError) -> FormState:
    """What was typed, with each problem at its control."""
    names = CONTROLS | ({"name": "secret"} if "secret" in typed else {})
    problems = [
        replace(p, loc=[names.get(str(p.loc[0]), p.loc[0])] if p.loc else [])
        for p in problems_of(error)
    ]
    return FormState(typed, problems)
