"""Effects as they are stored: a model call keeps only what the call before did not have."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

import orjson

from ..engine.effects import Effect
from ..store.effects import Intent
from ..store.tables import at_time

_VISIT = re.compile(r"(node:[^/:]+):[0-9]+")


@dataclass(frozen=True, slots=True)
class _Call:
    """The last request of an agent: the next one usually begins with the same messages."""

    key: str
    digest: str
    messages: list[dict[str, Any]]


@dataclass
class Requests:
    """The last call of every agent in every chat. Chats that run side by side have calls of their
    own; a node of a graph goes on with those of its visit before."""

    _calls: dict[tuple[str, str, str], _Call] = field(default_factory=dict)

    def intent(self, key: str, run: int, effect: Effect, *, keeps: bool) -> Intent:
        """The effect under `key`; `keeps` says that the next call may build on this one."""
        base, shared, tail = None, 0, None
        if effect.messages is not None:
            chat = _VISIT.sub(r"\1", effect.key.rpartition("#")[0])
            place = (chat, effect.agent, str(effect.request.get("purpose")))
            last = self._calls.get(place)
            if last is not None:
                shared = _common(last.messages, effect.messages)
                base = last if shared else None
            tail = effect.messages[shared:]
        request = orjson.dumps(effect.request, option=orjson.OPT_SORT_KEYS)
        messages = None if tail is None else orjson.dumps(tail, option=orjson.OPT_SORT_KEYS)
        digest = blake2b(request, digest_size=16)
        digest.update(f"{base.digest if base else ''}:{shared}:".encode())
        digest.update(messages or b"")
        if effect.messages is not None and keeps:
            self._calls[place] = _Call(key, digest.hexdigest(), effect.messages)
        return Intent(
            key=key,
            kind=effect.kind,
            run=run,
            turn=effect.turn,
            agent=effect.agent,
            attempt=1,
            request_hash=digest.hexdigest(),
            request=request.decode(),
            base=base.key if base else None,
            shared=shared,
            messages=messages.decode() if messages is not None else None,
            due=_due(effect),
        )


def _due(effect: Effect) -> str | None:
    limit = effect.request.get("timeout")
    if limit is None:
        return None
    return at_time(datetime.now(UTC) + timedelta(seconds=limit["seconds"]))


def _common(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> int:
    """How many leading messages are the same; almost always by identity, which is fast."""
    most = min(len(before), len(now))
    if before[:most] == now[:most]:
        return most
    for i in range(most):
        if before[i] is not now[i] and before[i] != now[i]:
            return i
    return most
