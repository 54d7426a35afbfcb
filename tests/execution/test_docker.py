"""What is Docker's own: with what a container is made (SECURITY R28), what is left of a killed
studio, and what is said where there is no Docker."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import uvloop

from studio.engine.errors import SandboxError
from studio.engine.execution.box import GB, MB, Box, Job
from studio.engine.execution.docker import remove_labelled
from studio.engine.execution.docker_box import IMAGE, DockerBox
from studio.engine.execution.docker_images import (
    pull_image,
)
from studio.engine.execution.docker_probe import probe_docker
from tests.builders import until

from .conftest import ROOT, Boxes
from .programs import FOREVER


def _labelled(engine: Any, label: str) -> list[str]:
    found = engine.containers(all=True, filters={"label": f"roundtable={label}"})
    return [one["Id"] for one in found]


def _inspected(engine: Any, boxes: Boxes, job: Job) -> dict[str, Any]:
    """What Docker tells of the container while it waits for its next job."""

    async def look(box: Box) -> dict[str, Any]:
        ended = await box.run(job)
        assert ended.exit_code == 0, ended
        (found,) = await asyncio.to_thread(_labelled, engine, boxes.nonce)
        return dict(await asyncio.to_thread(engine.inspect_container, found))

    return boxes.use(look)


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_it_runs_on_both_event_loops(containers: Boxes, loop: Any) -> None:
    async def main() -> None:
        box = containers.box()
        ended = await box.run(containers.job("print(input())", stdin=b"hello\n"))
        assert (ended.exit_code, ended.stdout) == (0, b"hello\n")
        process = await box.start(containers.job("print(input(), flush=True); input()"))
        await process.write(b"again\n")
        assert await process.read_line() == b"again\n"
        await box.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())
    containers.nothing_is_left()


def test_a_container_is_made_with_all_that_holds_code(containers: Boxes, engine: Any) -> None:
    made = _inspected(engine, containers, containers.job("print(1)"))
    host, config = made["HostConfig"], made["Config"]
    assert host["NetworkMode"] == "none"
    assert list(made["NetworkSettings"]["Networks"]) == ["none"]
    assert (host["CapDrop"], host["CapAdd"]) == (["ALL"], None)
    assert host["SecurityOpt"] == ["no-new-privileges"]  # and Docker's own seccomp profile
    assert (host["Privileged"], host["ReadonlyRootfs"], host["Init"]) == (False, True, True)
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"]) == (GB, GB, 10**9)
    assert 128 <= host["PidsLimit"] <= 150
    assert {one["Name"]: one["Hard"] for one in host["Ulimits"]} == {
        "fsize": 256 * MB, "nofile": 1024, "core": 0,
    }  # fmt: skip
    assert config["User"].split(":")[0] not in ("", "0", "root")
    mounts = [(one["Type"], one["Source"], one["Destination"]) for one in made["Mounts"]]
    assert mounts == [("bind", str(containers.work_dir()), "/work")]
    assert not host["Binds"]
    assert list(host["Tmpfs"]) == ["/tmp"]
    assert not host["Devices"]
    assert (host["IpcMode"], host["PidMode"], host["UsernsMode"]) == ("private", "", "")
    assert config["Labels"]["roundtable"] == containers.nonce
    assert (host["RestartPolicy"]["Name"], host["AutoRemove"]) == ("no", True)
    assert host["LogConfig"]["Type"] == "none"


def test_what_is_given_by_standard_input_is_nowhere_in_docker(
    containers: Boxes, engine: Any
) -> None:
    """R11: secrets go in that way."""
    job = containers.job("import sys; sys.stdin.read()", stdin=b"a-secret-that-nobody-may-see")
    assert "a-secret" not in str(_inspected(engine, containers, job))


def test_each_program_that_runs_on_has_a_container_of_its_own(
    containers: Boxes, engine: Any
) -> None:
    async def count(box: Box) -> None:
        processes = [await box.start(containers.job("input()")) for _ in range(2)]
        await box.run(containers.job("print(1)"))
        assert len(await asyncio.to_thread(_labelled, engine, containers.nonce)) == 3
        await processes[0].kill()
        await asyncio.to_thread(until, containers.containers, lambda found: len(found) == 2, 10)

    containers.use(count)
    containers.nothing_is_left()


def test_a_container_that_was_taken_away_is_made_anew(containers: Boxes, engine: Any) -> None:
    async def take(box: Box) -> None:
        await box.run(containers.job("print(1)"))
        (found,) = await asyncio.to_thread(_labelled, engine, containers.nonce)
        await asyncio.to_thread(engine.remove_container, found, force=True)
        assert (await box.run(containers.job("print(2)"))).stdout == b"2\n"

    containers.use(take)


def test_a_program_that_kills_all_it_can_ends_only_its_own_box(containers: Boxes) -> None:
    program = "import os, signal, time\nos.kill(-1, signal.SIGKILL)\ntime.sleep(60)"
    ended = containers.run(containers.job(program))
    assert (ended.exit_code, ended.limit) == (137, "")
    assert containers.run(containers.job(program), containers.job("print(1)")).stdout == b"1\n"


def test_the_folder_may_have_any_name(containers: Boxes) -> None:
    box = DockerBox(containers.work_dir('a folder: "x",ro;ü=1'), label=containers.nonce)

    async def write() -> None:
        try:
            assert (await box.run(containers.job("open('here', 'w').close()"))).exit_code == 0
        finally:
            await box.close()

    asyncio.run(write())
    assert (box.work_dir / "here").exists()


HOST = """
import asyncio, pathlib, sys
from studio.engine.execution.box import Job
from studio.engine.execution.docker_box import DockerBox

async def main(folder, label, program):
    box = DockerBox(pathlib.Path(folder), label=label)
    waits = Job(("python3", "-c", "input()", label))
    await asyncio.gather(box.start(waits), box.run(Job(("python3", "-c", program, label))))

asyncio.run(main(*sys.argv[1:]))
"""


def test_a_studio_that_is_killed_leaves_no_container(containers: Boxes, engine: Any) -> None:
    """R27: nobody holds their input any more, so they end by themselves."""
    work_dir, label = containers.work_dir(), containers.nonce
    command = [sys.executable, "-c", HOST, str(work_dir), label, FOREVER]
    with subprocess.Popen(command, cwd=ROOT) as studio:
        try:
            until((work_dir / "started").exists)
            until(lambda: _labelled(engine, label), lambda found: len(found) == 2)
        finally:
            studio.send_signal(signal.SIGKILL)
    containers.nothing_is_left()


def test_what_was_left_is_found_by_its_label(containers: Boxes, engine: Any) -> None:
    """One that was made and never started, and one that does not end."""
    for label in (containers.nonce, containers.nonce, f"{containers.nonce}-other"):
        made = engine.create_container(IMAGE, ["sleep", "60"], labels={"roundtable": label})
        if label == containers.nonce:
            engine.start(made) if _labelled(engine, label)[1:] else None
    assert asyncio.run(remove_labelled(containers.nonce)) == 2
    assert _labelled(engine, containers.nonce) == []
    assert asyncio.run(remove_labelled(f"{containers.nonce}-other")) == 1
    assert asyncio.run(remove_labelled(containers.nonce)) == 0


# -- where there is no Docker


def _words(host: str, **more: Any) -> str:
    probe = asyncio.run(probe_docker(host=host, **more))
    assert not probe.ready
    return probe.why


def test_the_probe_says_why_there_is_no_docker(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    assert "Docker is not" in _words(f"unix://{path}")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))
    assert "Docker is not" in _words(f"unix://{path}")  # nobody listens
    assert "must run on this machine" in _words("tcp://192.0.2.1:2375")
    assert asyncio.run(remove_labelled("any", host=f"unix://{path}")) == 0
    box = DockerBox(tmp_path, label="any", host=f"unix://{path}")
    with pytest.raises(SandboxError, match="Docker is not"):
        asyncio.run(box.run(Job(("true",))))


@pytest.mark.skipif(os.getuid() == 0, reason="root may use every socket")
def test_the_probe_says_when_docker_may_not_be_used(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))
        one.listen()
        path.chmod(0)
        assert "your user may not use Docker" in _words(f"unix://{path}")


def test_a_docker_that_hangs_holds_up_nobody(tmp_path: Path) -> None:
    """It takes connections and never answers: Stop must not wait for it."""
    path = tmp_path / "docker.sock"

    async def stop() -> float:
        box = DockerBox(tmp_path, label="any", host=f"unix://{path}")
        task = asyncio.create_task(box.run(Job(("true",))))
        await asyncio.wait({task}, timeout=0.5)
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        seconds = time.monotonic() - began
        await box.close()
        return seconds

    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))
        one.listen()
        assert asyncio.run(stop()) < 3
        assert "has not answered" in _words(f"unix://{path}")


def test_the_probe_of_a_docker_that_holds(containers: Boxes, tmp_path: Path) -> None:
    began = time.monotonic()
    probe = asyncio.run(probe_docker(tmp_path))
    assert time.monotonic() - began < 5
    assert probe.ready
    assert probe.why.startswith("Docker Engine ")
    assert probe.python.startswith("3.")
    assert set(probe.checks) >= {"network", "files", "environment", "system", "processes"}
    assert all(probe.checks.values())
    assert [*tmp_path.glob("canary*")] == []


def test_an_image_that_is_not_there_is_named(containers: Boxes, tmp_path: Path) -> None:
    words = _words("", image="no-such-image:1")
    assert words == "the image no-such-image:1 is not on this machine: docker pull no-such-image:1"
    box = DockerBox(tmp_path, image="no-such-image:1", label=containers.nonce)
    with pytest.raises(SandboxError, match="no-such-image:1 is not on this machine"):
        asyncio.run(box.run(Job(("true",))))
    with pytest.raises(SandboxError):
        asyncio.run(pull_image("127.0.0.1:1/no-such-image:1"))


def test_the_library_is_imported_when_it_is_used() -> None:
    program = (
        "import sys, studio.engine.execution.docker_box, studio.engine.execution.docker_images\n"
        "sys.exit('docker' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
