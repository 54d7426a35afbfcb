"""One program in a sandbox, from its start to the end of all that it has started."""

from __future__ import annotations

import asyncio
import errno
import io
import math
import os
import signal
from collections.abc import Awaitable
from contextlib import ExitStack, suppress

from ..errors import SandboxError
from .box import BoxLimits, Job
from .bubblewrap import View, command_line
from .usage import ProcessWatch, tree
from .watch import FolderWatch, limit_words

_START = 10.0  # seconds for bubblewrap itself: some ms on a quiet machine
_GRACE = 2.0  # seconds for what was killed to be gone, and for its pipes to close
_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
_TAIL = 8192  # bytes kept of the standard error of a program that runs on


class Budget:
    """How much output is still kept, of all streams together; `spent` when there was more."""

    def __init__(self, most: int) -> None:
        self.left = most
        self.spent: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Kept(asyncio.Protocol):
    """The read end of a pipe: keeps what arrives. Without a budget only the last of it."""

    def __init__(self, budget: Budget | None = None) -> None:
        self.data = bytearray()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._budget = budget

    def data_received(self, data: bytes) -> None:
        if self._budget is None:
            self.data = (self.data + data)[-_TAIL:]
            return
        self.data += data[: self._budget.left]
        if len(data) > self._budget.left and not self._budget.spent.done():
            self._budget.spent.set_result(None)
        self._budget.left = max(0, self._budget.left - len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


class _Gate(Kept):
    """The standard output until the program may begin."""

    def __init__(self) -> None:
        super().__init__()
        self.reached: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self._reach(begun=data == b"\n")

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._reach(begun=False)

    def _reach(self, *, begun: bool) -> None:
        if not self.reached.done():
            self.reached.set_result(begun)


class _Stdin(asyncio.BaseProtocol):
    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.free.set()
        self.lost = False

    def pause_writing(self) -> None:
        self.free.clear()

    def resume_writing(self) -> None:
        self.free.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.free.set()


class Running:
    """bubblewrap and the processes below it. Whoever gets one calls `kill`, `gone` and `close`."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        stdin: asyncio.WriteTransport,
        feeding: _Stdin,
        limits: BoxLimits,
        pipes: ExitStack,
    ) -> None:
        self._process = process
        self._stdin = stdin
        self._feeding = feeding
        self._limits = limits
        self._pipes = pipes
        self._bubblewrap = -1  # pidfds, or -1: it has ended already, or there is none yet
        self._first = -1  # the first process of a namespace of pids ends as its last
        with suppress(ProcessLookupError):
            self._bubblewrap = self._hold(process.pid)

    @property
    def exit_code(self) -> int:
        """As a shell has it: 128 and the signal's number where one ended it."""
        code = self._process.returncode or 0
        return code if code >= 0 else 128 - code

    def answer(self) -> None:
        """Lets the program begin. From now on its end is known from outside."""
        inside = tree(self._process.pid)[1:2]
        if not inside:
            raise SandboxError("the sandbox ended before its program began")
        self._first = self._hold(inside[0])
        self._stdin.write(b"\n")

    def _hold(self, pid: int) -> int:
        pidfd = os.pidfd_open(pid)
        self._pipes.callback(os.close, pidfd)
        return pidfd

    def feed(self, data: bytes, *, last: bool = False) -> None:
        if not self._feeding.lost and data:
            self._stdin.write(data)
        if last and not self._feeding.lost:
            self._stdin.close()  # when all is written

    async def fed(self) -> None:
        """Waits until most of it is written. BrokenPipeError when nobody reads it any more."""
        await self._feeding.free.wait()
        if self._feeding.lost:
            raise BrokenPipeError("the program has ended")

    async def stopped(self, folder: FolderWatch, *others: Awaitable[str]) -> str:
        """Waits for the end of the program, or for the first limit that is passed, in words."""
        usage = ProcessWatch(self._process.pid, self._limits)
        ended = asyncio.ensure_future(self._process.wait())
        limits = [asyncio.ensure_future(w) for w in (folder.exceeded(), usage.exceeded(), *others)]
        seconds = self._limits.seconds if math.isfinite(self._limits.seconds) else None
        try:
            await asyncio.wait({ended, *limits}, timeout=seconds, return_when="FIRST_COMPLETED")
            for limit in limits:
                if limit.done():
                    return limit.result()
            late = not ended.done() or self.exit_code == 128 + signal.SIGXCPU
            return limit_words(self._limits, "time") if late else ""
        finally:
            for waiting in (ended, *limits):
                waiting.cancel()

    def kill(self) -> None:
        _abort(self._stdin, self._feeding)
        is_starting = self._first < 0 and self._process.returncode is None
        for pid in tree(self._process.pid)[1:] if is_starting else []:  # not bound to it yet
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # Not Process.kill(): it may take the exit code before asyncio does, which then has 255.
        for pidfd in (self._bubblewrap, self._first):
            if pidfd >= 0:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)

    async def gone(self) -> None:
        """Waits until there is no process of it any more, after `kill`."""
        await self._process.wait()
        if self._first < 0:
            return
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(self._first, ended.set)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_GRACE):
                    await ended.wait()
        finally:
            loop.remove_reader(self._first)

    def close(self) -> None:
        self._bubblewrap = self._first = -1
        self._pipes.close()


async def begin(view: View, job: Job, stdout: asyncio.Protocol, stderr: Kept) -> Running:
    """SandboxError when no sandbox can be made here, ValueError when the command is unfit.

    A start is not cut short: a bubblewrap that is killed just then leaves a child that waits.
    """
    starting = asyncio.ensure_future(_begin(view, job, stdout, stderr))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        starting.add_done_callback(_undo)
        await asyncio.wait({starting}, timeout=_GRACE)
        starting.cancel()
        await asyncio.wait({starting}, timeout=_GRACE)
        if starting.done() and not starting.cancelled() and not starting.exception():
            await starting.result().gone()
            starting.result().close()
        raise


def _undo(starting: asyncio.Future[Running]) -> None:
    if not starting.cancelled() and not starting.exception():
        starting.result().kill()


async def _begin(view: View, job: Job, stdout: asyncio.Protocol, stderr: Kept) -> Running:
    loop = asyncio.get_running_loop()
    with ExitStack() as pipes:
        try:
            with ExitStack() as given:
                command, files = given.enter_context(command_line(view, job))
                gate = _Gate()
                stream, out = await _reader(gate, pipes, given)
                _, err = await _reader(stderr, pipes, given)
                reader, writer = os.pipe()
                given.callback(os.close, reader)
                stdin, feeding = await loop.connect_write_pipe(_Stdin, io.FileIO(writer, "w"))
                pipes.callback(_abort, stdin, feeding)
                process = await asyncio.create_subprocess_exec(
                    *command, cwd="/", env={"PATH": _PATH}, pass_fds=files,
                    stdin=reader, stdout=out, stderr=err,
                )  # fmt: skip
        except OSError as error:
            if error.errno == errno.E2BIG:
                raise ValueError("the command is too long") from None
            raise SandboxError(f"the sandbox cannot be started: {error.strerror}") from None
        running = Running(process, stdin, feeding, job.limits, pipes.pop_all())
        try:
            await _pass(gate, stderr)
            running.answer()
        except BaseException:
            running.kill()
            await running.gone()
            running.close()
            raise
        stream.set_protocol(stdout)
        stdout.connection_made(stream)
        return running


async def _pass(gate: _Gate, stderr: Kept) -> None:
    if not (await asyncio.wait({gate.reached}, timeout=_START))[0]:
        raise SandboxError(f"the sandbox did not start within {_START:g} s")
    if not gate.reached.result():
        await asyncio.wait({stderr.ended}, timeout=_GRACE)
        words = stderr.data.decode(errors="replace").strip() or "it said nothing"
        raise SandboxError(f"bubblewrap cannot make a sandbox: {words}")


def _abort(stdin: asyncio.WriteTransport, feeding: _Stdin) -> None:
    if not feeding.lost:
        stdin.abort()


async def _reader(
    protocol: asyncio.Protocol, ours: ExitStack, given: ExitStack
) -> tuple[asyncio.ReadTransport, int]:
    """A stream that `ours` closes, and the end to write to, which `given` closes."""
    reader, writer = os.pipe()
    given.callback(os.close, writer)
    loop = asyncio.get_running_loop()
    stream, _ = await loop.connect_read_pipe(lambda: protocol, io.FileIO(reader))
    ours.callback(stream.close)
    return stream, writer
