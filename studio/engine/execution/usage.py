"""Watches the processes of a sandbox together: the kernel limits each of them, but not their sum.

An ordinary person has no cgroup. Linux only (proc(5)); a container has a cgroup and needs no watch.
"""

from __future__ import annotations

import asyncio
import os
import stat
import time
from contextlib import suppress

from .box import KB, BoxLimits
from .bubblewrap import SCRATCH
from .watch import limit_words, pause

_LONGEST = 0.4  # seconds between two looks: memory fills by some GB in a second
_REWRITES = 4  # times the disk limit that a job may write: a file can be deleted while it is open


class ProcessWatch:
    """bubblewrap and all below it: resident memory, number of threads, what no folder shows.

    Memory that forks share is counted once (Pss), and shared memory by its size, since it stays
    when a program gives its pages back. Deleted files count while they are open; bytes written
    catch those that are only mapped. bubblewrap itself is none of the processes.
    """

    def __init__(self, pid: int, limits: BoxLimits) -> None:
        self._pid = pid
        self._limits = limits

    async def exceeded(self) -> str:
        """Waits until they pass a limit together, and gives it in words."""
        while True:
            started = time.monotonic()
            if words := await asyncio.to_thread(self.look):
                return words
            await pause(started, longest=_LONGEST)

    def look(self) -> str:
        limits, pids = self._limits, tree(self._pid)
        if sum(map(_threads, pids[1:])) >= limits.processes:  # first: a fork bomb leaves no time
            return limit_words(limits, "processes")
        resident = mapped = written = 0
        deleted: dict[tuple[int, int], int] = {}
        for pid in pids:
            found = _numbers(f"/proc/{pid}/status")
            resident += found.get("RssAnon", 0) + found.get("RssShmem", 0)
            mapped += found.get("VmSize", 0)
            written += _numbers(f"/proc/{pid}/io").get("write_bytes", 0)
            deleted |= _deleted(pid) if pid != self._pid else {}
        if mapped * KB > limits.memory:
            held = resident if resident * KB <= limits.memory else sum(map(_proportional, pids))
            if held * KB > limits.memory or _shared(pids) > limits.memory:
                return limit_words(limits, "memory")
        if sum(deleted.values()) > limits.disk or written > _REWRITES * limits.disk:
            return limit_words(limits, "disk")
        return limit_words(limits, "files") if _scratch_files(pids) > limits.files else ""


def can_watch() -> bool:
    """Whether this kernel says which processes a process has started."""
    return os.path.exists(f"/proc/self/task/{os.getpid()}/children")


def tree(root: int) -> list[int]:
    """The process and all below it, by /proc/PID/task/TID/children."""
    found, pending = [], [root]
    while pending:
        pid = pending.pop()
        found.append(pid)
        with suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                children = _text(f"/proc/{pid}/task/{task}/children")
                pending += map(int, children.split())
    return found


def _threads(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return 0  # it has ended


def _scratch_files(pids: list[int]) -> int:
    """In the folders that are in memory: an empty file takes none of their bytes."""
    number = 0
    for folder in ("tmp", "dev/shm"):
        with suppress(OSError, IndexError):
            found = os.statvfs(f"/proc/{pids[1]}/root/{folder}")
            if found.f_blocks * found.f_frsize == SCRATCH:
                number += found.f_files - found.f_ffree
    return number


def _deleted(pid: int) -> dict[tuple[int, int], int]:
    """Bytes of the files that a process holds open, but that have no name any more."""
    found = {}
    with suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                file = os.stat(f"/proc/{pid}/fd/{name}")
                if not file.st_nlink and stat.S_ISREG(file.st_mode):
                    found[file.st_dev, file.st_ino] = file.st_blocks * 512
    return found


def _text(path: str) -> str:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read().decode(errors="replace")
    except OSError:
        return ""  # it has ended


def _numbers(path: str) -> dict[str, int]:
    """Lines like "RssAnon:   3456 kB"; in status and smaps_rollup the unit is kB."""
    found = {}
    for line in _text(path).splitlines():
        name, _, value = line.partition(":")
        if (first := value.split()[:1]) and first[0].isdigit():
            found[name] = int(first[0])
    return found


def _proportional(pid: int) -> int:
    """kB, where a page that n processes share counts as 1/n page."""
    found = _numbers(f"/proc/{pid}/smaps_rollup")
    if "Pss_Anon" in found:
        return found["Pss_Anon"] + found["Pss_Shmem"]
    status = _numbers(f"/proc/{pid}/status")
    return status.get("RssAnon", 0) + status.get("RssShmem", 0)


def _shared(pids: list[int]) -> int:
    """Bytes of anonymous shared memory, each piece once, however many processes map it."""
    pieces: dict[str, int] = {}
    for pid in pids:
        for line in _text(f"/proc/{pid}/maps").splitlines():
            if line.endswith("/dev/zero (deleted)"):
                where, _, _, _, inode, *_ = line.split()
                start, end = where.split("-")
                size = int(end, 16) - int(start, 16)
                pieces[inode] = max(pieces.get(inode, 0), size)
    return sum(pieces.values())
