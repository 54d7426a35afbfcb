"""The only module that knows the `openai` package: one streamed chat completion at a time.

`chat.completions.create()` validates every message of the list (0.127 ms each, measured), which
makes long chats quadratic, and even the client's own `post` spends 0.3 ms of CPU on building one
request. So address, headers and errors are the package's, made once for an endpoint; the request
is sent on its transport as it is, and the server-sent events are read with orjson.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..errors import ModelError
from .answer import STREAM_ENDED_EARLY, Answer
from .models import Endpoint, ModelReply, ModelRequest, ModelSpec, OnText
from .shape import shape

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

CONNECT_SECONDS = 10.0
TIMEOUTS = {"timeout": {"connect": CONNECT_SECONDS}}  # the rest is the caller's, see retry.py
DETAIL_CHARS = 2000


class OpenAIClient:
    """Talks to any server with OpenAI's chat completions API. Lives in one event loop."""

    def __init__(self) -> None:
        self._connections: dict[Endpoint, _Connection] = {}
        self._without_usage: set[str] = set()

    async def complete(self, spec: ModelSpec, request: ModelRequest, on_text: OnText) -> ModelReply:
        endpoint = await spec.endpoint()
        try:
            body, left_out = self.body(spec, request)
            if endpoint.base_url in self._without_usage:
                body.pop("stream_options")
            return await self._stream(spec, endpoint, body, left_out, on_text)
        except ModelError as error:
            wants_no_usage = error.status == 400 and "stream_options" in error.detail
            if not wants_no_usage or endpoint.base_url in self._without_usage:
                raise
            self._without_usage.add(endpoint.base_url)
        body, left_out = self.body(spec, request)
        if endpoint.base_url in self._without_usage:
            body.pop("stream_options", None)
        return await self._stream(spec, endpoint, body, left_out, on_text)

    def body(self, spec: ModelSpec, request: ModelRequest) -> tuple[dict[str, Any], int]:
        """The request's JSON, and how many messages did not fit the model's context."""
        parameters = {**spec.parameters, **request.parameters}
        messages, left_out = shape(request.messages, spec, parameters.get("max_tokens"))
        body: dict[str, Any] = {
            "model": spec.model,
            "messages": messages,
            **{k: v for k, v in parameters.items() if v is not None},
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if request.tools and spec.profile.tools == "native":
            body["tools"] = request.tools
        if request.functions and spec.profile.tools == "native":
            body["functions"] = request.functions
        if request.constraint.grammar and spec.profile.structured == "grammar":
            body["grammar"] = request.constraint.grammar
            if "max_tokens" in body:
                body["max_tokens"] += request.constraint.extra_tokens
        if request.constraint.schema and spec.profile.structured == "json_schema":
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {
                    "name": "reply",
                    "strict": True,
                    "schema": request.constraint.schema,
                },
            }
        return body, left_out

    async def models(self, endpoint: Endpoint, seconds: float) -> list[str]:
        """The names of the models that the server offers."""
        import openai

        try:
            async with asyncio.timeout(seconds):
                page = await self._connection(endpoint).client.get(
                    "/models", cast_to=object, options={"timeout": seconds}
                )
        except TimeoutError:
            raise ModelError(f"{endpoint.base_url} did not answer within {seconds:g} s") from None
        except openai.OpenAIError as error:
            raise _translated(error, endpoint, "The server") from None
        items = page.get("data", []) if isinstance(page, dict) else []
        return [str(item["id"]) for item in items if isinstance(item, dict) and "id" in item]

    async def close(self) -> None:
        for connection in self._connections.values():
            await connection.client.close()
        self._connections.clear()

    def _connection(self, endpoint: Endpoint) -> _Connection:
        if endpoint not in self._connections:
            self._connections[endpoint] = _connected(endpoint)
        return self._connections[endpoint]

    async def _stream(
        self,
        spec: ModelSpec,
        endpoint: Endpoint,
        body: dict[str, Any],
        left_out: int,
        on_text: OnText,
    ) -> ModelReply:
        import httpx2
        import openai

        answer = Answer(started=time.monotonic(), on_text=on_text)
        response = None
        try:
            response = await self._connection(endpoint).post(body)
            await answer.read(response)
        except openai.OpenAIError as error:
            raise _translated(error, endpoint, spec.name) from None
        except (httpx2.InvalidURL, UnicodeError, ValueError) as error:
            raise ModelError(f"{endpoint.base_url} is not an address", detail=str(error)) from None
        except httpx2.HTTPError as error:
            raise ModelError(
                f"{spec.name}: {STREAM_ENDED_EARLY.lower()}",
                retryable=True,
                detail=_masked(str(error), endpoint),
            ) from None
        except ModelError as error:
            error.detail = _masked(error.detail, endpoint)
            raise
        finally:
            if response is not None:
                await response.aclose()
        return answer.reply(body, left_out)


@dataclass(frozen=True, slots=True)
class _Connection:
    """An endpoint's client, and what is the same for all its requests."""

    client: AsyncOpenAI
    http: httpx2.AsyncClient
    url: httpx2.URL
    headers: dict[str, str]

    async def post(self, body: dict[str, Any]) -> httpx2.Response:
        """Sends a chat completion; the body of the answer is yet to be read. Raises OpenAIError."""
        import httpx2
        import openai

        # json, not orjson: it writes what a definition may hold, like integers over 64 bits
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        request = httpx2.Request(
            "POST", self.url, headers=self.headers, content=content, extensions=TIMEOUTS
        )
        try:
            response = await self.http.send(request, stream=True)
        except httpx2.HTTPError as error:
            raise openai.APIConnectionError(request=request) from error
        if response.status_code >= 300:
            with suppress(httpx2.HTTPError):
                await response.aread()
            await response.aclose()
            raise self.client._make_status_error_from_response(response)
        return response


def _connected(endpoint: Endpoint) -> _Connection:
    import httpx2
    import openai

    http = _http_client()
    client = openai.AsyncOpenAI(
        api_key=endpoint.api_key or "none",
        base_url=endpoint.base_url,
        max_retries=0,
        timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
        http_client=http,
    )
    # The package reads OPENAI_* from the environment, which concerns no other server.
    client.organization = client.project = None
    client._custom_headers = {}
    url = client.base_url.join("chat/completions")
    given = {"host": url.netloc.decode("ascii"), **client.default_headers, **client.auth_headers}
    headers = {name: value for name, value in given.items() if isinstance(value, str)}
    return _Connection(client, http, url, headers)


def _http_client() -> httpx2.AsyncClient:
    """On aiohttp where it is installed (the extra [fast]): half the CPU of a call.

    Neither reads proxies from the environment nor follows redirects: an address is checked once.
    """
    import httpx2

    if find_spec("aiohttp") is None:
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=200)
        return httpx2.AsyncClient(trust_env=False, follow_redirects=False, limits=limits)
    import openai

    unlimited = httpx2.Limits(max_connections=0)  # in aiohttp's words; None would be 100
    return openai.DefaultAioHttpClient(trust_env=False, follow_redirects=False, limits=unlimited)


def _translated(error: Exception, endpoint: Endpoint, name: str) -> ModelError:
    """openai's errors in words for a person; the provider's own words are kept as `detail`."""
    import openai

    if isinstance(error, openai.APIStatusError):
        status = error.status_code
        detail = _masked(error.response.text if error.response.is_closed else "", endpoint)
        return ModelError(
            _STATUS_WORDS.get(status, "{name} answered with status {status}").format(
                name=name, status=status
            ),
            status=status,
            retryable=status in (408, 409, 425, 429) or status >= 500,
            retry_after=_retry_after(error.response.headers.get("retry-after")),
            detail=detail or _masked(str(error), endpoint),
            code=str(error.code or ""),
        )
    if isinstance(error, openai.APIConnectionError):
        return ModelError(
            f"Nothing answers at {endpoint.base_url}",
            retryable=True,
            detail=_masked(str(error.__cause__ or error), endpoint),
            code="unreachable",
        )
    return ModelError(f"{name} could not be asked", detail=_masked(str(error), endpoint))


_STATUS_WORDS = {
    400: "{name} did not accept the request (400)",
    401: "The key for {name} was refused (401)",
    403: "The key for {name} may not use this model (403)",
    404: "{name} does not exist at that address (404)",
    413: "The request is too large for {name} (413)",
    429: "{name} has too many requests at the moment (429)",
    500: "The server of {name} failed (500)",
    503: "The server of {name} is not ready (503)",
}


def _retry_after(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _masked(text: str, endpoint: Endpoint) -> str:
    """The provider's words without the key; cut only afterwards, lest half a key is left."""
    if len(endpoint.api_key) > 3:
        text = text.replace(endpoint.api_key, "[key]")
    return text[:DETAIL_CHARS]
