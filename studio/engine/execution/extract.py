"""Finds code blocks in messages, as AutoGen 0.2 does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..messages import text_of

_BLOCK = re.compile(r"```[ \t]*(\w+)?[ \t]*\r?\n(.*?)\r?\n[ \t]*```", re.DOTALL)


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """`language` is lower-case as tagged, or inferred: sh, python or ""."""

    language: str
    code: str


def code_blocks(text: str) -> list[CodeBlock]:
    """Fenced blocks in order; inline code is never code to run."""
    return [
        CodeBlock((tag or infer_language(code)).lower(), code) for tag, code in _BLOCK.findall(text)
    ]


def infer_language(code: str) -> str:
    if code.startswith(("python ", "pip", "python3 ")):
        return "sh"
    try:
        compile(code, "<block>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return ""
    return "python"


def blocks_to_run(
    messages: Sequence[dict[str, Any]], last_n: int | Literal["auto"]
) -> list[CodeBlock]:
    """The blocks of the newest message that has any.

    "auto" looks back to the agent's own last message, a number at that many last messages.
    """
    scan = len(messages)
    if last_n == "auto":
        scan = 0
        for message in reversed(messages):
            if message.get("role") != "user":
                break
            scan += 1
    else:
        scan = min(scan, last_n)
    for message in reversed(messages[len(messages) - scan :]):
        if blocks := code_blocks(text_of(message.get("content"))):
            return blocks
    return []
