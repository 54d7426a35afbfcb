"""Limits of both kinds of box (SECURITY R26): each is kept, and told by its name."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from studio.engine.execution.box import GB, MB, BoxLimits, Ended

from .conftest import Boxes
from .programs import FILL_DISK, FOREVER, SHOUT


def _fork_bomb() -> str:
    return (
        "import os\nprint('begun', flush=True)\nwhile True:\n try: os.fork()\n except OSError: pass"
    )


_FILL_MEMORY = """
import os, time
print("begun", flush=True)
for _ in range({children}):
    if os.fork():
        continue
    kept = []
    for _ in range({pieces}):
        kept.append(bytearray(os.urandom(1 << 10)) * (1 << 15))
        time.sleep(0.01)
    time.sleep(1e6)
for _ in range({children}):
    os.wait()
time.sleep(1e6)
"""
_MANY_FILES = """
import os
print("begun", flush=True)
for number in range(1_000_000):
    os.symlink("/etc", f"link{number}")
"""
_DELETED = """
import os
print("begun", flush=True)
kept = []
while True:
    kept.append(open("gone", "wb"))
    os.unlink("gone")
    kept[-1].write(bytes(8 << 20))
    kept[-1].flush()
"""
_SHELL_BOMB = """
import os, sys
print("begun", flush=True)
os.execvp("bash", ["bash", "-c", "b() { b | b & }; b; sleep 30", sys.argv[1]])
"""
TOO_MUCH = [
    ("fork bomb of a shell", _SHELL_BOMB, {}, "the limit of 128 processes"),
    ("fork bomb", _fork_bomb(), {"processes": 40}, "the limit of 40 processes"),
    (
        "memory of children",
        _FILL_MEMORY.format(children=8, pieces=3),
        {"memory": 512 * MB},
        "the memory limit of 512 MB",
    ),
    ("disk", FILL_DISK, {"disk": 100 * MB}, "the disk limit of 100 MB"),
    ("files", _MANY_FILES, {"files": 1000}, "the limit of 1,000 files"),
    ("deleted files", _DELETED, {"disk": 20 * MB}, "the disk limit of 20 MB"),
    (
        "busy loop",
        "print('begun', flush=True)\nwhile True: pass",
        {"seconds": 5},
        "the time limit of 5 s",
    ),
    ("sleep", FOREVER, {"seconds": 4.5}, "the time limit of 4.5 s"),
    ("output", SHOUT, {"output": 3 * MB}, "the output limit of 3 MB"),
    ("errors", SHOUT.replace("stdout", "stderr"), {"output": MB}, "the output limit of 1 MB"),
]


@pytest.mark.parametrize(
    ("program", "limits", "words"), [row[1:] for row in TOO_MUCH], ids=[row[0] for row in TOO_MUCH]
)
def test_a_program_that_takes_too_much_is_stopped_and_told_why(
    boxes: Boxes, program: str, limits: dict[str, Any], words: str
) -> None:
    """R26: what it wrote is kept, its files are gone, and another box goes on meanwhile. That no
    process holds a deleted file is what the fixture looks for."""

    async def both() -> tuple[Ended, Ended]:
        hog, other = boxes.box(), boxes.box("other")
        try:
            greedy = asyncio.create_task(hog.run(boxes.job(program, **{"seconds": 20} | limits)))
            modest = await other.run(boxes.job("print(1)"))
            return await greedy, modest
        finally:
            await asyncio.gather(hog.close(), other.close())

    ended, modest = asyncio.run(both())
    assert (ended.limit, ended.exit_code) == (words, 124)
    assert (ended.stdout or ended.stderr).startswith(b"begun")
    assert len(ended.stdout + ended.stderr) <= limits.get("output", 10 * MB)
    assert ended.seconds < limits.get("seconds", 5) + 5
    assert (modest.exit_code, modest.stdout) == (0, b"1\n")
    size = sum(path.lstat().st_blocks * 512 for path in boxes.work_dir().rglob("*"))
    assert size <= limits.get("disk", GB)


def test_memory_has_a_limit_by_default(boxes: Boxes) -> None:
    """4 GB: in one program the kernel may refuse the memory instead, which Python says."""
    ended = boxes.run(boxes.job("kept = bytearray(b'x') * (4 << 30)\nprint('got it')"))
    assert ended.exit_code != 0
    assert b"got it" not in ended.stdout
    assert ended.limit == "the memory limit of 1 GB" or b"MemoryError" in ended.stderr


def test_more_cpus_than_there_are_is_no_error(boxes: Boxes) -> None:
    assert boxes.run(boxes.job("print(1)", cpus=1000.0)).stdout == b"1\n"


def test_a_file_has_a_largest_size(boxes: Boxes) -> None:
    program = "with open('big', 'wb') as file:\n file.write(bytes(1 << 20) * 3)"
    ended = boxes.run(boxes.job(program, file=2 * MB))
    assert ended.exit_code == 1
    assert b"File too large" in ended.stderr
    assert (boxes.work_dir() / "big").stat().st_size <= 2 * MB


def test_links_out_of_the_folder_are_not_followed(boxes: Boxes, tmp_path: Path) -> None:
    """Neither to count what they name, nor when the folder is cleaned."""
    (outside := tmp_path / "outside").mkdir()
    (outside / "big").write_bytes(bytes(30 * MB))
    program = f"""
import os
os.symlink({str(outside)!r}, "link")
os.symlink({str(outside / "big")!r}, "file")
open("mine", "wb").write(bytes(1 << 20))
"""
    ended = boxes.run(boxes.job(program, disk=10 * MB))
    assert (ended.exit_code, ended.limit) == (0, "")
    stopped = boxes.run(boxes.job(FILL_DISK, disk=10 * MB))
    assert stopped.limit
    assert (outside / "big").stat().st_size == 30 * MB
    assert sorted(path.name for path in boxes.work_dir().iterdir()) == ["file", "link", "mine"]


def test_limits_can_differ_between_jobs(boxes: Boxes) -> None:
    fits = "kept = bytearray(300 << 20)\nprint(1)"
    assert boxes.run(boxes.job("print(1)"), boxes.job(fits, memory=GB)).stdout == b"1\n"
    ended = boxes.run(boxes.job(fits), boxes.job(fits, memory=128 * MB))
    assert ended.exit_code != 0


def test_default_limits_are_those_that_are_written_down() -> None:
    assert BoxLimits() == BoxLimits(60, GB, 128, 1.0, 256 * MB, GB, 20_000, 10 * MB)
