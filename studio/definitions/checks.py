"""What is missing or unwise in a workflow and all it uses: problems with a path to the field.

Saving with gaps is allowed; starting a session is not while a problem blocks. A problem of a
workflow inside this one stands at the field that refers to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

from ..errors import Problem
from .agents import AgentDefinition, AssistantDefinition, TeamDefinition
from .check_equipment import check_equipment
from .check_graphs import check_shape
from .check_groups import check_handoffs, check_members, check_order, hands_over
from .surroundings import Loc, Surroundings, check_model
from .workflows import (
    GraphDefinition,
    GroupChatDefinition,
    SequentialDefinition,
    TwoAgentDefinition,
    WorkflowDefinition,
)

MAX_DEPTH = 8


def check(workflow: WorkflowDefinition, around: Surroundings) -> list[Problem]:
    """All problems, the blocking ones first, each said once."""
    found: dict[tuple[str, str], Problem] = {}
    for problem in _Check(around).workflow(workflow):
        key = (".".join(map(str, problem.loc)), problem.msg)
        found.setdefault(key, problem)
    return sorted(found.values(), key=lambda p: not p.blocking)


class _Check:
    """One walk through a workflow. `inside` are the ids of the workflows that it stands in, `seen`
    of all that were looked at: what is used in many places is told of in the first."""

    def __init__(
        self, around: Surroundings, inside: tuple[str, ...] = (), seen: set[str] | None = None
    ) -> None:
        self.around, self.inside = around, inside
        self.seen: set[str] = set() if seen is None else seen

    def workflow(self, workflow: WorkflowDefinition) -> Iterator[Problem]:
        for i, model in enumerate(workflow.models):
            yield from check_model(["models", i], model, self.around)
        if workflow.summary_method == "reflection_with_llm" and not workflow.models:
            words = "A summary by reflection needs a model for the workflow"
            yield Problem(["models"], words, "model_missing")
        match workflow:
            case TwoAgentDefinition():
                yield from self._pair(workflow)
            case GroupChatDefinition():
                yield from self._group(workflow)
            case SequentialDefinition():
                yield from self._sequence(workflow)
            case GraphDefinition():
                yield from self._graph(workflow)
            case _:
                assert_never(workflow)
        yield from self._ends(workflow)

    def _pair(self, workflow: TwoAgentDefinition) -> Iterator[Problem]:
        for role in ("initiator", "recipient"):
            one = getattr(workflow, role)
            if one is None:
                yield Problem([role], f"Choose the agent that is the {role}", "agent_missing")
            else:
                yield from self._agent([role], one, hands_over=False)
        if workflow.initiator is not None and workflow.initiator == workflow.recipient:
            yield Problem(["recipient"], "An agent cannot talk to itself", "same_agent")

    def _group(self, group: GroupChatDefinition) -> Iterator[Problem]:
        yield from check_members(group, self.around)
        over = hands_over(group, self.around)
        if group.initiator is not None and group.initiator not in group.agents:
            yield from self._agent(["initiator"], group.initiator, speaks=over, hands_over=True)
        for i, one in enumerate(group.agents):
            yield from self._agent(["agents", i], one, hands_over=True)
        yield from check_order(group, self.around)
        yield from check_handoffs(group, self.around)

    def _sequence(self, workflow: SequentialDefinition) -> Iterator[Problem]:
        if not workflow.steps:
            yield Problem(["steps"], "Add a step: a workflow that runs first", "steps_missing")
        for i, step in enumerate(workflow.steps):
            loc: Loc = ["steps", i]
            yield from self._inner([*loc, "workflow"], step.workflow)
            yield from self._summed_up(loc, step.workflow, step.summary_method)

    def _summed_up(self, loc: Loc, one: str, method: str) -> Iterator[Problem]:
        """By reflection it needs a model; a pair may use one of its agents'."""
        inner = self.around.workflows.get(one)
        if inner is None or method != "reflection_with_llm" or inner.models:
            return
        if not isinstance(inner, TwoAgentDefinition):
            words = f"A summary by reflection needs a model for {inner.name}"
            yield Problem([*loc, "summary_method"], words, "model_missing")

    def _graph(self, graph: GraphDefinition) -> Iterator[Problem]:
        known = set(graph.context_variables)
        for one in (*self.around.agents.values(), *self.around.workflows.values()):
            known |= set(one.context_variables)
        yield from check_shape(graph, known)
        for i, node in enumerate(graph.nodes):
            if node.agent is not None:
                yield from self._agent(["nodes", i, "agent"], node.agent, hands_over=False)
            elif node.workflow is not None:
                yield from self._inner(["nodes", i, "workflow"], node.workflow)

    def _ends(self, workflow: WorkflowDefinition) -> Iterator[Problem]:
        """Stop conditions that can never hold."""
        if workflow.termination is None:
            return
        for loc, leaf in workflow.termination.walk(("termination",)):
            name, value = leaf.rule
            if name in ("source", "handoff") and value not in self.around.agents:
                yield Problem([*loc], "This agent does not exist any more", "not_found")

    # -- what is inside

    def _inner(self, loc: Loc, one: str) -> Iterator[Problem]:
        """A workflow inside this one, its problems at the place that refers to it."""
        inner = self.around.workflows.get(one)
        if inner is None:
            yield Problem(loc, "This workflow does not exist any more", "not_found")
        elif one in self.inside:
            yield Problem(loc, f"{inner.name} contains itself", "contains_itself")
        elif len(self.inside) >= MAX_DEPTH:
            yield Problem(loc, f"Workflows stand more than {MAX_DEPTH} deep in each other", "depth")
        elif one not in self.seen:
            self.seen.add(one)
            for problem in _Check(self.around, (*self.inside, one), self.seen).workflow(inner):
                words = f"{inner.name}: {problem.msg}"
                yield replace(problem, loc=[*loc, *problem.loc], msg=words, fix=None)

    def _agent(
        self, loc: Loc, one: str, *, speaks: bool = True, hands_over: bool
    ) -> Iterator[Problem]:
        agent = self.around.agents.get(one)
        if agent is None:
            yield Problem(loc, "This agent does not exist any more", "not_found")
            return
        for i, model in enumerate(agent.models):
            yield from check_model([*loc, "models", i], model, self.around, agent.name)
        yield from self._missing(loc, agent, speaks=speaks)
        yield from _idle(loc, agent, hands_over=hands_over)
        yield from _question(loc, agent)
        yield from check_equipment(loc, one, agent, self.around)
        for i, nested in enumerate(agent.nested):
            place: Loc = [*loc, "nested", i]
            if nested.workflow not in self.inside or self._fires_inside(nested.trigger):
                yield from self._inner([*place, "workflow"], nested.workflow)
            yield from self._summed_up(place, nested.workflow, nested.summary_method)

    def _fires_inside(self, trigger: str | None) -> bool:
        """Whether a nested chat that holds its own agent would begin again inside itself."""
        members: set[str | None] = set()
        for one in self.inside:
            body = self.around.workflows[one].model_dump()
            members |= {*body.get("agents", []), body.get("initiator"), body.get("recipient")}
            members |= {node["agent"] for node in body.get("nodes", [])}
        return trigger is None or trigger in members

    def _missing(self, loc: Loc, agent: AgentDefinition, *, speaks: bool) -> Iterator[Problem]:
        if isinstance(agent, TeamDefinition):
            if agent.workflow is None:
                words = f"Choose the workflow that speaks as {agent.name}"
                yield Problem([*loc, "workflow"], words, "workflow_missing")
            else:
                yield from self._inner([*loc, "workflow"], agent.workflow)
        if not speaks or not isinstance(agent, AssistantDefinition) or agent.models:
            return
        answers = agent.nested and any(n.trigger is None for n in agent.nested)
        if agent.human_input_mode != "ALWAYS" and not answers:
            words = f"{agent.name} has no model to answer with"
            yield Problem([*loc, "models"], words, "model_missing")


def _idle(loc: Loc, agent: AgentDefinition, *, hands_over: bool) -> Iterator[Problem]:
    """What an agent has and cannot use here."""
    if agent.handoffs and not hands_over:
        words = f"The handoffs of {agent.name} have an effect in group chats only"
        yield Problem([*loc, "handoffs"], words, "handoffs_idle", blocking=False)


def _question(loc: Loc, agent: AgentDefinition) -> Iterator[Problem]:
    if agent.human_input_mode == "NEVER":
        return
    if agent.question.form == "choice" and not agent.question.choices:
        words = f"Give the choices that the person behind {agent.name} has"
        yield Problem([*loc, "question", "choices"], words, "choices_missing")
    if agent.question.form == "fields" and agent.question.schema_ is None:
        words = f"Give the fields that the person behind {agent.name} fills in"
        yield Problem([*loc, "question", "schema"], words, "fields_missing")
