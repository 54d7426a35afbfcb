"""Replies that are kept: the same request under the same seed is answered from the cache."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from ..context import current_context
from .cache import Cache, cache_key
from .models import ModelReply, ModelRequest, ModelSpec

CacheSeed = int | str | None | Literal["default"]
DEFAULT_SEED = 41  # AutoGen 0.2's
if TYPE_CHECKING:
    from .call import LLM


@dataclass(frozen=True, slots=True)
class ReplyCache:
    """The place of one request in a cache; `is_own` says that it was opened for this request."""

    cache: Cache
    key: str
    is_own: bool

    @classmethod
    def of(cls, llm: LLM, spec: ModelSpec, request: ModelRequest) -> ReplyCache | None:
        """None where nothing is to be kept. A chat's own cache wins over the models' seed."""
        context = current_context()
        seed = llm.cache_seed
        if seed == "default":
            seed = DEFAULT_SEED if context.compat.cache_by_default else None
        is_own = context.cache is None
        cache = context.cache
        if cache is None and seed is not None:
            cache = context.open_cache(seed)
        return None if cache is None else cls(cache, cache_key(_asked(spec, request)), is_own)

    async def get(self) -> ModelReply | None:
        found = await asyncio.to_thread(self._used, None)
        return None if found is None else ModelReply(**found)

    async def set(self, reply: ModelReply) -> None:
        kept = asdict(replace(reply, latency_ms=0, first_token_ms=None))
        await asyncio.to_thread(self._used, kept)

    def _used(self, value: dict[str, Any] | None) -> dict[str, Any] | None:
        try:
            if value is None:
                return self.cache.get(self.key)
            self.cache.set(self.key, value)
            return None
        finally:
            if self.is_own:
                self.cache.close()


def _asked(spec: ModelSpec, request: ModelRequest) -> dict[str, Any]:
    """What decides the answer; where it is asked does not."""
    return {
        **spec.parameters,
        **request.parameters,
        "model": spec.model,
        "messages": request.messages,
        "constraint": asdict(request.constraint),
        "tools": request.tools,
        "functions": request.functions,
    }
