"""Shapes a request for one server: author prefixes, merged roles, a history that fits."""

from __future__ import annotations

from typing import Any

from ..messages import text_of
from ..prompting import clean
from .models import ModelSpec, Profile, estimate_tokens

Messages = list[dict[str, Any]]
DEFAULT_REPLY_TOKENS = 1024  # kept free in the context window when no max_tokens is set
_PER_MESSAGE = 4  # tokens of framing that chat templates add to a message


def shape(messages: Messages, spec: ModelSpec, max_tokens: int | None) -> tuple[Messages, int]:
    """The messages as this model's server must get them, and how many were left out."""
    reply = max_tokens or min(DEFAULT_REPLY_TOKENS, spec.context_window // 4)
    fitted, left_out = fit(messages, spec.context_window, reply)
    shaped = apply_profile(fitted, spec.profile)
    if spec.provider == "local":
        shaped = [{**m, "content": clean(text_of(m.get("content")))} for m in shaped]
    return shaped, left_out


def apply_profile(messages: Messages, profile: Profile) -> Messages:
    if not (profile.author_prefix or profile.merge_roles or profile.system_first):
        return messages
    shaped = [_reshape(m, i, profile) for i, m in enumerate(messages)]
    return _merge(shaped) if profile.merge_roles else shaped


def _reshape(message: dict[str, Any], index: int, profile: Profile) -> dict[str, Any]:
    changed = dict(message)
    if profile.system_first and index > 0 and changed.get("role") == "system":
        changed["role"] = "user"
        changed.pop("name", None)
    if profile.author_prefix and (name := changed.pop("name", None)):
        is_said = changed.get("role") == "user" and isinstance(changed.get("content"), str)
        if is_said:
            changed["content"] = f"{name}: {changed['content']}"
    return changed


def _merge(messages: Messages) -> Messages:
    merged: Messages = []
    for message in messages:
        before = merged[-1] if merged else None
        if (
            before is not None
            and before["role"] == message["role"]
            and message["role"] in ("user", "assistant")
            and not (before.get("tool_calls") or message.get("tool_calls"))
            and isinstance(before.get("content"), str)
            and isinstance(message.get("content"), str)
        ):
            merged[-1] = {**before, "content": f"{before['content']}\n\n{message['content']}"}
        else:
            merged.append(message)
    return merged


def fit(messages: Messages, window: int, reply_tokens: int) -> tuple[Messages, int]:
    """Drops the oldest messages until the rest fits the context window.

    The leading system message and the last message stay. A tool result never comes first.
    """
    if window <= 0:
        return messages, 0
    budget = window - reply_tokens - 64
    sizes = [_size(m) for m in messages]
    total = sum(sizes)
    if total <= budget:
        return messages, 0
    first = 1 if messages and messages[0].get("role") == "system" else 0
    cut = first
    while cut < len(messages) - 1 and (total > budget or messages[cut].get("role") == "tool"):
        total -= sizes[cut]
        cut += 1
    kept = messages[:first] + messages[cut:]
    if total > budget:
        kept = [*kept[:-1], _shorten(kept[-1], total - budget)]
    return kept, cut - first


def _size(message: dict[str, Any]) -> int:
    return estimate_tokens(text_of(message.get("content"))) + _PER_MESSAGE


def _shorten(message: dict[str, Any], excess_tokens: int) -> dict[str, Any]:
    """Keeps head and tail of one message that is too long by itself."""
    content = message.get("content")
    if not isinstance(content, str):
        return message
    keep = max(64, len(content) - 4 * excess_tokens - 32)
    if keep >= len(content):
        return message
    return {**message, "content": f"{content[: keep // 2]}\n[...]\n{content[-keep // 2 :]}"}
