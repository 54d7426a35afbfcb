"""The proxy of boxes: what is passed on, to whom, and how."""

from __future__ import annotations

import asyncio
import ipaddress
from pathlib import Path
from typing import Any

import pytest

from studio.config import Settings
from studio.runner.proxy import NetworkRequest, Proxy

from .proxying import (
    PUBLIC,
    Asker,
    Run,
    both_loops,
    canary,
    leads_to,
    proxied,
    server,
)


@both_loops
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "finance.example"])
def test_a_private_host_needs_the_administrator_and_the_policy(
    run: Run, tmp_path: Path, host: str
) -> None:
    async def test() -> None:
        async with canary() as served:
            names = {n: ["127.0.0.1"] for n in ("localhost", "finance.example")}
            given = {"names": names, "allowed_hosts": host.upper()}
            async with proxied(tmp_path, (f"{host}:{served.port}",), **given) as asker:
                answer = await asker.get(f"http://{host}:{served.port}/a?b=c")
            assert answer == (200, "hello")
            assert asker.told == [NetworkRequest(host, served.port, "GET", True, "")]
            assert served.heads[0].startswith(b"GET /a?b=c HTTP/1.1\r\n")
            async with proxied(tmp_path, ("other.example",), **given) as asker:
                assert (await asker.get(f"http://{host}:{served.port}/"))[0] == 403
            assert len(served.heads) == 1

    run(test())


@both_loops
def test_names_are_looked_up_as_this_machine_does(run: Run, tmp_path: Path) -> None:
    async def test() -> None:
        async with canary() as served:
            told: list[NetworkRequest] = []
            here = f"localhost:{served.port}"
            for allowed, status in (("localhost", 200), ("", 403)):
                settings = Settings(home=tmp_path, allowed_hosts=allowed)
                async with Proxy(settings, (here,), told.append).serving(tmp_path):
                    assert (await Asker(tmp_path).get(f"http://{here}/"))[0] == status
        assert [request.allowed for request in told] == [True, False]
        assert len(served.heads) == 1

    run(test())


def test_the_connection_goes_to_the_address_that_was_judged(tmp_path: Path) -> None:
    """A second look-up, with another answer, would be how a name server gets around the guard."""

    async def test() -> None:
        async with canary() as served:
            answers = iter([[PUBLIC, "2606:4700::1111"], ["127.0.0.1"]])
            looked: list[str] = []
            asked: list[tuple[str, int]] = []

            async def resolve(host: str, port: int) -> list[Any]:
                looked.append(host)
                return [ipaddress.ip_address(a) for a in next(answers)]

            asker = Asker(tmp_path)
            proxy = Proxy(
                Settings(home=tmp_path), ("*.good.example",), asker.told.append,
                resolve=resolve, connect=leads_to(served.port, asked),
            )  # fmt: skip
            async with proxy.serving(tmp_path):
                assert await asker.get("http://a.Good.Example./") == (200, "hello")
                assert looked == ["a.good.example"]
                assert asked == [(PUBLIC, 80)]
                assert (await asker.get("http://a.good.example/"))[0] == 403
            assert asked == [(PUBLIC, 80)]

    asyncio.run(test())


def test_the_next_address_is_tried_when_one_does_not_answer(tmp_path: Path) -> None:
    async def test() -> None:
        async with canary() as served:
            good = leads_to(served.port)

            async def connect(address: Any, port: int) -> Any:
                if address.version == 6:
                    raise OSError(101, "Network is unreachable")
                return await good(address, port)

            names = {"good.example": ["2606:4700::1111", PUBLIC], "six.example": ["2606:4700::1"]}
            given = {"names": names, "connect": connect}
            async with proxied(tmp_path, ("good.example", "six.example"), **given) as asker:
                assert await asker.get("http://good.example/") == (200, "hello")
                status, body = await asker.get("http://six.example/")
            assert status == 502
            assert body == "six.example does not answer at port 80: Network is unreachable.\n"
            assert asker.told[1] == NetworkRequest("six.example", 80, "GET", True, body.strip())

    asyncio.run(test())


def test_a_redirect_is_a_request_of_its_own(tmp_path: Path) -> None:
    async def test() -> None:
        async with canary() as inside:
            there = f"http://127.0.0.1:{inside.port}/"
            async with canary(b"", "302 Found", f"Location: {there}") as served:
                names = {"good.example": [PUBLIC]}
                given = {"names": names, "connect": leads_to(served.port)}
                async with proxied(tmp_path, ("good.example",), **given) as asker:
                    answer = await asker.ask(b"GET http://good.example/ HTTP/1.1\r\n\r\n")
                    assert b"302 Found" in answer
                    assert there.encode() in answer
                    assert (await asker.get(there))[0] == 403
            assert inside.heads == []

    asyncio.run(test())


def test_headers_of_one_hop_stay_behind(tmp_path: Path) -> None:
    async def test() -> None:
        extra = ("Connection: X-Secret", "X-Secret: 1", "Keep-Alive: x", "Set-Cookie: a", "X-A: b")
        async with canary(b"hello", "200 OK", *extra) as served:
            given = {"names": {"good.example": [PUBLIC]}, "connect": leads_to(served.port)}
            async with proxied(tmp_path, ("good.example",), **given) as asker:
                answer = await asker.ask(
                    b"GET http://good.example/ HTTP/1.1\r\nHost: evil.example\r\nX-B: c\r\n"
                    b"Proxy-Authorization: x\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\n"
                    b"Connection: Keep-Alive, X-Hop\r\nX-Hop: 1\r\nUpgrade: h2c\r\n\r\n"
                    b"GET http://second.example/ HTTP/1.1\r\n\r\n"
                )
            assert served.heads == [
                b"GET / HTTP/1.1\r\nHost: good.example\r\nX-B: c\r\nConnection: close\r\n\r\n"
            ]
            assert answer == (
                b"HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nX-A: b\r\nContent-Length: 5\r\n"
                b"Connection: close\r\n\r\nhello"
            )

    asyncio.run(test())


@both_loops
@pytest.mark.parametrize(
    ("framing", "body"),
    [
        ("Content-Length: 300000", b"x" * 300_000),
        (
            "Transfer-Encoding: chunked",
            b"3;a=b\r\nabc\r\n" + b"10\r\n" + b"y" * 16 + b"\r\n0\r\n\r\n",
        ),
        ("Content-Length: 0", b""),
    ],
    ids=["length", "chunked", "empty"],
)
def test_bodies_arrive_whole_both_ways(run: Run, tmp_path: Path, framing: str, body: bytes) -> None:
    async def test() -> None:
        heard: list[bytes] = []

        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            expected = body.replace(b";a=b", b"")
            heard.append(await reader.readexactly(len(expected)))
            writer.write(f"HTTP/1.1 201 Made\r\n{framing}\r\n\r\n".encode() + expected)
            await writer.drain()

        async with server(echo) as port:
            given = {"names": {"good.example": [PUBLIC]}, "connect": leads_to(port)}
            async with proxied(tmp_path, ("good.example",), **given) as asker:
                answer = await asker.ask(
                    f"POST http://good.example/ HTTP/1.1\r\n{framing}\r\n"
                    "Expect: 100-continue\r\n\r\n".encode()
                    + body
                )
        expected = body.replace(b";a=b", b"")
        assert framing.encode() in heard[0]
        assert heard[1] == expected
        first, _, rest = answer.partition(b"\r\n\r\n")
        assert first.startswith(b"HTTP/1.1 100 Continue")
        head, _, got = rest.partition(b"\r\n\r\n")
        assert framing.encode() in head
        assert got == expected

    run(test())


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
def test_an_answer_may_end_with_its_connection_or_have_no_body(
    tmp_path: Path, answer: bytes, seen: bytes
) -> None:
    async def test() -> None:
        async with server(_says(answer)) as port:
            given = {"names": {"good.example": [PUBLIC]}, "connect": leads_to(port)}
            async with proxied(tmp_path, ("good.example",), **given) as asker:
                got = await asker.ask(b"GET http://good.example/ HTTP/1.1\r\n\r\n")
        assert got.partition(b"\r\n\r\n")[2] == seen
        assert got.split(b"\r\n")[0] == answer.split(b"\r\n")[0]

    asyncio.run(test())


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"HTTP/1.1 200 OK\r\nA", b"SSH-2.0-OpenSSH\r\n\r\n", b"\0" * 100_000,
        b"HTTP/1.1 200 OK\r\nno header\r\n\r\n", b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)  # fmt: skip
def test_an_answer_that_is_no_http_is_said_in_words(tmp_path: Path, answer: bytes) -> None:
    async def test() -> None:
        async with server(_says(answer)) as port:
            given = {"names": {"good.example": [PUBLIC]}, "connect": leads_to(port)}
            async with proxied(tmp_path, ("good.example",), **given) as asker:
                status, body = await asker.get("http://good.example/")
        assert status == 502
        assert body.startswith("good.example did not answer as HTTP does: ")

    asyncio.run(test())


def _says(answer: bytes) -> Any:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return handler


def test_a_name_that_is_not_found_is_said(tmp_path: Path) -> None:
    async def test() -> None:
        async with proxied(tmp_path, ("gone.example",)) as asker:
            status, body = await asker.get("http://gone.example/")
        assert (status, body) == (502, "gone.example was not found: is its name right?\n")

    asyncio.run(test())
