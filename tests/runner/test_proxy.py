"""The proxy of boxes: what is refused (SECURITY R23), and that nothing is reached by it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from studio.config import Settings
from studio.runner.proxy import NetworkRequest, Proxy

from .proxying import (
    PUBLIC,
    Asker,
    canary,
    leads_to,
    parsed,
    proxied,
)

NAMES = {
    "localhost": ["127.0.0.1", "::1"],
    "inside.example": ["127.0.0.1"],
    "mixed.example": [PUBLIC, "10.0.0.1"],
    "six.example": ["2606:4700::1111", "::1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "nat64.example": ["64:ff9b::7f00:1"],
    "sixtofour.example": ["2002:7f00:1::"],
    "compatible.example": ["::127.0.0.1"],
    "local-nat64.example": ["64:ff9b:1::7f00:1"],
    "unique.example": ["fd12:3456::1"],
    "shared.example": ["100.64.0.1"],
    "protocol.example": ["192.0.0.8"],
    "teredo.example": ["2001:0:4136:e378:8000:63bf:3fff:fdd2"],
    "metadata.example": ["169.254.169.254"],
    "metadata6.example": ["fd00:ec2::254"],
    "azure.example": ["168.63.129.16"],
    "multicast.example": ["224.0.0.1"],
}
PRIVATE, NEVER = "private network", "link-local or reserved"
IN_FULL = "Write an IPv4 address in full"
LITERALS = {
    "127.0.0.1": PRIVATE, "[::1]": PRIVATE, "10.0.0.1": PRIVATE, "192.168.1.1": PRIVATE,
    "[::ffff:127.0.0.1]": PRIVATE, "[64:ff9b::7f00:1]": PRIVATE, "[2002:7f00:1::]": PRIVATE,
    "0.0.0.0": NEVER, "[::]": NEVER, "169.254.169.254": NEVER, "[fe80::1]": NEVER,
    "[::ffff:169.254.169.254]": NEVER, "[64:ff9b::a9fe:a9fe]": NEVER,
}  # fmt: skip
BAD_NAMES = {
    "2130706433": IN_FULL, "0x7f000001": IN_FULL, "127.1": IN_FULL, "0177.0.0.1": IN_FULL,
    "[fe80::1%25eth0]": "zone", "[::1": "host name", "a..b": "host name",
    "%6cocalhost": "host name", "a-.b": "host name", "l\u00f6calhost": "no request",
}  # fmt: skip


def judged_by_address() -> list[tuple[str, str]]:
    names = dict.fromkeys(NAMES, PRIVATE)
    names |= dict.fromkeys(("metadata.example", "metadata6.example", "azure.example"), NEVER)
    names |= {"multicast.example": NEVER, "LOCALHOST": PRIVATE, "localhost.": PRIVATE}
    return list((names | LITERALS).items())


@pytest.mark.parametrize(("host", "why"), judged_by_address())
def test_what_is_private_is_refused_though_its_name_is_allowed(
    tmp_path: Path, host: str, why: str
) -> None:
    async def test() -> None:
        usual = host.lower().removesuffix(".")
        async with canary() as served:
            for network, port in (("open", 80), ((f"{usual}:{served.port}",), served.port)):
                async with proxied(tmp_path, network, names=NAMES, open_network=True) as asker:
                    said = [
                        await asker.get(f"http://{host}:{port}/"),
                        await asker.connect(f"{host}:{port}"),
                    ]
                assert [(t.port, t.allowed) for t in asker.told] == [(port, False)] * 2
                assert [(403, f"{t.reason}\n") for t in asker.told] == said
                assert all(why in body for _, body in said)
        assert served.heads == []

    asyncio.run(test())


@pytest.mark.parametrize(("host", "why"), BAD_NAMES.items())
def test_what_is_no_plain_name_is_refused(tmp_path: Path, host: str, why: str) -> None:
    async def test() -> None:
        async with proxied(tmp_path, "open", names={host: [PUBLIC]}, open_network=True) as asker:
            assert (await asker.get(f"http://{host}/"))[0] == 400
            status, body = await asker.connect(f"{host}:443")
        assert status == 400
        assert why in body
        assert not any(told.allowed for told in asker.told)

    asyncio.run(test())


@pytest.mark.parametrize(
    ("sent", "status", "why"),
    [
        ("GET file:///etc/passwd HTTP/1.1", 400, "Only http and https"),
        ("GET ftp://good.example/ HTTP/1.1", 400, "Only http and https"),
        ("GET gopher://127.0.0.1:{port}/_x HTTP/1.1", 400, "Only http and https"),
        ("GET https://good.example/ HTTP/1.1", 400, "CONNECT"),
        ("GET / HTTP/1.1", 400, "whole addresses"),
        ("GET //good.example/ HTTP/1.1", 400, "whole addresses"),
        ("GET http://good.example@127.0.0.1:{port}/ HTTP/1.1", 400, "user name"),
        ("GET http://127.0.0.1:{port}@good.example/ HTTP/1.1", 400, "user name"),
        ("GET http://good.example\\@127.0.0.1:{port}/ HTTP/1.1", 400, "whole addresses"),
        ("GET http://good.example#@127.0.0.1:{port}/ HTTP/1.1", 400, "whole addresses"),
        ("GET http://good.example:80:80/ HTTP/1.1", 400, "square brackets"),
        ("GET http://good.example:0/ HTTP/1.1", 400, "port from 1"),
        ("GET http://good.example:99999/ HTTP/1.1", 400, "port from 1"),
        ("GET http:///x HTTP/1.1", 400, "host name"),
        ("GET http://good.example\r\n.127.0.0.1/ HTTP/1.1", 400, "no request"),
        ("GET http://good.example/ HTTP/1.1\nHost: x", 400, "no request"),
        ("GET http://good.example/ HTTP/2", 400, "no request"),
        ("CONNECT good.example HTTP/1.1", 400, "a port"),
        ("CONNECT http://good.example:80/ HTTP/1.1", 400, "host name"),
        ("CONNECT good.example@127.0.0.1:{port} HTTP/1.1", 400, "host name"),
        ("GET http://good.example/ HTTP/1.1\r\nA: b\r\n c: d", 400, "header"),
        ("GET http://good.example/ HTTP/1.1\r\nA : b", 400, "header"),
        ("GET http://good.example/ HTTP/1.1\r\nA: b\0c", 400, "header"),
        ("POST http://good.example/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2", 400, "le"),
        ("POST http://good.example/ HTTP/1.1\r\nContent-Length: -1", 400, "length"),
        ("POST http://good.example/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3",
         400, "length"),
        ("POST http://good.example/ HTTP/1.1\r\nTransfer-Encoding: gzip, chunked", 400, "length"),
        ("GET http://good.example/" + "a" * 70_000 + " HTTP/1.1", 431, "65536 bytes"),
        ("GET http://good.example/ HTTP/1.1\r\n" + "A: b\r\n" * 20_000, 431, "65536 bytes"),
    ],
)  # fmt: skip
def test_a_request_that_can_be_read_in_two_ways_is_refused(
    tmp_path: Path, sent: str, status: int, why: str
) -> None:
    async def test() -> None:
        async with canary() as served:
            names = {"good.example": [PUBLIC]}
            asked: list[tuple[str, int]] = []
            connect = leads_to(served.port, asked)
            async with proxied(tmp_path, ("good.example",), names=names, connect=connect) as asker:
                line = sent.replace("{port}", str(served.port))
                answer = await asker.ask(f"{line}\r\n\r\n".encode("latin-1"))
            assert parsed(answer)[0] == status
            assert why in parsed(answer)[1]
            assert (served.heads, asked) == ([], [])
            assert not any(told.allowed for told in asker.told)

    asyncio.run(test())


@pytest.mark.parametrize(
    ("network", "target", "why"),
    [
        (
            ("good.example",),
            "other.example:443",
            "not among the hosts this code may reach: good.ex",
        ),
        (("good.example",), "sub.good.example:443", "not among the hosts"),
        (("*.good.example",), "good.example:443", "not among the hosts"),
        (("*.good.example",), "evilgood.example:443", "not among the hosts"),
        (("good.example",), "good.example:22", "Add good.example:22 to the network setting"),
        (("good.example:8080",), "good.example:443", "Add good.example:443 to"),
        ((), "good.example:443", "may reach: none"),
        (tuple(f"h{i}.example" for i in range(9)), "good.example:443", "h4.example and 4 more"),
        ("none", "good.example:443", "has no network"),
        ("open", "good.example:22", "ports 80 and 443"),
    ],
)
def test_a_host_outside_the_policy_is_refused_and_never_looked_up(
    tmp_path: Path, network: Any, target: str, why: str
) -> None:
    async def test() -> None:
        asked: list[tuple[str, int]] = []

        async def resolve(host: str, port: int) -> list[Any]:
            asked.append((host, port))
            return []

        asker = Asker(tmp_path)
        settings = Settings(home=tmp_path, open_network=True)
        async with Proxy(settings, network, asker.told.append, resolve=resolve).serving(tmp_path):
            status, body = await asker.connect(target)
        assert status == 403
        assert why in body
        assert asked == []
        host, _, port = target.partition(":")
        assert asker.told == [NetworkRequest(host, int(port), "CONNECT", False, body.strip())]

    asyncio.run(test())


def test_an_open_network_needs_the_owner(tmp_path: Path) -> None:
    async def test() -> None:
        async with proxied(tmp_path, "open", names={"good.example": [PUBLIC]}) as asker:
            status, body = await asker.get("http://good.example/")
        assert status == 403
        assert "STUDIO_OPEN_NETWORK" in body

    asyncio.run(test())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_an_open_network_leads_nowhere_private_though_models_live_there(
    tmp_path: Path, host: str
) -> None:
    async def test() -> None:
        names = {"localhost": ["127.0.0.1"]}
        given = {"open_network": True, "allowed_hosts": "localhost,127.0.0.1,[::1]"}
        async with proxied(tmp_path, "open", names=names, **given) as asker:
            status, body = await asker.get(f"http://{host}/")
        assert status == 403
        assert PRIVATE in body

    asyncio.run(test())


@pytest.mark.parametrize("host", ["metadata.example", "169.254.169.254", "[fe80::1]", "0.0.0.0"])
def test_nobody_can_allow_metadata_and_link_local(tmp_path: Path, host: str) -> None:
    async def test() -> None:
        given = {"names": NAMES, "allowed_hosts": host}
        async with proxied(tmp_path, (host,), **given) as asker:
            status, body = await asker.get(f"http://{host}/")
        assert status == 403
        assert NEVER in body

    asyncio.run(test())
