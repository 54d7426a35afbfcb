"""MCP servers of sessions: opened at first use, one for each skill, and closed with the session.

A server that is a program runs in a box like all code. A tool is called only while its server
describes it as it did when a person chose it: what models are told was seen by a person, and what
a server says later reaches none.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets as randomness
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, assert_never

import orjson

from ..config import Settings
from ..definitions.common import Hosts
from ..definitions.skills import (
    HttpTransport,
    McpSkillDefinition,
    OfferedTool,
    StdioTransport,
)
from ..engine.execution.box import MB, PYTHON, BoxLimits, Job, Process
from ..engine.execution.calls import Called
from ..store.known_secrets import KnownSecrets
from .boxes import Needs, Told
from .mcp_errors import HungError, LostError, MissingError, ServerError
from .proxy_policy import NetworkRequest

if TYPE_CHECKING:
    from .mcp_connection import Answer, Connection, Opening

OPEN_SECONDS = 60.0  # for a program to begin to speak
CALL_SECONDS = 60.0
_UNHEARD = 100  # requests kept of a server that nobody calls
_LIMITS = BoxLimits(seconds=86_400, output=4 * MB)  # of output: one message
_ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
# Secrets go in by standard input, before the server has it: no argument shows them.
_LAUNCHER = """\
import json, os, sys
line = b""
while not line.endswith(b"\\n"):
    line += os.read(0, 1) or sys.exit(1)
os.environ.update(json.loads(line))
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Programs(Protocol):
    """Where servers run that are programs: `Boxes`."""

    async def start(
        self, session_id: str, name: str, needs: Needs, job: Job, told: Told
    ) -> Process: ...

    async def forget(self, session_id: str) -> None:
        """Ends all of a session that was none, and removes its folder."""


def _nobody(_: NetworkRequest) -> None:
    """Hears of no request."""


@dataclass
class _Server:
    """One server of one session, and what it offered when it was asked last.

    told     who hears now what it asks of the network: whoever called it last
    unheard  what it asked for while nobody called; whoever calls next hears of it
    """

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    connection: Connection | None = None
    offered: dict[str, OfferedTool] = field(default_factory=dict)
    told: Told | None = None
    unheard: deque[NetworkRequest] = field(default_factory=lambda: deque(maxlen=_UNHEARD))

    def hear(self, request: NetworkRequest) -> None:
        (self.told or self.unheard.append)(request)

    def listen(self, told: Told) -> None:
        self.told = told
        while self.unheard:
            told(self.unheard.popleft())

    async def close(self) -> None:
        if self.connection is not None:
            await self.connection.close()


class McpServers:
    """All that are open. Lives in one event loop."""

    def __init__(
        self,
        boxes: Programs,
        settings: Settings,
        secrets: KnownSecrets,
        *,
        open_seconds: float = OPEN_SECONDS,
        call_seconds: float = CALL_SECONDS,
    ) -> None:
        self.boxes, self.settings, self.secrets = boxes, settings, secrets
        self.open_seconds, self.call_seconds = open_seconds, call_seconds
        self._servers: dict[str, dict[str, _Server]] = {}

    # -- verbs

    async def call(
        self,
        session_id: str,
        skill_id: str,
        skill: McpSkillDefinition,
        function: str,
        arguments: Mapping[str, Any],
        secrets: Mapping[str, str],
        *,
        owner: str,
        told: Told = _nobody,
    ) -> Called:
        """Calls a tool by the name that models know it by. `secrets` are for the program, `told`
        hears what it asks of the network.

        Never raises for what the server did. SandboxError where there is no box to run it in.
        """
        started = time.monotonic()
        server = self._server(session_id, _name(skill_id, secrets))
        server.listen(told)
        use = _Use(self, session_id, _name(skill_id, secrets), skill, secrets, owner)
        try:
            answer = await use.answer(server, function, dict(arguments))
        except ServerError as error:
            return Called(
                ok=False,
                content=f"Error: the MCP server of {skill.name}: {error}",
                errors=error.errors,
                seconds=time.monotonic() - started,
                limit=error.limit if isinstance(error, HungError) else "",
            )
        finally:
            if server.told is told:
                server.told = None
        return Called(answer.ok, answer.content, answer.value, seconds=time.monotonic() - started)

    async def tools(
        self,
        session_id: str,
        skill_id: str,
        skill: McpSkillDefinition,
        secrets: Mapping[str, str],
        *,
        owner: str,
    ) -> list[OfferedTool]:
        """What the server offers now. Raises ServerError, and SandboxError as `call` does."""
        name = _name(skill_id, secrets)
        server = self._server(session_id, name)
        use = _Use(self, session_id, name, skill, secrets, owner)
        await use.ready(server)
        return list(server.offered.values())

    @asynccontextmanager
    async def aside(self) -> AsyncIterator[str]:
        """A session that is none, for a look or a test: nothing of it is left afterwards."""
        session_id = f"try-{randomness.token_hex(8)}"
        try:
            yield session_id
        finally:
            await self.close_session(session_id)
            await self.boxes.forget(session_id)

    async def close_session(self, session_id: str) -> None:
        servers = self._servers.pop(session_id, {})
        await asyncio.gather(*(server.close() for server in servers.values()))

    async def close(self) -> None:
        await asyncio.gather(*(self.close_session(one) for one in [*self._servers]))

    def _server(self, session_id: str, name: str) -> _Server:
        return self._servers.setdefault(session_id, {}).setdefault(name, _Server())


@dataclass(frozen=True)
class _Use:
    """One use of a server by a session."""

    servers: McpServers
    session_id: str
    name: str
    skill: McpSkillDefinition
    secrets: Mapping[str, str]
    owner: str

    async def answer(self, server: _Server, function: str, arguments: dict[str, Any]) -> Answer:
        tool = self.skill.by_function().get(function)
        if tool is None:
            raise ServerError(f"there is no tool {function} among those that were chosen")
        try:
            return await self._answer(server, tool, arguments)
        except LostError:
            if not self.skill.idempotent:
                raise
        return await self._answer(server, tool, arguments)

    async def _answer(
        self, server: _Server, tool: OfferedTool, arguments: dict[str, Any]
    ) -> Answer:
        connection = await self.ready(server)
        _check_unchanged(tool, server.offered.get(tool.name))
        try:
            return await connection.call(tool.name, arguments, self.servers.call_seconds)
        except HungError:
            await connection.close()
            raise

    async def ready(self, server: _Server) -> Connection:
        """An open conversation, and what is offered in it; begun anew where it is over."""
        async with server.lock:
            connection = server.connection
            if connection is None or not connection.is_open:
                await server.close()
                connection = server.connection = await self._begun(server)
            if connection.is_stale:
                listed = await connection.tools(self.servers.call_seconds)
                server.offered = {tool.name: tool for tool in listed}
            return connection

    async def _begun(self, server: _Server) -> Connection:
        connection = await asyncio.to_thread(_connection)
        begun = connection(await self._opening(server))
        await begun.open(self.servers.open_seconds)
        return begun

    async def _opening(self, server: _Server) -> Opening:
        from .mcp_transport import http_streams, process_streams

        transport = self.skill.transport
        match transport:
            case StdioTransport():
                return partial(process_streams, await self._started(transport, server))
            case HttpTransport():
                headers = await self._headers(transport)
                return partial(http_streams, self.servers.settings, transport.url, headers)
            case _:
                assert_never(transport)

    async def _started(self, transport: StdioTransport, server: _Server) -> Process:
        network = self.skill.network
        needs = Needs(
            packages=tuple(self.skill.packages),
            network=tuple(network.hosts) if isinstance(network, Hosts) else network,
        )
        job = Job(
            (PYTHON, "-c", _LAUNCHER, *transport.command),
            orjson.dumps(dict(self.secrets)) + b"\n",
            environment=_ENVIRONMENT,
            limits=_LIMITS,
        )
        return await self.servers.boxes.start(self.session_id, self.name, needs, job, server.hear)

    async def _headers(self, transport: HttpTransport) -> dict[str, str]:
        """The values of the secrets. One that is bound to a host goes to no other."""
        headers = {}
        for header, name in transport.headers.items():
            value = await self.servers.secrets.key(self.owner, name, transport.destination)
            if value is None:
                raise ServerError(f"its secret {name} must be entered (again)")
            if not value.isascii() or not value.isprintable():
                raise ServerError(f"its secret {name} cannot be sent: it is not one plain line")
            is_token = header.lower() == "authorization" and " " not in value
            headers[header] = f"Bearer {value}" if is_token else value
        return headers


def _check_unchanged(chosen: OfferedTool, now: OfferedTool | None) -> None:
    if now is None:
        raise ServerError(f"it does not offer {chosen.name} any more: list its tools again")
    if not chosen.same_as(now):
        raise ServerError(
            f"{chosen.name} has changed since it was chosen. It is not called before somebody "
            "has looked at it again: list its tools"
        )


def _name(skill_id: str, secrets: Mapping[str, str]) -> str:
    """Of a server: agents that may give it other secrets have one of their own."""
    if not secrets:
        return skill_id
    names = "\n".join(sorted(secrets)).encode()
    return f"{skill_id}-{hashlib.blake2b(names, digest_size=4).hexdigest()}"


def _connection() -> type[Connection]:
    """In a thread: the library takes a second to come in."""
    try:
        from .mcp_connection import Connection
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("mcp", "mcp_types"):
            raise MissingError from None
        raise
    return Connection
