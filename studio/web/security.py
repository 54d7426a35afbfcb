"""Guards in pure ASGI: they see every request, streams and unknown paths included.

Order from outside in: security headers, host, origin, credentials, size of the body.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..config import Settings

PUBLIC_PREFIX = "/static/"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_BODY = 4 * 1024 * 1024
MAX_FILES_BODY = 25 * 1024 * 1024 + 64 * 1024  # 25 MB and what stands around them
TAKES_FILES = re.compile(r"/|/api/files|/workflows/[^/]+/start|/sessions/[^/]+/(?:messages|again)")
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


Failed = Callable[[Request, Exception], Awaitable[Response]]


class SecurityHeaders:
    """Puts the headers on every answer, also on the one to a failure of ours."""

    def __init__(self, app: ASGIApp, failed: Failed) -> None:
        self.app, self.failed = app, failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        has_begun = False

        async def with_headers(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if not scope["path"].startswith(PUBLIC_PREFIX):
                    headers.setdefault("cache-control", "no-store")
            await send(message)

        try:
            await self.app(scope, receive, with_headers)
        except Exception as error:
            if has_begun:  # too late to say anything else: the connection is cut
                raise
            response = await self.failed(Request(scope), error)
            await response(scope, receive, with_headers)


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


class BodyLimit:
    """Refuses bodies over a limit before they are read into memory. Where files are sent it is
    higher: those are written to the disk as they come in."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY) -> None:
        self.app, self.limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        declared, limit = headers.get("content-length", "0"), self.limit
        if TAKES_FILES.fullmatch(scope["path"]) and "multipart/" in headers.get("content-type", ""):
            limit = MAX_FILES_BODY
        if not declared.isdigit() or int(declared) > limit:
            await self._too_large(send, limit)
            return
        received = 0
        started = False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
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
                await self._too_large(send, limit)

    async def _too_large(self, send: Send, limit: int) -> None:
        await refuse(send, 413, "Too large", f"A request may have at most {limit // 1024} kB")


class BodyTooLargeError(Exception):
    """The body grew over the limit while it was read."""
