"""Finds code blocks in messages, as AutoGen 0.2 does."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..messages import text_of

_OPENING = re.compile(r"```[ \t]*(?:(\w+)[ \t]*)?\r?\n")
_CLOSING = re.compile(r"\r?\n[ \t]*```")


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """`language` is lower-case as tagged, or inferred: sh, python or ""."""

    language: str
    code: str


def code_blocks(text: str) -> list[CodeBlock]:
    """Fenced blocks in order; inline code is never code to run."""
    blocks, at = [], 0
    while opening := _OPENING.search(text, at):
        # the line end before the closing fence may be the one that ends the opening's body
        closing = _CLOSING.search(text, opening.end())
        if closing is None:
            break
        code = text[opening.end() : closing.start()]
        blocks.append(CodeBlock((opening[1] or infer_language(code)).lower(), code))
        at = closing.end()
    return blocks


def infer_language(code: str) -> str:
    if code.startswith(("python ", "pip", "python3 ")):
        return "sh"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(code, "<block>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
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
