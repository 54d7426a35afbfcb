"""Carryover: what earlier chats found out, added to the opening message of a later one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import CarryoverError
from .messages import Message


def with_carryover(message: str | Mapping[str, Any], carryover: Any) -> str | Message:
    """The message with `carryover` after it (ENGINE 1.5).

    Text gets a last paragraph; a list of parts a first text part. Nothing to carry changes nothing.
    Raises CarryoverError when either is of another type.
    """
    if not carryover:
        return message if isinstance(message, str) else dict(message)
    if isinstance(message, str):
        return _appended(message, carryover)
    if not isinstance(message, Mapping):
        raise CarryoverError("A message must be text or a dict to carry something over")
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "content": _appended(content, carryover)}
    if isinstance(content, list):
        part = {"type": "text", "text": _appended("", carryover)}
        return {**message, "content": [part, *content]}
    raise CarryoverError("The content of a message must be text or a list of parts")


def _appended(text: str, carryover: Any) -> str:
    if isinstance(carryover, str):
        return f"{text}\nContext: \n{carryover}"
    if not isinstance(carryover, list):
        raise CarryoverError(
            "Carryover should be a string or a list of strings. "
            "Not adding carryover to the message."
        )
    return f"{text}\nContext: \n" + "\n".join(_text(item) for item in carryover)


def _text(item: Any) -> str:
    return str(item["content"]) if isinstance(item, dict) and "content" in item else str(item)
