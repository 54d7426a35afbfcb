"""The only way out of a box: a proxy on a socket in its folder, which judges every request.

A program asks it for a tunnel (CONNECT) or for an http address. The name must be in the policy, is
looked up once, and all its addresses are judged; the connection goes to one of those, so that no
later answer of a name server matters. Redirects are the program's own next request.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..config import Settings
from ..engine.execution.box import GB
from .addresses import IPAddress, resolved
from .proxy_http import CHUNK, LONGEST_HEAD, Asked, BadAnswerError, BadRequestError, read_request
from .proxy_policy import Network, NetworkRequest, Policy
from .proxy_socket import listening_in
from .proxy_streams import Exchange, OtherNameError, Stream, TooMuchError, Traffic

log = logging.getLogger("studio.runner")

Resolve = Callable[[str, int], Awaitable[list[IPAddress]]]
Connect = Callable[[IPAddress, int], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
Told = Callable[[NetworkRequest], None]
_LOOKUPS = 2  # at once: each of them takes a thread, for as long as a name server wants
_LINGER = 2.0  # seconds for a program to read why it was refused, while it still sends
_AGAIN = 0.1  # seconds until the next try to accept, when the machine is out of descriptors
_STATUS = {400: "Bad Request", 403: "Forbidden", 408: "Request Timeout",
           429: "Too Many Requests", 431: "Request Header Fields Too Large",
           502: "Bad Gateway", 504: "Gateway Timeout"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ProxyLimits:
    """What one job may ask of its proxy: numbers, bytes, seconds.

    connections  at once; more wait until one has ended
    traffic      bytes of all connections, both ways
    idle         a connection ends when nothing has moved on it for so long
    """

    connections: int = 50
    requests: int = 2000
    traffic: int = GB
    head: float = 30
    connect: float = 15
    idle: float = 300


async def open_connection(
    address: IPAddress, port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(str(address), port, limit=LONGEST_HEAD)


class _Refused(Exception):  # noqa: N818 - an answer, not an error
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Proxy:
    """One proxy for one job. `told` is called once a request, when its connection stands or is
    refused, and again when a tunnel or the limit of traffic is abused."""

    def __init__(
        self,
        settings: Settings,
        network: Network,
        told: Told,
        *,
        resolve: Resolve = resolved,
        connect: Connect = open_connection,
        limits: ProxyLimits | None = None,
    ) -> None:
        self.policy, self.limits = Policy(settings, network), limits or ProxyLimits()
        self._told, self._resolve, self._connect = told, resolve, connect
        self._traffic = Traffic(self.limits.traffic)
        self._requests = 0
        self._lookups = asyncio.Semaphore(_LOOKUPS)
        self._listening: socket.socket | None = None
        self._open: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def serving(self, work_dir: Path) -> AsyncIterator[None]:
        """Listens in `work_dir` until the block ends; then all connections are closed.

        Raises SandboxError when it cannot listen there.
        """
        with listening_in(work_dir) as listening:
            self._listening = listening
            self._listen()
            try:
                yield
            finally:
                self._rest()
                self._listening = None
                for task in self._open:
                    task.cancel()
                await asyncio.gather(*self._open, return_exceptions=True)

    # -- connections of the program

    def _listen(self) -> None:
        if self._listening is not None:
            asyncio.get_running_loop().add_reader(self._listening, self._accept)

    def _rest(self) -> None:
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening)

    def _accept(self) -> None:
        assert self._listening is not None
        loop = asyncio.get_running_loop()
        try:
            accepted, _ = self._listening.accept()
        except BlockingIOError:
            return
        except OSError as error:
            log.warning("a connection of a box could not be accepted: %s", error)
            self._rest()
            loop.call_later(_AGAIN, self._listen)
            return
        accepted.setblocking(False)  # noqa: FBT003
        task = loop.create_task(self._serve(accepted))
        self._open.add(task)
        task.add_done_callback(partial(self._ended, accepted))
        if len(self._open) >= self.limits.connections:
            self._rest()

    def _ended(self, accepted: socket.socket, task: asyncio.Task[None]) -> None:
        self._open.discard(task)
        accepted.close()  # where it was cancelled before it began
        self._listen()
        if not task.cancelled() and (error := task.exception()):
            log.error("the proxy of a box failed", exc_info=error)

    async def _serve(self, accepted: socket.socket) -> None:
        client = Stream(*await asyncio.open_unix_connection(sock=accepted, limit=LONGEST_HEAD))
        try:
            await self._answer(client)
        except _Refused as refused:
            await _say(client, refused.status, str(refused))
        except (OSError, EOFError, ValueError):
            pass  # one of both ends has gone, or the program's own body is broken
        finally:
            await client.close()

    async def _answer(self, client: Stream) -> None:
        self._requests += 1
        asked = await self._asked(client)
        server = await self._reached(asked)
        exchange = Exchange(client, server, self._traffic, self.limits.idle)
        try:
            if asked.path:
                await exchange.forward(asked)
            else:
                await exchange.tunnel(asked.host)
        except TooMuchError:
            self._tell(asked.host, asked.port, asked.method, self._too_much(), allowed=False)
            if not exchange.answered:
                raise _Refused(403, self._too_much()) from None
        except OtherNameError as other:
            why = f"A tunnel to {asked.host} was used to ask for another host."
            self._tell(other.name or asked.host, asked.port, asked.method, why, allowed=False)
        except (TimeoutError, BadAnswerError) as error:
            if not exchange.answered:
                raise _Refused(*_no_answer(asked.host, error)) from None
        finally:
            await server.close()

    async def _asked(self, client: Stream) -> Asked:
        try:
            async with asyncio.timeout(self.limits.head):
                head = await client.reader.readuntil(b"\r\n\r\n")
            return read_request(head)
        except TimeoutError:
            raise _Refused(408, "The request did not arrive in time.") from None
        except asyncio.LimitOverrunError:
            raise _Refused(431, f"The headers are longer than {LONGEST_HEAD} bytes.") from None
        except asyncio.IncompleteReadError as error:
            if not error.partial:
                raise
            raise _Refused(400, "The request ended in the middle of its headers.") from None
        except BadRequestError as error:
            if error.host:
                self._tell(error.host, 0, error.method, str(error), allowed=False)
            raise _Refused(error.status, str(error)) from None

    # -- the judgement

    async def _reached(self, asked: Asked) -> Stream:
        """A connection to what was asked for. Whatever comes of it is told."""
        allowed, why = True, "The job ended before the host was reached."
        try:
            server = await self._judged_and_reached(asked)
            why = ""
        except _Refused as refused:
            allowed, why = refused.status in (502, 504), str(refused)
            raise
        finally:
            self._tell(asked.host, asked.port, asked.method, why, allowed=allowed)
        return server

    async def _judged_and_reached(self, asked: Asked) -> Stream:
        if self._requests > self.limits.requests:
            raise _Refused(429, f"A job may make {self.limits.requests} requests, no more.")
        if self._traffic.left < 0:
            raise _Refused(403, self._too_much())
        if why := self.policy.refusal(asked.host, asked.port):
            raise _Refused(403, why)
        try:
            async with asyncio.timeout(self.limits.connect):
                addresses = await self._addresses(asked)
                if why := self.policy.refusal_of_addresses(asked.host, addresses):
                    raise _Refused(403, why)
                return await self._connected(asked, addresses)
        except TimeoutError:
            raise _Refused(504, f"{asked.host} could not be reached in time.") from None

    async def _addresses(self, asked: Asked) -> list[IPAddress]:
        try:
            return [ipaddress.ip_address(asked.host)]
        except ValueError:
            pass
        async with self._lookups:
            addresses = await self._resolve(asked.host, asked.port)
        if not addresses:
            raise _Refused(502, f"{asked.host} was not found: is its name right?")
        return addresses

    async def _connected(self, asked: Asked, addresses: list[IPAddress]) -> Stream:
        reasons = []
        for address in addresses:
            try:
                return Stream(*await self._connect(address, asked.port))
            except OSError as error:
                reasons.append(error.strerror or type(error).__name__)
        raise _Refused(502, f"{asked.host} does not answer at port {asked.port}: {reasons[-1]}.")

    def _tell(self, host: str, port: int, method: str, reason: str, *, allowed: bool) -> None:
        if self._requests <= self.limits.requests + 1:  # the one too many is told, and no more
            self._told(NetworkRequest(host, port, method, allowed, reason))

    def _too_much(self) -> str:
        return f"A job may move {self.limits.traffic} bytes over the network, no more."


def _no_answer(host: str, error: Exception) -> tuple[int, str]:
    if isinstance(error, TimeoutError):
        return 504, f"{host} did not answer in time."
    return 502, f"{host} did not answer as HTTP does: {error}."


async def _say(client: Stream, status: int, reason: str) -> None:
    """Answers, and reads on for a moment: a program that still sends would see only a reset."""
    body = f"{reason}\n".encode()
    head = (
        f"HTTP/1.1 {status} {_STATUS[status]}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with suppress(OSError):
        async with asyncio.timeout(_LINGER):
            await client.send(head.encode() + body)
            client.end()
            while await client.reader.read(CHUNK):
                pass
