"""The box of kind "docker": a container in which each job is an exec, and nothing else is left."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..errors import SandboxError
from .box import BoxLimits, Ended, Job, Kind, Process
from .docker import Daemon, MissingError
from .docker_flags import OWN, bytes_written, container_config, user_of_boxes
from .docker_streams import NOT_STARTED, DockerProcess, Output, Stream, first, hijacked
from .nobody import give_away
from .relay import relayed
from .watch import FolderWatch, limit_words

T = TypeVar("T")
IMAGE = "python:3-slim"
STOPPED, REFUSED, UNKNOWN = 124, 126, 127
_REWRITES = 4  # times the disk limit that a job may write, as in the sandbox
_PAUSE = 0.1
_KILL = 2.0  # seconds to wait for Docker to kill
_ENVIRONMENT = {
    "HOME": "/tmp",  # noqa: S108 - the box's own
    "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1",
    "MPLCONFIGDIR": "/tmp",  # noqa: S108
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Container:
    """`held` is the input that keeps it alive, `pid` its first program as this machine sees it."""

    id: str
    made_for: tuple[int, int, float, int]
    held: Stream
    pid: int


class DockerBox:
    """A container of `image` with `work_dir` as /work, made at the first job (see `Box`).

    `label` is the studio's: `remove_labelled` finds by it what a killed studio has left. `host` is
    as in `Daemon`. A program that runs on has a container of its own.
    """

    kind: Kind = "docker"

    def __init__(self, work_dir: Path, *, image: str = IMAGE, label: str, host: str = "") -> None:
        self.work_dir = work_dir.resolve()
        self.image, self.label = image, label
        self._daemon = Daemon(host)
        self._lock = asyncio.Lock()
        self._container: _Container | None = None
        self._processes: set[DockerProcess] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_closed = False

    async def run(self, job: Job) -> Ended:
        if why := _unfit(job):
            return Ended(REFUSED, stderr=f"{why}\n".encode())
        job = relayed(job)
        async with self._lock:
            watch = await self._watch(job.limits)
            try:
                return await self._ended(await self._ready(job.limits), job, watch)
            except BaseException:
                await self._renew()
                await _clean(watch)
                raise

    async def start(self, job: Job) -> Process:
        if why := _unfit(job):
            raise SandboxError(why)
        job = relayed(job)
        async with self._lock:
            watch = await self._watch(job.limits)
            container = await self._made(job.limits)
            try:
                stream, _ = await self._exec(container, job, stdin=True)
            except BaseException:
                await self._discard(container)
                raise
        stops = (watch.exceeded(), self._used_up(container, job.limits))
        process: DockerProcess

        async def release() -> None:
            await self._discard(container)
            await _clean(watch)
            self._processes.discard(process)

        process = DockerProcess(stream, job.limits, stops, release)
        self._processes.add(process)
        try:
            if self._is_closed:
                raise SandboxError("This box is closed")
            with suppress(OSError):  # it has ended, which it tells itself
                await process.write(job.stdin)
        except BaseException:
            await process.kill()
            raise
        return process

    async def close(self) -> None:
        self._is_closed = True
        await asyncio.gather(self._renew(), *(one.kill() for one in [*self._processes]))
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_KILL)
        self._daemon.close()

    # -- one job

    async def _watch(self, limits: BoxLimits) -> FolderWatch:
        if self._is_closed:
            raise SandboxError("This box is closed")
        await asyncio.to_thread(give_away, self.work_dir)
        watch = FolderWatch(self.work_dir, limits)
        await watch.before()
        return watch

    async def _ended(self, container: _Container, job: Job, watch: FolderWatch) -> Ended:
        try:
            stream, exec_id = await self._exec(container, job, stdin=bool(job.stdin))
        except MissingError:  # someone has taken the container away
            await self._renew()
            container = await self._ready(job.limits)
            stream, exec_id = await self._exec(container, job, stdin=bool(job.stdin))
        output, limits, started = Output(job.limits.output), job.limits, time.monotonic()
        feeding = asyncio.ensure_future(stream.write_all(job.stdin))
        try:
            async with asyncio.timeout(limits.seconds):
                limit = await first(
                    self._finished(output, stream, exec_id, limits),
                    watch.exceeded(),
                    self._used_up(container, limits),
                )
        except TimeoutError:
            limit = limit_words(limits, "time")
        finally:
            feeding.cancel()
            stream.close()
        seconds, code = time.monotonic() - started, STOPPED
        if not limit:
            after = await self._daemon.after(container.id, exec_id, OWN)
            code = after.exit_code
            limit = limit_words(limits, "memory") if after.no_memory else await watch.look()
            if after.left:
                await self._renew()
        if limit:
            code = STOPPED
            await self._renew()
            await _clean(watch)
        return _told(job, code, output, seconds, limit)

    async def _exec(self, container: _Container, job: Job, *, stdin: bool) -> tuple[Stream, str]:
        threads = str(math.ceil(job.limits.cpus))
        environment = _ENVIRONMENT | {"OMP_NUM_THREADS": threads} | dict(job.environment)
        exec_id = await self._daemon.exec(container.id, job.command, environment, stdin)
        path = await self._daemon.path(f"/exec/{exec_id}/start")
        body = {"Tty": False, "Detach": False}
        return await hijacked(self._daemon.socket, path, body), exec_id

    async def _finished(
        self, output: Output, stream: Stream, exec_id: str, limits: BoxLimits
    ) -> str:
        if not await output.gather(stream):
            return limit_words(limits, "output")
        while await self._daemon.is_running(exec_id):  # noqa: ASYNC110 - it has closed its streams
            await asyncio.sleep(_PAUSE)
        return ""

    async def _used_up(self, container: _Container, limits: BoxLimits) -> str:
        """Waits until its programs have used up what they may, and gives the limit in words."""
        started, before = time.monotonic(), bytes_written([container.pid])
        while True:
            await asyncio.sleep(min(2, 0.5 + (time.monotonic() - started) / 60))
            with suppress(MissingError):  # it has ended, which the stream tells too
                threads, no_memory = await self._daemon.usage(container.id)
                if no_memory:
                    return limit_words(limits, "memory")
                if len(threads) - OWN >= limits.processes:
                    return limit_words(limits, "processes")
                if bytes_written({*threads}) - before > _REWRITES * limits.disk:
                    return limit_words(limits, "disk")

    # -- containers

    async def _ready(self, limits: BoxLimits) -> _Container:
        """The container for jobs with these limits."""
        container = self._container
        if container is not None and container.made_for == _made_for(limits):
            return container
        await self._renew()
        self._container = await self._made(limits)
        return self._container

    async def _made(self, limits: BoxLimits) -> _Container:
        """Making one is never given up half-way, or nobody would know of it."""
        making = self._spawn(self._make(limits))
        try:
            container = await asyncio.shield(making)
        except asyncio.CancelledError:
            self._spawn(self._discard_made(making))
            await asyncio.wait({making}, timeout=_KILL)
            raise
        if self._is_closed:
            await self._discard(container)
            raise SandboxError("This box is closed")
        return container

    async def _make(self, limits: BoxLimits) -> _Container:
        daemon = self._daemon
        try:
            image = await daemon.image(self.image)
        except MissingError:
            raise SandboxError(missing_image(self.image)) from None
        config = container_config(
            self.image,
            self.work_dir,
            limits,
            label=self.label,
            user=user_of_boxes(await daemon.is_rootless()),
            volumes=image["Config"].get("Volumes") or (),
        )
        number = await daemon.create(config)
        held: Stream | None = None
        try:
            path = await daemon.path(f"/containers/{number}/attach?stream=1&stdin=1")
            held = await hijacked(daemon.socket, path, {})
            pid = await daemon.start(number)
        except BaseException:
            if held is not None:
                held.close()
            await daemon.remove(number)
            raise
        return _Container(number, _made_for(limits), held, pid)

    async def _discard_made(self, making: asyncio.Task[_Container]) -> None:
        with suppress(SandboxError):
            await self._discard(await making)

    async def _renew(self) -> None:
        """Ends the container of jobs with all that runs in it; the next job has a new one."""
        container, self._container = self._container, None
        if container is not None:
            await self._discard(container)

    async def _discard(self, container: _Container) -> None:
        """Waits for a daemon that hangs only so long; the container then ends when it can."""
        container.held.close()
        removal = self._spawn(self._daemon.remove(container.id))
        await asyncio.wait({removal}, timeout=_KILL)

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # who waits for it is told; nobody else needs to be


def missing_image(image: str) -> str:
    return f"the image {image} is not on this machine: docker pull {image}"


def _unfit(job: Job) -> str:
    given = (*job.command, *job.environment, *job.environment.values())
    return "a word of the command or a variable has a zero byte in it" * any(
        "\0" in text for text in given
    )


def _made_for(limits: BoxLimits) -> tuple[int, int, float, int]:
    return limits.memory, limits.processes, limits.cpus, limits.file


async def _clean(watch: FolderWatch) -> None:
    if await watch.look():
        await watch.clean_up()


def _told(job: Job, code: int, output: Output, seconds: float, limit: str) -> Ended:
    stdout, stderr = bytes(output.stdout), bytes(output.stderr)
    if code in (REFUSED, UNKNOWN) and stdout.startswith(NOT_STARTED):
        why = stdout.decode(errors="replace").strip().removesuffix(": unknown").rpartition(": ")[2]
        code = UNKNOWN if "not found" in why or "no such file" in why else REFUSED
        stdout, stderr = b"", f"{job.command[0]}: {why}\n".encode(errors="replace")
    return Ended(code, stdout, stderr, round(seconds, 3), limit)
