"""Predicates that decide whether a message ends a chat. Content may be text, parts or None."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from .messages import text_of
from .sync import call_plain

Predicate = Callable[[dict[str, Any]], bool]
TERMINATE = "TERMINATE"


def _text(message: dict[str, Any]) -> str:
    """What a message says; contents that a function is yet to make end nothing."""
    content = message.get("content")
    return "" if callable(content) else text_of(content)


def exact(text: str = TERMINATE) -> Predicate:
    """The content is exactly `text`: AutoGen 0.2's default."""
    return lambda message: _text(message) == text


def endswith(text: str = TERMINATE) -> Predicate:
    """The content ends with `text`, trailing white space aside."""
    return lambda message: _text(message).rstrip().endswith(text)


def contains(text: str = TERMINATE) -> Predicate:
    return lambda message: text in _text(message)


async def holds(predicate: Predicate, message: dict[str, Any]) -> bool:
    """Whether a predicate fires. One of a user's own may block, and may hold chats itself."""
    if getattr(predicate, "__module__", "") == __name__:
        return predicate(message)
    return bool(await call_plain(predicate, message))


def never(_: dict[str, Any]) -> bool:
    return False


def predicate(
    kind: Literal["exact", "endswith", "contains", "never"], text: str = TERMINATE
) -> Predicate:
    match kind:
        case "exact":
            return exact(text)
        case "endswith":
            return endswith(text)
        case "contains":
            return contains(text)
        case "never":
            return never
