"""Boxes for programs of one's own: what AutoGen 0.2 means by use_docker, and bubblewrap too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .box import Box, BoxLimits, Ended, Job, Kind
from .executor import CodeResult, SavedFile
from .extract import CodeBlock
from .in_box import BoxedCode, Room
from .rules import CodeRules, checked_timeout

LABEL = "library"
IMAGE = "python:3-slim"


@dataclass
class _OwnRoom:
    """A folder that belongs to the caller: nothing of it is kept elsewhere."""

    box: Box
    work_dir: Path
    files: list[SavedFile] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    async def run(self, job: Job) -> Ended:
        return await self.box.run(job)


class BoxCodeExecutor:
    """Runs code blocks in Docker or in bubblewrap, with `work_dir` as the only folder.

    `timeout` is in seconds for each block, at least 1 (else ValueError); `image` is Docker's. The
    box is made for each message with code and ends behind it; files stay. Without a box of that
    kind the exit code is 126, and the output says why.
    """

    def __init__(
        self,
        kind: Kind = "docker",
        *,
        work_dir: str | Path = "coding",
        timeout: float = 60,
        image: str = IMAGE,
        limits: BoxLimits | None = None,
    ) -> None:
        self.kind, self.image, self.work_dir = kind, image, Path(work_dir)
        self._code = BoxedCode(self._room, limits or BoxLimits(seconds=checked_timeout(timeout)))

    async def run(self, blocks: list[CodeBlock], rules: CodeRules | None = None) -> CodeResult:
        return await self._code.run(blocks, rules)

    @asynccontextmanager
    async def _room(self) -> AsyncIterator[Room]:
        folder = self.work_dir.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        box = self._box(folder)
        try:
            yield _OwnRoom(box, folder)
        finally:
            await box.close()

    def _box(self, folder: Path) -> Box:
        if self.kind == "docker":
            from .docker_box import DockerBox

            return DockerBox(folder, image=self.image, label=LABEL)
        from .sandbox import SandboxBox

        return SandboxBox(folder)
