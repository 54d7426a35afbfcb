"""Predicates that decide whether a message ends a chat. Content may be text, parts or None."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from .messages import text_of

Predicate = Callable[[dict[str, Any]], bool]
TERMINATE = "TERMINATE"


def exact(text: str = TERMINATE) -> Predicate:
    """The content is exactly `text`: AutoGen 0.2's default."""
    return lambda message: text_of(message.get("content")) == text


def endswith(text: str = TERMINATE) -> Predicate:
    """The content ends with `text`, trailing white space aside."""
    return lambda message: text_of(message.get("content")).rstrip().endswith(text)


def contains(text: str = TERMINATE) -> Predicate:
    return lambda message: text in text_of(message.get("content"))


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
