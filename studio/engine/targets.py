"""Targets of handoffs: who speaks next, or what else is to happen. AG2's names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

from .messages import Message

if TYPE_CHECKING:
    from .agents import ConversableAgent
    from .patterns import Pattern


@dataclass(frozen=True)
class AgentTarget:
    agent: ConversableAgent


@dataclass(frozen=True)
class AgentNameTarget:
    agent_name: str


@dataclass(frozen=True)
class NestedChatTarget:
    """A member of its own that holds these chats and then gives the word back.

    nested_chat_config  {"chat_queue": [...], "reply_func_from_nested_chats"?, "config"?,
                        "use_async"?}, the arguments of `register_nested_chats`
    """

    nested_chat_config: Mapping[str, Any]


@dataclass(frozen=True)
class GroupChatConfig:
    """A whole group. Without `messages` it opens with what was last heard."""

    pattern: Pattern
    messages: str | list[Message] | None = None
    max_rounds: int = 20


@dataclass(frozen=True)
class GroupChatTarget:
    """A member of its own that holds a group chat and then gives the word back."""

    group_chat_config: GroupChatConfig


@dataclass(frozen=True)
class TerminateTarget:
    """The group chat ends."""


@dataclass(frozen=True)
class StayTarget:
    """The same agent speaks again."""


@dataclass(frozen=True)
class RevertToUserTarget:
    """The group's user_agent speaks; afterwards the same agent again."""


@dataclass(frozen=True)
class AskUserTarget:
    """A person chooses the next speaker from a list."""


@dataclass(frozen=True)
class RandomAgentTarget:
    """One of these agents, but not the one who spoke; the context's seed decides."""

    agents: Sequence[ConversableAgent]


@dataclass(frozen=True)
class GroupManagerTarget:
    """The manager's model chooses the next speaker."""


Target = (
    AgentTarget | AgentNameTarget | NestedChatTarget | GroupChatTarget | TerminateTarget
    | StayTarget | RevertToUserTarget | AskUserTarget | RandomAgentTarget | GroupManagerTarget
)  # fmt: skip


def title(target: Target) -> str:
    """What a target is called: in `[Handing off to X]`, and in the names of tools."""
    match target:
        case AgentTarget(agent=agent):
            return agent.name
        case AgentNameTarget(agent_name=name):
            return name
        case NestedChatTarget():
            return "a nested chat"
        case GroupChatTarget():
            return "a group chat"
        case TerminateTarget():
            return "Terminate"
        case StayTarget():
            return "Stay"
        case RevertToUserTarget():
            return "Revert to User"
        case AskUserTarget():
            return "Ask User"
        case RandomAgentTarget():
            return "a random agent"
        case GroupManagerTarget():
            return "the group manager"
        case _:
            assert_never(target)


def in_tool_name(target: Target) -> str:
    """The middle of `transfer_to_<target>_<k>`; agents keep their own letters."""
    match target:
        case AgentTarget() | AgentNameTarget():
            return title(target)
        case _:
            words = title(target).lower().removeprefix("a ").removeprefix("the ")
            return words.replace(" ", "_")


def announcement(target: Target) -> str:
    """What the tool of a handoff says."""
    match target:
        case TerminateTarget() | RevertToUserTarget() | AskUserTarget():
            return title(target)
        case StayTarget():
            return "Stay with agent"
        case _:
            return f"Transfer to {title(target)}"
