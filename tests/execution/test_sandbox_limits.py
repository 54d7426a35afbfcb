"""Limits that the kernel or a watch from outside sets to programs in a sandbox."""

from __future__ import annotations

import asyncio
import os
import textwrap
from pathlib import Path

import psutil
import pytest

from studio.engine.execution.box import GB, MB, PYTHON, BoxLimits, Job
from studio.engine.execution.sandbox import SandboxBox

from .conftest import Boxes, answer


def test_memory_of_all_processes_together_is_limited(sandboxes: Boxes) -> None:
    """Each of them is allowed to have as much."""
    program = """
        import os, time
        for _ in range(8):
            if not os.fork():
                held = bytearray(b"x") * 400_000_000
                time.sleep(60)
        os.wait()
    """
    ended = sandboxes.run(sandboxes.job(textwrap.dedent(program), memory=GB))
    assert (ended.exit_code, ended.limit) == (124, "the memory limit of 1 GB")
    assert ended.seconds < 15


def test_memory_of_one_process_is_watched_before_the_kernel_refuses_it(sandboxes: Boxes) -> None:
    program = "import time\nheld = bytearray(b'x') * 350_000_000\ntime.sleep(60)"
    ended = sandboxes.run(sandboxes.job(program, memory=256 * MB))
    assert (ended.exit_code, ended.limit) == (124, "the memory limit of 256 MB")
    ended = sandboxes.run(sandboxes.job("held = bytearray(b'x') * 700_000_000", memory=256 * MB))
    assert (ended.exit_code, ended.limit) == (1, "")
    assert b"MemoryError" in ended.stderr


def test_memory_that_forks_share_is_not_counted_twice(sandboxes: Boxes) -> None:
    program = """
        import os, time
        held = b"x" * 300_000_000
        children = []
        for _ in range(6):
            children.append(os.fork())
            if not children[-1]:
                time.sleep(1)
                os._exit(0)
        for child in children:
            os.waitpid(child, 0)
        print(1)
    """
    assert answer(sandboxes.run(sandboxes.job(textwrap.dedent(program), memory=GB))) == 1


def test_empty_files_in_memory_are_limited_too(sandboxes: Boxes) -> None:
    program = """
        import time
        for number in range(3000):
            open(f"/tmp/{number}", "w").close()
        time.sleep(60)
    """
    ended = sandboxes.run(sandboxes.job(textwrap.dedent(program), files=2000, seconds=30))
    assert ended.limit == "the limit of 2,000 files"


def test_a_file_that_was_deleted_while_it_is_mapped_has_a_limit(sandboxes: Boxes) -> None:
    """Only the sum of all that was written tells of it; a folder in memory has no such sum."""
    if _is_in_memory(sandboxes.folder):
        if os.environ.get("CI"):
            pytest.fail("CI must have its temporary folder on a disk")
        pytest.skip("the folder of the test is in memory")
    program = """
        import mmap, os
        kept = []
        while True:
            with open("f", "w+b") as file:
                file.truncate(1 << 20)
                kept.append(mmap.mmap(file.fileno(), 1 << 20))
            os.unlink("f")
            kept[-1].write(b"x" * (1 << 20))
            kept[-1].flush()
    """
    ended = sandboxes.run(sandboxes.job(textwrap.dedent(program), disk=16 * MB, seconds=60))
    assert ended.limit == "the disk limit of 16 MB"


def _is_in_memory(folder: Path) -> bool:
    mounts = {part.mountpoint: part.fstype for part in psutil.disk_partitions(all=True)}
    return next(mounts[str(up)] for up in (folder, *folder.parents) if str(up) in mounts) == "tmpfs"


def test_time_on_several_processors_counts_for_each_of_them(sandboxes: Boxes) -> None:
    """A box has one processor for its seconds: four threads use them up four times as fast."""
    program = """
        import hashlib, threading
        def work():
            while True:
                hashlib.sha256(bytes(1 << 24))
        threads = [threading.Thread(target=work) for _ in range(4)]
        [thread.start() for thread in threads]
    """
    ended = sandboxes.run(sandboxes.job(textwrap.dedent(program), seconds=2))
    assert (ended.exit_code, ended.limit) == (124, "the time limit of 2 s")
    assert ended.seconds < 7


def test_a_line_that_never_ends_is_stopped(sandboxes: Boxes) -> None:
    async def main() -> None:
        box = SandboxBox(sandboxes.work_dir())
        process = await box.start(
            sandboxes.job("import sys\nwhile True: sys.stdout.write('x' * 10_000)", output=MB)
        )
        assert await process.read_line() == b""
        assert "the output limit of 1 MB" in process.errors()
        await box.close()

    asyncio.run(main())


def test_limits_of_a_small_job_are_those_it_was_given(sandboxes: Boxes) -> None:
    program = """
        import json, resource as r
        names = ["AS", "NPROC", "FSIZE", "NOFILE", "CORE", "CPU"]
        print(json.dumps({name: r.getrlimit(getattr(r, f"RLIMIT_{name}")) for name in names}))
    """
    limits = BoxLimits(seconds=7, memory=300 * MB, processes=50, file=MB)
    job = Job((PYTHON, "-c", textwrap.dedent(program), sandboxes.nonce), limits=limits)
    assert answer(sandboxes.run(job)) == {
        "AS": [600 * MB] * 2, "NPROC": [50] * 2, "FSIZE": [MB] * 2, "NOFILE": [512] * 2,
        "CORE": [0, 0], "CPU": [8, 9],
    }  # fmt: skip
