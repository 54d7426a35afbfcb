"""The protocol of everything that can run code, and the one that refuses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from .extract import CodeBlock

NO_SANDBOX = "No sandbox on this machine yet"


@dataclass(frozen=True, slots=True)
class CodeResult:
    """`exit_code` 0 is success, 124 a time-out, 126 a refusal. `seconds` is wall time."""

    exit_code: int
    output: str
    seconds: float = 0.0
    artifacts: list[str] = field(default_factory=list)


class CodeExecutor(Protocol):
    async def run(self, blocks: list[CodeBlock]) -> CodeResult: ...


class RefusingExecutor:
    """Runs nothing: where there is no sandbox, code does not run."""

    async def run(self, blocks: list[CodeBlock]) -> CodeResult:
        return CodeResult(exit_code=126, output=NO_SANDBOX)
