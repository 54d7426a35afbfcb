"""Answers of models kept by what was asked, in memory or on disk.

    with Cache.disk(cache_seed=42) as cache:
        ...

A key is made by `cache_key`, a value is any dict of JSON. Reading and writing take the calling
thread: asynchronous callers use `asyncio.to_thread`.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel

from ..errors import DefinitionError

_NOT_IN_KEY = frozenset({
    "api_key", "base_url", "api_type", "api_version", "azure_ad_token", "azure_ad_token_provider",
    "credentials", "tool_config",
})  # fmt: skip


def cache_key(parameters: Mapping[str, Any]) -> str:
    """The sha256, in hex, of a request's parameters: messages, model, tools, temperature, ...

    As in AutoGen 0.2 the order of the parameters does not matter, and neither do key, address,
    api type and version, Azure tokens, credentials and tool_config: two servers of one model
    share their answers. Pydantic models count as what they dump, their classes as their schema.
    Raises TypeError for what could not be sent as JSON either.
    """
    asked = {key: value for key, value in parameters.items() if key not in _NOT_IN_KEY}
    text = json.dumps(asked, sort_keys=True, default=_as_json)
    return hashlib.sha256(text.encode()).hexdigest()


def _as_json(value: object) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, type) and issubclass(value, BaseModel):
        return value.model_json_schema()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a request cannot hold {type(value).__name__}: it is not JSON")


class Cache(ABC):
    """What a model client asks before it sends a request, and tells afterwards."""

    @abstractmethod
    def get(self, key: str) -> dict[str, Any] | None:
        """What was kept under the key, as a dict of the caller's own, or None."""

    @abstractmethod
    def set(self, key: str, value: dict[str, Any]) -> None:
        """Keeps the value, in place of an earlier one. Raises TypeError for what is not JSON."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of files. The cache may be used again and opens them anew."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @staticmethod
    def disk(cache_seed: int | str = 42, cache_path_root: str | Path = ".cache") -> DiskCache:
        """The cache of a seed below a folder: other seeds are other caches (AutoGen 0.2)."""
        return DiskCache(cache_path_root, cache_seed)

    @staticmethod
    def in_memory() -> MemoryCache:
        return MemoryCache()


class MemoryCache(Cache):
    """Lives as long as the object. Safe with threads."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def get(self, key: str) -> dict[str, Any] | None:
        text = self._texts.get(key)
        return None if text is None else _read(text)

    def set(self, key: str, value: dict[str, Any]) -> None:
        self._texts[key] = json.dumps(value)

    def close(self) -> None:
        """Keeps what it has: an answer that was paid for outlives the block."""


class DiskCache(Cache):
    """A SQLite file `<folder>/<seed>/cache.db`, opened at the first use.

    Safe with threads and with several processes (each makes its own object: do not carry an open
    one over a fork). Every call is one short transaction; whoever comes second waits up to
    `busy_seconds`. A file that cannot be read raises DefinitionError; an answer that cannot be
    written is only a warning, because the chat has it already.
    """

    def __init__(self, folder: str | Path, seed: int | str, *, busy_seconds: float = 30.0) -> None:
        name = str(seed)
        if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
            raise ValueError(f"a cache seed names a folder, so it cannot be {seed!r}")
        self.path = Path(folder, name, "cache.db")
        self._busy_seconds = busy_seconds
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def get(self, key: str) -> dict[str, Any] | None:
        with self._using() as connection:
            row = connection.execute("SELECT value FROM replies WHERE key = ?", (key,)).fetchone()
        return None if row is None else _read(row[0])

    def set(self, key: str, value: dict[str, Any]) -> None:
        text = json.dumps(value)
        try:
            with self._using() as connection:
                connection.execute("INSERT OR REPLACE INTO replies VALUES (?, ?)", (key, text))
        except DefinitionError as error:
            warnings.warn(str(error), stacklevel=2)

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._open()
                yield self._connection
            except (sqlite3.Error, OSError) as error:
                raise DefinitionError(
                    f"the cache {self.path} cannot be used ({error}): delete it or choose another"
                ) from error

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + self._busy_seconds
        while True:
            connection = sqlite3.connect(
                self.path,
                timeout=self._busy_seconds,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, value TEXT NOT NULL)"
                )
            except sqlite3.Error as error:
                connection.close()
                # Two processes that both turn WAL on: SQLite refuses one without waiting.
                if not _is_busy(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return connection


def _is_busy(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _read(text: str) -> dict[str, Any] | None:
    """A kept value; what somebody else damaged counts as not there."""
    try:
        value = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
