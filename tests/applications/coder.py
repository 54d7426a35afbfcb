"""How a scripted model programs: it has a draft for a task, and mends what an error message names.

Nothing here knows whether a draft works. Remedies are chosen by the last line of the traceback that
the proxy sent back, so without execution, or without the error, nothing is ever mended.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from studio.engine.messages import Message

SUCCEEDED = "exitcode: 0 (execution succeeded)\nCode output: "
IMPORTS = {
    "math": "import math",
    "itertools": "import itertools",
    "Fraction": "from fractions import Fraction",
    "Counter": "from collections import Counter",
    "lru_cache": "from functools import lru_cache",
}
IS_PRIME = "def is_prime(n):\n    return n > 1 and all(n % d for d in range(2, int(n**0.5) + 1))"


def block(code: str, words: str = "Let me compute it.") -> str:
    return f"{words}\n```python\n{code}\n```"


def code_in(text: str) -> str:
    """The code of the first block; "" where there is none."""
    found = re.search(r"```python\n(.*?)\n```", text, re.DOTALL)
    return found[1] if found else ""


def last_code(messages: list[Message], author: str) -> str:
    """What `author` programmed last; its own messages have the role assistant."""
    for message in reversed(messages):
        is_own = message["role"] == "assistant" or message.get("name") == author
        if is_own and (code := code_in(message["content"] or "")):
            return code
    return ""


def is_result(text: str) -> bool:
    return text.startswith("exitcode: ")


def output_of(text: str) -> str | None:
    """What successful code printed, "" for nothing; None where it failed or none was run."""
    return text.removeprefix(SUCCEEDED).strip() if text.startswith(SUCCEEDED) else None


def repaired(code: str, result: str) -> str:
    """The code with a remedy for the error in `result`; as it was where no remedy is known."""
    error = result.strip().splitlines()[-1]
    for pattern, remedy in REMEDIES:
        if found := re.match(pattern, error):
            return remedy(code, found)
    return code


def _with_import(code: str, found: re.Match[str]) -> str:
    known = IMPORTS.get(found[1])
    return f"{known}\n{code}" if known else code


def _with_own_test(code: str, _: re.Match[str]) -> str:
    return code.replace("from math import is_prime", IS_PRIME)


def _with_whole_root(code: str, _: re.Match[str]) -> str:
    return re.sub(r"\b(\d+ \*\* 0\.5)", r"int(\1)", code)


def _with_digits(code: str, _: re.Match[str]) -> str:
    return re.sub(r"sum\(str\((\w+)\)\)", r"sum(map(int, str(\1)))", code)


def _with_closed_parentheses(code: str, _: re.Match[str]) -> str:
    lines = [line + ")" * (line.count("(") - line.count(")")) for line in code.splitlines()]
    return "\n".join(lines)


Remedy = Callable[[str, re.Match[str]], str]
REMEDIES: list[tuple[str, Remedy]] = [
    (r"NameError: name '(\w+)' is not defined", _with_import),
    (r"ImportError: cannot import name 'is_prime'", _with_own_test),
    (r"TypeError: 'float' object cannot be interpreted as an integer", _with_whole_root),
    (r"TypeError: unsupported operand type\(s\) for \+: 'int' and 'str'", _with_digits),
    (r"SyntaxError: '\(' was never closed", _with_closed_parentheses),
]
