"""A session's working folder, and runs in it, without a box around them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from studio.store.files import Files, Saved

from ..builders import let_pass

ONE = "5e551000000000000000"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


class Session:
    """A session's working folder, and runs in it."""

    def __init__(self, home: Path) -> None:
        self.files = Files(home)
        self.work = self.files.work_dir(ONE)

    def run(self, work: Callable[[], object]) -> Saved:
        before = self.files.before(self.work)
        let_pass(0.01)  # clocks of files tick every 10 ms or less; a box takes longer to start
        work()
        return asyncio.run(self.files.saved(ONE, self.work, before))

    def write(self, name: str, content: str | bytes) -> Callable[[], object]:
        def write() -> None:
            place = self.work / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content if isinstance(content, bytes) else content.encode())

        return write

    def kept(self, one: str) -> bytes:
        return self.files.artifact(ONE, one).read_bytes()


def names(saved: Saved) -> list[str]:
    return sorted(one.name for one in saved.files)
