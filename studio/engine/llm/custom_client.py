"""A client of one's own for a model: AutoGen 0.2's `model_client_cls` protocol."""

from __future__ import annotations

import inspect
import time
from typing import Any

from ..errors import ModelError
from ..sync import call_plain
from .models import ModelReply, ModelRequest, ModelSpec, OnText, estimate_tokens


class CustomClient:
    """Asks an object with `create(params)`, `message_retrieval(response)` and, where it has them,
    `get_usage(response)` and `cost(response)`.

    The object is in `spec.settings["client"]`, put there by `register_model_client`.
    """

    async def complete(self, spec: ModelSpec, request: ModelRequest, on_text: OnText) -> ModelReply:
        own = spec.settings.get("client")
        if own is None:
            raise ModelError(
                f"{spec.name} needs {spec.settings.get('model_client_cls')}: register it with "
                "register_model_client before the chat begins"
            )
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


def _reply(spec: ModelSpec, message: Any, usage: dict[str, Any], elapsed: int) -> ModelReply:
    content = message if isinstance(message, str) else _member(message, "content")
    return ModelReply(
        content=content,
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        completion_tokens=int(usage.get("completion_tokens") or estimate_tokens(content or "")),
        latency_ms=elapsed,
        first_token_ms=None,
        tool_calls=_member(message, "tool_calls") or None,
        function_call=_member(message, "function_call") or None,
        served=str(usage.get("model") or spec.model),
        estimated="completion_tokens" not in usage,
    )


def _member(message: Any, name: str) -> Any:
    return message.get(name) if isinstance(message, dict) else getattr(message, name, None)
