"""Code and calls that a crash cut: nobody knows whether they were done, so a person is asked.

The question is an effect of its own beside the one that was cut; a replay that finds that one done
never asks.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import orjson

from ..engine.approvals import hash_of
from ..engine.effects import Effect
from ..engine.events import InputRequested

PROMPT = (
    "The studio stopped while this was running. Nobody knows whether it was done. Run it again?"
)
UNKNOWN = "The studio stopped while this was running: whether it was done is unknown"


def question_about(
    effect: Effect, key: str, attempt: int, seed: str
) -> tuple[Effect, InputRequested]:
    """What a person is asked about an attempt, as an effect and as an event."""
    own = f"{effect.key}?{attempt}"
    digest = blake2b(f"{key}?{attempt}".encode(), key=seed.encode()[:64], digest_size=12)
    payload = {"kind": "repeat", **effect.request}
    asked = InputRequested(
        question=digest.hexdigest(),
        form="approval",
        prompt=PROMPT,
        agent=effect.agent,
        actions=[],
        payload=orjson.loads(orjson.dumps(payload)),
        payload_hash=hash_of(payload),
    )
    request = {"question": asked.question, "form": asked.form}
    return Effect(own, "input", effect.turn, effect.agent, request), asked


def unknown_result(effect: Effect, reason: str) -> dict[str, Any]:
    """What the conversation goes on with when it is not run again."""
    words = f"{UNKNOWN}{f' ({reason})' if reason else ''}"
    if effect.kind == "code":
        return {"exit_code": 125, "output": words, "seconds": 0.0, "artifacts": []}
    return {"content": f"Error: {words}", "ok": False, "seconds": 0.0}
