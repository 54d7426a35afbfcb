"""One process per data folder: the lock, and the note that says where the server listens."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..errors import ConflictError

LOCK = "studio.lock"
NOTE = "server.json"


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A studio that serves this data folder; `token` is for commands on this machine."""

    url: str
    token: str
    pid: int


def running_server(home: Path) -> RunningServer | None:
    """What server.json says, if its process lives."""
    try:
        note = json.loads((home / NOTE).read_text())
        server = RunningServer(note["url"], note["token"], int(note["pid"]))
    except (OSError, ValueError, KeyError):
        return None
    return server if is_locked(home) else None


def write_note(home: Path, url: str, token: str) -> None:
    path = home / NOTE
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as out:
        json.dump({"url": url, "token": token, "pid": os.getpid()}, out)


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Holds the data folder. Raises ConflictError, with the address, when another studio does."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (home / LOCK).open("a+") as file:
        if not _lock(file):
            server = _note_of(home)
            where = f" It serves {server}." if server else ""
            raise ConflictError(f"Another studio is using {home}.{where}")
        try:
            yield
        finally:
            (home / NOTE).unlink(missing_ok=True)


def is_locked(home: Path) -> bool:
    try:
        with (home / LOCK).open("a+") as file:
            return not _lock(file)
    except OSError:
        return False


def _note_of(home: Path) -> str:
    try:
        return str(json.loads((home / NOTE).read_text())["url"])
    except (OSError, ValueError, KeyError):
        return ""


def _lock(file: IO[Any]) -> bool:
    """Takes an exclusive lock that the system drops when the process ends."""
    try:
        import fcntl
    except ImportError:
        import msvcrt

        try:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
