"""How much room the data takes on disk, and how much is left there."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, text

FOLDERS = ("work", "artifacts", "uploads", "packages", "models")
LOW = 1_000_000_000  # bytes: with less left, sessions are likely to stop for want of room
_BLOCK = 512  # bytes, the unit of st_blocks


@dataclass(frozen=True, slots=True)
class FolderSize:
    """Bytes on disk. `is_whole` is false where the time ended first: then there is more."""

    name: str
    bytes: int
    is_whole: bool


@dataclass(frozen=True, slots=True)
class DiskUse:
    """The data folder. `free` and `total` are bytes of the file system that it lies on."""

    home: Path
    folders: tuple[FolderSize, ...]
    free: int
    total: int

    @property
    def is_low(self) -> bool:
        return self.free < LOW


@dataclass(frozen=True, slots=True)
class DatabaseUse:
    """`bytes` with what is not yet written back; `journal` is SQLite's mode, like "wal"."""

    kind: str
    version: str
    bytes: int
    journal: str = ""
    unwritten: int = 0


def disk_use(home: Path, *, seconds: float = 1.0) -> DiskUse:
    """Blocks for about `seconds` at most, all folders together."""
    until = time.monotonic() + seconds
    folders = tuple(_measured(home, name, until) for name in FOLDERS)
    room = shutil.disk_usage(home)
    return DiskUse(home, folders, room.free, room.total)


def _measured(home: Path, name: str, until: float) -> FolderSize:
    total = 0
    for place, _, names in os.walk(home / name):
        if time.monotonic() > until:
            return FolderSize(name, total, is_whole=False)
        total += _on_disk(place, names)
    return FolderSize(name, total, is_whole=True)


def _on_disk(place: str, names: Collection[str]) -> int:
    """Of the files of one folder, which programs may be changing; links are not followed."""
    total = 0
    for name in names:
        try:
            total += os.lstat(os.path.join(place, name)).st_blocks * _BLOCK
        except OSError:
            continue
    return total


def database_use(connection: Connection) -> DatabaseUse:
    version = ".".join(map(str, connection.dialect.server_version_info or ()))
    if connection.dialect.name != "sqlite":
        size = connection.execute(text("SELECT pg_database_size(current_database())")).scalar()
        return DatabaseUse("PostgreSQL", version, int(size or 0))
    path = connection.engine.url.database or ""
    folder, name = os.path.split(path)
    log = _on_disk(folder, [f"{name}-wal"])
    journal = str(connection.execute(text("PRAGMA journal_mode")).scalar())
    return DatabaseUse("SQLite", version, _on_disk(folder, [name]) + log, journal, log)
