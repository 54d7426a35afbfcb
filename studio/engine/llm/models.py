"""What the engine knows of a model, what it asks of it and what comes back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Profile:
    """How a server differs from the API it imitates.

    author_prefix  write "Alice: " into the content, because the server drops `name`
    merge_roles    merge neighbouring messages of one role into one
    system_first   only one system message, at the start; later ones are said by the user
    tools          native tool calls, or none
    structured     how an answer's form is enforced: response_format, a grammar, or only words
    """

    author_prefix: bool = False
    merge_roles: bool = False
    system_first: bool = False
    tools: Literal["native", "none"] = "native"
    structured: Literal["json_schema", "grammar", "none"] = "none"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to send a request, resolved when it is sent: keys never live in a definition."""

    base_url: str
    api_key: str = field(repr=False)


async def nowhere() -> Endpoint:
    return Endpoint("", "")


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One way to reach one model. `price` is USD per million tokens, `timeout` seconds in all.

    `attempts` counts the first one; `settings` are what a client of one's own wants to know.
    """

    id: str
    name: str
    model: str
    provider: str = "openai_compatible"
    endpoint: Callable[[], Awaitable[Endpoint]] = nowhere
    parameters: dict[str, Any] = field(default_factory=dict)
    price_in: float | None = None
    price_out: float | None = None
    context_window: int = 0
    timeout: float = 120.0
    profile: Profile = Profile()
    script: Any = None
    word_delay: float = 0.0
    attempts: int = ATTEMPTS
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Constraint:
    """A form that the answer must have: at most one of grammar and schema is set.

    A forced opening counts against max_tokens, so `extra_tokens` are added to it.
    """

    grammar: str | None = None
    schema: dict[str, Any] | None = None
    extra_tokens: int = 0


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call. `index` counts this agent's earlier calls of this model, for scripted replies."""

    messages: list[dict[str, Any]]
    agent: str
    parameters: dict[str, Any] = field(default_factory=dict)
    constraint: Constraint = Constraint()
    tools: list[dict[str, Any]] | None = None
    functions: list[dict[str, Any]] | None = None
    index: int = 0


@dataclass(frozen=True, slots=True)
class ModelReply:
    """What came back. Tokens are estimates when `estimated`; times in ms.

    `sent` is the body of the request without its messages, `served` the model that the server
    says it used.
    """

    content: str | None
    prompt_tokens: int
    completion_tokens: int
    latency_ms: int
    first_token_ms: int | None
    tool_calls: list[dict[str, Any]] | None = None
    function_call: dict[str, Any] | None = None
    served: str = ""
    finish_reason: str = "stop"
    estimated: bool = False
    left_out: int = 0
    sent: dict[str, Any] = field(default_factory=dict)


OnText = Callable[[int, str], None]
"""Called with the offset in characters and the new text; offset 0 starts over."""


class ModelClient(Protocol):
    """Answers requests for one kind of provider. Raises ModelError and nothing else."""

    async def complete(
        self, spec: ModelSpec, request: ModelRequest, on_text: OnText
    ) -> ModelReply: ...


def estimate_tokens(text: str) -> int:
    """About four characters a token, which errs on the safe side for English."""
    return max(1, (len(text) + 3) // 4)
