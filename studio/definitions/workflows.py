"""Workflows: who talks with whom, in which order, and when it ends."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, TypeAdapter, model_validator

from .common import (
    CacheSeed,
    ContextVariables,
    Definition,
    Limits,
    Reference,
    Strict,
    TerminationMessage,
    Text,
)
from .conditions import Condition, Termination

SelectionMethod = Literal["auto", "round_robin", "random", "manual", "handoff"]
SummaryMethod = Literal["last_msg", "reflection_with_llm", "none"]
NodeId = Annotated[str, StringConstraints(pattern=r"^[\w-]+$", max_length=64)]


class _Workflow(Definition):
    """`models` choose speakers and write summaries, in order of preference."""

    initiator: Reference | None = None
    models: list[Reference] = Field(default=[], max_length=20)
    cache_seed: CacheSeed | None = None
    summary_method: SummaryMethod = "last_msg"
    summary_prompt: Text | None = None
    is_termination_msg: TerminationMessage | None = None
    termination: Termination | None = None
    limits: Limits = Limits()
    compat: Literal["autogen-0.2"] | None = None
    context_variables: ContextVariables = {}


class TwoAgentDefinition(_Workflow):
    """Two agents answer each other until one is silent, or for `max_turns` rounds."""

    kind: Literal["two_agent"]
    recipient: Reference | None = None
    max_turns: Annotated[int, Field(ge=1, le=10_000)] | None = None


class GroupChatDefinition(_Workflow):
    """Several agents in one conversation. max_round counts the opening message too.

    With "handoff" only the agents' handoffs say who is next; when none applies, the person who
    opened the chat speaks, and without one it ends.
    """

    kind: Literal["group_chat"]
    agents: list[Reference] = Field(default=[], max_length=50)
    speaker_selection_method: SelectionMethod = "auto"
    max_round: Annotated[int, Field(ge=1, le=10_000)] = 10
    allow_repeat_speaker: bool | list[Reference] | None = None
    allowed_or_disallowed_speaker_transitions: dict[Reference, list[Reference]] | None = None
    speaker_transitions_type: Literal["allowed", "disallowed"] | None = None
    send_introductions: bool = False
    max_retries_for_selecting_speaker: Annotated[int, Field(ge=0, le=10)] = 2
    select_speaker_message_template: Text | None = None
    select_speaker_prompt_template: Text | None = None

    @model_validator(mode="after")
    def _one_rule_of_order(self) -> GroupChatDefinition:
        if self.allowed_or_disallowed_speaker_transitions is not None:
            if self.allow_repeat_speaker is not None:
                raise ValueError("give either allow_repeat_speaker or speaker transitions")
            if self.speaker_transitions_type is None:
                self.speaker_transitions_type = "allowed"
        return self


class Step(Strict):
    """One workflow of a sequence. `message` opens it, {task} in it stands for the session's task;
    without a message the task itself opens it."""

    workflow: Reference
    message: Text = ""
    summary_method: SummaryMethod = "last_msg"


class SequentialDefinition(_Workflow):
    """Workflows one after the other; each gets the summaries of those before."""

    kind: Literal["sequential"]
    steps: list[Step] = Field(default=[], max_length=50)


class Node(Strict):
    """An agent or a workflow. With several edges to it, "all" waits for every one that is still to
    come, "any" takes the first of those that run side by side and leaves the others.
    """

    id: NodeId
    agent: Reference | None = None
    workflow: Reference | None = None
    join: Literal["all", "any"] = "all"

    @model_validator(mode="after")
    def _one_content(self) -> Node:
        if (self.agent is None) == (self.workflow is None):
            raise ValueError("a node holds an agent or a workflow")
        return self


class Edge(Strict):
    """Where the graph goes on after a node. "else" is true when no condition of the node was;
    `max_times` is how often the edge may be taken in a run: the cap of a loop."""

    from_: NodeId = Field(alias="from")
    to: NodeId
    when: Literal["always", "else"] | Condition = "always"
    max_times: Annotated[int, Field(ge=1, le=1000)] | None = None

    model_config = Strict.model_config | {"serialize_by_alias": True, "validate_by_name": True}


class GraphDefinition(_Workflow):
    """Nodes and conditional edges; all true edges of a node run, several in parallel.

    start  where the task goes in; without it, every node that no edge leads to
    end    whose answers are the result; without it, those after which no edge was taken
    """

    kind: Literal["graph"]
    nodes: list[Node] = Field(default=[], max_length=200)
    edges: list[Edge] = Field(default=[], max_length=1000)
    start: NodeId | None = None
    end: NodeId | list[NodeId] | None = None

    @model_validator(mode="after")
    def _connected(self) -> GraphDefinition:
        ids = [n.id for n in self.nodes]
        if len(set(ids)) != len(ids):
            raise ValueError("two nodes have the same id")
        ends = self.end if isinstance(self.end, list) else [self.end]
        named = [e.from_ for e in self.edges] + [e.to for e in self.edges] + [self.start, *ends]
        for name in named:
            if name is not None and name not in ids:
                raise ValueError(f"there is no node {name!r}")
        return self


WorkflowDefinition = Annotated[
    TwoAgentDefinition | GroupChatDefinition | SequentialDefinition | GraphDefinition,
    Field(discriminator="kind"),
]
WORKFLOW: TypeAdapter[WorkflowDefinition] = TypeAdapter(WorkflowDefinition)
