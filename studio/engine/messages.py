"""Messages as the chat completions API knows them: plain dicts, plus the helpers that read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Plain:
    """How much of a chat is sent as it is stored: its first `count` messages, up to `last`.

    A chat only grows, so what was found plain need not be looked at again in every turn: that is
    most of what a turn of a long chat would cost. After it was cleared `last` is in no such place.
    """

    count: int = 0
    last: Message | None = None

    def on(self, messages: list[Message]) -> Plain:
        """The same of a chat that may have grown since, or be another."""
        holds = 0 < self.count <= len(messages) and messages[self.count - 1] is self.last
        count = self.count if holds else 0
        while count < len(messages) and is_plain(messages[count]):
            count += 1
        return Plain(count, messages[count - 1]) if count else Plain()


def is_plain(message: Mapping[str, Any]) -> bool:
    return not (
        "tool_responses" in message or "context" in message or callable(message.get("content"))
    )


def told(message: Mapping[str, Any]) -> Any:
    """The content as people see it: a function's is made from the message's own context."""
    content = message.get("content")
    return content(message.get("context") or {}) if callable(content) else content


def as_message(message: str | Mapping[str, Any]) -> Message:
    """A message given as text or as a mapping, as a new dict."""
    return {"content": message} if isinstance(message, str) else dict(message)


def has_calls(message: Mapping[str, Any]) -> bool:
    return bool(message.get("tool_calls") or message.get("function_call"))
