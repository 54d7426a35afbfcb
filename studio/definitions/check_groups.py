"""What is missing or unwise in a group chat: its members, their order, their handoffs."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Problem
from .agents import AgentDefinition
from .references import USER
from .surroundings import Loc, Surroundings
from .workflows import GroupChatDefinition

SMALL_MODEL_B = 1.0
FOLLOW = "allowed_or_disallowed_speaker_transitions"


def check_members(group: GroupChatDefinition, around: Surroundings) -> Iterator[Problem]:
    if group.initiator is None:
        yield Problem(
            ["initiator"], "Choose who opens the conversation", "agent_missing",
            fix=group.agents[0] if group.agents else None,
        )  # fmt: skip
    elif group.initiator not in group.agents and not hands_over(group, around):
        yield Problem(
            ["initiator"],
            "The initiator is not a member: its opening is heard, but it never speaks again",
            "initiator_outside",
            blocking=False,
        )
    if len(group.agents) < 2 and not (hands_over(group, around) and group.agents):
        yield Problem(["agents"], "A group chat needs at least two agents", "too_few_agents")
    if len(set(group.agents)) < len(group.agents):
        yield Problem(["agents"], "An agent is in the group twice", "agent_twice")
    names = [around.agents[a].name for a in group.agents if a in around.agents]
    if len(set(names)) < len({a for a in group.agents if a in around.agents}):
        yield Problem(["agents"], "Two agents have the same name", "name_clash")


def hands_over(group: GroupChatDefinition, around: Surroundings) -> bool:
    """Whether handoffs decide who is next."""
    members = [around.agents[a] for a in group.agents if a in around.agents]
    by_method = group.speaker_selection_method == "handoff"
    return by_method or any(agent.handoffs for agent in members)


def check_handoffs(group: GroupChatDefinition, around: Surroundings) -> Iterator[Problem]:
    if not hands_over(group, around):
        return
    if group.allowed_or_disallowed_speaker_transitions is not None:
        yield Problem(
            [FOLLOW],
            "The table of who may follow whom has no effect where agents hand over",
            "table_unused",
            blocking=False,
        )
    if set(group.agents) <= {group.initiator}:
        yield Problem(
            ["agents"], "Nobody is there to answer whoever opens the chat", "too_few_agents"
        )
    for i, one in enumerate(group.agents):
        if one in around.agents:
            yield from _handoffs_of(["agents", i], around.agents[one], group, around)
    if group.initiator in around.agents and group.initiator not in group.agents:
        opener = around.agents[group.initiator]
        yield from _handoffs_of(["initiator"], opener, group, around)


def _handoffs_of(
    loc: Loc, agent: AgentDefinition, group: GroupChatDefinition, around: Surroundings
) -> Iterator[Problem]:
    inside = {*group.agents, group.initiator, USER}
    for k, handoff in enumerate(agent.handoffs):
        if handoff.to not in inside and handoff.to in around.agents:
            name = around.agents[handoff.to].name
            yield Problem(
                [*loc, "handoffs", k, "to"],
                f"{agent.name} hands over to {name}, who is not in this group: it never happens",
                "not_a_member",
                blocking=False,
            )
    if not any(_needs_model(h.when) for h in agent.handoffs):
        return
    if not agent.models:
        yield Problem(
            [*loc, "handoffs"],
            f"{agent.name} has handoffs that a model decides, but no model",
            "model_missing",
        )
    model = around.models.get(agent.models[0]) if agent.models else None
    if model is not None and model.effective_profile()["tools"] == "none":
        yield Problem(
            [*loc, "handoffs"],
            f"{model.name} calls no tools: {agent.name} will not choose a handoff by itself",
            "no_tools",
            blocking=False,
        )


def _needs_model(when: object) -> bool:
    if isinstance(when, str):
        return when != "always"
    return getattr(when, "model", None) is not None


def check_order(group: GroupChatDefinition, around: Surroundings) -> Iterator[Problem]:
    members = set(group.agents)
    graph = group.allowed_or_disallowed_speaker_transitions
    field = FOLLOW
    for speaker, after in (graph or {}).items():
        for other in (speaker, *after):
            if other not in members:
                yield Problem(
                    [field, speaker], "The table names an agent outside the group", "not_a_member"
                )
    if graph is not None and group.speaker_transitions_type == "allowed":
        for one in group.agents:
            if not graph.get(one) and one in around.agents:
                yield Problem(
                    [field],
                    f"Nobody may follow {around.agents[one].name}: the chat ends there",
                    "dead_end",
                    blocking=False,
                )
    if group.speaker_selection_method != "auto":
        return
    if not group.models:
        yield Problem(
            ["models"],
            "Without a model to choose speakers, the next in order speaks",
            "selector_missing",
            blocking=False,
        )
        return
    selector = around.models.get(group.models[0])
    if selector is not None and selector.size_b is not None and selector.size_b < SMALL_MODEL_B:
        yield Problem(
            ["speaker_selection_method"],
            f"{selector.name} is too small to choose well: with a list of names it always named "
            "one, but the right one in 5 of 12 tries. Round robin is the better choice",
            "selector_small",
            blocking=False,
            fix="round_robin",
        )
