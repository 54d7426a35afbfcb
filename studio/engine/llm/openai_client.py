"""The only module that knows the `openai` package: one streamed chat completion at a time.

`chat.completions.create()` validates every message of the list (0.127 ms each, measured), which
makes long chats quadratic. So the body goes through the client's own `post`, and the server-sent
events are read with orjson.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from ..errors import ModelError
from ..messages import text_of
from .models import Endpoint, ModelReply, ModelRequest, ModelSpec, OnText, estimate_tokens
from .shape import shape

if TYPE_CHECKING:
    from openai import AsyncOpenAI

MAX_REPLY_CHARS = 2_000_000
CONNECT_SECONDS = 10.0
STREAM_ENDED_EARLY = "The answer broke off before its end"


class OpenAIClient:
    """Talks to any server with OpenAI's chat completions API. Lives in one event loop."""

    def __init__(self) -> None:
        self._clients: dict[Endpoint, AsyncOpenAI] = {}
        self._without_usage: set[str] = set()

    async def complete(self, spec: ModelSpec, request: ModelRequest, on_text: OnText) -> ModelReply:
        endpoint = await spec.endpoint()
        try:
            body, left_out = self.body(spec, request)
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
                page = await self._client(endpoint).get(
                    "/models", cast_to=object, options={"timeout": seconds}
                )
        except TimeoutError:
            raise ModelError(f"{endpoint.base_url} did not answer within {seconds:g} s") from None
        except openai.OpenAIError as error:
            raise _translated(error, endpoint, "The server") from None
        items = page.get("data", []) if isinstance(page, dict) else []
        return [str(item["id"]) for item in items if isinstance(item, dict) and "id" in item]

    async def close(self) -> None:
        for client in self._clients.values():
            await client.close()
        self._clients.clear()

    def _client(self, endpoint: Endpoint) -> AsyncOpenAI:
        if endpoint not in self._clients:
            import httpx2
            import openai

            self._clients[endpoint] = openai.AsyncOpenAI(
                api_key=endpoint.api_key or "none",
                base_url=endpoint.base_url,
                max_retries=0,
                timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
                http_client=httpx2.AsyncClient(
                    trust_env=False,
                    follow_redirects=False,
                    limits=httpx2.Limits(max_connections=None, max_keepalive_connections=200),
                ),
            )
        return self._clients[endpoint]

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

        answer = _Answer(started=time.monotonic(), on_text=on_text)
        response = None
        try:
            response = await self._client(endpoint).post(
                "/chat/completions",
                cast_to=httpx2.Response,
                body=body,
                options={"headers": {"X-Stainless-Raw-Response": "stream"}},
            )
            await answer.read(response)
        except openai.OpenAIError as error:
            raise _translated(error, endpoint, spec.name) from None
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


@dataclass
class _Answer:
    """Collects one streamed completion."""

    started: float
    on_text: OnText
    parts: list[str] = field(default_factory=list)
    calls: dict[int, dict[str, Any]] = field(default_factory=dict)
    usage: dict[str, Any] | None = None
    finish: str | None = None
    first: int | None = None
    length: int = 0

    async def read(self, response: Any) -> None:
        done = False
        async for line in _lines(response):
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                done = True
                break
            self._take(data)
        if not done and self.finish is None:
            raise ModelError(STREAM_ENDED_EARLY, retryable=True)

    def _take(self, data: bytes) -> None:
        try:
            chunk = orjson.loads(data)
            if error := chunk.get("error"):
                detail = orjson.dumps(error).decode()
                raise ModelError("The model's server reported an error", detail=detail)
            self.usage = chunk.get("usage") or self.usage
            choices = chunk.get("choices")
            if not choices:
                return
            choice = choices[0]
            delta = choice.get("delta") or {}
            self.finish = choice.get("finish_reason") or self.finish
            if text := delta.get("content"):
                self._add(str(text))
            for call in delta.get("tool_calls") or []:
                self._add_call(call)
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, IndexError) as error:
            raise ModelError(
                "The model's server sent something that is not valid JSON",
                retryable=True,
                detail=data[:500].decode(errors="replace"),
            ) from error

    def _add(self, text: str) -> None:
        if self.first is None:
            self.first = int((time.monotonic() - self.started) * 1000)
        if self.length + len(text) > MAX_REPLY_CHARS:
            raise ModelError(f"The answer is longer than {MAX_REPLY_CHARS:,} characters")
        self.on_text(self.length, text)
        self.parts.append(text)
        self.length += len(text)

    def _add_call(self, delta: dict[str, Any]) -> None:
        call = self.calls.setdefault(
            int(delta.get("index", 0)),
            {"id": "", "type": "function", "function": {"name": "", "arguments": ""}},
        )
        call["id"] = delta.get("id") or call["id"]
        function = delta.get("function") or {}
        call["function"]["name"] += function.get("name") or ""
        call["function"]["arguments"] += function.get("arguments") or ""

    def reply(self, body: dict[str, Any], left_out: int) -> ModelReply:
        content = "".join(self.parts) if self.parts else None
        usage = self.usage or {}
        estimated = "completion_tokens" not in usage
        sent = usage.get("prompt_tokens")
        if sent is None:
            sent = sum(estimate_tokens(text_of(m.get("content"))) for m in body["messages"])
        return ModelReply(
            content=content,
            prompt_tokens=int(sent),
            completion_tokens=int(
                estimate_tokens(content or "") if estimated else usage["completion_tokens"]
            ),
            latency_ms=int((time.monotonic() - self.started) * 1000),
            first_token_ms=self.first,
            tool_calls=[self.calls[i] for i in sorted(self.calls)] or None,
            finish_reason=self.finish or "stop",
            estimated=estimated,
            left_out=left_out,
            sent={k: v for k, v in body.items() if k != "messages"},
        )


async def _lines(response: Any) -> AsyncIterator[bytes]:
    """Lines of the body as bytes: a broken UTF-8 sequence must not end the chat."""
    rest = b""
    async for piece in response.aiter_bytes():
        rest += piece
        if len(rest) > MAX_REPLY_CHARS * 4:
            raise ModelError(f"The answer is longer than {MAX_REPLY_CHARS:,} characters")
        *lines, rest = rest.split(b"\n")
        for line in lines:
            yield line
    if rest:
        yield rest


def _translated(error: Exception, endpoint: Endpoint, name: str) -> ModelError:
    """openai's errors in words for a person; the provider's own words are kept as `detail`."""
    import openai

    if isinstance(error, openai.APIStatusError):
        status = error.status_code
        detail = _masked(error.response.text[:4000] if error.response.is_closed else "", endpoint)
        return ModelError(
            _STATUS_WORDS.get(status, "{name} answered with status {status}").format(
                name=name, status=status
            ),
            status=status,
            retryable=status in (408, 409, 425, 429) or status >= 500,
            retry_after=_retry_after(error.response.headers.get("retry-after")),
            detail=detail or _masked(str(error), endpoint),
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
    try:
        return float(value) if value is not None else None
    except ValueError:
        return None


def _masked(text: str, endpoint: Endpoint) -> str:
    return text.replace(endpoint.api_key, "[key]") if len(endpoint.api_key) > 3 else text
