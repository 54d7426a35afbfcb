"""The HTTP/1 that a proxy needs (RFC 9112): heads read strictly, bodies copied by their framing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from ..definitions.hosts import split_host

LONGEST_HEAD = 65_536
CHUNK = 65_536
Headers = list[tuple[bytes, bytes]]
Framing = int | Literal["chunked", "rest"]
Send = Callable[[bytes], Awaitable[None]]

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e]+) (HTTP/1\.[01])")
_RESPONSE = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: [^\x00]*)?")
_HEADER = re.compile(rb"(" + _TOKEN + rb"):[ \t]*([^\x00\r\n]*)")
_TARGET = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?#\\]*)([/?][^#]*)?", re.IGNORECASE)
_LENGTH = re.compile(rb"[0-9]{1,15}")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;[^\r\n]*)?\r\n")
_PER_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer "
    b"transfer-encoding upgrade content-length".split()
)  # framing is written anew


class BadRequestError(Exception):
    """What a program sent cannot be passed on. `host` is what it asked for, if that can be told."""

    def __init__(
        self, message: str, *, method: str = "", host: str = "", status: int = 400
    ) -> None:
        super().__init__(message)
        self.method, self.host, self.status = method, host, status


class BadAnswerError(Exception):
    """A server's answer cannot be passed on."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came; `path` is "" for CONNECT."""

    method: str
    host: str
    port: int
    path: str
    version: bytes
    headers: Headers

    def head(self) -> bytes:
        """As the server is asked: for its own path, by its own name, and once."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        named = host if self.port == 80 else f"{host}:{self.port}"
        kept = [(n, v) for n, v in end_to_end(self.headers) if n.lower() != b"host"]
        start = b"%s %s %s" % (self.method.encode(), self.path.encode(), self.version)
        return written(start, [(b"Host", named.encode()), *kept, *framing_headers(self.headers)])


def read_request(head: bytes) -> Asked:
    """The request of a head with its empty line. Raises BadRequestError."""
    start, _, rest = head.partition(b"\r\n")
    found = _REQUEST.fullmatch(start)
    if not found:
        raise BadRequestError("This is a proxy for HTTP/1.1, and that was no request.")
    method, target, version = found[1].decode(), found[2].decode(), found[3]
    try:
        host, port, path = _destination(method, target)
        headers = _headers(rest)
        framing_of_request(headers)
    except ValueError as error:
        why = f"{str(error)[:1].upper()}{str(error)[1:]}."
        raise BadRequestError(why, method=method, host=target[:200]) from None
    return Asked(method, host, port, path, version, headers)


def read_response(head: bytes) -> tuple[int, bytes, Headers]:
    """Status, first line and headers of an answer's head. Raises BadAnswerError."""
    start, _, rest = head.partition(b"\r\n")
    found = _RESPONSE.fullmatch(start)
    if not found:
        raise BadAnswerError("the answer is no HTTP")
    try:
        return int(found[1]), start, _headers(rest)
    except ValueError as error:
        raise BadAnswerError(str(error)) from None


def _destination(method: str, target: str) -> tuple[str, int, str]:
    if method == "CONNECT":
        host, port = split_host(target)
        if port is None:
            raise ValueError("CONNECT needs a host and a port, like finance.example:443")
        return host, port, ""
    found = _TARGET.fullmatch(target)
    if not found:
        raise ValueError(
            "This is a proxy: ask it for whole addresses, like http://finance.example/"
        )
    scheme, authority, path = found[1].lower(), found[2], found[3] or "/"
    if scheme == "https":
        raise ValueError("Ask for https addresses by CONNECT, as HTTP libraries do")
    if scheme != "http":
        raise ValueError("Only http and https addresses can be reached")
    if "@" in authority:
        raise ValueError("An address must not hold a user name; send it as a header")
    host, port = split_host(authority)
    return host, port or 80, path if path.startswith("/") else f"/{path}"


def _headers(rest: bytes) -> Headers:
    headers = []
    for line in rest.removesuffix(b"\r\n\r\n").split(b"\r\n"):
        found = _HEADER.fullmatch(line)
        if found:
            headers.append((found[1], found[2].rstrip(b" \t")))
        elif line:
            raise ValueError("A header is not written as HTTP/1.1 wants it")
    return headers


def end_to_end(headers: Headers) -> Headers:
    """Without those that concern one connection or the framing."""
    named = {
        name.strip().lower()
        for key, value in headers
        if key.lower() == b"connection"
        for name in value.split(b",")
    }
    return [(n, v) for n, v in headers if n.lower() not in _PER_HOP | named]


def framing_headers(headers: Headers) -> Headers:
    """What says how long the body is, once. ValueError where that can be read in two ways."""
    lengths = {v for n, v in headers if n.lower() == b"content-length"}
    codings = [v.lower() for n, v in headers if n.lower() == b"transfer-encoding"]
    if codings and (lengths or codings != [b"chunked"]):
        raise ValueError("the length of the body is not clear")
    if len(lengths) > 1 or not all(map(_LENGTH.fullmatch, lengths)):
        raise ValueError("the length of the body is not clear")
    if codings:
        return [(b"Transfer-Encoding", b"chunked")]
    return [(b"Content-Length", length) for length in lengths]


def framing_of_request(headers: Headers) -> Framing:
    """ValueError as above; without any header there is no body."""
    found = framing_headers(headers)
    if not found:
        return 0
    name, value = found[0]
    return int(value) if name == b"Content-Length" else "chunked"


def framing_of_response(method: str, status: int, headers: Headers) -> Framing:
    """ValueError as above; without any header the body ends with the connection."""
    if method == "HEAD" or status in (204, 304) or status < 200:
        return 0
    return framing_of_request(headers) if framing_headers(headers) else "rest"


def written(start: bytes, headers: Headers) -> bytes:
    """A head for a connection that ends after this request."""
    lines = [start, *(b"%s: %s" % header for header in headers), b"Connection: close"]
    return b"\r\n".join([*lines, b"", b""])


async def copy_body(framing: Framing, source: asyncio.StreamReader, send: Send) -> None:
    """EOFError where the body ends before its length, ValueError where its chunks are none."""
    if framing == "chunked":
        await _copy_chunks(source, send)
    else:
        await _copy(None if framing == "rest" else framing, source, send)


async def _copy(count: int | None, source: asyncio.StreamReader, send: Send) -> None:
    while count is None or count > 0:
        data = await source.read(CHUNK if count is None else min(CHUNK, count))
        if not data:
            if count is None:
                return
            raise EOFError("the body ended too early")
        count = None if count is None else count - len(data)
        await send(data)


async def _copy_chunks(source: asyncio.StreamReader, send: Send) -> None:
    while True:
        found = _SIZE.fullmatch(await _line(source))
        if not found:
            raise ValueError("a chunk has no size")
        size = int(found[1], 16)
        await send(b"%x\r\n" % size)
        if not size:
            break
        await _copy(size, source, send)
        if await _line(source) != b"\r\n":
            raise ValueError("a chunk is longer than its size")
        await send(b"\r\n")
    while await _line(source) != b"\r\n":
        pass  # trailers concern one hop, unless both ends have agreed on them
    await send(b"\r\n")


async def _line(source: asyncio.StreamReader) -> bytes:
    try:
        return await source.readuntil(b"\r\n")
    except asyncio.LimitOverrunError:
        raise ValueError("a line is too long") from None
