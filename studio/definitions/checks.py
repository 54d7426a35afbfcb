"""What is missing or unwise in a workflow and all it uses: problems with a path to the field.

Saving with gaps is allowed; starting a session is not while a problem blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from ..errors import Problem
from .agents import AgentDefinition, AssistantDefinition, TeamDefinition
from .models import ModelDefinition
from .skills import SkillDefinition
from .workflows import (
    GraphDefinition,
    GroupChatDefinition,
    SequentialDefinition,
    TwoAgentDefinition,
    WorkflowDefinition,
)

SMALL_MODEL_B = 1.0
NOT_YET = "is stored and checked, but cannot run yet"


@dataclass(frozen=True)
class Surroundings:
    """Everything that a workflow refers to, by id, and which models lack a key they need."""

    models: dict[str, ModelDefinition]
    skills: dict[str, SkillDefinition]
    agents: dict[str, AgentDefinition]
    workflows: dict[str, WorkflowDefinition]
    without_key: frozenset[str] = frozenset()
    unready: frozenset[str] = frozenset()


def check(workflow: WorkflowDefinition, around: Surroundings) -> list[Problem]:
    """All problems, the blocking ones first."""
    found = [*_check_workflow(workflow, around)]
    return sorted(found, key=lambda p: not p.blocking)


def _check_workflow(workflow: WorkflowDefinition, around: Surroundings) -> Iterator[Problem]:
    if workflow.termination is not None:
        yield Problem(["termination"], f"A termination tree {NOT_YET}", "not_yet")
    for i, model in enumerate(workflow.models):
        yield from _check_model(["models", i], model, around)
    if workflow.summary_method == "reflection_with_llm" and not workflow.models:
        yield Problem(
            ["models"], "A summary by reflection needs a model for the workflow", "model_missing"
        )
    match workflow:
        case TwoAgentDefinition():
            yield from _check_two_agent(workflow, around)
        case GroupChatDefinition():
            yield from _check_group(workflow, around)
        case SequentialDefinition() | GraphDefinition():
            yield Problem(["kind"], f"A {workflow.kind} workflow {NOT_YET}", "not_yet")
        case _:
            assert_never(workflow)


def _check_two_agent(workflow: TwoAgentDefinition, around: Surroundings) -> Iterator[Problem]:
    for role in ("initiator", "recipient"):
        one = getattr(workflow, role)
        if one is None:
            yield Problem([role], f"Choose the agent that is the {role}", "agent_missing")
        else:
            yield from _check_agent([role], one, around)
    if workflow.initiator is not None and workflow.initiator == workflow.recipient:
        yield Problem(["recipient"], "An agent cannot talk to itself", "same_agent")


def _check_group(group: GroupChatDefinition, around: Surroundings) -> Iterator[Problem]:
    if group.initiator is None:
        yield Problem(["initiator"], "Choose who opens the conversation", "agent_missing",
                      fix=group.agents[0] if group.agents else None)  # fmt: skip
    elif group.initiator not in group.agents:
        yield Problem(
            ["initiator"],
            "The initiator is not a member: its opening is heard, but it never speaks again",
            "initiator_outside",
            blocking=False,
        )
        yield from _check_agent(["initiator"], group.initiator, around, speaks=False)
    if len(group.agents) < 2:
        yield Problem(["agents"], "A group chat needs at least two agents", "too_few_agents")
    if len(set(group.agents)) < len(group.agents):
        yield Problem(["agents"], "An agent is in the group twice", "agent_twice")
    for i, one in enumerate(group.agents):
        yield from _check_agent(["agents", i], one, around)
    names = [around.agents[a].name for a in group.agents if a in around.agents]
    if len(set(names)) < len(set(group.agents)):
        yield Problem(["agents"], "Two agents have the same name", "name_clash")
    yield from _check_order(group, around)


def _check_order(group: GroupChatDefinition, around: Surroundings) -> Iterator[Problem]:
    members = set(group.agents)
    graph = group.allowed_or_disallowed_speaker_transitions
    field = "allowed_or_disallowed_speaker_transitions"
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


def _check_agent(
    loc: list[str | int], one: str, around: Surroundings, *, speaks: bool = True
) -> Iterator[Problem]:
    agent = around.agents.get(one)
    if agent is None:
        yield Problem(loc, "This agent does not exist any more", "not_found")
        return
    if isinstance(agent, TeamDefinition):
        yield Problem([*loc, "kind"], f"{agent.name} is a whole workflow: it {NOT_YET}", "not_yet")
    if agent.nested:
        yield Problem([*loc, "nested"], f"A nested chat of {agent.name} {NOT_YET}", "not_yet")
    if agent.handoffs:
        yield Problem([*loc, "handoffs"], f"A handoff of {agent.name} {NOT_YET}", "not_yet")
    if agent.skills:
        yield Problem(
            [*loc, "skills"],
            f"{agent.name} cannot use its skills yet: there is no sandbox on this machine",
            "skills_idle",
            blocking=False,
        )
    if agent.code_execution_config:
        yield Problem(
            [*loc, "code_execution_config"],
            f"{agent.name} cannot run code yet: there is no sandbox on this machine",
            "no_sandbox",
            blocking=False,
        )
    for i, model in enumerate(agent.models):
        yield from _check_model([*loc, "models", i], model, around, agent.name)
    if speaks and isinstance(agent, AssistantDefinition) and not agent.models:
        if agent.human_input_mode == "ALWAYS":
            return
        yield Problem([*loc, "models"], f"{agent.name} has no model to answer with",
                      "model_missing")  # fmt: skip


def _check_model(
    loc: list[str | int], one: str, around: Surroundings, agent: str = ""
) -> Iterator[Problem]:
    model = around.models.get(one)
    if model is None:
        yield Problem(loc, "This model does not exist any more", "not_found")
        return
    whose = f" (used by {agent})" if agent else ""
    if not model.model and model.provider not in ("scripted", "local"):
        yield Problem(loc, f"{model.name} does not say which model to ask for{whose}",
                      "model_unnamed")  # fmt: skip
    if model.provider == "scripted":
        if not model.replies:
            yield Problem(loc, f"{model.name} is scripted but has no replies{whose}",
                          "no_replies")  # fmt: skip
    elif model.provider != "local" and not model.address:
        yield Problem(loc, f"{model.name} has no address{whose}", "address_missing")
    if one in around.without_key:
        yield Problem(loc, f"{model.name} needs its key{whose}", "secret_missing")
    if one in around.unready:
        yield Problem(
            loc, f"{model.name} is not on this machine yet{whose}: fetch it on the models page",
            "model_not_fetched",
        )  # fmt: skip
