"""Watches a working folder from outside, for both kinds of box: no kernel limits a folder's size.

It names the limit that was passed, in words for people, and stops nothing itself. Needs POSIX.
"""

from __future__ import annotations

import asyncio
import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Literal, assert_never

from .box import GB, KB, MB, BoxLimits

DEEPEST = 64  # folders inside each other: a path must stay short enough to be named
_SHORTEST, _LONGEST, _SHARE = 0.15, 3.0, 20  # seconds between looks, and times what one took
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW

Limit = Literal["time", "memory", "processes", "disk", "files", "depth", "output"]


def limit_words(limits: BoxLimits, which: Limit) -> str:
    """As in `Ended.limit`: "the memory limit of 1 GB"."""
    match which:
        case "time":
            return f"the time limit of {limits.seconds:g} s"
        case "memory":
            return f"the memory limit of {_size(limits.memory)}"
        case "processes":
            return f"the limit of {limits.processes:,} processes"
        case "disk":
            return f"the disk limit of {_size(limits.disk)}"
        case "files":
            return f"the limit of {limits.files:,} files"
        case "depth":
            return f"the limit of {DEEPEST} folders inside each other"
        case "output":
            return f"the output limit of {_size(limits.output)}"
        case _:
            assert_never(which)


def _size(number: int) -> str:
    for unit, name in ((GB, "GB"), (MB, "MB"), (KB, "kB")):
        if number >= unit:
            return f"{number / unit:.3g} {name}"
    return f"{number} bytes"


class FolderWatch:
    """The working folder during one job: what is allocated in it, and how many entries it has.

    before()    remembers what is there, in some ms for thousands of files
    look()      the limit that the folder passes now, in words; "" if none
    exceeded()  waits for that: ends with the words, or is cancelled
    clean_up()  after a stop: takes away what was not there before, and cuts what has grown

    Files that were deleted while a program holds them open are not seen. Programs may run and
    change the folder at any time: no link is ever followed.
    """

    def __init__(self, work_dir: Path, limits: BoxLimits) -> None:
        self._root = work_dir
        self._limits = limits
        self._known: dict[str, os.stat_result] = {}

    async def before(self) -> None:
        self._known = await asyncio.to_thread(lambda: dict(self._entries()))

    async def look(self) -> str:
        return await asyncio.to_thread(self._look)

    async def exceeded(self) -> str:
        while True:
            started = time.monotonic()
            if words := await self.look():
                return words
            await pause(started, longest=_LONGEST)

    async def clean_up(self) -> None:
        await asyncio.to_thread(self._clean_up)

    def _entries(self) -> Iterator[tuple[str, os.stat_result]]:
        """At most one more than the limit of files, so that a look takes bounded time."""
        with _opened(self._root) as root:
            if root is not None:
                most = self._limits.files + 1
                yield from islice(_walk(root, most), most)

    def _look(self) -> str:
        used = number = 0
        linked: set[int] = set()
        for path, found in self._entries():
            number += 1
            if number > self._limits.files:
                return limit_words(self._limits, "files")
            if path.count("/") >= DEEPEST:
                return limit_words(self._limits, "depth")
            if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
                if found.st_ino in linked:
                    continue
                linked.add(found.st_ino)
            used += found.st_blocks * 512
            if used > self._limits.disk:
                return limit_words(self._limits, "disk")
        return ""

    def _clean_up(self) -> None:
        with _opened(self._root) as root:
            if root is not None:
                self._clean(root, "")

    def _clean(self, folder: int, prefix: str) -> None:
        for name, found in _children(folder):
            path, known = prefix + name, self._known.get(prefix + name)
            if known is None or stat.S_IFMT(known.st_mode) != stat.S_IFMT(found.st_mode):
                _remove(folder, name, found)
            elif stat.S_ISDIR(found.st_mode):
                with _opened(name, folder) as inner:
                    if inner is not None:
                        self._clean(inner, f"{path}/")
            elif found.st_blocks > known.st_blocks and not _cut(folder, name, known):
                _remove(folder, name, found)


@contextmanager
def _opened(name: str | Path, inside: int | None = None) -> Iterator[int | None]:
    """A folder, never through a link; None when it is gone. A program may have locked itself out
    of its own folder: it is opened for us again."""
    number = None
    with suppress(OSError):
        try:
            number = os.open(name, _FOLDER, dir_fd=inside)
        except PermissionError:
            _unlock(name, inside)
            number = os.open(name, _FOLDER, dir_fd=inside)
    try:
        yield number
    finally:
        if number is not None:
            os.close(number)


def _unlock(name: str | Path, inside: int | None) -> None:
    if sys.platform != "linux":
        return  # only O_PATH reaches a closed folder without following a link
    number = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=inside)
    try:
        os.chmod(f"/proc/self/fd/{number}", 0o700)
    finally:
        os.close(number)


def _children(folder: int, most: int | None = None) -> list[tuple[str, os.stat_result]]:
    found = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in islice(entries, most):
            with suppress(OSError):
                found.append((entry.name, entry.stat(follow_symlinks=False)))
    return found


def _walk(
    folder: int, most: int, prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, os.stat_result]]:
    for name, found in _children(folder, most):
        yield prefix + name, found
        if stat.S_ISDIR(found.st_mode) and depth < DEEPEST:
            with _opened(name, folder) as inner:
                if inner is not None:
                    yield from _walk(inner, most, f"{prefix}{name}/", depth + 1)


def _cut(folder: int, name: str, known: os.stat_result) -> bool:
    """Whether a file that has grown could be made as small as it was."""
    with suppress(OSError):
        number = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        try:
            os.ftruncate(number, known.st_size)
            return os.fstat(number).st_blocks <= known.st_blocks
        finally:
            os.close(number)
    return False


def _remove(folder: int, name: str, found: os.stat_result) -> None:
    """A file or a whole tree. Trees are made flat first, since they may be of any depth."""
    with suppress(OSError):
        if not stat.S_ISDIR(found.st_mode):
            os.unlink(name, dir_fd=folder)
            return
    pending, number = [name], 0
    while pending:
        current = pending.pop()
        with _opened(current, folder) as inner:
            for child, seen in _children(inner) if inner is not None else []:
                with suppress(OSError):
                    if not stat.S_ISDIR(seen.st_mode):
                        os.unlink(child, dir_fd=inner)
                        continue
                    number += 1
                    flat = f".{os.getpid()}-{time.monotonic_ns()}-{number}.gone"
                    if seen.st_mode & 0o700 != 0o700:
                        _unlock(child, inner)
                    os.rename(child, flat, src_dir_fd=inner, dst_dir_fd=folder)
                    pending.append(flat)
        with suppress(OSError):
            os.rmdir(current, dir_fd=folder)


async def pause(started: float, *, longest: float) -> None:
    """Between two looks: short, so that looking takes 1/20 of the time where `longest` allows."""
    took = time.monotonic() - started
    await asyncio.sleep(min(longest, max(_SHORTEST, _SHARE * took)))
