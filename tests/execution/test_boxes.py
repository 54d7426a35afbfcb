"""What both kinds of box promise (SECURITY R24 to R27): nothing gets out, limits hold, no program
is left."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from studio.engine.execution.box import Box, Ended, Job

from .conftest import Boxes

GET_OUT = """
import json, os, socket, sys
asked = json.load(sys.stdin)
got = {"environment": dict(os.environ), "read": {}, "reached": []}
for path in asked["files"]:
    try:
        if os.path.isdir(path):
            got["read"][path] = os.listdir(path)
        elif path.endswith(".sock"):
            socket.socket(socket.AF_UNIX).connect(path)
            got["read"][path] = "connected"
        else:
            with open(path, "rb") as file:
                got["read"][path] = repr(file.read(10_000))
    except OSError:
        pass
for address in asked["addresses"]:
    try:
        socket.create_connection(address, 1).close()
        got["reached"].append(address)
    except OSError:
        pass
print(json.dumps(got))
"""
STATUS = """
import json, sys
open("here", "w").close()
with open("/proc/self/status") as file:
    print(json.dumps(dict(line.strip().split(":", 1) for line in file)), flush=True)
sys.stdin.read()
"""


def test_a_program_sees_and_reaches_nothing_of_this_machine(
    boxes: Boxes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R24. Every attempt is made; a box that let one through would show it."""
    monkeypatch.setenv("STUDIO_SECRET_KEY", "a-secret-of-the-studio")
    (of_the_studio := tmp_path / "studio.db").write_text("a-secret-of-the-studio")
    of_the_studio.chmod(0o644)
    allowed = {"/proc/1/environ", "/proc/self/environ"}
    with socket.create_server(("0.0.0.0", 0)) as server:  # reachable at every address we have
        port = server.getsockname()[1]
        asked = {
            "files": [
                *allowed, "/etc/shadow", "/var/run/docker.sock", "/run/docker.sock",
                str(of_the_studio), str(tmp_path), str(Path.home()),
                f"/proc/{os.getpid()}/environ", f"/proc/{os.getpid()}/root/etc/shadow",
            ],
            "addresses": [
                ("127.0.0.1", port), ("172.17.0.1", port), ("1.1.1.1", 53),
                ("169.254.169.254", 80), (_own_address(), port),
            ],
        }  # fmt: skip
        with socket.create_connection(("127.0.0.1", port), 1):
            pass  # it can be reached from here
        ended = boxes.run(boxes.job(GET_OUT, stdin=json.dumps(asked).encode()))
    assert ended.exit_code == 0, ended.stderr
    got = json.loads(ended.stdout)
    assert got["reached"] == []
    assert set(got["read"]) <= allowed
    assert b"secret" not in ended.stdout
    assert got["environment"]["HOME"] == "/tmp"
    assert not [name for name in got["environment"] if name.startswith("STUDIO")]


def _own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("10.255.255.255", 1))  # sends nothing
        return str(one.getsockname()[0])


def test_a_program_has_no_rights(boxes: Boxes) -> None:
    """R25, inside by the kernel's own words, and from outside by the user of the process."""

    async def looked_at(box: Box) -> tuple[Ended, set[int]]:
        async with asyncio.TaskGroup() as group:
            process = await box.start(boxes.job(STATUS))
            task = group.create_task(process.read_line())
            line = await task
            users = {found.uids().real for found in boxes.processes() if _is_python(found)}
            await process.kill()
        return Ended(0, line), users

    ended, users = boxes.use(looked_at)
    status = {name: value.strip() for name, value in json.loads(ended.stdout).items()}
    assert {status[name] for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")} == {
        "0000000000000000"
    }
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert "0" not in status["Uid"].split()
    assert users
    assert 0 not in users
    assert (boxes.work_dir() / "here").stat().st_uid != 0


def _is_python(process: Any) -> bool:
    return "python" in process.cmdline()[0]


def test_the_system_cannot_be_written(boxes: Boxes) -> None:
    program = """
import os
for folder in ("/", "/usr", "/usr/bin", "/etc", "/proc/sys/kernel", "/sys", "/dev"):
    try:
        open(os.path.join(folder, "mine"), "w").close()
        print("wrote", folder)
    except OSError:
        pass
open("/tmp/mine", "w").close()
open("/work/mine", "w").close()
"""
    ended = boxes.run(boxes.job(program))
    assert (ended.exit_code, ended.stdout, ended.stderr) == (0, b"", b"")
    assert (boxes.work_dir() / "mine").exists()


def test_jobs_of_a_box_share_its_folder_and_wait_for_each_other(boxes: Boxes) -> None:
    program = """
import os, time
assert not os.path.exists("busy")
open("busy", "w").close()
with open("log", "a") as file:
    file.write("x")
os.unlink("busy")
"""

    async def several(box: Box) -> list[Ended]:
        return await asyncio.gather(*(box.run(boxes.job(program)) for _ in range(4)))

    assert [ended.exit_code for ended in boxes.use(several)] == [0, 0, 0, 0]
    assert (boxes.work_dir() / "log").read_text() == "xxxx"


def test_files_of_the_studio_can_be_read_and_changed(boxes: Boxes) -> None:
    (folder := boxes.work_dir() / "folder").mkdir()
    (folder / "table.csv").write_text("1,2\n")
    ended = boxes.run(
        boxes.job("print(open('folder/table.csv').read(), end='')"),
        boxes.job("open('folder/table.csv', 'a').write('3,4\\n')"),
    )
    assert ended.exit_code == 0, ended.stderr
    assert (folder / "table.csv").read_text() == "1,2\n3,4\n"


def test_streams_and_exit_codes(boxes: Boxes) -> None:
    program = """
import sys
data = sys.stdin.buffer.read()
sys.stdout.buffer.write(data[::-1])
sys.stderr.buffer.write("größer \\N{snowman}".encode() + b"\\xff\\xfe")
sys.exit(7)
"""
    given = os.urandom(300_000)
    ended = boxes.run(boxes.job(program, stdin=given))
    assert ended.exit_code == 7
    assert ended.stdout == given[::-1]
    assert ended.stderr == "größer \N{SNOWMAN}".encode() + b"\xff\xfe"
    assert 0 < ended.seconds < 20
    assert ended.limit == ""


def test_input_that_nobody_reads_is_no_error(boxes: Boxes) -> None:
    assert boxes.run(boxes.job("print(1)", stdin=bytes(3_000_000))).stdout == b"1\n"
    ended = boxes.run(boxes.job("import sys; print(len(sys.stdin.read()))"))
    assert ended.stdout == b"0\n"


def test_a_program_that_closes_its_streams_runs_on_to_its_end(boxes: Boxes) -> None:
    program = """
import os, time
os.close(1)
os.close(2)
time.sleep(0.7)
open("late", "w").close()
os._exit(3)
"""
    assert boxes.run(boxes.job(program)).exit_code == 3
    assert (boxes.work_dir() / "late").exists()


def test_a_signal_is_an_exit_code(boxes: Boxes) -> None:
    ended = boxes.run(boxes.job("import os, signal; os.kill(os.getpid(), signal.SIGTERM)"))
    assert (ended.exit_code, ended.limit) == (128 + 15, "")


@pytest.mark.parametrize("name", ["no-such-program", "/work/nothing", "/etc/passwd", "a\0b"])
def test_a_program_that_cannot_be_started_is_told(boxes: Boxes, name: str) -> None:
    ended = boxes.run(Job((name, "1")))
    assert ended.exit_code in (126, 127)
    assert ended.stdout == b""
    assert ended.stderr.strip()


def test_variables_of_a_job(boxes: Boxes) -> None:
    program = "import os; print(os.environ['GIVEN'], os.environ['HOME'])"
    job = Job(("python3", "-c", program, boxes.nonce), environment={"GIVEN": "a = 'ü'\n$HOME"})
    assert boxes.run(job).stdout.decode() == "a = 'ü'\n$HOME /tmp\n"
