"""A box without Docker: bubblewrap around each program, and watches from outside.

Namespaces hide this machine, limits of the kernel hold each process, and what they do not hold
(memory of all processes together, the folder's size) is watched; see SECURITY section 4. Linux.
"""

from __future__ import annotations

import asyncio
import math
import os
import re
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

from ..errors import SandboxError
from .box import BoxLimits, Ended, Job, Kind, Probe
from .bubblewrap import View
from .canary import let_fly
from .nobody import give_away
from .relay import relayed
from .running import Budget, Kept, Running, begin
from .usage import can_watch
from .watch import FolderWatch, limit_words

_STOPPED, _UNFIT = 124, 126  # exit codes
_OLDEST = (0, 8)  # of bubblewrap: the first that can bar namespaces inside of a sandbox
_INSTALL = "apt-get install bubblewrap (Debian, Ubuntu)"
_AS_ROOT = "the studio runs as root: run it as an ordinary user, or use Docker"
_BARRED = (
    "this machine lets ordinary users make no namespaces. On Ubuntu 24.04 or newer: load the "
    "AppArmor profile bwrap-userns-restrict (package apparmor-profiles); inside of a container it "
    "is not possible: use Docker"
)
_LAST_WORDS = 0.2  # seconds
_GRACE = 1.0  # seconds for what is left in the pipes of a program that has ended


class SandboxBox:
    """A `Box` of bubblewrap on one folder, which is made when it is missing.

    packages  a folder of Python packages that programs can import, which they cannot change
    program   the name or path of bubblewrap
    """

    kind: Kind = "sandbox"

    def __init__(
        self, work_dir: Path, *, packages: Path | None = None, program: str = "bwrap"
    ) -> None:
        self.work_dir = work_dir
        self._view = View(program, work_dir.absolute(), packages and packages.absolute())
        self._turn = asyncio.Lock()
        self._running: set[Running] = set()
        self._talks: set[SandboxProcess] = set()
        self._closed = False
        self._is_given = packages is None

    async def run(self, job: Job) -> Ended:
        async with self._turn:
            folder = await self._folder(job.limits)
            budget = Budget(job.limits.output)
            stdout, stderr = Kept(budget), Kept(budget)
            started = time.monotonic()
            try:
                running = await begin(self._view, relayed(job), stdout, stderr)
            except ValueError as error:
                return Ended(_UNFIT, stderr=f"{error}\n".encode())
            self._running.add(running)
            limit = ""
            try:
                self._refuse_if_closed()
                running.feed(job.stdin, last=True)
                limit = await running.stopped(folder, _overflowed(budget, job.limits))
            finally:
                running.kill()
                await running.gone()
                await asyncio.wait({stdout.ended, stderr.ended}, timeout=_GRACE)
                running.close()
                self._running.discard(running)
                limit = await _settle(folder) or limit
            limit = limit or (limit_words(job.limits, "output") if budget.spent.done() else "")
            code = _STOPPED if limit else running.exit_code
            seconds = time.monotonic() - started
            return Ended(code, bytes(stdout.data), bytes(stderr.data), seconds, limit)

    async def start(self, job: Job) -> SandboxProcess:
        """`job.stdin` is written first. The limit of output is that of one line."""
        job = replace(job, limits=replace(job.limits, seconds=math.inf))
        folder = await self._folder(job.limits)
        reader = asyncio.StreamReader(limit=job.limits.output)
        errors = Kept()
        try:
            running = await begin(
                self._view, relayed(job), asyncio.StreamReaderProtocol(reader), errors
            )
        except ValueError as error:
            raise SandboxError(str(error)) from None
        talk = SandboxProcess(running, reader, errors, folder, job.limits)
        self._talks.add(talk)
        if self._closed:
            await self.close()
        self._refuse_if_closed()
        running.feed(job.stdin)
        return talk

    async def close(self) -> None:
        self._closed = True
        for running in self._running:
            running.kill()
        while self._talks:
            await self._talks.pop().kill()
        async with self._turn:
            pass  # the last job is gone

    async def _folder(self, limits: BoxLimits) -> FolderWatch:
        self._refuse_if_closed()
        await asyncio.to_thread(give_away, self.work_dir)
        if self._view.packages is not None and not self._is_given:
            await asyncio.to_thread(give_away, self._view.packages)
            self._is_given = True
        folder = FolderWatch(self.work_dir, limits)
        await folder.before()
        return folder

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise SandboxError("the sandbox is closed")


class SandboxProcess:
    """A `Process` in a sandbox; it watches itself until it has ended."""

    def __init__(
        self,
        running: Running,
        reader: asyncio.StreamReader,
        errors: Kept,
        folder: FolderWatch,
        limits: BoxLimits,
    ) -> None:
        self._running = running
        self._reader = reader
        self._errors = errors
        self._limits = limits
        self._limit = ""
        self._end = asyncio.create_task(self._watch(folder))

    async def write(self, data: bytes) -> None:
        self._running.feed(data)
        await self._running.fed()

    async def read_line(self) -> bytes:
        try:
            line = await self._reader.readline()
        except ValueError:  # too long
            self._limit = limit_words(self._limits, "output")
            await self.kill()
            return b""
        if not line:  # its last words come at the same time
            await asyncio.wait({self._errors.ended}, timeout=_LAST_WORDS)
        return line

    def errors(self) -> str:
        said = self._errors.data.decode(errors="replace")
        return f"{said}(stopped at {self._limit})\n" if self._limit else said

    async def kill(self) -> None:
        self._running.kill()
        await asyncio.wait({self._end})
        self._running.close()

    async def _watch(self, folder: FolderWatch) -> None:
        try:
            self._limit = await self._running.stopped(folder) or self._limit
        finally:
            self._running.kill()
            await self._running.gone()
            unsettled = await _settle(folder)
            self._limit = self._limit or unsettled


async def _overflowed(budget: Budget, limits: BoxLimits) -> str:
    await asyncio.shield(budget.spent)
    return limit_words(limits, "output")


async def _settle(folder: FolderWatch) -> str:
    """Takes away what is too much when nothing runs any more: the last look may be long ago."""
    limit = await folder.look()
    if limit:
        await folder.clean_up()
    return limit


async def probe_sandbox(home: Path | None = None, *, program: str = "bwrap") -> Probe:
    """Whether code may run in sandboxes here: a canary tries to get out of one.

    `home` is where the canary has its folder for the moment. `program` is bubblewrap's name or
    path. Takes some tenths of a second.
    """
    if sys.platform != "linux":
        return _not_ready("bubblewrap is for Linux only: use Docker on macOS and Windows")
    path = shutil.which(program)
    if path is None:
        return _not_ready(f"bubblewrap is not installed: {_INSTALL}")
    about = await _about(path)
    numbers = re.search(r"(\d+)\.(\d+)", about)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < _OLDEST:
        return _not_ready(f"{about or path} is too old, 0.8 or newer is needed: {_INSTALL}")
    if not can_watch():
        return _not_ready("this Linux does not say which processes belong to a sandbox: use Docker")
    found = await let_fly("sandbox", lambda work: SandboxBox(work, program=path), about, home)
    if found.ready or found.checks:
        return found
    if os.geteuid() == 0:
        return _not_ready(f"{_AS_ROOT} ({found.why})")
    barred = re.search("namespace|uid map|RTM_NEWADDR|[Pp]ermission|not permitted", found.why)
    return _not_ready(f"{_BARRED} ({found.why})") if barred else found


def _not_ready(why: str) -> Probe:
    return Probe("sandbox", ready=False, why=why)


async def _about(path: str) -> str:
    """Like "bubblewrap 0.8.0"; "" when it does not run."""
    try:
        asked = await asyncio.create_subprocess_exec(
            path, "--version", stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env={},
        )  # fmt: skip
        answer, _ = await asked.communicate()
    except OSError:
        return ""
    return answer.decode(errors="replace").strip()
