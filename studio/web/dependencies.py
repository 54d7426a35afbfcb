"""Aliases that make a handler's signature read like a sentence."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Annotated, Any

import orjson
from fastapi import Depends, Header, Query, Request, Response
from fastapi.routing import APIRoute

from ..config import Settings
from ..errors import InvalidError, Problem
from ..runner.local_model import BuiltInModel
from ..runner.runner import Runner
from ..store.catalog import Catalog
from ..store.database import Database
from ..store.secrets import Vault
from ..streaming.bus import Bus
from .credentials import Principal
from .login_limit import LoginLimit


@dataclass(frozen=True)
class Services:
    """The parts of the studio that handlers call; made once by `create_app`, at `started`."""

    settings: Settings
    database: Database
    vault: Vault
    bus: Bus
    runner: Runner
    catalog: Catalog
    local: BuiltInModel
    login_token: str
    login_limit: LoginLimit
    started: float = field(default_factory=time.monotonic)


def _services(request: Request) -> Services:
    return request.app.state.services  # type: ignore[no-any-return]


def _principal(request: Request) -> Principal:
    principal = request.state.principal
    assert isinstance(principal, Principal)  # the Credentials guard lets nobody else through
    return principal


Studio = Annotated[Services, Depends(_services)]
Me = Annotated[Principal, Depends(_principal)]
Limit = Annotated[int, Query(ge=1, le=200)]
Search = Annotated[str, Query(max_length=500)]
Cursor = Annotated[str | None, Query(max_length=500)]


def _if_match(if_match: Annotated[str | None, Header()] = None) -> int | None:
    """The revision that the client believes to be the newest."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = re.fullmatch(r'(?:W/)?"?(\d{1,9})"?', if_match.strip())
    if not found:
        raise InvalidError([Problem(["If-Match"], 'Use the ETag, like "3"', "if_match")])
    return int(found[1])


IfMatch = Annotated[int | None, Depends(_if_match)]


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(value), status, headers, media_type="application/json")


def media(*types: str) -> dict[int | str, dict[str, Any]]:
    """For the OpenAPI document: what a route may answer with beside JSON."""
    return {200: {"content": {name: {"schema": {}} for name in types}}}


MAX_FIELDS = 5000


class StrictRequest(Request):
    """Reads JSON strictly: what cannot be stored and shown again is refused with its reason."""

    async def json(self) -> Any:
        if not hasattr(self, "_strict_json"):
            self._strict_json = strict_json(await self.body())
        return self._strict_json


def strict_json(body: bytes) -> Any:
    """No NaN, lone surrogates, names given twice, bottomless nesting or endless objects.

    Raises json.JSONDecodeError.
    """
    value = orjson.loads(body)
    try:
        orjson.dumps(value)  # its limit of nesting is lower than the reader's
        json.loads(body, object_pairs_hook=_checked)
    except (TypeError, ValueError, RecursionError) as error:
        raise json.JSONDecodeError(str(error), "", 0) from None
    return value


def _checked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_FIELDS:
        raise ValueError(f"an object may have at most {MAX_FIELDS} fields")
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a field is given twice")
    return found


class StrictRoute(APIRoute):
    """Every JSON route reads its body with StrictRequest; what it cannot read is 422."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(StrictRequest(request.scope, request.receive))

        return strict
