"""A model whose replies were written by hand: for demonstrations and tests."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from ..errors import ModelError
from ..messages import text_of
from .models import ModelReply, ModelRequest, ModelSpec, OnText, estimate_tokens


class ScriptedClient:
    """Answers from `spec.script`: {"replies": [...]} or {"replies": {"<agent>": [...]}}.

    The cursor is `request.index`, which follows from the session's effects, so a resumed session
    goes on where it was.
    """

    async def complete(self, spec: ModelSpec, request: ModelRequest, on_text: OnText) -> ModelReply:
        started = time.monotonic()
        text = self._reply(spec, request)
        first: int | None = None
        offset = 0
        for word in _words(text):
            if spec.word_delay:
                await asyncio.sleep(spec.word_delay)
            first = first if first is not None else int((time.monotonic() - started) * 1000)
            on_text(offset, word)
            offset += len(word)
        prompt = sum(estimate_tokens(text_of(m.get("content"))) for m in request.messages)
        return ModelReply(
            content=text,
            prompt_tokens=prompt,
            completion_tokens=estimate_tokens(text),
            latency_ms=int((time.monotonic() - started) * 1000),
            first_token_ms=first,
            estimated=True,
        )

    def _reply(self, spec: ModelSpec, request: ModelRequest) -> str:
        script: Any = (spec.script or {}).get("replies", [])
        replies = script.get(request.agent, []) if isinstance(script, dict) else script
        if request.index >= len(replies):
            raise ModelError(
                f"The script of {spec.name} has no reply {request.index + 1} for {request.agent}"
            )
        return str(replies[request.index])


def _words(text: str) -> list[str]:
    words: list[str] = []
    start = 0
    for i, char in enumerate(text):
        if char == " ":
            words.append(text[start : i + 1])
            start = i + 1
    if start < len(text):
        words.append(text[start:])
    return words
