"""One conversation with an MCP server: its tools, and calls of them, as plain values.

Imported at first use only: it needs the extra [mcp].
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from mcp import Client, MCPError
from mcp.types import (
    CONNECTION_CLOSED,
    AudioContent,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    Implementation,
    InputRequiredResult,
    PaginatedRequestParams,
    ResourceLink,
    TextContent,
    TextResourceContents,
    Tool,
    ToolListChangedNotification,
)
from pydantic import TypeAdapter, ValidationError

from ..definitions.skills import MAX_OFFERED, MAX_OFFERED_SIZE, OfferedTool
from ..engine.execution.calls import MAX_TEXT
from .mcp_errors import HungError, LostError, ServerError
from .mcp_transport import Watch

if TYPE_CHECKING:
    from mcp.client import IncomingMessage
    from mcp.client._transport import TransportStreams

Opening = Callable[[Watch], AbstractAsyncContextManager["TransportStreams"]]
T = TypeVar("T")
MAX_PAGES = 50
CLOSING_SECONDS = 1.0
LAST_LINE = 300  # characters of what a program last wrote, as the reason why it ended
_RESULT: TypeAdapter[Any] = TypeAdapter(CallToolResult | InputRequiredResult)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call came to. `value` is the result as JSON, where the server gave it as such."""

    ok: bool
    content: str
    value: Any = None


class Connection:
    """Held open by a task of its own, in which all of it is entered and left.

    is_stale  its tools were not listed yet, or it has said that they are others now
    """

    def __init__(self, opening: Opening) -> None:
        self.watch = Watch()
        self.is_stale = True
        self._opening = opening
        self._client: Client | None = None
        self._ready = asyncio.Event()
        self._holding: asyncio.Task[None] | None = None
        self._asking: set[asyncio.Task[Any]] = set()

    @property
    def is_open(self) -> bool:
        return self._client is not None and not self.watch.over.is_set()

    async def open(self, seconds: float) -> None:
        """Raises ServerError when no conversation has come about in time."""
        self._holding = asyncio.create_task(self._hold())
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait(
                {self._holding, ready}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if not self.is_open:
                if not self._holding.done():
                    self.watch.ends(f"it did not begin to speak within {seconds:g} s")
                raise self._lost("cannot be used")
        except BaseException:
            await self.close()
            raise
        finally:
            ready.cancel()

    async def _hold(self) -> None:
        try:
            async with Client(
                self._opening(self.watch),
                client_info=Implementation(name="Roundtable Studio", version="1"),
                message_handler=self._told,
                cache=None,
            ) as client:
                self._client = client
                self._ready.set()
                await self.watch.over.wait()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is why the server is gone
            self.watch.ends(self.watch.status or _words(error))
        finally:
            self._client = None
            self.watch.over.set()

    async def _told(self, message: IncomingMessage) -> None:
        if isinstance(message, ToolListChangedNotification):
            self.is_stale = True

    async def close(self) -> None:
        """Ends the conversation and what was asked in it; the program is killed."""
        self.watch.over.set()
        for task in [*self._asking]:
            task.cancel()
        if self._holding is None:
            return
        if not self._ready.is_set():
            self._holding.cancel()
        for _ in range(3):  # a goodbye that the other side does not hear is cut short
            if self._holding.done():
                break
            await asyncio.wait({self._holding}, timeout=CLOSING_SECONDS)
            self._holding.cancel()

    # -- asking

    async def tools(self, seconds: float) -> list[OfferedTool]:
        """What the server offers now. Tools that cannot be offered to a model are left out."""
        self.is_stale = False
        try:
            return await self._tools(seconds)
        except BaseException:
            self.is_stale = True
            raise

    async def _tools(self, seconds: float) -> list[OfferedTool]:
        found: dict[str, OfferedTool] = {}
        cursor: str | None = None
        room = MAX_OFFERED_SIZE
        for _ in range(MAX_PAGES):
            params = PaginatedRequestParams(cursor=cursor)
            page = await self._ask(self._session().list_tools(params=params), seconds)
            for tool in page.tools:
                offered = _offered(tool)
                if offered is None or offered.name in found or len(found) == MAX_OFFERED:
                    continue
                room -= offered.size
                if room >= 0:
                    found[offered.name] = offered
            cursor = page.next_cursor
            if cursor is None:
                break
        return list(found.values())

    async def call(self, tool: str, arguments: dict[str, Any], seconds: float) -> Answer:
        params = CallToolRequestParams(name=tool, arguments=arguments)
        asking = self._session().send_request(CallToolRequest(params=params), _RESULT)
        result = await self._ask(asking, seconds)
        if isinstance(result, InputRequiredResult):
            raise ServerError("it wants to be told more in the middle of a call")
        return _answer(result)

    def _session(self) -> Any:
        if self._client is None:
            raise self._lost("ended")
        return self._client.session

    async def _ask(self, request: Coroutine[Any, Any, T], seconds: float) -> T:
        """In a task of its own: whoever waits for it can leave at once."""
        self.watch.asked()
        task = asyncio.create_task(request)
        self._asking.add(task)
        task.add_done_callback(self._answered)
        try:
            await asyncio.wait({task}, timeout=seconds)
        finally:
            is_done = task.done()
            task.cancel()
        if not is_done:
            raise HungError(seconds, self.watch.tail())
        if task.cancelled():
            raise self._lost("was closed during the call")
        if self.watch.over.is_set() and self._holding is not None:
            await asyncio.wait({self._holding}, timeout=CLOSING_SECONDS)  # it knows why
        return self._result(task)

    def _answered(self, task: asyncio.Task[Any]) -> None:
        self._asking.discard(task)
        if not task.cancelled():
            task.exception()  # seen, even where nobody waits any more

    def _result(self, task: asyncio.Task[T]) -> T:
        try:
            return task.result()
        except MCPError as error:
            if error.code == CONNECTION_CLOSED or self.watch.over.is_set():
                raise self._lost("ended during the call") from None
            said = self.watch.status or _plain(error.message)
            raise ServerError(f"it answered: {said}", self.watch.tail()) from None
        except ValidationError:
            raise ServerError("its answer is not what the protocol says") from None
        except (RuntimeError, ValueError, OSError) as error:
            raise ServerError(_words(error), self.watch.tail()) from None

    def _lost(self, what: str) -> LostError:
        errors = self.watch.tail()
        last = errors.strip().rpartition("\n")[2][:LAST_LINE]
        why = self.watch.why or self.watch.status or last
        return LostError(f"it {what}{f': {why}' if why else ''}", errors)


def _words(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    match error:
        case MCPError(code=code, message=message):
            return "" if code == CONNECTION_CLOSED else _plain(message)
        case ValidationError():
            return "it does not speak the protocol"
    return _plain(str(error)) or type(error).__name__


def _offered(tool: Tool) -> OfferedTool | None:
    described = _plain(tool.description or tool.title or "")
    try:
        return OfferedTool(
            name=tool.name, description=described[:20_000], parameters=tool.input_schema
        )
    except ValidationError:
        return None  # a name without letters, or a schema without measure


def _answer(result: CallToolResult) -> Answer:
    content = "\n".join(_part(block) for block in result.content)
    value = result.structured_content
    if not content and value is not None:
        content = json.dumps(value, ensure_ascii=False)
    if len(content) > MAX_TEXT:
        content = content[:MAX_TEXT] + f"\n(cut: {len(content):,} characters)"
    content = _plain(content)
    if result.is_error:
        return Answer(ok=False, content=f"Error: {content or 'the tool gave no reason'}")
    return Answer(ok=True, content=content, value=content if value is None else value)


def _part(block: ContentBlock) -> str:
    match block:
        case TextContent():
            return block.text
        case ImageContent() | AudioContent():
            return f"[{block.mime_type}, {len(block.data) * 3 // 4:,} bytes, not shown]"
        case ResourceLink():
            return f"[{block.name}: {block.uri}]"
        case EmbeddedResource(resource=TextResourceContents(text=text)):
            return text
        case EmbeddedResource():
            return f"[{block.resource.uri}, not shown]"


def _plain(text: str) -> str:
    """Text that can be stored and sent: no NUL, no half of a surrogate pair."""
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode()
