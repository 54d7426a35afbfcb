"""Retries of one model: the only layer that repeats a request."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from ..errors import ModelError, ModelTimeoutError
from .models import ModelClient, ModelReply, ModelRequest, ModelSpec, OnText

FIRST_PAUSE = 0.5  # seconds; doubles, with full jitter so that many sessions do not march in step
OnRetry = Callable[[ModelError, float], None]


async def complete_with_retries(
    client: ModelClient,
    spec: ModelSpec,
    request: ModelRequest,
    on_text: OnText,
    on_retry: OnRetry,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> ModelReply:
    """Answers within `spec.timeout` seconds in all, or raises the last ModelError.

    Rate limits, server errors, dropped connections and broken streams are tried again; a pause that
    the server asks for is kept when there is time for it.
    """
    deadline = time.monotonic() + spec.timeout
    for attempt in range(1, spec.attempts + 1):
        left = deadline - time.monotonic()
        try:
            async with asyncio.timeout(left):
                return await client.complete(spec, request, on_text)
        except TimeoutError:
            raise ModelTimeoutError(
                f"{spec.name} gave no full answer within {spec.timeout:g} s", code="timeout"
            ) from None
        except ModelError as error:
            pause = _pause(error, attempt)
            is_over = attempt == spec.attempts or time.monotonic() + pause >= deadline
            if not error.retryable or is_over:
                raise _with_tries(error, attempt) from error
            on_retry(error, pause)
        await sleep(pause)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _pause(error: ModelError, attempt: int) -> float:
    if error.retry_after is not None:
        return max(0.0, error.retry_after)
    ceiling: float = FIRST_PAUSE * 2 ** (attempt - 1)
    return ceiling / 2 + random.uniform(0, ceiling / 2)  # noqa: S311 - jitter, not a secret


def _with_tries(error: ModelError, attempt: int) -> ModelError:
    if attempt == 1:
        return error
    return ModelError(
        f"{error} (tried {attempt} times)",
        status=error.status,
        retryable=error.retryable,
        retry_after=error.retry_after,
        detail=error.detail,
        code=error.code,
    )
