"""How bytes go between a program in a box and the server that it asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .client_hello import NeedsMore, server_name
from .proxy_http import (
    CHUNK,
    LONGEST_HEAD,
    Asked,
    BadAnswerError,
    Send,
    copy_body,
    end_to_end,
    framing_headers,
    framing_of_request,
    framing_of_response,
    read_response,
    written,
)

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class TooMuchError(Exception):
    """A job has moved more bytes than it may."""


class OtherNameError(Exception):
    """Inside a tunnel to one host, TLS asks for another one: `name`, "" if it cannot be read."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Traffic:
    """How many bytes a job may still move, over all its connections and both ways."""

    def __init__(self, most: int) -> None:
        self.left = most

    def count(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise TooMuchError


@dataclass(frozen=True, slots=True)
class Stream:
    """One connection, whose `send` waits until the kernel has it all."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def __post_init__(self) -> None:
        self.writer.transport.set_write_buffer_limits(0)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def end(self) -> None:
        with suppress(OSError, RuntimeError):  # it may be gone already
            self.writer.write_eof()

    async def close(self) -> None:
        self.writer.transport.abort()
        with suppress(OSError):
            await self.writer.wait_closed()


class Exchange:
    """One request and its answer, or one tunnel. Ended by TimeoutError when nothing has moved for
    `idle` seconds. `answered` tells whether the program has been sent anything."""

    def __init__(self, client: Stream, server: Stream, traffic: Traffic, idle: float) -> None:
        self.client, self.server, self.traffic, self.idle = client, server, traffic, idle
        self.answered = False
        self._moved = asyncio.get_running_loop().time()

    async def tunnel(self, host: str) -> None:
        """OtherNameError where TLS asks for another host."""
        self.answered = True
        await self.client.send(ESTABLISHED)
        await self._together(self._from_client(host), self._pump(self.server, self.client))

    async def forward(self, asked: Asked) -> None:
        """BadAnswerError where the server's answer is no HTTP."""
        await self._together(self._forward(asked))

    async def _from_client(self, host: str) -> None:
        first = await self.client.reader.read(CHUNK)
        while first:
            try:
                name = server_name(first)
            except NeedsMore:
                more = await self.client.reader.read(CHUNK)
                if not more:
                    self.server.end()
                    return
                first += more
                continue
            except ValueError:
                raise OtherNameError("") from None
            if name not in ("", host):
                raise OtherNameError(name)
            await self._sender(self.server)(first)
            break
        await self._pump(self.client, self.server)

    async def _pump(self, source: Stream, target: Stream) -> None:
        send = self._sender(target)
        while data := await source.reader.read(CHUNK):
            await send(data)
        target.end()

    async def _forward(self, asked: Asked) -> None:
        sending = asyncio.create_task(self._send_request(asked))
        try:
            await self._pass_answer(asked.method)
            if sending.done():
                sending.result()
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _send_request(self, asked: Asked) -> None:
        try:
            send = self._sender(self.server)
            await send(asked.head())
            await copy_body(framing_of_request(asked.headers), self.client.reader, send)
        except OSError:
            return  # a server may answer before it has read all
        except (EOFError, ValueError, TooMuchError):
            self.server.writer.transport.abort()
            raise

    async def _pass_answer(self, method: str) -> None:
        reader, send = self.server.reader, self._sender(self.client)
        status = 100
        while status < 200:
            head = await self._answer_head()
            status, start, headers = read_response(head)
            if status == 101:
                raise BadAnswerError("the server changed to another protocol")
            try:
                framing = framing_of_response(method, status, headers)
                kept = [*end_to_end(headers), *framing_headers(headers)]
            except ValueError as error:
                raise BadAnswerError(str(error)) from None
            self.answered = status >= 200
            await send(written(start, kept))
        await copy_body(framing, reader, send)

    async def _answer_head(self) -> bytes:
        try:
            return await self.server.reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise BadAnswerError(f"the head is longer than {LONGEST_HEAD} bytes") from None
        except (asyncio.IncompleteReadError, ConnectionError):
            raise BadAnswerError("the connection ended before the answer") from None

    def _sender(self, target: Stream) -> Send:
        async def send(data: bytes) -> None:
            self.traffic.count(len(data))
            self._moved = asyncio.get_running_loop().time()
            await target.send(data)

        return send

    async def _together(self, *works: Coroutine[Any, Any, None]) -> None:
        """Until all are done, or the first has failed."""
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(work) for work in works]
        pending = set(tasks)
        try:
            while pending:
                left = self._moved + self.idle - loop.time()
                if left <= 0:
                    raise TimeoutError
                done, pending = await asyncio.wait(
                    pending, timeout=left, return_when=asyncio.FIRST_EXCEPTION
                )
                for task in done:
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
