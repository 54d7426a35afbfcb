"""Wheels from the package index into a folder, by pip. Nothing of them is run or built."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from ..config import child_environment

OLDEST_GLIBC = 28  # 2.28: what images of the last years have at least
Libc = Literal["own", "oldest"]
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_PYTHON = re.compile(r"3\.[0-9]{1,2}")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://\S+|host='[^']*'(, port=\d+)?", re.IGNORECASE)


class FetchError(Exception):
    """The packages cannot be had; the words are for the person who asked for them."""


async def fetch_wheels(
    packages: Sequence[str],
    python: str,
    part: Path,
    told: Callable[[str], None],
    *,
    libc: Libc,
) -> None:
    """Unpacks packages and what they depend on into `part`/site. Raises FetchError.

    python  that they will run on, like "3.11". What a package needs on some versions of Python only
            is decided by the one that this studio runs on: pip knows no other way.
    libc    of this machine, or one that is old enough for any image
    """
    if not _PYTHON.fullmatch(python):
        raise FetchError(f"Python {python or 'of an unknown version'} cannot be prepared for")
    if wrong := [p for p in packages if p.startswith("-") or "/" in p or ":" in p]:
        raise FetchError(f"{wrong[0]} is no name of a package")
    site, errors, place = part / "site", part / "errors", part / "tmp"
    place.mkdir(mode=0o700)
    platforms = [word for tag in platforms_of(libc) for word in ("--platform", tag)]
    with errors.open("wb") as error_file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pip", "install", "--target", str(site),
            "--only-binary=:all:", "--no-compile", "--no-input", "--disable-pip-version-check",
            "--progress-bar", "off", "--python-version", python, "--implementation", "cp",
            *platforms, "--", *packages,
            cwd=place, env=child_environment(TMPDIR=str(place), PYTHONUNBUFFERED="1"),
            start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=error_file,
        )  # fmt: skip
    try:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            if words := progress_of(line.decode(errors="replace")):
                told(words)
        code = await process.wait()
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if code:
        raise FetchError(why(errors.read_text(errors="replace"), python))
    await asyncio.to_thread(_readable, site)


def platforms_of(libc: Libc) -> list[str]:
    """The tags of wheels that run on a Linux of this machine, the newest first (PEP 600, 656)."""
    machine = platform.machine().lower()
    machine = _MACHINES.get(machine, machine)
    name, version = platform.libc_ver()
    if libc == "own" and name != "glibc":
        return [f"musllinux_1_{minor}_{machine}" for minor in (2, 1)]
    minor = int(version.split(".")[1]) if libc == "own" else OLDEST_GLIBC
    oldest = 5 if machine in ("x86_64", "i686") else 17
    tags = []
    for one in range(minor, oldest - 1, -1):
        tags.append(f"manylinux_2_{one}_{machine}")
        tags += [f"{_LEGACY[one]}_{machine}"] if one in _LEGACY else []
    return tags


def progress_of(line: str) -> str:
    """What a line of pip tells people; "" when nothing."""
    line = _ADDRESS.sub("", line).strip()
    match line.split(None, 1):
        case ["Collecting", rest]:
            return f"Collecting {rest.split(' (from')[0]}"
        case ["Downloading", rest] if not rest.split()[0].endswith(".metadata"):
            return f"Downloading {rest}"
        case ["Processing", rest]:
            return f"Taking {rest.split()[0].rpartition('/')[2]}"
        case ["Installing", rest]:
            return f"Unpacking {rest.removeprefix('collected packages: ')}"
    return ""


def why(errors: str, python: str) -> str:
    """The reason in pip's words, without addresses and what may stand in them."""
    lines = [line for line in errors.splitlines() if line.startswith("ERROR")]
    if not lines:
        lines = errors.strip().splitlines()[-1:]
    words = " ".join(_ADDRESS.sub("(address)", line.removeprefix("ERROR: ")) for line in lines[-3:])
    if "No matching distribution" in words:
        words += f" Only packages that come as wheels for Python {python} can be prepared."
    return words[:1000] or "pip gave no reason"


def size_of(folder: Path) -> int:
    """Bytes of the files below a folder that others may be changing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:
                continue
    return total


def _readable(folder: Path) -> None:
    """For whoever a box runs its programs as; the data folder around it is closed to others."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
