"""Errors as HTTP, in one table: problem+json for clients, a page for people."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from ..definitions.problems import problems_of
from ..errors import (
    ConflictError,
    ForbiddenError,
    InUseError,
    InvalidError,
    NotFoundError,
    Problem,
    StaleError,
    StudioError,
    UnavailableError,
)
from .templating import page

log = logging.getLogger("studio.web")

TABLE: tuple[tuple[type[StudioError], int, str], ...] = (
    (InvalidError, 422, "Some fields need a change"),
    (NotFoundError, 404, "Not found"),
    (StaleError, 412, "Changed in the meantime"),
    (InUseError, 409, "In use"),
    (ConflictError, 409, "Not possible now"),
    (ForbiddenError, 403, "Not allowed"),
    (UnavailableError, 503, "Not available now"),
)


def install(app: FastAPI) -> None:
    app.add_exception_handler(StudioError, _studio_error)
    app.add_exception_handler(RequestValidationError, _request_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ValidationError, _invalid)
    app.add_exception_handler(UnicodeEncodeError, _unwritable)
    app.add_exception_handler(ClientDisconnect, _gone)


def problem(
    status: int, title: str, detail: str, errors: list[Problem] | None = None, **extra: Any
) -> Response:
    """An RFC 9457 response."""
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "errors": [p.as_json() for p in errors or []],
        **extra,
    }
    return Response(orjson.dumps(body), status, media_type="application/problem+json")


def _answer(
    request: Request, status: int, title: str, detail: str, errors: list[Problem], **extra: Any
) -> Response:
    detail, errors = _masked(request, detail, errors)
    is_script = request.headers.get("hx-request") == "true"
    if is_script or request.url.path.startswith("/api/"):
        return problem(status, title, detail, errors, **extra)
    return page(
        request, "errors/error.html", {"title": title, "detail": detail, "status": status}, status
    )


def _masked(request: Request, detail: str, errors: list[Problem]) -> tuple[str, list[Problem]]:
    """What is told of an error may hold what a client, a model or a file said: no secret in it."""
    mask = request.app.state.services.runner.secrets.mask_now
    return mask(detail), [replace(p, msg=mask(p.msg)) for p in errors]


async def _studio_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, StudioError)
    for kind, status, title in TABLE:
        if isinstance(error, kind):
            errors = error.problems if isinstance(error, InvalidError) else []
            extra: dict[str, Any] = {}
            if isinstance(error, StaleError):
                extra["current"] = error.current
            if isinstance(error, InUseError):
                extra["users"] = error.users
            return _answer(request, status, title, str(error), errors, **extra)
    return _answer(request, 400, "Refused", str(error), [])


async def _request_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = request_problems(error)
    detail = "; ".join(f"{'.'.join(map(str, p.loc)) or 'body'}: {p.msg}" for p in problems[:5])
    return _answer(request, 422, "Some fields need a change", detail, problems)


def request_problems(error: RequestValidationError) -> list[Problem]:
    """FastAPI's errors with the path inside the body, as definitions report them."""
    found = []
    for item in error.errors():
        loc = item["loc"][1:] if item["loc"][:1] in (("body",), ("query",), ("path",)) else ()
        if item["type"] == "json_invalid":
            loc = ()
        message = str(item["msg"]).removeprefix("Value error, ")
        found.append({"type": item["type"], "loc": loc, "msg": message, "ctx": item.get("ctx", {})})
    return problems_of(_Errors(found))  # type: ignore[arg-type]


class _Errors:
    """Lets FastAPI's errors pass through the same path clean-up as pydantic's own."""

    def __init__(self, found: list[dict[str, Any]]) -> None:
        self.found = found

    def errors(self, **_: Any) -> list[dict[str, Any]]:
        return self.found


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    titles = {404: "Not found", 405: "Method not allowed", 400: "Bad request"}
    title = titles.get(error.status_code, "Refused")
    detail = str(error.detail)
    if error.status_code == 404:
        detail = "There is nothing at this address. It may have been deleted."
    response = _answer(request, error.status_code, title, detail, [])
    response.headers.update(error.headers or {})
    if error.status_code == 405:
        response.headers["allow"] = ", ".join(_allowed(request))
    return response


def _allowed(request: Request) -> list[str]:
    """Every method of an address; the router itself knows only those of its first match."""
    return [
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.router.routes
        )
    ]


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, ValidationError)
    return await _studio_error(request, InvalidError(problems_of(error)))


async def _unwritable(request: Request, error: Exception) -> Response:
    """What a client sent cannot be written as JSON: nested too deeply, or half a character."""
    log.info("cannot be written at %s: %s", request.url.path, error)
    found = Problem([], "This is nested too deeply or has broken characters", "unwritable")
    return await _studio_error(request, InvalidError([found]))


async def _gone(request: Request, error: Exception) -> Response:
    """Nobody reads this: the client went away in the middle of its request."""
    return Response(status_code=400)


async def unexpected(request: Request, error: Exception) -> Response:
    log.exception("unexpected error at %s", request.url.path, exc_info=error)
    return _answer(
        request, 500, "The studio failed", "This is a fault of ours; it has been logged.", []
    )
