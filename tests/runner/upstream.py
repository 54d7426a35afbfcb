"""A stand-in for the web: one server that is every host, by http and by https with a CA of its own.

What a test sees is the real way out of a box: relay, proxy, judgement by name and by address. Only
the last step is led here, from the address that a host is said to have to this server.
"""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PUBLIC = ipaddress.ip_address("93.184.215.14")


@dataclass(frozen=True)
class Asked:
    """One request: `query` has each name once."""

    method: str
    host: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    body: bytes
    kind: str = "application/json"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Answering = Callable[[Asked], Reply]


class Upstream:
    """`asked` holds what was asked; `ca` is the file that makes a program trust it."""

    def __init__(self, folder: Path, answering: Answering, hosts: tuple[str, ...]) -> None:
        self.answering, self.asked = answering, list[Asked]()
        self.ca = folder / "ca.pem"
        chain = folder / "server.pem"
        _make_certificates(self.ca, chain, hosts)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        self._servers = [self._server(None), self._server(context)]
        self.ports = {80: self._servers[0].server_port, 443: self._servers[1].server_port}
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def _server(self, context: ssl.SSLContext | None) -> ThreadingHTTPServer:
        server = _Server(("127.0.0.1", 0), _Handler)
        server.upstream = self
        if context is not None:
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        return server

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    # -- for the proxy of a box

    async def resolve(self, host: str, port: int) -> list[Any]:
        return [PUBLIC]

    async def connect(self, address: Any, port: int) -> Any:
        assert address == PUBLIC
        return await asyncio.open_connection("127.0.0.1", self.ports[port], limit=1 << 20)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    upstream: Upstream

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust us hangs up: nothing to tell."""


class _Handler(BaseHTTPRequestHandler):
    timeout = 10

    def _answer(self) -> None:
        upstream: Upstream = self.server.upstream  # type: ignore[attr-defined]
        parts = urlsplit(self.path)
        asked = Asked(
            self.command,
            self.headers["host"].partition(":")[0],
            parts.path,
            {k: v[0] for k, v in parse_qs(parts.query, keep_blank_values=True).items()},
            {k.lower(): v for k, v in self.headers.items()},
            self.rfile.read(int(self.headers.get("content-length") or 0)),
        )
        upstream.asked.append(asked)
        reply = upstream.answering(asked)
        self.send_response(reply.status)
        for name, value in {"content-type": reply.kind, **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    do_GET = do_POST = _answer  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@contextmanager
def upstream(folder: Path, answering: Answering, *hosts: str) -> Iterator[Upstream]:
    server = Upstream(folder, answering, hosts)
    try:
        yield server
    finally:
        server.close()


def _make_certificates(ca_file: Path, chain_file: Path, hosts: tuple[str, ...]) -> None:
    """A CA, and a server's certificate for these hosts, as strict clients want them."""
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = _certificate("Test CA", ca_key, "Test CA", ca_key, ())
    leaf = _certificate("server", key, "Test CA", ca_key, hosts)
    pem = serialization.Encoding.PEM
    ca_file.write_bytes(ca.public_bytes(pem))
    chain_file.write_bytes(
        key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ) + leaf.public_bytes(pem)
    )  # fmt: skip


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    hosts: tuple[str, ...],
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    is_ca = not hosts
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
         "encipher_only", "decipher_only"), False
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not is_ca, key_cert_sign=is_ca, crl_sign=is_ca, **usage
            ), critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )  # fmt: skip
    if hosts:
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
