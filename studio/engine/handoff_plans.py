"""What the handoffs of one agent come to in one group: named tools, and members for nested chats.

The agents' own handoffs are never changed, so that an agent may be in many groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .agents import ConversableAgent
from .handoffs import OnCondition, OnContextCondition, prompt_of
from .messages import Message
from .pipeline import Entry
from .targets import (
    AgentTarget,
    GroupChatConfig,
    GroupChatTarget,
    NestedChatTarget,
    Target,
    in_tool_name,
)
from .tool_text import MAX_NAME, normalize_name

ChatTarget = NestedChatTarget | GroupChatTarget
Wrapped = dict[ConversableAgent, tuple[ConversableAgent, ChatTarget]]
"""The members that stand for chats: to whom each gives the word back, and its chats."""


@dataclass(frozen=True)
class Transfer:
    """A handoff that a model chooses by calling a tool."""

    name: str
    on: OnCondition

    def schema(self, variables: Mapping[str, Any]) -> Message:
        described = prompt_of(self.on.condition, variables)
        nothing = {"type": "object", "properties": {}, "required": []}
        function = {"description": described, "name": self.name, "parameters": nothing}
        return {"type": "function", "function": function}


@dataclass(frozen=True)
class Plan:
    """The handoffs of one agent, every target being one that can speak or decide who does."""

    transfers: Sequence[Transfer] = ()
    context: Sequence[OnContextCondition] = ()
    after: Sequence[OnContextCondition] = ()

    @property
    def targets(self) -> list[Target]:
        found = [transfer.on.target for transfer in self.transfers]
        return [*found, *(one.target for one in (*self.context, *self.after))]


def plan_of(
    agent: ConversableAgent, after_works: Sequence[OnContextCondition], wrapped: Wrapped
) -> Plan:
    """The plan of an agent; the members that it needs for chats are added to `wrapped`."""
    count = 0

    def own(target: Target) -> Target:
        nonlocal count
        if not isinstance(target, ChatTarget):
            return target
        count += 1
        kind = "nested" if isinstance(target, NestedChatTarget) else "group_chat"
        member = ConversableAgent(f"wrapped_{kind}_{agent.name}_{count}", human_input_mode="NEVER")
        wrapped[member] = (agent, target)
        return AgentTarget(member)

    chosen = [replace(one, target=own(one.target)) for one in agent.handoffs.llm_conditions]
    return Plan(
        [Transfer(_tool_name(one.target, k), one) for k, one in enumerate(chosen, 1)],
        [replace(one, target=own(one.target)) for one in agent.handoffs.context_conditions],
        [replace(one, target=own(one.target)) for one in after_works],
    )


def _tool_name(target: Target, number: int) -> str:
    end = f"_{number}"
    return normalize_name(f"transfer_to_{in_tool_name(target)}")[: MAX_NAME - len(end)] + end


def hold_chats_for(member: ConversableAgent, target: ChatTarget, manager: ConversableAgent) -> None:
    """Has a member answer its manager with what its chats came to."""
    if isinstance(target, NestedChatTarget):
        nested = target.nested_chat_config
        member.register_nested_chats(
            nested["chat_queue"],
            manager,
            nested.get("reply_func_from_nested_chats") or "summary_from_nested_chats",
            position=0,
            use_async=nested.get("use_async"),
            config=nested.get("config"),
        )
    else:
        whole = target.group_chat_config
        member.pipeline.insert(Entry(group_reply, manager, whole, whole, anywhere=True))


async def group_reply(
    agent: ConversableAgent, messages: list[Message], sender: Any, config: GroupChatConfig
) -> tuple[bool, str]:
    """A whole group chat as the reply of one member: its summary."""
    from .patterns import a_initiate_group_chat

    opening = config.messages or str(messages[-1].get("content") or "")
    result, _, _ = await a_initiate_group_chat(config.pattern, opening, config.max_rounds)
    return True, result.summary
