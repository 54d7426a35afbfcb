"""A client of one's own for a model: AutoGen 0.2's `model_client_cls` protocol."""

from __future__ import annotations

import inspect
import time
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..errors import DefinitionError, ModelError
from ..sync import call_plain
from .models import ModelReply, ModelRequest, ModelSpec, OnText, estimate_tokens

if TYPE_CHECKING:
    from .call import LLM


class CustomClient:
    """Asks an object with `create(params)`, `message_retrieval(response)` and, where it has them,
    `get_usage(response)` and `cost(response)`.

    The object is in `spec.settings["client"]`, put there by `register_model_client`.
    """

    async def complete(self, spec: ModelSpec, request: ModelRequest, on_text: OnText) -> ModelReply:
        own = spec.settings["client"]
        started = time.monotonic()
        parameters = {**spec.parameters, **request.parameters, "model": spec.model}
        parameters["messages"] = request.messages
        for name in ("tools", "functions"):
            if offered := getattr(request, name):
                parameters[name] = offered
        try:
            response = await call_plain(own.create, parameters)
            if inspect.isawaitable(response):
                response = await response
            [first, *_] = own.message_retrieval(response)
            usage = dict(own.get_usage(response)) if hasattr(own, "get_usage") else {}
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(f"{spec.name} failed: {error}", detail=repr(error)) from error
        return _reply(spec, first, usage, int((time.monotonic() - started) * 1000))


def register_client(llm: LLM, client_class: type[Any], arguments: dict[str, Any]) -> None:
    """Makes the client of the first model that names this class and has none yet."""
    waiting = [s for s in llm.models if s.settings.get("model_client_cls") == client_class.__name__]
    if not waiting:
        raise DefinitionError(
            f'Model client "{client_class.__name__}" is being registered but was not found in the '
            f'config_list. Please make sure to include an entry with "model_client_cls": '
            f'"{client_class.__name__}"'
        )
    for spec in waiting:
        if "client" not in spec.settings:
            spec.settings["client"] = client_class(dict(spec.settings), **arguments)
            return
    warnings.warn(f"{client_class.__name__} is registered already", stacklevel=3)


def check_registered(specs: Iterable[ModelSpec]) -> None:
    """Raises RuntimeError, as AutoGen 0.2 does, while any model waits for a client of its own."""
    names = [str(s.settings["model_client_cls"]) for s in specs
             if s.provider == "custom" and "client" not in s.settings]  # fmt: skip
    if names:
        raise RuntimeError(
            f"Model client(s) {names} are not activated. Please register the custom model clients "
            "using `register_model_client` or filter them out form the config list."
        )


def _reply(spec: ModelSpec, message: Any, usage: dict[str, Any], elapsed: int) -> ModelReply:
    content = message if isinstance(message, str) else _member(message, "content")
    return ModelReply(
        content=content,
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        completion_tokens=int(usage.get("completion_tokens") or estimate_tokens(content or "")),
        latency_ms=elapsed,
        first_token_ms=None,
        tool_calls=[_plain(call) for call in _member(message, "tool_calls") or []] or None,
        function_call=_plain(_member(message, "function_call")) or None,
        served=str(usage.get("model") or spec.model),
        estimated="completion_tokens" not in usage,
    )


def _plain(value: Any) -> Any:
    """Objects like the openai package's as the dicts that messages are made of."""
    if hasattr(value, "model_dump"):
        return value.model_dump(exclude_none=True)
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return {k: _plain(v) for k, v in vars(value).items()} if hasattr(value, "__dict__") else value


def _member(message: Any, name: str) -> Any:
    return message.get(name) if isinstance(message, dict) else getattr(message, name, None)
