"""How a sandbox starts, fails and ends, and what a look at this machine says about it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from studio.engine.errors import SandboxError
from studio.engine.execution.box import Ended, Kind, Probe
from studio.engine.execution.sandbox import SandboxBox, probe_sandbox
from tests.builders import until
from tests.conftest import ROOT

from ..boxes import ready
from .conftest import Boxes


def test_a_broken_bubblewrap_is_an_error_of_the_box(sandboxes: Boxes, tmp_path: Path) -> None:
    (broken := tmp_path / "bwrap").write_text("#!/bin/sh\necho no namespaces today >&2\nexit 1\n")
    broken.chmod(0o755)
    tmp_path.chmod(0o755)
    for program, words in ((str(broken), "no namespaces today"), ("no-such-bwrap", "sandbox")):
        box = SandboxBox(sandboxes.work_dir(), program=program)
        if program == str(broken) and os.geteuid() == 0:
            words = "sandbox"  # the other user cannot reach it
        with pytest.raises(SandboxError, match=words):
            asyncio.run(box.run(sandboxes.job("print(1)")))


def test_a_closed_sandbox_runs_nothing(sandboxes: Boxes) -> None:
    async def main() -> None:
        box = SandboxBox(sandboxes.work_dir())
        await box.close()
        with pytest.raises(SandboxError, match="closed"):
            await box.run(sandboxes.job("print(1)"))

    asyncio.run(main())


def test_a_sandbox_that_is_closed_while_it_starts_runs_nothing(sandboxes: Boxes) -> None:
    async def main() -> None:
        for milliseconds in range(0, 30, 3):
            box = SandboxBox(sandboxes.work_dir())
            jobs = [asyncio.create_task(box.run(sandboxes.job(STAYS))) for _ in range(2)]
            talk = asyncio.create_task(box.start(sandboxes.job(STAYS)))
            await asyncio.wait({talk}, timeout=milliseconds / 1000)
            async with asyncio.timeout(20):
                await box.close()
                ends = await asyncio.gather(talk, *jobs, return_exceptions=True)
            sandboxes.nothing_is_left()
            assert all(not isinstance(e, Ended) or e.exit_code == 128 + 9 for e in ends), ends

    asyncio.run(main())


STUDIO = """
import asyncio, sys
from pathlib import Path
from studio.engine.execution.box import Job
from studio.engine.execution.sandbox import SandboxBox

async def main():
    box = SandboxBox(Path(sys.argv[1]))
    print("begun", flush=True)
    while True:
        await box.run(Job(("python3", "-c", sys.argv[2], sys.argv[3])))

asyncio.run(main())
"""
STAYS = "import os, time\nos.fork() or os.setsid()\nopen('started', 'w').close()\ntime.sleep(1e6)"


def killed_after(sandboxes: Boxes, program: str, seconds: float | None) -> None:
    """A process with a box in it, killed when its program has started or after some time."""
    command = [sys.executable, "-c", STUDIO, str(sandboxes.work_dir()), program, sandboxes.nonce]
    studio = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
    assert studio.stdout is not None
    try:
        assert studio.stdout.readline() == b"begun\n"
        if seconds is None:
            until((sandboxes.work_dir() / "started").exists)
        else:
            with pytest.raises(subprocess.TimeoutExpired):
                studio.wait(seconds)
    finally:
        studio.send_signal(signal.SIGKILL)
        studio.wait()
        studio.stdout.close()


def test_a_studio_that_is_killed_leaves_no_program_behind(sandboxes: Boxes) -> None:
    killed_after(sandboxes, STAYS, None)
    sandboxes.nothing_is_left()


def test_a_studio_that_is_killed_while_a_sandbox_starts_leaves_none_behind(
    sandboxes: Boxes,
) -> None:
    for milliseconds in range(0, 32, 4):
        killed_after(sandboxes, STAYS, milliseconds / 1000)
        sandboxes.nothing_is_left()


def test_a_job_that_is_cancelled_while_its_sandbox_starts_is_gone_at_once(sandboxes: Boxes) -> None:
    async def main() -> None:
        box = SandboxBox(sandboxes.work_dir())
        for number in range(40):
            task = asyncio.create_task(box.run(sandboxes.job(STAYS)))
            await asyncio.wait({task}, timeout=number / 1000)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert sandboxes.processes() == []

    asyncio.run(main())


def test_the_probe_says_that_code_is_held_here(probes: dict[Kind, Probe], tmp_path: Path) -> None:
    ready(probes["sandbox"])
    probe = asyncio.run(probe_sandbox(tmp_path))
    assert probe.ready
    assert probe.why.startswith("bubblewrap ")
    assert tuple(map(int, probe.python.split("."))) >= (3, 9)
    assert len(probe.checks) >= 8
    assert all(probe.checks.values())
    assert os.listdir(tmp_path) == []


def test_the_probe_says_what_to_install(tmp_path: Path) -> None:
    probe = asyncio.run(probe_sandbox(tmp_path, program="no-such-bwrap"))
    assert not probe.ready
    assert "apt-get install bubblewrap" in probe.why


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo bubblewrap 0.6.1", "too old"),
        (
            '[ "$1" = --version ] && { echo bubblewrap 0.8.0; exit; }\n'
            "echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1",
            "root" if os.geteuid() == 0 else "AppArmor",
        ),
    ],
)
def test_the_probe_says_why_it_cannot_be_used(tmp_path: Path, script: str, words: str) -> None:
    (program := tmp_path / "bwrap").write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    probe = asyncio.run(probe_sandbox(tmp_path, program=str(program)))
    assert not probe.ready
    assert words in probe.why
