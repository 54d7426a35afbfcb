"""Where a definition points to others: by id, with the path to the field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, assert_never

from .agents import AgentDefinition, AssistantDefinition, TeamDefinition, UserProxyDefinition
from .common import Definition
from .models import ModelDefinition
from .skills import SkillDefinition
from .workflows import (
    GraphDefinition,
    GroupChatDefinition,
    SequentialDefinition,
    TwoAgentDefinition,
    WorkflowDefinition,
)

Noun = Literal["models", "skills", "agents", "workflows"]
NOUNS: tuple[Noun, ...] = ("models", "skills", "agents", "workflows")
AnyDefinition = ModelDefinition | SkillDefinition | AgentDefinition | WorkflowDefinition
USER = "user"  # a handoff's way back to the person


@dataclass(frozen=True, slots=True)
class Reference:
    loc: tuple[str | int, ...]
    id: str
    noun: Noun


def references(definition: Definition) -> Iterator[Reference]:
    """Every reference of a definition, in the order of its fields."""
    match definition:
        case AssistantDefinition() | UserProxyDefinition() | TeamDefinition():
            yield from _of_agent(definition)
        case (
            TwoAgentDefinition()
            | GroupChatDefinition()
            | SequentialDefinition()
            | GraphDefinition()
        ):
            yield from _of_workflow(definition)


def _each(field: str, ids: list[str], noun: Noun) -> Iterator[Reference]:
    for i, one in enumerate(ids):
        yield Reference((field, i), one, noun)


def _maybe(loc: tuple[str | int, ...], one: str | None, noun: Noun) -> Iterator[Reference]:
    if one is not None:
        yield Reference(loc, one, noun)


def _of_agent(
    agent: AssistantDefinition | UserProxyDefinition | TeamDefinition,
) -> Iterator[Reference]:
    yield from _each("models", agent.models, "models")
    yield from _each("skills", agent.skills, "skills")
    for i, nested in enumerate(agent.nested):
        yield from _maybe(("nested", i, "trigger"), nested.trigger, "agents")
        yield Reference(("nested", i, "workflow"), nested.workflow, "workflows")
    for i, handoff in enumerate(agent.handoffs):
        if handoff.to != USER:
            yield Reference(("handoffs", i, "to"), handoff.to, "agents")
    if isinstance(agent, TeamDefinition):
        yield from _maybe(("workflow",), agent.workflow, "workflows")


def _of_workflow(workflow: WorkflowDefinition) -> Iterator[Reference]:
    yield from _maybe(("initiator",), workflow.initiator, "agents")
    yield from _each("models", workflow.models, "models")
    if workflow.termination is not None:
        for loc, leaf in workflow.termination.walk(("termination",)):
            name, value = leaf.rule
            if name in ("source", "handoff"):
                yield Reference(loc, value, "agents")
    match workflow:
        case TwoAgentDefinition():
            yield from _maybe(("recipient",), workflow.recipient, "agents")
        case GroupChatDefinition():
            yield from _of_group(workflow)
        case SequentialDefinition():
            for i, step in enumerate(workflow.steps):
                yield Reference(("steps", i, "workflow"), step.workflow, "workflows")
        case GraphDefinition():
            for i, node in enumerate(workflow.nodes):
                yield from _maybe(("nodes", i, "agent"), node.agent, "agents")
                yield from _maybe(("nodes", i, "workflow"), node.workflow, "workflows")
        case _:
            assert_never(workflow)


def _of_group(group: GroupChatDefinition) -> Iterator[Reference]:
    yield from _each("agents", group.agents, "agents")
    if isinstance(group.allow_repeat_speaker, list):
        yield from _each("allow_repeat_speaker", group.allow_repeat_speaker, "agents")
    field = "allowed_or_disallowed_speaker_transitions"
    for speaker, after in (group.allowed_or_disallowed_speaker_transitions or {}).items():
        yield Reference((field, speaker), speaker, "agents")
        for i, one in enumerate(after):
            yield Reference((field, speaker, i), one, "agents")


def replaced(body: Any, ids: dict[str, str]) -> Any:
    """A copy of a JSON body with ids exchanged, in values and in the keys of transitions."""
    if isinstance(body, dict):
        return {ids.get(k, k): replaced(v, ids) for k, v in body.items()}
    if isinstance(body, list):
        return [replaced(v, ids) for v in body]
    return ids.get(body, body) if isinstance(body, str) else body
