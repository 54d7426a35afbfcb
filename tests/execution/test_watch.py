"""The watches of a box: what a folder holds and what processes use, seen from outside."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from studio.engine.execution.box import MB, BoxLimits
from studio.engine.execution.usage import ProcessWatch
from studio.engine.execution.watch import DEEPEST, FolderWatch, limit_words
from tests.builders import until

SMALL = BoxLimits(disk=MB, files=20)


def look(folder: Path, limits: BoxLimits = SMALL) -> str:
    return asyncio.run(FolderWatch(folder, limits).look())


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def make_deep(folder: Path, depth: int) -> None:
    """Deeper than a path can be long, as a program does it: from folder to folder."""
    inside = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("x" * 200, dir_fd=inside)
        child = os.open("x" * 200, os.O_RDONLY, dir_fd=inside)
        os.close(inside)
        inside = child
    os.close(inside)


def test_limits_are_named_as_people_say_them() -> None:
    limits = BoxLimits(seconds=1.5, memory=1536 * MB, files=20_000, output=500)
    assert limit_words(limits, "time") == "the time limit of 1.5 s"
    assert limit_words(limits, "memory") == "the memory limit of 1.5 GB"
    assert limit_words(limits, "processes") == "the limit of 128 processes"
    assert limit_words(limits, "disk") == "the disk limit of 1 GB"
    assert limit_words(limits, "files") == "the limit of 20,000 files"
    assert limit_words(limits, "output") == "the output limit of 500 bytes"


def test_a_folder_within_its_limits_has_none(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.txt").write_bytes(b"x" * 1000)
    assert look(tmp_path) == ""
    assert look(tmp_path / "missing") == ""


def test_bytes_count_where_they_are_allocated(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(100 * MB)
    (tmp_path / "one").write_bytes(b"x" * (MB * 3 // 4))
    os.link(tmp_path / "one", tmp_path / "the same")
    assert look(tmp_path) == ""
    (tmp_path / "two").write_bytes(b"x" * (MB // 2))
    assert look(tmp_path) == "the disk limit of 1 MB"


def test_entries_count_wherever_they_are(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for number in range(18):
        (tmp_path / "a" / "b" / str(number)).touch()
    assert look(tmp_path) == ""
    (tmp_path / "a" / "link").symlink_to("nowhere")
    assert look(tmp_path) == "the limit of 20 files"


def test_folders_may_not_be_too_deep_to_be_named(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    watch = FolderWatch(tmp_path, BoxLimits())
    asyncio.run(watch.before())
    make_deep(tmp_path, 300)
    assert asyncio.run(watch.look()) == f"the limit of {DEEPEST} folders inside each other"
    asyncio.run(watch.clean_up())
    assert os.listdir(tmp_path) == ["kept"]


def test_links_lead_nowhere(tmp_path: Path) -> None:
    outside, work = tmp_path / "outside", tmp_path / "work"
    outside.mkdir()
    work.mkdir()
    (outside / "mine").write_bytes(b"x" * 2 * MB)
    watch = FolderWatch(work, SMALL)
    asyncio.run(watch.before())
    (work / "folder").symlink_to(outside)
    (work / "file").symlink_to(outside / "mine")
    assert asyncio.run(watch.look()) == ""
    asyncio.run(watch.clean_up())
    assert names(work) == set()
    assert names(outside) == {"mine"}


def test_a_folder_that_became_a_link_is_taken_away_as_a_link(tmp_path: Path) -> None:
    outside, work = tmp_path / "outside", tmp_path / "work"
    (work / "data").mkdir(parents=True)
    outside.mkdir()
    (outside / "new").touch()
    watch = FolderWatch(work, SMALL)
    asyncio.run(watch.before())
    (work / "data").rename(tmp_path / "gone")
    (work / "data").symlink_to(outside)
    asyncio.run(watch.clean_up())
    assert names(outside) == {"new"}
    assert not (work / "data").is_symlink()


def test_cleaning_up_leaves_what_was_there_before(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "old.csv").write_text("a,b\n")
    (tmp_path / "log").write_text("first\n")
    watch = FolderWatch(tmp_path, SMALL)
    asyncio.run(watch.before())
    (tmp_path / "data" / "new.csv").touch()
    (tmp_path / "new" / "deep").mkdir(parents=True)
    (tmp_path / "new" / "deep" / "file").touch()
    with (tmp_path / "log").open("a") as file:
        file.write("x" * MB)
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "file").touch()
    (tmp_path / "closed").chmod(0)
    asyncio.run(watch.clean_up())
    assert names(tmp_path) == {"data", "data/old.csv", "log"}
    assert (tmp_path / "log").read_text() == "first\n"


def test_a_program_cannot_hide_files_in_a_folder_it_closed(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "big").write_bytes(b"x" * 2 * MB)
    (tmp_path / "closed").chmod(0)
    assert look(tmp_path) == "the disk limit of 1 MB"


def test_waiting_ends_when_a_limit_is_passed(tmp_path: Path) -> None:
    async def main() -> str:
        waiting = asyncio.create_task(FolderWatch(tmp_path, SMALL).exceeded())
        await asyncio.sleep(0)
        (tmp_path / "big").write_bytes(b"x" * 2 * MB)
        async with asyncio.timeout(10):
            return await waiting

    assert asyncio.run(main()) == "the disk limit of 1 MB"


@contextmanager
def program(source: str) -> Iterator[int]:
    """The pid of a Python program below this one's child, which has said that it is ready."""
    below = [sys.executable, "-I", "-c", source]
    above = f"import subprocess; subprocess.run({below!r})"
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", above], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
    finally:
        os.killpg(process.pid, 9)
        process.wait()
        process.stdout.close()


linux = pytest.mark.skipif(sys.platform != "linux", reason="the watch reads proc(5)")


@linux
def test_memory_that_forks_share_counts_once() -> None:
    source = (
        "import os, time\nheld = b'x' * 100_000_000\n"
        "for _ in range(4):\n    if not os.fork():\n        time.sleep(60)\n"
        "print('ready', flush=True)\ntime.sleep(60)"
    )
    with program(source) as pid:
        assert ProcessWatch(pid, BoxLimits(memory=300 * MB)).look() == ""
        assert ProcessWatch(pid, BoxLimits(memory=90 * MB)).look() == "the memory limit of 90 MB"


@linux
def test_shared_memory_counts_though_no_process_has_its_pages() -> None:
    source = (
        "import mmap, time\nheld = mmap.mmap(-1, 200_000_000)\nheld.write(b'x' * 200_000_000)\n"
        "held.madvise(mmap.MADV_DONTNEED)\nprint('ready', flush=True)\ntime.sleep(60)"
    )
    with program(source) as pid:
        watch = ProcessWatch(pid, BoxLimits(memory=150 * MB))
        assert watch.look() == "the memory limit of 150 MB"


@linux
def test_threads_count_as_processes() -> None:
    source = (
        "import threading, time\n"
        "for _ in range(30):\n    threading.Thread(target=time.sleep, args=[60]).start()\n"
        "print('ready', flush=True)"
    )
    with program(source) as pid:
        assert ProcessWatch(pid, BoxLimits(processes=31)).look() == "the limit of 31 processes"
        assert ProcessWatch(pid, BoxLimits(processes=32)).look() == ""


@linux
def test_a_deleted_file_counts_while_it_is_open(tmp_path: Path) -> None:
    source = (
        f"import os, time\nfile = open({str(tmp_path / 'f')!r}, 'wb', 0)\nos.unlink(file.name)\n"
        "file.write(b'x' * 3_000_000)\nprint('ready', flush=True)\ntime.sleep(60)"
    )
    with program(source) as pid:
        assert ProcessWatch(pid, BoxLimits(disk=5 * MB)).look() == ""
        # file systems may allocate late
        words = until(ProcessWatch(pid, BoxLimits(disk=MB)).look)
        assert words == "the disk limit of 1 MB"


@linux
def test_nothing_is_left_to_watch_when_a_process_has_ended() -> None:
    with program("print('ready', flush=True)") as pid:
        ended = pid
    assert ProcessWatch(ended, BoxLimits(memory=1, processes=1)).look() == ""
