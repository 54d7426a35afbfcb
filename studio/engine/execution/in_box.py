"""Code blocks of messages, run in a box (ENGINE section 3)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from ..errors import SandboxError
from .box import PYTHON, BoxLimits, Ended, Job
from .executor import CodeResult, SavedFile
from .extract import CodeBlock
from .rules import (
    CodeRules,
    OutsideWorkDirError,
    dangerous,
    file_name_of,
    silence_pip,
    temporary_name,
    write_inside,
)

MOST_TOLD = 30_000  # characters of output that agents are told; the middle is left out
LATE, REFUSED = 124, 126
_LANGUAGES = {"python": "python", "py": "python", "sh": "sh", "shell": "sh", "bash": "bash"}
_PROGRAMS = {"python": (PYTHON, "-u"), "sh": ("sh",), "bash": ("bash",)}
_SAVED_ONLY = ("html", "css", "javascript", "js", "csv", "json", "markdown", "md", "text", "txt")


class Room(Protocol):
    """A box and its folder, for as long as nobody else works there. At the end `files` are those
    that were made or changed, `left_out` says which of them were not kept."""

    work_dir: Path
    files: list[SavedFile]
    left_out: list[str]

    async def run(self, job: Job) -> Ended: ...


class BoxedCode:
    """Runs blocks in order until one fails; each is a file in the working folder.

    `enter` opens the room, `limits` hold for each block. What the box refuses is exit code 126.
    """

    is_repeatable = False

    def __init__(
        self, enter: Callable[[], AbstractAsyncContextManager[Room]], limits: BoxLimits
    ) -> None:
        self._enter, self._limits = enter, limits

    async def run(self, blocks: list[CodeBlock], rules: CodeRules | None = None) -> CodeResult:
        rules = rules or CodeRules()
        log, seconds, last = "", 0.0, Ended(0)
        try:
            async with self._enter() as room:
                for block in blocks:
                    last, printed = await self._step(room, block, rules)
                    log, seconds = log + printed, seconds + last.seconds
                    if last.exit_code:
                        break
        except SandboxError as error:
            return CodeResult(REFUSED, str(error))
        for words in room.left_out[:20]:
            log += f"\n(not kept: {words})"
        return CodeResult(last.exit_code, cut(log), round(seconds, 3), room.files, last.limit)

    async def _step(self, room: Room, block: CodeBlock, rules: CodeRules) -> tuple[Ended, str]:
        tag = block.language.lower()
        language = _LANGUAGES.get(tag, tag)
        if refusal := dangerous(language, block.code):
            if rules.dangerous_command_raises:
                raise ValueError(refusal)
            return Ended(1), refusal
        if language not in _PROGRAMS and language not in _SAVED_ONLY:
            return Ended(1), f"\nunknown language {language}"
        code = silence_pip(block.code, language)
        try:
            name = file_name_of(code, room.work_dir, rules) or temporary_name(code, language)
            await asyncio.to_thread(write_inside, room.work_dir, name, code)
        except (OutsideWorkDirError, OSError) as error:
            return Ended(1), str(error) if isinstance(error, OutsideWorkDirError) else (
                f"{name}: {error.strerror}"
            )
        if language in _SAVED_ONLY:
            return Ended(0), f"Code saved to {name}\n"
        job = Job((*_PROGRAMS[language], name), limits=self._limits)
        ended = await room.run(job)
        return ended, _printed(ended)


def _printed(ended: Ended) -> str:
    """As text mode reads it: any line end is a newline."""
    text = (ended.stderr + ended.stdout).decode(errors="replace")
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "\ufffd")
    if not ended.limit:
        return text
    return f"{text}\n{'Timeout: s' if ended.exit_code == LATE else 'S'}topped at {ended.limit}\n"


def cut(text: str) -> str:
    """Long output without its middle: the beginning says what ran, the end how it ended."""
    if len(text) <= MOST_TOLD:
        return text
    head, tail = MOST_TOLD * 2 // 3, MOST_TOLD // 3
    left = len(text) - head - tail
    return f"{text[:head]}\n({left:,} characters are left out here)\n{text[-tail:]}"
