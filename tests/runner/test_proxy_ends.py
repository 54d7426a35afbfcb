"""The proxy of boxes: whatever a program does, all of it has an end."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from studio.config import Settings
from studio.engine.errors import SandboxError
from studio.engine.execution.box import NETWORK_SOCKET
from studio.runner.proxy import NetworkRequest, Proxy, ProxyLimits

from .proxying import (
    ESTABLISHED,
    GOOD,
    TUNNEL,
    Asker,
    Run,
    both_loops,
    canary,
    leads_to,
    parsed,
    proxied,
    server,
    silent,
    tunnel,
)


def test_what_comes_too_slowly_ends(tmp_path: Path) -> None:
    async def test() -> None:
        limits = ProxyLimits(head=0.2)
        async with proxied(tmp_path, ("good.example",), limits=limits) as asker:
            reader, writer = await asker.open()
            writer.write(b"GET http://good.example/ HTT")
            async with asyncio.timeout(10):
                status, body = parsed(await reader.read())
            writer.close()
        assert (status, body) == (408, "The request did not arrive in time.\n")

    asyncio.run(test())


@pytest.mark.parametrize("is_tunnel", [True, False])
def test_what_does_not_move_ends(tmp_path: Path, is_tunnel: bool) -> None:
    async def test() -> None:
        async with server(silent) as port:
            given = {"names": GOOD, "connect": leads_to(port), "limits": ProxyLimits(idle=0.2)}
            async with proxied(tmp_path, ("good.example",), **given) as asker:
                sent = TUNNEL if is_tunnel else b"GET http://good.example/ HTTP/1.1\r\n\r\n"
                async with asyncio.timeout(10):
                    answer = await asker.ask(sent)
        if is_tunnel:
            assert answer == ESTABLISHED
        else:
            assert parsed(answer) == (504, "good.example did not answer in time.\n")

    asyncio.run(test())


def test_a_host_that_cannot_be_reached_in_time_is_said(tmp_path: Path) -> None:
    async def test() -> None:
        async def connect(address: Any, port: int) -> Any:
            await asyncio.Event().wait()

        given = {"names": GOOD, "connect": connect, "limits": ProxyLimits(connect=0.1)}
        async with proxied(tmp_path, ("good.example",), **given) as asker:
            answer = await asker.get("http://good.example/")
        assert answer == (504, "good.example could not be reached in time.\n")

    asyncio.run(test())


@both_loops
def test_a_job_has_so_many_bytes_and_requests(run: Run, tmp_path: Path) -> None:
    async def test() -> None:
        async with canary(b"x" * 50_000) as served:
            limits = ProxyLimits(traffic=80_000, requests=4)
            given = {"names": GOOD, "connect": leads_to(served.port), "limits": limits}
            async with proxied(tmp_path, ("good.example",), **given) as asker:
                assert (await asker.get("http://good.example/"))[0] == 200
                whole = await asker.ask(b"GET http://good.example/ HTTP/1.1\r\n\r\n")
                assert len(whole) < 50_000
                status, body = await asker.get("http://good.example/")
                assert (status, body) == (
                    403, "A job may move 80000 bytes over the network, no more.\n",
                )  # fmt: skip
                await asker.get("http://good.example/")
                for _ in range(3):
                    status, body = await asker.get("http://good.example/")
                    assert (status, body) == (429, "A job may make 4 requests, no more.\n")
            allowed = [told.allowed for told in asker.told]
            assert allowed == [True, True, False, False, False, False]
            assert asker.told[-1].reason == "A job may make 4 requests, no more."

    run(test())


@pytest.mark.parametrize("seed", range(3))
def test_garbage_is_answered_or_ended(tmp_path: Path, seed: int) -> None:
    async def test() -> None:
        chance = random.Random(seed)
        async with proxied(tmp_path, ("good.example",), limits=ProxyLimits(head=0.05)) as asker:
            for _ in range(60):
                answer = await asker.ask(chance.randbytes(chance.choice((1, 10, 5_000, 200_000))))
                assert parsed(answer)[0] in (0, 400, 408, 431)
        assert asker.told == []
        many = [chance.randbytes(50) + b"\r\n\r\n" for _ in range(100)]
        async with proxied(tmp_path, ("good.example",)) as asker:
            answers = await asyncio.gather(*map(asker.ask, many))
            assert {parsed(a)[0] for a in answers} == {400}
        assert asker.told == []

    asyncio.run(test())


@both_loops
def test_more_connections_than_there_may_be_wait_their_turn(run: Run, tmp_path: Path) -> None:
    async def test() -> None:
        most, now = 0, 0
        full = asyncio.Event()

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal most, now
            now += 1
            most = max(most, now)
            if now == 50:
                full.set()
            await full.wait()  # nobody is answered before the house is full
            await reader.readuntil(b"\r\n\r\n")
            now -= 1
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()

        async with server(handler) as port:
            given = {"names": GOOD, "connect": leads_to(port)}
            async with proxied(tmp_path, ("good.example",), **given) as asker:
                gets = (asker.get("http://good.example/") for _ in range(100))
                assert await asyncio.gather(*gets) == [(200, "ok")] * 100
        assert most == 50
        assert len(asker.told) == 100

    run(test())


@both_loops
def test_everything_ends_with_the_job(run: Run, tmp_path: Path) -> None:
    """A cancelled job has tunnels, requests and heads open; `proxied` looks for what is left."""

    async def test() -> None:
        hanging = asyncio.Event()

        async def connect(address: Any, port: int) -> Any:
            if port == 80:
                hanging.set()
                await asyncio.Event().wait()
            return await asyncio.open_connection("127.0.0.1", served)

        stands = asyncio.Event()

        async def job() -> None:
            given = {"names": GOOD, "connect": connect}
            async with proxied(tmp_path, ("good.example",), **given) as asker:
                opened.append(asker)
                async with tunnel(asker) as (_, writer):
                    writers = [(await asker.open())[1] for _ in range(3)]
                    writers[0].write(b"GET http://good.example/ HTTP/1.1\r\n\r\n")
                    writers[1].write(b"GET http")
                    writer.write(b"half of what it wants to say")
                    await hanging.wait()
                    stands.set()
                    try:
                        await asyncio.Event().wait()
                    finally:
                        for one in writers:
                            one.transport.abort()

        opened: list[Asker] = []
        async with server(silent) as served:
            running = asyncio.create_task(job())
            await stands.wait()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
        assert not (opened[0].work_dir / NETWORK_SOCKET).exists()
        assert sorted((t.port, t.reason) for t in opened[0].told) == [
            (80, "The job ended before the host was reached."), (443, ""),
        ]  # fmt: skip

    run(test())
    gc.collect()  # what was not closed says so now


# -- the socket in the folder


def _nothing(request: NetworkRequest) -> None: ...


def _serving(tmp_path: Path, work_dir: Path) -> Any:
    return Proxy(Settings(home=tmp_path), ("good.example",), _nothing).serving(work_dir)


def test_a_folder_with_a_long_name_will_do(tmp_path: Path) -> None:
    async def test() -> None:
        work_dir = tmp_path / ("d" * 120) / ("e" * 120)
        work_dir.mkdir(parents=True)
        async with _serving(tmp_path, work_dir):
            found = (work_dir / NETWORK_SOCKET).stat()
            assert stat.S_ISSOCK(found.st_mode)
            assert stat.S_IMODE(found.st_mode) == 0o666
            folder = os.open(work_dir, os.O_RDONLY)
            with socket.socket(socket.AF_UNIX) as one:
                one.connect(f"/proc/self/fd/{folder}/{NETWORK_SOCKET}")
            os.close(folder)

    asyncio.run(test())


def test_what_a_program_left_at_that_name_is_not_followed(tmp_path: Path) -> None:
    async def test() -> None:
        work_dir = tmp_path / "work"
        work_dir.mkdir()
        secret = tmp_path / "secret"
        secret.write_text("x")
        secret.chmod(0o600)
        place = work_dir / NETWORK_SOCKET
        place.symlink_to(secret)
        async with _serving(tmp_path, work_dir):
            assert stat.S_ISSOCK(place.lstat().st_mode)
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        (place / "inside").mkdir(parents=True)
        async with _serving(tmp_path, work_dir):
            assert stat.S_ISSOCK(place.lstat().st_mode)
            place.unlink()
            place.mkdir()  # and so it stays there when the job ends

    asyncio.run(test())


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    async def test() -> None:
        with pytest.raises(SandboxError, match="cannot be opened: No such file"):
            async with _serving(tmp_path, tmp_path / "gone"):
                pass

    asyncio.run(test())
