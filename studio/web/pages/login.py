"""Logging in with the token that the terminal shows, and out again."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from ...store import logins
from ...store.tables import OWNER
from ..credentials import COOKIE
from ..dependencies import Services, Studio
from ..templating import page

router = APIRouter(include_in_schema=False)
Next = Annotated[str, Form(max_length=2000)]


@router.get("/login")
async def login_form(
    request: Request,
    studio: Studio,
    token: str = "",
    next: str = "/",  # noqa: A002
) -> Response:
    if token:
        return await _login(request, studio, token, next)
    return page(request, "login.html", {"wrong": "", "next": next})


@router.post("/login")
async def login(
    request: Request,
    studio: Studio,
    token: Annotated[str, Form(max_length=500)] = "",
    next: Next = "/",  # noqa: A002
) -> Response:
    return await _login(request, studio, token, next)


async def _login(request: Request, studio: Services, token: str, target: str) -> Response:
    """Exchanges the token for a cookie that the server can revoke."""
    address = request.client.host if request.client else ""
    if wait := studio.login_limit.wait(address):
        wrong = f"Too many wrong tokens came from this address. Try again in {wait} seconds."
        response = page(request, "login.html", {"wrong": wrong, "next": target}, 429)
        response.headers["retry-after"] = str(wait)
        return response
    known = [studio.login_token]
    if studio.settings.token is not None:
        known.append(studio.settings.token.get_secret_value())
    if not any(hmac.compare_digest(token.strip().encode(), k.encode()) for k in known):
        studio.login_limit.wrong(address)
        wrong = "This token is not right. It changes whenever the studio is started."
        return page(request, "login.html", {"wrong": wrong, "next": target}, 401)
    studio.login_limit.right(address)
    browser = request.headers.get("user-agent", "")[:300]
    cookie = await studio.database.write(lambda c: logins.create(c, OWNER, browser))
    is_path = target.startswith("/") and not target.startswith(("//", "/\\"))
    response = RedirectResponse(target if is_path else "/", 303)
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=int(logins.LIFETIME.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=studio.settings.public_url.startswith("https://"),
        path="/",
    )
    return response


@router.post("/logout")
async def logout(request: Request, studio: Studio) -> Response:
    cookie = request.cookies.get(COOKIE, "")
    await studio.database.write(lambda c: logins.remove(c, cookie))
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE, path="/")
    return response
