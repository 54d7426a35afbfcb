"""Wheels made by hand, and the setting that makes pip look for packages among them alone."""

from __future__ import annotations

import socket
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def make_wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    files: dict[str, str] | None = None,
    needs: str = "",
    tag: str = "py3-none-any",
) -> Path:
    """A wheel with these files, by default one module that says its version."""
    folder.mkdir(parents=True, exist_ok=True)
    about = f"{name}-{version}.dist-info"
    held = dict(files or {f"{name}.py": f"VERSION = {version!r}\n"})
    requires = f"Requires-Dist: {needs}\n" if needs else ""
    held[f"{about}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}"
    )
    pure = "true" if tag.endswith("any") else "false"
    held[f"{about}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: {pure}\nTag: {tag}\n"
    )
    held[f"{about}/RECORD"] = "".join(f"{one},,\n" for one in [*held, f"{about}/RECORD"])
    wheel = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for one, text in held.items():
            archive.writestr(one, text)
    return wheel


def only_from(patch: pytest.MonkeyPatch, folder: Path, index: str = "") -> None:
    """pip finds its packages in this folder, and at this index if one is given."""
    patch.setenv("PIP_CONFIG_FILE", "/dev/null")
    patch.setenv("PIP_FIND_LINKS", str(folder))
    patch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    patch.setenv("PIP_RETRIES", "0")
    if index:
        patch.delenv("PIP_NO_INDEX", raising=False)
        patch.setenv("PIP_INDEX_URL", index)
    else:
        patch.setenv("PIP_NO_INDEX", "1")


@contextmanager
def index(answer: bytes | None) -> Iterator[tuple[str, list[bytes]]]:
    """A package index with a user and a password; None keeps everybody waiting. What it was asked
    comes with it."""
    asked: list[bytes] = []
    listening = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                one, _ = listening.accept()
            except OSError:
                return
            held.append(one)
            asked.append(one.recv(65536))
            if answer is not None:
                one.sendall(answer)
                one.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://user:hunter2@127.0.0.1:{listening.getsockname()[1]}/simple", asked
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for one in held:
            one.close()
