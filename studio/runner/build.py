"""Builds a live conversation from a session's snapshot: one match per union, no import named by
data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_never

from ..definitions.agents import AGENT, AgentDefinition
from ..definitions.models import ModelDefinition
from ..definitions.skills import SKILL, SkillDefinition
from ..definitions.workflows import (
    WORKFLOW,
    GraphDefinition,
    GroupChatDefinition,
    SequentialDefinition,
    TwoAgentDefinition,
    WorkflowDefinition,
)
from ..engine.compat import compat_of
from ..engine.context import RunContext, entered
from ..engine.conversations import Conversation, Later, Pair, SequenceStep, Steps
from ..engine.errors import DefinitionError
from ..engine.events import ContextChanged
from ..engine.graph import Graph
from ..engine.graph_plan import GraphNode
from ..engine.llm.call import LLM, NANO
from ..engine.llm.shape import shape
from ..engine.stopping import StopCondition
from ..engine.strand import StrandVariables
from .build_agents import Members
from .build_groups import group_chat
from .models import Models
from .rules import graph_edge, stop_condition
from .workshop import Workshop


@dataclass
class LiveChat:
    """A built workflow, ready to be played; `play` is called once for each run."""

    conversation: Conversation
    context: RunContext

    async def play(self, task: str, *, first: bool) -> str:
        """Holds one run and returns its summary. Later runs keep what was said before."""
        with entered(self.context):
            known = dict(self.context.strand.variables)
            if first and known:
                self.context.emit(ContextChanged(known, ""))
            held = await self.conversation.hold(task, clear=first)
        return held.summary


class Builder:
    """Reads a snapshot. Every workflow in it can be built any number of times: each time it has
    agents of its own, so that branches which run side by side do not share a memory.

    Without a workshop nothing runs: neither code nor skills.
    """

    def __init__(
        self,
        models: Models,
        owner: str,
        snapshot: dict[str, Any],
        workshop: Workshop | None = None,
    ) -> None:
        self.models, self.owner, self.workshop = models, owner, workshop
        self.approved = frozenset(snapshot.get("approved", ()))
        self.workflow: WorkflowDefinition = WORKFLOW.validate_python(snapshot["workflow"])
        self.workflow_definitions: dict[str, WorkflowDefinition] = {
            one: WORKFLOW.validate_python(body) for one, body in snapshot["workflows"].items()
        }
        self.model_definitions = {
            one: ModelDefinition.model_validate(body) for one, body in snapshot["models"].items()
        }
        self.skill_definitions: dict[str, SkillDefinition] = {
            one: SKILL.validate_python(body) for one, body in snapshot.get("skills", {}).items()
        }
        self.agent_definitions: dict[str, AgentDefinition] = {
            one: AGENT.validate_python(body) for one, body in snapshot["agents"].items()
        }

    def chat(self, context: RunContext) -> LiveChat:
        context.compat = compat_of(self.workflow.compat)
        context.strand.approved = self.approved
        context.strand.variables = StrandVariables(self.variables())
        return LiveChat(self.conversation(self.workflow), context)

    def variables(self) -> dict[str, Any]:
        """Initial values; those of the workflow that is started win."""
        known: dict[str, Any] = {}
        for one in (*self.agent_definitions.values(), *self.workflow_definitions.values()):
            known |= one.context_variables
        return known | self.workflow.context_variables

    def inner(self, one: str | None) -> Conversation:
        """A workflow inside another one."""
        return self.conversation(self._defined(one))

    def later(self, one: str | None) -> Conversation:
        """The same, made when it is first held."""
        found = self._defined(one)
        return Later(
            name=found.name,
            summary_method=found.summary_method,
            make=lambda: self.conversation(found),
        )

    def _defined(self, one: str | None) -> WorkflowDefinition:
        if one is None or one not in self.workflow_definitions:
            raise DefinitionError("A workflow inside this one is missing")
        return self.workflow_definitions[one]

    def conversation(self, workflow: WorkflowDefinition) -> Conversation:
        members = Members(self)
        shared: dict[str, Any] = {
            "name": workflow.name,
            "summary_method": workflow.summary_method,
            "summary_prompt": workflow.summary_prompt,
            "llm": self.llm(workflow.models, {}, workflow.cache_seed) if workflow.models else None,
            "termination": self._termination(workflow),
        }
        match workflow:
            case TwoAgentDefinition():
                if workflow.initiator is None or workflow.recipient is None:
                    raise DefinitionError(f"{workflow.name} lacks an initiator or a recipient")
                one, other = members.of(workflow.initiator), members.of(workflow.recipient)
                # of two, each runs what the other one calls
                one.function_map, other.function_map = other.function_map, one.function_map
                return Pair(**shared, initiator=one, recipient=other, max_turns=workflow.max_turns)
            case GroupChatDefinition():
                return group_chat(workflow, members, shared)
            case SequentialDefinition():
                steps = [
                    SequenceStep(self.later(s.workflow), s.message, s.summary_method)
                    for s in workflow.steps
                ]
                return Steps(**shared, steps=steps)
            case GraphDefinition():
                return Graph(
                    **shared,
                    nodes=[
                        GraphNode(
                            n.id,
                            # of its own in each: what is inside it may run side by side
                            Members(self).of(n.agent) if n.agent else self.later(n.workflow),
                            n.join,
                        )
                        for n in workflow.nodes
                    ],
                    edges=[graph_edge(edge) for edge in workflow.edges],
                    start=[workflow.start] if workflow.start else [],
                    end=_listed(workflow.end),
                )
            case _:
                assert_never(workflow)

    def _termination(self, workflow: WorkflowDefinition) -> StopCondition | None:
        if workflow.termination is None:
            return None
        return stop_condition(workflow.termination, self.name_of)

    def name_of(self, agent: str) -> str:
        found = self.agent_definitions.get(agent)
        return found.name if found is not None else agent

    def llm(self, ids: list[str], parameters: dict[str, Any], seed: int | None) -> LLM:
        specs = tuple(self.models.spec(self.owner, one, self.model_definitions[one]) for one in ids)
        return LLM(specs, self.models.client, parameters, cache_seed=seed)


def _listed(end: str | list[str] | None) -> list[str]:
    return [] if end is None else [end] if isinstance(end, str) else end


def exact_call(builder: Builder, call: dict[str, Any]) -> dict[str, Any]:
    """A recorded model call with the messages shaped as the model's server got them."""
    result = call["result"]
    told = {k: call[k] for k in ("agent", "turn", "attempt")}
    if result is None:
        return {**told, "request": {"messages": call["messages"]}, "response": None}
    one = result["model_id"]
    spec = builder.models.spec(builder.owner, one, builder.model_definitions[one])
    sent = result["sent"]
    said = [*call["messages"], *result["appended"]]
    messages = shape(said, spec, sent.get("max_tokens"))[0] if sent else said
    hidden = ("sent", "appended", "model_id", "calls", "cost_nano")
    response = {k: v for k, v in result.items() if k not in hidden}
    return {
        **told,
        "model": result["model"],
        "purpose": call["request"]["purpose"],
        "request": {**sent, "messages": messages},
        "response": response | {"cost_usd": result["cost_nano"] / NANO},
    }
