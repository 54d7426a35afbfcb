"""A proxy of a box under test, the servers it may lead to, and a program that speaks to it."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from studio.config import Settings
from studio.engine.execution.box import NETWORK_SOCKET
from studio.runner.proxy import Connect, Network, NetworkRequest, Proxy, ProxyLimits

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PUBLIC = "203.0.114.7"  # an address that everybody may reach; nothing here connects to it
GOOD = {"good.example": [PUBLIC]}
TUNNEL = b"CONNECT good.example:443 HTTP/1.1\r\n\r\n"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


Run = Callable[[Coroutine[Any, Any, None]], None]


def _run_in(factory: Callable[[], asyncio.AbstractEventLoop]) -> Run:
    def run(test: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(asyncio.wait_for(test, 60))

    return run


both_loops = pytest.mark.parametrize(  # that a studio may live in
    "run", [_run_in(asyncio.new_event_loop), _run_in(uvloop.new_event_loop)], ids=["own", "uvloop"]
)


@dataclass
class Asker:
    """What a program does that knows where the socket is."""

    work_dir: Path
    told: list[NetworkRequest] = field(default_factory=list)

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(str(self.work_dir / NETWORK_SOCKET))

    async def ask(self, sent: bytes) -> bytes:
        """What comes back until the proxy ends the connection."""
        reader, writer = await self.open()
        try:
            writer.write(sent)
            return await reader.read()
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def get(self, url: str, *headers: str) -> tuple[int, str]:
        head = "".join(f"{line}\r\n" for line in (f"GET {url} HTTP/1.1", "Host: x", *headers))
        return parsed(await self.ask(f"{head}\r\n".encode("latin-1")))

    async def connect(self, target: str) -> tuple[int, str]:
        return parsed(await self.ask(f"CONNECT {target} HTTP/1.1\r\n\r\n".encode("latin-1")))


def parsed(answer: bytes) -> tuple[int, str]:
    """Status and body; (0, "") for a connection that just ended."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return (int(head.split()[1]), body.decode()) if head else (0, "")


@asynccontextmanager
async def proxied(
    home: Path,
    network: Network,
    *,
    names: dict[str, list[str]] | None = None,
    connect: Connect | None = None,
    limits: ProxyLimits | None = None,
    **settings: Any,
) -> AsyncIterator[Asker]:
    """A proxy in home/work. `names` is all that is found when names are looked up.

    At the end nothing of it may be left: no socket, no task. A server of the tests hears of the end
    when the kernel has told it, which may be later.
    """
    given = names or {}

    async def resolve(host: str, port: int) -> list[Any]:
        return [ipaddress.ip_address(address) for address in given.get(host, ())]

    asker = Asker(home / "work")
    asker.work_dir.mkdir(mode=0o700, exist_ok=True)
    before = asyncio.all_tasks()
    proxy = Proxy(
        Settings(home=home, **settings), network, asker.told.append, resolve=resolve,
        limits=limits, **({"connect": connect} if connect else {}),
    )  # fmt: skip
    async with proxy.serving(asker.work_dir):
        yield asker
    assert not (asker.work_dir / NETWORK_SOCKET).exists()
    assert asyncio.all_tasks() - _served() <= before


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


@asynccontextmanager
async def tunnel(asker: Asker) -> AsyncIterator[Any]:
    """A tunnel that stands, as reader and writer."""
    reader, writer = await asker.open()
    try:
        writer.write(TUNNEL)
        assert await reader.readexactly(len(ESTABLISHED)) == ESTABLISHED
        yield reader, writer
    finally:
        writer.transport.abort()


@dataclass
class Served:
    """A server of the tests: its port, and what it has been sent, one item a connection."""

    port: int = 0
    heads: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def server(handler: Handler, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serves connections on 127.0.0.1, each to its end; gives the port."""
    listening = await asyncio.start_server(partial(_serve, handler), "127.0.0.1", 0, ssl=tls)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        await listening.wait_closed()
        if left := _served():
            await asyncio.wait(left, timeout=10)


async def _serve(
    handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    with suppress(OSError, EOFError):
        await handler(reader, writer)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def _served() -> set[asyncio.Task[Any]]:
    """The connections to servers of the tests that have not ended."""
    tasks = asyncio.all_tasks()
    return {task for task in tasks if getattr(task.get_coro(), "cr_code", None) is _serve.__code__}


@asynccontextmanager
async def canary(answer: bytes = b"hello", status: str = "200 OK", *extra: str) -> Any:
    """An HTTP server that always says the same."""
    served = Served()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.heads.append(b"")
        served.heads[-1] = await reader.readuntil(b"\r\n\r\n")
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(answer)}", *extra, "", ""]
        writer.write("\r\n".join(lines).encode() + answer)
        await writer.drain()

    async with server(handler) as served.port:
        yield served


def leads_to(port: int, asked: list[tuple[str, int]] | None = None) -> Connect:
    """Connects to a server of the tests, whatever address was judged to be good; keeps those."""

    async def connect(address: Any, wanted: int) -> Any:
        if asked is not None:
            asked.append((str(address), wanted))
        return await asyncio.open_connection("127.0.0.1", port)

    return connect


def certificate(folder: Path, *names: str) -> tuple[Path, Path]:
    """A certificate that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(map(x509.DNSName, names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    crt, pem = folder / "tls.crt", folder / "tls.key"
    crt.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return crt, pem


def tls_server(crt: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    return context
