"""The streams of programs in containers: one connection to Docker's socket carries a program's
input, and its two outputs in frames (Docker Engine API, "Attach to a container").

All of it is asyncio, so that a daemon that hangs can be left alone.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from ..errors import SandboxError
from .box import BoxLimits
from .watch import limit_words

STDOUT, STDERR = 1, 2
NOT_STARTED = b"OCI runtime exec failed"  # Docker's own words, as if the program had written them
_PIECE = 65_536
_ANSWER = 30.0  # seconds for Docker to begin an answer
_LAST_ERRORS = 8_192  # bytes kept of what a program that runs on writes to stderr


class Stream:
    """A connection that Docker has handed over to a program."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def write(self, data: bytes) -> None:
        """OSError when the program is gone."""
        self._writer.write(data)
        await self._writer.drain()

    async def write_all(self, data: bytes) -> None:
        """All of its input; a program need not read it."""
        with suppress(OSError):
            await self.write(data)
            self._writer.write_eof()

    async def frames(self) -> AsyncIterator[tuple[int, bytes]]:
        """Pieces of STDOUT and STDERR, until the program has closed both."""
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                number, size = struct.unpack(">BxxxL", await self._reader.readexactly(8))
                while size:
                    data = await self._reader.read(min(size, _PIECE))
                    if not data:
                        return
                    size -= len(data)
                    yield number, data

    def close(self) -> None:
        """At once: what is still to be written is for nobody."""
        self._writer.transport.abort()


async def hijacked(socket: str, path: str, body: dict[str, Any]) -> Stream:
    """Posts to a path of the API that answers with a stream. SandboxError when it does not."""
    try:
        async with asyncio.timeout(_ANSWER):
            reader, writer = await asyncio.open_unix_connection(socket)
            try:
                data = json.dumps(body).encode()
                writer.write(
                    f"POST {path} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\n"
                    "Upgrade: tcp\r\nContent-Type: application/json\r\n"
                    f"Content-Length: {len(data)}\r\n\r\n".encode()
                    + data
                )
                head = await reader.readuntil(b"\r\n\r\n")
                if head.split()[1:2] != [b"101"]:
                    answer = await reader.read(_PIECE)
                    raise SandboxError(f"Docker refused: {answer.decode(errors='replace')}")
            except BaseException:
                writer.close()
                raise
    except (OSError, EOFError) as error:  # a time-out is an OSError
        raise SandboxError(f"Docker does not answer ({error or 'time-out'})") from error
    return Stream(reader, writer)


class Output:
    """What a job has written, up to its limit."""

    def __init__(self, most: int) -> None:
        self._room = most
        self.stdout, self.stderr = bytearray(), bytearray()

    async def gather(self, stream: Stream) -> bool:
        """Whether all of it was within the limit."""
        async for number, data in stream.frames():
            kept = self.stdout if number == STDOUT else self.stderr
            kept += data[: self._room]
            self._room -= len(data)
            if self._room < 0:
                return False
        return True


async def first(*waits: Coroutine[Any, Any, str]) -> str:
    """The result of the first to end; the others are cancelled."""
    tasks = [asyncio.ensure_future(one) for one in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task in done).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class DockerProcess:
    """A program that runs on, alone in a container (see `Process`).

    `stops` wait for a limit; `release` ends the container, whichever way the program ends.
    """

    def __init__(
        self,
        stream: Stream,
        limits: BoxLimits,
        stops: tuple[Coroutine[Any, Any, str], ...],
        release: Callable[[], Awaitable[None]],
    ) -> None:
        self._stream, self._limits, self._release = stream, limits, release
        self._lines = asyncio.StreamReader(limit=limits.output)
        self._unread = 0
        self._room, self._killed = asyncio.Event(), asyncio.Event()
        self._errors = bytearray()
        self._life = asyncio.create_task(self._live(stops))

    async def write(self, data: bytes) -> None:
        if self._life.done():
            raise BrokenPipeError("The program has ended")
        await self._stream.write(data)

    async def read_line(self) -> bytes:
        try:
            line = await self._lines.readline()
        except ValueError:  # a line without end
            self._note(f"(stopped at {limit_words(self._limits, 'output')})")
            await self.kill()
            return b""
        self._unread -= len(line)
        self._room.set()
        return line

    def errors(self) -> str:
        return self._errors.decode(errors="replace")

    async def kill(self) -> None:
        self._killed.set()
        await asyncio.wait({self._life})

    async def _live(self, stops: tuple[Coroutine[Any, Any, str], ...]) -> None:
        try:
            if limit := await first(self._pump(), self._until_killed(), *stops):
                self._note(f"(stopped at {limit})")
        except SandboxError as error:
            self._note(str(error))
        finally:
            self._stream.close()
            await self._release()
            self._lines.feed_eof()

    async def _until_killed(self) -> str:
        await self._killed.wait()
        return ""

    async def _pump(self) -> str:
        has_begun = False
        async for number, data in self._stream.frames():
            if number == STDERR or (not has_begun and data.startswith(NOT_STARTED)):
                self._errors += data
                del self._errors[:-_LAST_ERRORS]
                continue
            has_begun = True
            self._lines.feed_data(data)
            self._unread += len(data)
            while self._unread > self._limits.output:  # until someone reads
                self._room.clear()
                await self._room.wait()
        return ""

    def _note(self, words: str) -> None:
        self._errors += f"\n{words}\n".encode()
