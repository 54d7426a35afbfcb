"""How MCP messages travel: on the standard streams of a program in a box, or by HTTP.

Imported at first use only: it needs the extra [mcp].
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import httpx2
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCNotification, jsonrpc_message_adapter

from ..config import Settings
from ..engine.execution.box import MB, Process
from ..errors import ForbiddenError
from .addresses import IPAddress, check_address

if TYPE_CHECKING:
    from mcp.client._transport import ReadStream, TransportStreams

MAX_MESSAGE = 4 * MB
MAX_RESPONSE = 16 * MB  # of HTTP, which may hold several messages
MAX_MESSAGES = 10_000  # that a server may send for one request
WAITING = 64  # messages that may stand between a server and its session
TOOLS_CHANGED = "notifications/tools/list_changed"
CONNECT_SECONDS = 10.0

Item = SessionMessage | Exception


@dataclass
class Watch:
    """What a server may still send before it is asked again, and why it was cut off, in words.

    status  of its last HTTP response, where that is an error
    tail    the last that a program wrote to its standard error
    over    set when there is nothing more to come, or to ask
    """

    why: str = ""
    status: str = ""
    left: int = MAX_MESSAGES
    tail: Callable[[], str] = str
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def ends(self, why: str) -> None:
        self.why = self.why or why

    def asked(self) -> None:
        self.left = MAX_MESSAGES


@asynccontextmanager
async def process_streams(process: Process, watch: Watch) -> AsyncIterator[TransportStreams]:
    """The standard streams of a program, one message a line. It is killed at the end."""
    watch.tail = process.errors
    outgoing, requests = anyio.create_memory_object_stream[SessionMessage](WAITING)
    try:
        async with (
            _filtered(_lines(process), watch) as received,
            anyio.create_task_group() as group,
        ):
            group.start_soon(_write, process, requests)
            yield received, outgoing
            group.cancel_scope.cancel()
    finally:
        outgoing.close()
        requests.close()
        with anyio.CancelScope(shield=True):
            await process.kill()


@asynccontextmanager
async def http_streams(
    settings: Settings, url: str, headers: Mapping[str, str], watch: Watch
) -> AsyncIterator[TransportStreams]:
    """Streamable HTTP, at addresses that may be called."""
    async with (
        httpx2.AsyncClient(
            transport=GuardedTransport(settings, watch),
            headers={**headers, "accept-encoding": "identity"},
            timeout=httpx2.Timeout(CONNECT_SECONDS, read=None),
            trust_env=False,
        ) as client,
        streamable_http_client(url, http_client=client, max_sse_event_size=MAX_MESSAGE) as streams,
        _filtered(_items(streams[0]), watch) as received,
    ):
        yield received, streams[1]


@asynccontextmanager
async def _filtered(
    source: AsyncIterator[Item | None], watch: Watch
) -> AsyncIterator[MemoryObjectReceiveStream[Item]]:
    """What is worth the session's time; it ends early where a server only talks."""
    inward, received = anyio.create_memory_object_stream[Item](WAITING)
    async with anyio.create_task_group() as group:
        group.start_soon(_sift, source, inward, watch)
        with received:
            yield received
        group.cancel_scope.cancel()


async def _sift(
    source: AsyncIterator[Item | None], inward: MemoryObjectSendStream[Item], watch: Watch
) -> None:
    try:
        async for item in source:
            watch.left -= 1
            if watch.left < 0:
                watch.ends(f"it sent more than {MAX_MESSAGES:,} messages for one request")
                return
            if item is not None and not _is_idle(item):
                await inward.send(item)
    finally:
        inward.close()
        watch.over.set()


def _is_idle(item: Item) -> bool:
    """Progress, log lines and the like, which nobody waits for."""
    if isinstance(item, Exception):
        return True
    message = item.message
    return isinstance(message, JSONRPCNotification) and message.method != TOOLS_CHANGED


async def _lines(process: Process) -> AsyncIterator[Item | None]:
    """None stands for a line that is no message, as programs print them by mistake."""
    while line := await process.read_line():
        try:
            yield SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
        except ValueError:
            yield None


async def _items(stream: ReadStream[Item]) -> AsyncIterator[Item | None]:
    async for item in stream:
        yield item


async def _write(process: Process, requests: MemoryObjectReceiveStream[SessionMessage]) -> None:
    try:
        async for item in requests:
            text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
            await process.write(text.encode() + b"\n")
    except OSError:
        pass  # the program is gone: its standard output ends as well


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Connects to the very address that was found allowed; bounds what comes back.

    The server is asked and not listened to: it gets no connection to call back on, but for an
    answer that it interrupted itself.
    """

    def __init__(self, settings: Settings, watch: Watch) -> None:
        self._settings, self._watch = settings, watch
        self._inner = httpx2.AsyncHTTPTransport(trust_env=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET" and "last-event-id" not in request.headers:
            return httpx2.Response(405, request=request)
        response = await self._sent(request, await self._addresses(request))
        reason = f"HTTP {response.status_code} {response.reason_phrase}".strip()
        self._watch.status = reason if response.status_code >= 400 else ""
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise httpx2.ReadError("the answer is compressed, which was not asked for")
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_Bounded(response.stream, self._watch),
            extensions=response.extensions,
        )

    async def _addresses(self, request: httpx2.Request) -> list[IPAddress]:
        try:
            found = await check_address(self._settings, str(request.url))
        except ForbiddenError as error:
            raise httpx2.ConnectError(str(error), request=request) from None
        if not found:
            raise httpx2.ConnectError(f"nothing is known by the name {request.url.host}")
        return found

    async def _sent(self, request: httpx2.Request, addresses: list[IPAddress]) -> httpx2.Response:
        for address in addresses[:-1]:
            try:
                return await self._inner.handle_async_request(_aimed(request, address))
            except httpx2.ConnectError:
                continue
        return await self._inner.handle_async_request(_aimed(request, addresses[-1]))

    async def aclose(self) -> None:
        await self._inner.aclose()


def _aimed(request: httpx2.Request, address: IPAddress) -> httpx2.Request:
    """The same request to an address; Host and certificate stay those of its name."""
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=str(address)),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host},
    )


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, watch: Watch) -> None:
        self._inner, self._watch = inner, watch

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MAX_RESPONSE
        async for part in self._inner:
            left -= len(part)
            if left < 0:
                self._watch.ends(f"it sent an answer of more than {MAX_RESPONSE // MB} MB")
                raise httpx2.ReadError(self._watch.why)
            yield part

    async def aclose(self) -> None:
        await self._inner.aclose()
