"""One scripted run of a gallery workflow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Reply = str | dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What the person behind `agent` says when asked in this chat: the body of an answer."""

    chat: str
    agent: str
    body: dict[str, Any]


@dataclass(frozen=True)
class Script:
    """replies   what the model says, by agent; a chat_manager's replies choose speakers
    said      who speaks in each chat, by its path; the root's is ""
    forms     the forms of the chats inside, by path: step, node, nested or team
    ended_by  words of the reason that the session ends with
    result    words of its summary
    edges     (from, to, times) of each edge that a graph took, in any order
    answers   what people say, in the order in which they are asked
    ran       exit codes of the programs, in order
    beside    pairs of chats that are at work at the same time
    heard     what stands in the last request to the model of an agent
    """

    workflow: str
    replies: dict[str, list[Reply]]
    said: dict[str, list[str]]
    ended_by: str
    result: str = ""
    forms: dict[str, str] = field(default_factory=dict)
    edges: tuple[tuple[str, str, int], ...] = ()
    answers: tuple[Answer, ...] = ()
    ran: tuple[int, ...] = ()
    beside: tuple[tuple[str, str], ...] = ()
    heard: dict[str, tuple[str, ...]] = field(default_factory=dict)


def calls(name: str, content: str | None = None, **arguments: Any) -> Reply:
    """A reply that calls a tool: a handoff, or a function of a skill."""
    return {"content": content, "tool_calls": [{"name": name, "arguments": arguments}]}


def program(code: str, words: str = "") -> str:
    return f"{words}\n```python\n{code}\n```".strip()
