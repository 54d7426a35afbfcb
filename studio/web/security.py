"""Guards in pure ASGI: they see every request, streams and unknown paths included.

Order from outside in: security headers, host, origin, credentials, size of the body.
"""

from __future__ import annotations

import hmac
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..config import Settings
from ..store.tables import OWNER

COOKIE = "studio_session"
PUBLIC = ("/login", "/api/health")
PUBLIC_PREFIX = "/static/"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_BODY = 4 * 1024 * 1024
HEADERS = {
    "content-security-policy": (
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request: whose things it may touch, and the name that events carry."""

    owner: str
    by: str
    via: str


async def refuse(
    send: Send, status: int, title: str, detail: str, extra: dict[str, str] | None = None
) -> None:
    """Answers with a problem (RFC 9457)."""
    body = orjson.dumps(
        {"type": "about:blank", "title": title, "status": status, "detail": detail, "errors": []}
    )
    headers = {
        "content-type": "application/problem+json",
        "content-length": str(len(body)),
        **(extra or {}),
    }
    pairs = [(k.encode(), v.encode()) for k, v in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


class SecurityHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if not scope["path"].startswith(PUBLIC_PREFIX):
                    headers.setdefault("cache-control", "no-store")
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


class HostGuard:
    """Answers only to the names the studio is known by: no DNS rebinding."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        public = urlsplit(settings.public_url).hostname
        self.names = {"localhost", "127.0.0.1", "::1", *settings.allowed_hosts}
        self.names.add(settings.host.lower())
        if not settings.on_loopback:
            self.names.add(socket.gethostname().lower())
        if public:
            self.names.add(public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _host_name(Headers(scope=scope)) not in self.names:
            await refuse(send, 421, "Unknown host", "This studio does not answer to that name")
            return
        await self.app(scope, receive, send)


def _host_name(headers: Headers) -> str:
    """The name in the Host header, without its port; "" when it is malformed."""
    host = headers.get("host", "")
    if len(headers.getlist("host")) != 1 or "@" in host or "/" in host:
        return ""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return ""
    return (parts.hostname or "").lower()


class OriginGuard:
    """Other sites and local apps cannot drive the studio with a visitor's cookie.

    Browsers send Sec-Fetch-Site, or at least Origin, with everything a page can cause. A plain
    navigation to a page is allowed from anywhere; nothing else is.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._is_ours(scope):
            await refuse(send, 403, "Cross-origin request", "Requests from other sites are refused")
            return
        await self.app(scope, receive, send)

    @staticmethod
    def _is_ours(scope: Scope) -> bool:
        headers = Headers(scope=scope)
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if origin is not None and not _same_origin(origin, headers.get("host", "")):
            return False
        if site in (None, "same-origin", "none"):
            return True
        is_navigation = headers.get("sec-fetch-mode") == "navigate"
        return (
            is_navigation
            and scope["method"] in SAFE_METHODS
            and not scope["path"].startswith("/api/")
        )


def _same_origin(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == host.lower() and bool(host)
    except ValueError:
        return False


FindLogin = Callable[[str], Awaitable[str | None]]


class Credentials:
    """Nothing but login, health and static files answers without a token or a session cookie."""

    def __init__(self, app: ASGIApp, tokens: dict[str, str], find_login: FindLogin) -> None:
        """`tokens` maps bearer tokens to the name that events carry."""
        self.app, self.tokens, self.find_login = app, tokens, find_login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        principal = await self._principal(Headers(scope=scope))
        scope.setdefault("state", {})["principal"] = principal
        path = scope["path"]
        if principal is not None or path in PUBLIC or path.startswith(PUBLIC_PREFIX):
            await self.app(scope, receive, send)
        elif path.startswith("/api/"):
            await refuse(
                send, 401, "Not logged in", "Send a bearer token, or log in",
                {"www-authenticate": "Bearer"},
            )  # fmt: skip
        else:
            await self._to_login(scope, send)

    async def _principal(self, headers: Headers) -> Principal | None:
        authorization = headers.get("authorization")
        if authorization is not None:
            kind, _, token = authorization.partition(" ")
            if kind.lower() != "bearer":
                return None
            given = token.strip().encode()
            for known, name in self.tokens.items():
                if hmac.compare_digest(given, known.encode()):
                    return Principal(OWNER, name, "token")
            return None
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE)
        if not cookie:
            return None
        owner = await self.find_login(cookie)
        return Principal(owner, "you", "cookie") if owner is not None else None

    @staticmethod
    async def _to_login(scope: Scope, send: Send) -> None:
        target = "/login"
        if scope["method"] == "GET" and scope["path"] != "/":
            target += f"?next={quote(scope['path'])}"
        headers = [(b"location", target.encode()), (b"content-length", b"0")]
        if (b"hx-request", b"true") in scope["headers"]:
            headers.append((b"hx-redirect", target.encode()))
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


class BodyLimit:
    """Refuses bodies over a limit before they are read into memory."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY) -> None:
        self.app, self.limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdigit() or int(declared) > self.limit:
            await self._too_large(send)
            return
        received = 0
        started = False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.limit:
                raise BodyTooLargeError
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, counted, watched)
        except BodyTooLargeError:
            if not started:
                await self._too_large(send)

    async def _too_large(self, send: Send) -> None:
        await refuse(send, 413, "Too large", f"A request may have at most {self.limit // 1024} kB")


class BodyTooLargeError(Exception):
    """The body grew over the limit while it was read."""
