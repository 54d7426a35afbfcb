"""Calls of skills: the job that calls one function in a box, and what came of it."""

from __future__ import annotations

import json
import secrets as randomness
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .box import PYTHON, BoxLimits, Ended, Job

MAX_TEXT = 100_000  # characters of a result, of what was printed, and of the errors, each

_PROGRAM = Path(__file__).with_name("call_program.py").read_text()
# What a call printed before it was stopped must be there.
_ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8:backslashreplace"}


@dataclass(frozen=True, slots=True)
class Called:
    """What came of a call.

    content  the text for the model, as `tool_result_text` makes it, or "Error: ..."
    value    the result as JSON, None where it is none (or is None)
    printed  what it wrote to standard output; `errors` to standard error, and behind it the
             traceback of a failure, of which only the skill's own frames are kept
    limit    as in `Ended`
    """

    ok: bool
    content: str
    value: Any = None
    printed: str = ""
    errors: str = ""
    seconds: float = 0.0
    limit: str = ""


def call_job(
    source: str,
    function: str,
    arguments: Mapping[str, Any],
    *,
    name: str = "skill",
    secrets: Mapping[str, str] | None = None,
    key: str = "",
    network: bool = False,
    limits: BoxLimits | None = None,
) -> Job:
    """The job that runs the source and calls the function in it; `read_call` reads its end.

    `name` is the skill's, for tracebacks. `secrets` become environment variables of the call; they
    go in by standard input, so that no argument and no start environment shows them. `key`, the
    same when a call is repeated, becomes IDEMPOTENCY_KEY.
    """
    asked = {
        "name": name,
        "source": source,
        "function": function,
        "arguments": dict(arguments),
        "secrets": dict(secrets or {}),
        "key": key,
        "marker": f"\n--{randomness.token_hex(16)}--\n",
        "most": MAX_TEXT,
    }
    return Job(
        (PYTHON, "-c", _PROGRAM), json.dumps(asked).encode(), _ENVIRONMENT, network,
        limits or BoxLimits(),
    )  # fmt: skip


def read_call(ended: Ended, job: Job) -> Called:
    """What came of the call that `job` (of `call_job`) made. Never raises for what the call did."""
    marker = json.loads(job.stdin)["marker"].encode()
    before, _, rest = ended.stdout.partition(marker)
    answer, is_whole, after = rest.partition(marker)
    told = _read(answer) if is_whole else None
    printed = before + after if is_whole else before
    if told is None:
        told = {"ok": False, "content": f"Error: {_why(ended)}"}
    content = _clean(told["content"])
    errors = ended.stderr.decode(errors="replace") + str(told.get("traceback", ""))
    return Called(
        ok=told["ok"],
        content=content,
        value=_value(content, told) if told["ok"] else None,
        printed=_clean(printed.decode(errors="replace")),
        errors=_clean(errors),
        seconds=ended.seconds,
        limit=ended.limit,
    )


def _read(answer: bytes) -> dict[str, Any] | None:
    try:
        told = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    match told:
        case {"ok": bool(), "content": str()}:
            return dict(told)
    return None


def _why(ended: Ended) -> str:
    """Why there is no answer, in words."""
    if ended.limit:
        return f"the call was stopped at {ended.limit}"
    last = ended.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    if ended.exit_code == 126:
        return f"the call could not be run{': ' if last else ''}{last}"
    signal = -ended.exit_code if ended.exit_code < 0 else ended.exit_code - 128
    if 0 < signal < 65:
        return f"the call was killed by signal {signal}"
    return f"the function ended its program with exit code {ended.exit_code}, without a result"


def _value(content: str, told: dict[str, Any]) -> Any:
    if told.get("is_json") is not True:
        return content
    try:
        return json.loads(content, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _clean(text: str) -> str:
    """Text that can be stored and sent: no NUL, no half of a surrogate pair, not without end."""
    if len(text) > MAX_TEXT + 100:
        text = text[:MAX_TEXT] + f"\n(cut: {len(text):,} characters)"
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode()
