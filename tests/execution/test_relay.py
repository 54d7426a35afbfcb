"""Programs in boxes reach the proxy, and by no other way anything; else nothing is changed."""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import replace
from typing import Any

import pytest

from studio.engine.execution.box import Box, BoxLimits, Job
from studio.engine.execution.relay import relayed
from tests.runner.proxying import (
    GOOD,
    PUBLIC,
    canary,
    certificate,
    leads_to,
    proxied,
    server,
    tls_server,
)

from .conftest import Boxes

FETCH = """
import os, sys, urllib.error, urllib.request
for url in sys.argv[2:]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            print(answer.status, answer.read().decode())
    except urllib.error.HTTPError as error:
        print(error.code, error.read().decode().strip())
    except OSError as error:
        print(error)
"""
UNTOUCHED = """
import os, sys
data = sys.stdin.buffer.read()
sys.stdout.buffer.write(data[::-1])
sys.stderr.buffer.write(data[:7])
print(sys.argv[2:], os.environ["OWN"], file=sys.stderr)
print(*[line.split()[1] for line in open("/proc/self/status") if line[:6] == "SigBlk"], end="")
sys.exit(9)
"""
AT_ONCE = """
import http.client, os, threading
port = int(os.environ["http_proxy"].rpartition(":")[2])
kept = []
def one(number):
    body = bytes([number]) * 100_000
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    link.request("POST", "http://good.example/", body)
    kept.append(link.getresponse().read() == body)
    link.close()
threads = [threading.Thread(target=one, args=(n,)) for n in range(100)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(kept), all(kept))
"""
HALF_CLOSED = """
import os, socket
port = int(os.environ["https_proxy"].rpartition(":")[2])
link = socket.create_connection(("127.0.0.1", port))
link.sendall(b"CONNECT good.example:443 HTTP/1.1\\r\\n\\r\\n")
answer = link.makefile("rb")
while answer.readline() != b"\\r\\n":
    pass
sent = b"!" + os.urandom(500_000)
link.sendall(sent)
link.shutdown(socket.SHUT_WR)
print(answer.read() == sent)
"""


def fetch(boxes: Boxes, *urls: str, **changed: Any) -> Job:
    job = boxes.job(FETCH)
    return replace(job, command=(*job.command, *urls), network=True, **changed)


def test_a_job_without_network_is_left_as_it_is() -> None:
    job = Job(("sh", "-c", "true"))
    assert relayed(job) is job


def test_urllib_reaches_what_is_allowed_and_reads_why_not(boxes: Boxes) -> None:
    async def work(box: Box) -> None:
        async with canary(b"hello from outside") as served:
            given = {"names": GOOD, "connect": leads_to(served.port)}
            direct = f"http://127.0.0.1:{served.port}/"
            async with proxied(boxes.folder, ("good.example",), **given) as asker:
                ended = await box.run(fetch(boxes, "http://good.example/x", direct))
                assert ended.stdout.decode().splitlines() == [
                    "200 hello from outside",
                    "403 127.0.0.1 is not among the hosts this code may reach: good.example. "
                    "Add it to the network setting of the agent or skill.",
                ]
                without = replace(fetch(boxes, direct), environment={"X": "y"}, network=False)
                assert b"refused" in (await box.run(without)).stdout
            assert [(t.host, t.allowed) for t in asker.told] == [
                ("good.example", True), ("127.0.0.1", False),
            ]  # fmt: skip
            assert len(served.heads) == 1

    boxes.use(work)


def test_a_redirect_to_this_machine_is_refused(boxes: Boxes) -> None:
    async def work(box: Box) -> None:
        async with canary() as inside:
            there = f"http://127.0.0.1:{inside.port}/"
            async with canary(b"", "302 Found", f"Location: {there}") as served:
                given = {"names": GOOD, "connect": leads_to(served.port)}
                async with proxied(boxes.folder, ("good.example",), **given):
                    ended = await box.run(fetch(boxes, "http://good.example/"))
            assert ended.stdout.startswith(b"403 127.0.0.1 is not among")
            assert (len(served.heads), inside.heads) == (1, [])

    boxes.use(work)


def test_https_is_checked_by_the_program_itself(boxes: Boxes) -> None:
    async def says(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")
        await writer.drain()

    async def work(box: Box) -> None:
        crt, key = certificate(boxes.folder, "good.example")
        (boxes.work_dir() / "authority.pem").write_bytes(crt.read_bytes())
        (boxes.work_dir() / "authority.pem").chmod(0o644)
        async with server(says, tls=tls_server(crt, key)) as port:
            names = {"good.example": [PUBLIC], "b.example": [PUBLIC]}
            given = {"names": names, "connect": leads_to(port)}
            async with proxied(boxes.folder, tuple(names), **given) as asker:
                trusting = {"SSL_CERT_FILE": "/work/authority.pem"}
                urls = ("https://good.example/", "https://b.example/")
                ended = await box.run(fetch(boxes, *urls, environment=trusting))
        lines = ended.stdout.decode().splitlines()
        assert lines[0] == "200 secret"
        assert "certificate" in lines[1]
        assert [(t.method, t.port, t.allowed) for t in asker.told] == [("CONNECT", 443, True)] * 2

    boxes.use(work)


def test_what_a_program_reads_and_writes_is_untouched(boxes: Boxes) -> None:
    said = random.Random(1).randbytes(2_000_000)
    job = boxes.job(UNTOUCHED, stdin=said)
    job = replace(job, command=(*job.command, "a b", "'", "\u00e9\n"), environment={"OWN": "1"})
    for network in (False, True):
        ended = boxes.run(replace(job, network=network))
        assert ended.exit_code == 9
        assert ended.stdout == said[::-1] + b"0" * 16
        assert ended.stderr == said[:7] + b"['a b', \"'\", '\xc3\xa9\\n'] 1\n"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 3", 3),
        ("kill -9 $$", 137),
        ("kill -TERM $$", 143),
        ("sleep 1000 & exit 4", 4),  # who lives on is not waited for
        ("exec >&- 2>&-; exit 5", 5),
        ("yes | head -n 1 > /dev/null", 0),
        ("exec no-such-program", 127),
    ],
)
def test_it_ends_as_the_program_does(boxes: Boxes, script: str, code: int) -> None:
    job = Job(("sh", "-c", script, boxes.nonce), network=True, limits=BoxLimits(seconds=30))
    ended = boxes.run(job)
    assert (ended.exit_code, ended.limit) == (code, "")


def test_a_program_that_is_not_there_is_said(boxes: Boxes) -> None:
    ended = boxes.run(Job(("no-such-program", boxes.nonce), network=True))
    assert ended.exit_code == 127
    assert ended.stderr == b"no-such-program: No such file or directory\n"


def test_files_of_the_folder_do_not_get_between(boxes: Boxes) -> None:
    for name in ("socket", "selectors", "os", "signal", "time", "sitecustomize"):
        (boxes.work_dir() / f"{name}.py").write_text("raise SystemExit('mine')")
    job = Job(("echo", "hello", boxes.nonce), environment={"PYTHONPATH": "/work"}, network=True)
    assert boxes.run(job).stdout == f"hello {boxes.nonce}\n".encode()


def test_a_hundred_connections_carry_what_is_theirs(boxes: Boxes) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(100_000)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + body)
        await writer.drain()

    async def work(box: Box) -> None:
        async with server(echo) as port:
            given = {"names": GOOD, "connect": leads_to(port)}
            async with proxied(boxes.folder, ("good.example",), **given) as asker:
                ended = await box.run(replace(boxes.job(AT_ONCE), network=True))
        assert ended.stdout == b"100 True\n", ended
        assert len(asker.told) == 100

    boxes.use(work)


def test_a_tunnel_may_be_half_closed(boxes: Boxes) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read())
        await writer.drain()

    async def work(box: Box) -> None:
        async with server(echo) as port:
            given = {"names": GOOD, "connect": leads_to(port)}
            async with proxied(boxes.folder, ("good.example",), **given):
                ended = await box.run(replace(boxes.job(HALF_CLOSED), network=True))
        assert ended.stdout == b"True\n", ended

    boxes.use(work)


def test_much_comes_down_whole(boxes: Boxes) -> None:
    much = os.urandom(20_000_000)
    program = FETCH.replace("answer.read().decode()", "sum(answer.read())")

    async def work(box: Box) -> None:
        async with canary(much) as served:
            given = {"names": GOOD, "connect": leads_to(served.port)}
            async with proxied(boxes.folder, ("good.example",), **given):
                job = boxes.job(program)
                job = replace(job, command=(*job.command, "http://good.example/"), network=True)
                ended = await box.run(job)
        assert ended.stdout == f"200 {sum(much)}\n".encode(), ended

    boxes.use(work)


def test_without_a_proxy_it_says_so(boxes: Boxes) -> None:
    ended = boxes.run(fetch(boxes, "http://good.example/"))
    assert ended.stdout == b"503 There is no network now.\n", ended
    post = FETCH.replace("urlopen(url,", "urlopen(url, bytes(5_000_000),")
    job = fetch(boxes, "http://good.example/")
    job = replace(job, command=(*job.command[:2], post, *job.command[3:]))
    assert boxes.run(job).stdout == ended.stdout


def test_a_program_that_runs_on_has_the_network_too(boxes: Boxes) -> None:
    program = FETCH.replace("sys.argv[2:]", "map(str.strip, sys.stdin)").replace(
        "answer.read().decode())", "answer.read().decode(), flush=True)"
    )

    async def work(box: Box) -> None:
        async with canary(b"hello") as served:
            given = {"names": GOOD, "connect": leads_to(served.port)}
            async with proxied(boxes.folder, ("good.example",), **given):
                process = await box.start(replace(boxes.job(program), network=True))
                for _ in range(2):
                    await process.write(b"http://good.example/\n")
                    assert await process.read_line() == b"200 hello\n"
                await process.kill()
                assert await process.read_line() == b""

    boxes.use(work)
