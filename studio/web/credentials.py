"""Who makes a request: by a bearer token or a session cookie. Nothing else answers strangers."""

from __future__ import annotations

import asyncio
import hmac
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..store import logins, tokens
from ..store.database import Database
from ..store.tables import OWNER
from .security import PUBLIC_PREFIX, SAFE_METHODS, refuse

COOKIE = "studio_session"
PUBLIC = ("/login", "/api/health")
RECHECK_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request: whose things it may touch, and the name that events carry.

    `via` is how it was proved: a cookie, a token of the settings, or a stored API token.
    """

    owner: str
    by: str
    via: Literal["cookie", "token", "api_token"]
    may_write: bool = True


class Credentials:
    """Nothing but login, health and static files answers without a token or a session cookie."""

    def __init__(self, app: ASGIApp, database: Database, tokens: dict[str, str]) -> None:
        """`tokens` maps the bearer tokens of this process to the name that events carry."""
        self.app, self.database, self.tokens = app, database, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        principal = await self._principal(headers)
        scope.setdefault("state", {})["principal"] = principal
        path = scope["path"]
        if principal is None and path not in PUBLIC and not path.startswith(PUBLIC_PREFIX):
            await self._refused(scope, send)
        elif principal is not None and not self._may(principal, scope):
            await refuse(send, 403, "Not allowed", "This token may read only")
        elif principal is not None and path.endswith("/stream"):
            await self._while_good(headers, scope, receive, send)
        else:
            await self.app(scope, receive, send)

    @staticmethod
    def _may(principal: Principal, scope: Scope) -> bool:
        return principal.may_write or scope["method"] in SAFE_METHODS

    async def _while_good(
        self, headers: Headers, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """A stream ends soon after its login was revoked; it would go on for hours otherwise."""
        has_begun = False

        async def noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        serving = asyncio.ensure_future(self.app(scope, receive, noting))
        try:
            while not serving.done():
                await asyncio.wait([serving], timeout=RECHECK_SECONDS)
                if not serving.done() and await self._principal(headers) is None:
                    serving.cancel()
                    await asyncio.wait([serving])
                    if has_begun:
                        await send({"type": "http.response.body", "body": b""})
                    return
            await serving
        finally:
            serving.cancel()

    async def _principal(self, headers: Headers) -> Principal | None:
        authorization = headers.get("authorization")
        if authorization is not None:
            kind, _, token = authorization.partition(" ")
            return await self._by_token(token.strip()) if kind.lower() == "bearer" else None
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE)
        return await self._by_cookie(cookie) if cookie else None

    async def _by_token(self, token: str) -> Principal | None:
        for known, name in self.tokens.items():
            if hmac.compare_digest(token.encode(), known.encode()):
                return Principal(OWNER, name, "token")
        if not token.startswith(tokens.PREFIX):
            return None
        found = await self.database.read(lambda c: tokens.find(c, token))
        if found is None:
            return None
        owner, info = found
        if tokens.needs_note(info.last_used_at):
            await self.database.write(lambda c: tokens.used(c, info.id))
        return Principal(owner, info.name, "api_token", may_write=info.scope == "write")

    async def _by_cookie(self, cookie: str) -> Principal | None:
        found = await self.database.read(lambda c: logins.find(c, cookie))
        if found is None:
            return None
        owner, info = found
        if tokens.needs_note(info.last_used_at):
            await self.database.write(lambda c: logins.used(c, cookie))
        return Principal(owner, "you", "cookie")

    @staticmethod
    async def _refused(scope: Scope, send: Send) -> None:
        if scope["path"].startswith("/api/"):
            needed = {"www-authenticate": "Bearer"}
            await refuse(send, 401, "Not logged in", "Send a bearer token, or log in", needed)
            return
        target = "/login"
        if scope["method"] == "GET" and scope["path"] != "/":
            target += f"?next={quote(scope['path'])}"
        headers = [(b"location", target.encode()), (b"content-length", b"0")]
        if (b"hx-request", b"true") in scope["headers"]:
            headers.append((b"hx-redirect", target.encode()))
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
