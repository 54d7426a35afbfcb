"""Looking into a folder that a program may change while we look, without ever leaving it.

Every step goes through a descriptor of the folder it starts from and follows no link: a name that
is swapped for a link in between is simply not a file or a folder any more.
"""

from __future__ import annotations

import os
import shutil
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

MAX_DEPTH = 32
MAX_ENTRIES = 50_000
MAX_NAME = 300
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # no fifo makes us wait
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


class Seen(NamedTuple):
    """What a file was when it was looked at: any write to it changes one of these."""

    size: int
    modified_ns: int
    inode: int


Snapshot = dict[str, Seen]


def is_hidden(name: str) -> bool:
    """What is not for people: hidden names, Python's caches, the files that code was run from."""
    return name.startswith((".", "tmp_code_")) or name == "__pycache__"


def snapshot(folder: Path) -> Snapshot:
    """Every regular file in a folder and below it, by its path with "/"."""
    return {path: Seen(info.st_size, info.st_mtime_ns, info.st_ino) for path, info in _walk(folder)}


def _walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    try:
        top = os.open(folder, _FOLDER)
    except OSError:
        return
    left = MAX_ENTRIES
    stack: list[tuple[int, str, list[str]]] = [(top, "", _names(top))]
    try:
        while stack:
            place, path, names = stack[-1]
            if not names or not left:
                os.close(stack.pop()[0])
                continue
            name, left = names.pop(), left - 1
            with suppress(OSError):
                info = os.stat(name, dir_fd=place, follow_symlinks=False)
                if stat.S_ISREG(info.st_mode):
                    yield path + name, info
                elif stat.S_ISDIR(info.st_mode) and len(stack) < MAX_DEPTH:
                    inner = os.open(name, _FOLDER, dir_fd=place)
                    stack.append((inner, f"{path}{name}/", _names(inner)))
    finally:
        for place, _, _ in stack:
            os.close(place)


def _names(place: int) -> list[str]:
    try:
        return sorted((n for n in os.listdir(place) if not is_hidden(n)), reverse=True)
    except OSError:
        return []


def open_file(folder: Path, path: str) -> int:
    """A descriptor of a regular file below `folder`. OSError when it is anything else by now."""
    *folders, name = path.split("/")
    place = os.open(folder, _FOLDER)
    try:
        for one in folders:
            inner = os.open(one, _FOLDER, dir_fd=place)
            os.close(place)
            place = inner
        file = os.open(name, _FILE, dir_fd=place)
    finally:
        os.close(place)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError("not a regular file")
    return file


def shown(path: str) -> str:
    """A path that a program made up, as text that is safe to show: one line, no bytes that are not
    text, nothing that turns the direction of writing. Long ones lose their first folders."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    text = "".join("\ufffd" if unicodedata.category(c) in _UNSAFE else c for c in text)
    return text if len(text) <= MAX_NAME else f"…{text[1 - MAX_NAME :]}"


def remove(folder: Path) -> None:
    """Removes a folder with all that is in it, also where a program took our rights away. No
    program may be at work in it any more."""
    if folder.is_symlink():
        folder.unlink()
        return
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        with suppress(OSError):
            folder.chmod(0o700)
        for place, inner, _ in os.walk(folder):
            for name in inner:
                path = os.path.join(place, name)
                if not os.path.islink(path):
                    with suppress(OSError):
                        os.chmod(path, 0o700)
        shutil.rmtree(folder, ignore_errors=True)
