"""The protocol of everything that can run code, and the one that refuses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from ..events import SavedFile as SavedFile
from .extract import CodeBlock
from .rules import CodeRules

NO_SANDBOX = "No sandbox on this machine yet"


@dataclass(frozen=True, slots=True)
class CodeResult:
    """`exit_code` 0 is success, 124 a time-out, 126 a refusal. `seconds` is wall time, `limit` in
    words what stopped it."""

    exit_code: int
    output: str
    seconds: float = 0.0
    artifacts: list[SavedFile] = field(default_factory=list)
    limit: str = ""


class CodeExecutor(Protocol):
    """Runs blocks in order. `rules` are the chat's, for executors that have none of their own."""

    async def run(self, blocks: list[CodeBlock], rules: CodeRules | None = None) -> CodeResult: ...


class RefusingExecutor:
    """Runs nothing: where there is no sandbox, code does not run."""

    def __init__(self, why: str = NO_SANDBOX) -> None:
        self.why = why

    async def run(self, blocks: list[CodeBlock], rules: CodeRules | None = None) -> CodeResult:
        return CodeResult(exit_code=126, output=self.why)
