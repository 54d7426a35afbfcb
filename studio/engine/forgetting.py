"""The words "clear history" of a person in a group chat (AutoGen 0.2's enable_clear_history)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from .messages import Message

if TYPE_CHECKING:
    from .agents import ConversableAgent
    from .group_chat import GroupChat


def cleared(group: GroupChat, reply: Message) -> Message:
    """Obeys "clear history [agent] [messages to keep]" and takes the words out of the reply.

    Without an agent the group and all its members forget. Inside a tool's answer at least the
    message before it is kept. Any other reply is returned as it is.
    """
    content = reply.get("content")
    words = content.split() if isinstance(content, str) else []
    at = _command(words)
    if at is None:
        return reply
    agent, keep, count = _read(group, words[at + 2 : at + 4])
    if reply.get("tool_responses") and not keep:
        keep = 1
    for member in [agent] if agent else group.agents:
        member.clear_history(nr_messages_to_preserve=keep)
    if agent is None:
        _forget(group, keep)
    return {**reply, "content": " ".join(words[:at] + words[at + 2 + count :])}


def _command(words: list[str]) -> int | None:
    """Where the last "clear history" begins, a sign before or behind it allowed."""
    found = [i for i, pair in enumerate(pairwise(words))
             if [w.strip(".,;:!?\"'*").lower() for w in pair] == ["clear", "history"]]  # fmt: skip
    return found[-1] if found else None


def _read(group: GroupChat, words: list[str]) -> tuple[ConversableAgent | None, int | None, int]:
    """The agent, how many messages to keep, and how many words said so."""
    agent: ConversableAgent | None = None
    keep: int | None = None
    for count, word in enumerate(words):
        plain = word if word.isdecimal() or group.agent_by_name(word) else word[:-1]
        found = group.agent_by_name(plain)
        if found is not None and agent is None:
            agent = found
        elif plain.isdecimal() and keep is None:
            keep = int(plain)
        else:
            return agent, keep, count
    return agent, keep, len(words)


def _forget(group: GroupChat, keep: int | None) -> None:
    messages = group.messages
    if keep and len(messages) > keep and "tool_responses" in messages[-keep]:
        keep += 1
    del messages[: len(messages) - keep if keep else None]
