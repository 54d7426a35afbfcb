"""The engine's cache of replies, in the studio's database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from ..engine.llm.cache import Cache
from ..store import replies
from ..store.database import Database


class KeptReplies(Cache):
    """One owner's replies under one seed. Calls block: the engine makes them in a worker thread.

    `mask` takes out what is secret before anything is written.
    """

    def __init__(
        self, database: Database, owner: str, seed: int | str, mask: Callable[[str], str]
    ) -> None:
        self._database, self._owner, self._seed = database, owner, str(seed)
        self._mask = mask

    def get(self, key: str) -> dict[str, Any] | None:
        body = self._database.read_now(lambda c: replies.find(c, self._owner, self._seed, key))
        return None if body is None else orjson.loads(body)

    def set(self, key: str, value: dict[str, Any]) -> None:
        body = self._mask(orjson.dumps(value).decode())
        self._database.write_now(lambda c: replies.keep(c, self._owner, self._seed, key, body))

    def close(self) -> None:
        """Nothing is held."""
