"""A model whose replies were written by hand: for demonstrations and tests."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from ..errors import ModelError
from ..messages import text_of
from .models import ModelReply, ModelRequest, ModelSpec, OnText, estimate_tokens


class ScriptedClient:
    """Answers from `spec.script`: {"replies": [...]} or {"replies": {"<agent>": [...]}}.

    A reply is a text, or {"content"?, "tool_calls": [{"name", "arguments"}]}.

    The cursor is `request.index`, which follows from the session's effects, so a resumed session
    goes on where it was.
    """

    async def complete(self, spec: ModelSpec, request: ModelRequest, on_text: OnText) -> ModelReply:
        started = time.monotonic()
        reply = self._reply(spec, request)
        text = reply if isinstance(reply, str) else reply.get("content") or ""
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
            content=text or (None if isinstance(reply, dict) else ""),
            tool_calls=None if isinstance(reply, str) else _calls(reply, request),
            prompt_tokens=prompt,
            completion_tokens=estimate_tokens(text),
            latency_ms=int((time.monotonic() - started) * 1000),
            first_token_ms=first,
            estimated=True,
        )

    def _reply(self, spec: ModelSpec, request: ModelRequest) -> str | dict[str, Any]:
        script: Any = (spec.script or {}).get("replies", [])
        replies = script.get(request.agent, []) if isinstance(script, dict) else script
        if request.index >= len(replies):
            raise ModelError(
                f"The script of {spec.name} has no reply {request.index + 1} for {request.agent}"
            )
        reply = replies[request.index]
        return reply if isinstance(reply, dict) else str(reply)


def _calls(reply: dict[str, Any], request: ModelRequest) -> list[dict[str, Any]]:
    """Ids that are the same whenever the chat is run again."""
    return [
        {
            "id": f"call_{request.agent}_{request.index + 1}_{number}",
            "type": "function",
            "function": {
                "name": call["name"],
                "arguments": json.dumps(call.get("arguments") or {}, ensure_ascii=False),
            },
        }
        for number, call in enumerate(reply["tool_calls"], 1)
    ]


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
