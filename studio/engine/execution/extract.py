"""Finds code blocks in messages, as AutoGen 0.2 does."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..messages import text_of

_OPENING = re.compile(r"```[ \t]*(?:(\w+)[ \t]*)?\r?\n")
_CLOSING = re.compile(r"\r?\n[ \t]*```")
UNKNOWN = "unknown"
INVALID_LAST_N = "last_n_messages must be either a non-negative integer, or the string 'auto'."


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """`language` is lower-case as tagged, or inferred: sh, python or "" (see `legacy_blocks`)."""

    language: str
    code: str


def code_blocks(text: str) -> list[CodeBlock]:
    """Fenced blocks in order; inline code is never code to run."""
    return [
        CodeBlock((tag or infer_language(code)).lower(), code) for tag, code in _fenced_blocks(text)
    ]


def legacy_blocks(text: str) -> list[CodeBlock]:
    """As AutoGen 0.2 extracts without an executor: tags as written, "" where there is none.

    Without any block the whole text is one of the language "unknown".
    """
    return [CodeBlock(*block) for block in _fenced_blocks(text)] or [CodeBlock(UNKNOWN, text)]


def _fenced_blocks(text: str) -> Iterator[tuple[str, str]]:
    """Tag ("" if none) and code of every block."""
    at = 0
    while opening := _OPENING.search(text, at):
        # the line end before the closing fence may be the one that ends the opening's body
        closing = _CLOSING.search(text, opening.end())
        if closing is None:
            break
        yield opening[1] or "", text[opening.end() : closing.start()]
        at = closing.end()


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
    messages: Sequence[dict[str, Any]],
    last_n: int | Literal["auto"],
    *,
    legacy: bool = False,
    none_is_all: bool = False,
) -> list[CodeBlock]:
    """The blocks of the newest message that has any.

    "auto" looks back to the agent's own last message, a number at that many last messages. Where
    that is none, `none_is_all` looks at all of them, as AutoGen 0.2 does with an executor and not
    without (`legacy`). Anything else is a ValueError.
    """
    if last_n != "auto" and not (isinstance(last_n, int) and last_n >= 0):
        raise ValueError(INVALID_LAST_N)
    scan = len(messages)
    if last_n == "auto":
        scan = 0
        for message in reversed(messages):
            if message.get("role") != "user":
                break
            scan += 1
    else:
        scan = min(scan, last_n)
    if scan == 0 and none_is_all and not legacy:
        scan = len(messages)
    for message in reversed(messages[len(messages) - scan :]):
        text = text_of(message.get("content"))
        blocks = legacy_blocks(text) if legacy else code_blocks(text)
        if blocks and not (legacy and [b.language for b in blocks] == [UNKNOWN]):
            return blocks
    return []
