"""The proxy of boxes: tunnels, and whom TLS asks for in them."""

from __future__ import annotations

import asyncio
import os
import random
import ssl
from pathlib import Path

import pytest

from studio.runner.client_hello import NeedsMore, server_name
from studio.runner.proxy import NetworkRequest

from .proxying import (
    GOOD,
    Run,
    both_loops,
    certificate,
    echo,
    leads_to,
    proxied,
    server,
    tls_server,
    tunnel,
)


@both_loops
def test_a_tunnel_carries_both_ways_and_may_be_half_closed(run: Run, tmp_path: Path) -> None:
    async def test() -> None:
        async with server(echo) as port:
            given = {"names": GOOD, "connect": leads_to(port)}
            proxy = proxied(tmp_path, ("good.example",), **given)
            async with proxy as asker, tunnel(asker) as (reader, writer):
                sent = os.urandom(3_000_000)
                writer.write(b"!" + sent)  # no first byte of TLS
                writer.write_eof()  # and what was sent still comes back
                assert await reader.read(1) == b"!"
                assert await reader.readexactly(len(sent)) == sent
                assert await reader.read() == b""
            assert asker.told == [NetworkRequest("good.example", 443, "CONNECT", True, "")]

    run(test())


def test_a_server_may_speak_first(tmp_path: Path) -> None:
    async def greets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await writer.drain()
        await reader.read()

    async def test() -> None:
        async with server(greets) as port:
            given = {"names": GOOD, "connect": leads_to(port)}
            proxy = proxied(tmp_path, ("good.example",), **given)
            async with proxy as asker, tunnel(asker) as (reader, _):
                assert await reader.readline() == b"220 hello\r\n"

    asyncio.run(test())


@both_loops
@pytest.mark.parametrize(
    ("asked", "passes"),
    [("good.example", True), ("GOOD.example", True), (None, True), ("other.example", False)],
)
def test_tls_in_a_tunnel_asks_for_the_host_of_the_tunnel(
    run: Run, tmp_path: Path, asked: str | None, passes: bool
) -> None:
    """Else a host that is allowed and another one behind the same address could be told apart by
    nobody but the server (domain fronting)."""

    async def test() -> None:
        crt, key = certificate(tmp_path, "good.example", "other.example")
        trusting = ssl.create_default_context(cafile=str(crt))
        if asked is None:
            trusting.check_hostname = False
        async with server(echo, tls=tls_server(crt, key)) as port:
            given = {"names": GOOD, "connect": leads_to(port)}
            proxy = proxied(tmp_path, ("good.example",), **given)
            async with proxy as asker, tunnel(asker) as (_, writer):
                joined = writer.start_tls(trusting, server_hostname=asked or "")
                if passes:
                    await joined
                    writer.write(b"hello")
                else:
                    with pytest.raises(OSError):  # noqa: PT011
                        await joined
        refused = [told for told in asker.told if not told.allowed]
        assert [told.host for told in refused] == ([] if passes else ["other.example"])

    run(test())


def _client_hello(name: str | None) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname = False
    sent = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname=name).do_handshake()
    return sent.read()


def test_a_first_message_is_read_however_it_is_cut() -> None:
    hello = _client_hello("a.good.example")
    for end in range(1, len(hello)):
        with pytest.raises(NeedsMore):
            server_name(hello[:end])
    assert server_name(hello) == "a.good.example"
    assert server_name(hello + b"more") == "a.good.example"
    body = hello[5:]
    pieces = [body[i : i + 7] for i in range(0, len(body), 7)]
    cut = b"".join(hello[:3] + len(p).to_bytes(2) + p for p in pieces)
    assert server_name(cut) == "a.good.example"
    assert server_name(_client_hello(None)) == ""
    assert server_name(b"GET / HTTP/1.1\r\n") == ""


def test_a_broken_first_message_is_a_value_error_and_nothing_else() -> None:
    hello = _client_hello("a.good.example")
    chance = random.Random(7)
    outcomes = set()
    for _ in range(5_000):
        broken = bytearray(hello)
        for _ in range(chance.randint(1, 4)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        try:
            outcomes.add(type(server_name(bytes(broken))))
        except (ValueError, NeedsMore) as error:
            outcomes.add(type(error))
    assert {str, ValueError, NeedsMore} <= outcomes
    with pytest.raises(ValueError, match="too long"):
        server_name((b"\x16\x03\x01\x40\x00" + b"\x01\xff\xff\xff" + b"\0" * 16_380) * 5)
