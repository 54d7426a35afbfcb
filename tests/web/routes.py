"""Every route of an application, however it was added, and requests that no library would send."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

JSON_TYPES = ("application/json",)


@dataclass(frozen=True)
class Route:
    method: str
    path: str

    def filled(self, **values: str) -> str:
        """The path with something in place of every parameter; 1 fits numbers and texts."""
        return re.sub(r"{(\w+)[^}]*}", lambda m: values.get(m[1], "1"), self.path)


def routes(app: Any) -> list[Route]:
    """What the application answers to, from its routes and from OpenAPI."""
    found = {Route(method, path) for path, methods in _walk(app.routes, "") for method in methods}
    for path, operations in app.openapi()["paths"].items():
        found |= {Route(method.upper(), path) for method in operations}
    return sorted(found, key=lambda r: (r.path, r.method))


def _walk(given: Any, prefix: str) -> Iterator[tuple[str, list[str]]]:
    for route in given:
        inner = getattr(route, "original_router", None)
        if inner is not None:  # FastAPI keeps an included router as a route of its own
            yield from _walk(inner.routes, prefix + route.include_context.prefix)
        elif getattr(route, "methods", None):
            yield prefix + route.path, sorted(route.methods)
        else:  # a mount, or a websocket
            yield f"{prefix}{route.path}/x", ["GET"]
            yield from _walk(getattr(route, "routes", None) or [], prefix + route.path)


def json_routes(app: Any) -> list[Route]:
    """The routes that read a JSON body."""
    return [
        Route(method.upper(), path)
        for path, operations in sorted(app.openapi()["paths"].items())
        for method, operation in sorted(operations.items())
        if any(t in operation.get("requestBody", {}).get("content", {}) for t in JSON_TYPES)
    ]


@dataclass(frozen=True)
class Raw:
    status: int
    head: str
    body: bytes


def raw(url: str, lines: list[str], body: bytes = b"") -> Raw:
    """Sends these lines as they are, and reads until the server closes."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    with socket.create_connection((parts.hostname, parts.port or 80), timeout=10) as wire:
        wire.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + body)
        answer = b""
        while piece := wire.recv(65536):
            answer += piece
    head, _, content = answer.partition(b"\r\n\r\n")
    return Raw(int(head.split(None, 2)[1]), head.decode("latin-1").lower(), content)
