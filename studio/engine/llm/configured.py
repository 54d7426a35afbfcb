"""AutoGen 0.2's llm_config: {"config_list": [...], ...} as models, their order and parameters."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from ..errors import DefinitionError, ModelError
from .call import LLM
from .config_list import variable
from .custom_client import CustomClient, check_registered
from .gates import Gated, RateLimit
from .models import Endpoint, ModelClient, ModelSpec
from .openai_client import OpenAIClient
from .strict_schema import response_format

OPENAI = "https://api.openai.com/v1"
ABOUT_THE_MODEL = frozenset({
    "model", "api_key", "base_url", "api_type", "api_version", "azure_endpoint", "azure_deployment",
    "azure_ad_token", "azure_ad_token_provider", "organization", "price", "tags", "timeout",
    "max_retries", "api_rate_limit", "model_client_cls", "default_headers", "http_client",
})  # fmt: skip
ABOUT_THE_CALL = frozenset({
    "config_list", "cache", "cache_seed", "filter_func", "allow_format_str_template", "context",
    "tools", "functions", "stream",
})  # fmt: skip
_Kept = tuple[OpenAIClient, AsyncGenerator[None]]
_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, _Kept] = WeakKeyDictionary()


def llm_of(config: Mapping[str, Any] | bool | None) -> LLM | None:
    """The models of an llm_config in order of preference; None for None and False.

    What is no setting of its own (temperature, seed, response_format, ...) is sent as it is.
    Raises DefinitionError for a configuration without a model.
    """
    if config is None or config is False:
        return None
    if not isinstance(config, Mapping):
        raise DefinitionError("llm_config must be a dict or False")
    base = {k: v for k, v in config.items() if k != "config_list"}
    given = config.get("config_list", None)
    given = [{}] if given is None else given
    entries = [{**base, **e} if isinstance(e, Mapping) else {} for e in given]
    if not entries or not all(e.get("model") for e in entries):
        raise DefinitionError(
            "When using OpenAI or Azure OpenAI endpoints, specify a non-empty 'model' either in "
            "'llm_config' or in each config of 'config_list'."
        )
    specs = tuple(_spec(i, entry) for i, entry in enumerate(entries))
    return LLM(
        specs,
        _clients_of(specs),
        cache_seed=entries[0].get("cache_seed", "default"),
        formats_text=bool(entries[0].get("allow_format_str_template")),
    )


def _spec(index: int, entry: dict[str, Any]) -> ModelSpec:
    api_type = str(entry.get("api_type") or "openai").lower()
    model, is_own = str(entry["model"]), "model_client_cls" in entry
    if api_type not in ("openai", "azure", "open_ai") and not is_own:
        raise DefinitionError(
            f"api_type {api_type!r} is not built in: give the address of the provider's "
            "OpenAI-compatible server as base_url, or a client of your own as model_client_cls"
        )
    own = {k: v for k, v in entry.items() if k not in ABOUT_THE_MODEL | ABOUT_THE_CALL}
    sent, written = _price(entry.get("price"))
    return ModelSpec(
        id=f"{model}#{index}",
        name=model,
        model=model.replace(".", "") if api_type == "azure" else model,
        provider="custom" if is_own else "openai_compatible",
        endpoint=_endpoint(entry, api_type),
        parameters=_sendable(own),
        price_in=sent,
        price_out=written,
        timeout=float(entry.get("timeout") or 120.0),
        attempts=1 + int(entry.get("max_retries", 2)),
        settings=dict(entry),
    )


def _endpoint(entry: dict[str, Any], api_type: str) -> Callable[[], Awaitable[Endpoint]]:
    """Address and key, read when a call is made, so that building an agent needs neither."""
    address = str(entry.get("base_url") or entry.get("azure_endpoint") or "").rstrip("/")
    if api_type == "azure" and not address.endswith("/v1"):
        address += "/openai/v1"

    async def resolve() -> Endpoint:
        key = entry.get("api_key") or ("" if address else variable("OPENAI_API_KEY"))
        if not key and not address:
            raise ModelError(
                f"{entry['model']} has no api_key, and OPENAI_API_KEY is not set", code="key"
            )
        return Endpoint(address or variable("OPENAI_BASE_URL") or OPENAI, str(key))

    return resolve


def _price(given: Any) -> tuple[float | None, float | None]:
    """USD per million tokens from USD per thousand: [prompt, completion], or one for both."""
    if given is None:
        return None, None
    if isinstance(given, list | tuple) and len(given) == 2:
        return float(given[0]) * 1000, float(given[1]) * 1000
    if isinstance(given, int | float):
        warnings.warn("One price for prompt and completion tokens; [a, b] tells them apart",
                      stacklevel=4)  # fmt: skip
        return float(given) * 1000, float(given) * 1000
    raise DefinitionError("price is [prompt, completion] in USD per 1000 tokens")


def _sendable(parameters: dict[str, Any]) -> dict[str, Any]:
    """A pydantic model as response_format becomes its JSON schema."""
    form = parameters.get("response_format")
    if isinstance(form, type) and hasattr(form, "model_json_schema"):
        return parameters | {"response_format": response_format(form)}
    return parameters


def _clients_of(specs: tuple[ModelSpec, ...]) -> Callable[[ModelSpec], ModelClient]:
    """How the client of each model is found, with what its configuration wants around it."""
    limits = {s.id: _limit(s.settings) for s in specs}

    def client(spec: ModelSpec) -> ModelClient:
        check_registered(specs)
        limit, accepts = limits.get(spec.id), spec.settings.get("filter_func")
        if limit is None and accepts is None:
            return _client(spec)
        return Gated(_client(spec), limit, accepts, is_last=spec.id == specs[-1].id)

    return client


def _limit(entry: Mapping[str, Any]) -> RateLimit | None:
    rate = entry.get("api_rate_limit")
    if rate is None:
        return None
    if isinstance(rate, bool) or not isinstance(rate, int | float) or rate <= 0:
        raise DefinitionError("api_rate_limit is a number of calls per second above 0")
    return RateLimit(float(rate))


def _client(spec: ModelSpec) -> ModelClient:
    """One client for each event loop: a connection cannot be used from another."""
    if spec.provider == "custom":
        return CustomClient()
    loop = asyncio.get_running_loop()
    if loop not in _clients:
        client = OpenAIClient()
        closing = _closed_with_the_loop(client)
        with suppress(StopIteration):
            closing.__anext__().send(None)
        _clients[loop] = client, closing
    return _clients[loop][0]


async def _closed_with_the_loop(client: OpenAIClient) -> AsyncGenerator[None]:
    """A loop ends the generators that it began before it ends itself, as asyncio.run has it do."""
    try:
        yield
    finally:
        await client.close()


async def close_clients() -> None:
    """Closes the connections that this event loop opened for models; it may open new ones."""
    kept = _clients.pop(asyncio.get_running_loop(), None)
    if kept is not None:
        await kept[1].aclose()
