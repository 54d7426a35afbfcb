"""Group chats from their definitions: by a way to choose speakers, or by handoffs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

from ..definitions.workflows import GroupChatDefinition
from ..engine.agents import ConversableAgent
from ..engine.context import running_variables
from ..engine.conversations import Conversation, Group, HandoffTeam
from ..engine.errors import DefinitionError
from ..engine.group_chat import GroupChat
from ..engine.group_texts import SELECT_MESSAGE, SELECT_PROMPT
from ..engine.handoff_group import HandoffGroup
from ..engine.handoffs import OnContextCondition
from ..engine.manager import GroupChatManager
from ..engine.patterns import Pattern
from ..engine.targets import (
    AgentTarget,
    AskUserTarget,
    GroupManagerTarget,
    RandomAgentTarget,
    RevertToUserTarget,
    Target,
    TerminateTarget,
)
from .build_agents import Members
from .rules import add_handoffs, answers, end_of


def group_chat(
    group: GroupChatDefinition, members: Members, shared: dict[str, Any]
) -> Conversation:
    if group.initiator is None:
        raise DefinitionError(f"{group.name} lacks an initiator")
    definitions = members.builder.agent_definitions
    hands_over = any(definitions[one].handoffs for one in group.agents if one in definitions)
    if hands_over or group.speaker_selection_method == "handoff":
        return _by_handoff(group, members, shared)
    manager = GroupChatManager(_chat(group, members), **_managing(group, members))
    return Group(**shared, initiator=members.of(group.initiator), recipient=manager)


def _managing(group: GroupChatDefinition, members: Members) -> dict[str, Any]:
    return {
        "llm": members.builder.llm(group.models, {}, group.cache_seed),
        "is_termination_msg": end_of(group.is_termination_msg),
    }


def _chat(group: GroupChatDefinition, members: Members) -> GroupChat:
    repeat = group.allow_repeat_speaker
    graph = group.allowed_or_disallowed_speaker_transitions
    return GroupChat(
        agents=[members.of(one) for one in group.agents],
        max_round=group.max_round,
        speaker_selection_method=group.speaker_selection_method,
        max_retries_for_selecting_speaker=group.max_retries_for_selecting_speaker,
        allow_repeat_speaker=(
            [members.of(one) for one in repeat] if isinstance(repeat, list) else repeat
        ),
        allowed_or_disallowed_speaker_transitions=(
            None
            if graph is None
            else {
                members.of(one): [members.of(other) for other in after]
                for one, after in graph.items()
            }
        ),
        speaker_transitions_type=group.speaker_transitions_type,
        send_introductions=group.send_introductions,
        select_speaker_message_template=group.select_speaker_message_template or SELECT_MESSAGE,
        select_speaker_prompt_template=group.select_speaker_prompt_template or SELECT_PROMPT,
    )


class _InOrder(Pattern):
    """One after the other where no handoff of the agents says otherwise."""

    def after_works_of(self, agent: ConversableAgent) -> Sequence[OnContextCondition]:
        order = self._in_order()
        following = order[(order.index(agent) + 1) % len(order)]
        return [*agent.handoffs.after_works, OnContextCondition(AgentTarget(following))]


def _by_handoff(
    group: GroupChatDefinition, members: Members, shared: dict[str, Any]
) -> Conversation:
    """Whoever opens the group is its person; the first of the others answers first."""
    assert group.initiator is not None
    person = members.of(group.initiator)
    others = {one: members.of(one) for one in group.agents if one != group.initiator}
    if not others:
        raise DefinitionError(f"{group.name} has nobody but the one who opens it")
    in_group = others | {group.initiator: person}
    for one, agent in in_group.items():
        given = members.builder.agent_definitions[one].handoffs
        add_handoffs(agent.handoffs, given, in_group.get, person)
    agents = list(others.values())
    has_model = bool(group.models)
    in_order = group.speaker_selection_method == "round_robin" or (
        group.speaker_selection_method == "auto" and not has_model
    )
    kind = _InOrder if in_order else Pattern
    pattern = kind(
        agents[0],
        agents,
        user_agent=person,
        group_manager_args=_managing(group, members),
        context_variables=running_variables(),
        group_after_work=_after_work(group, person, agents, has_model=has_model),
    )
    return HandoffTeam(**shared, group=HandoffGroup(pattern, group.max_round))


def _after_work(
    group: GroupChatDefinition,
    person: ConversableAgent,
    agents: list[ConversableAgent],
    *,
    has_model: bool,
) -> Target:
    """What is next when no handoff applies."""
    match group.speaker_selection_method:
        case "handoff":
            return RevertToUserTarget() if answers(person) else TerminateTarget()
        case "auto":
            return GroupManagerTarget() if has_model else TerminateTarget()
        case "manual":
            return AskUserTarget()
        case "random":
            return RandomAgentTarget([*agents, person])
        case "round_robin":
            return TerminateTarget()
        case _:
            assert_never(group.speaker_selection_method)
