"""Messages as the chat completions API knows them: plain dicts, plus the helpers that read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Message = dict[str, Any]
"""{"role", "content", "name"?, "tool_calls"?, "tool_responses"?, "tool_call_id"?, "function_call"?,
"context"?}. `content` is text, a list of parts, or None when there are only calls."""

KEPT_KEYS = (
    "content",
    "function_call",
    "tool_calls",
    "tool_responses",
    "tool_call_id",
    "name",
    "context",
)


def text_of(content: Any) -> str:
    """The text of a message's content: parts of a list are joined, images become "<image>"."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    parts = []
    for part in content:
        if not isinstance(part, Mapping):
            raise TypeError(f"a content part must be a mapping, not {type(part).__name__}")
        parts.append(str(part["text"]) if part.get("type") == "text" else "<image>")
    return "".join(parts)


def as_message(message: str | Mapping[str, Any]) -> Message:
    """A message given as text or as a mapping, as a new dict."""
    return {"content": message} if isinstance(message, str) else dict(message)


def has_calls(message: Mapping[str, Any]) -> bool:
    return bool(message.get("tool_calls") or message.get("function_call"))
