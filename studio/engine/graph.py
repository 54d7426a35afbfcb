"""Graphs of agents and conversations: conditional edges, parallel branches, joins, loops.

All edges of a node whose condition holds are taken, and what they lead to runs side by side. A node
that waits for "all" begins when nothing that is still at work can come over those of its edges over
which nothing has come: a branch that was not taken never holds it up. One that takes "any" begins
with what arrives first; what comes from beside it is left. So the order in which branches finish
decides nothing, but who is first at an "any", and that is recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from .agents import ConversableAgent
from .context import current_context
from .context_variables import ContextTest
from .conversations import Conversation, Held, SummaryMethod
from .errors import DefinitionError
from .messages import Message


@dataclass(frozen=True)
class Contains:
    """The answer contains this text."""

    text: str


@dataclass(frozen=True)
class AskModel:
    """A model says yes to a question about the answer."""

    question: str


EdgeCondition = Contains | AskModel | ContextTest | Literal["always", "else"]


@dataclass(frozen=True)
class GraphNode:
    """`holds` is an agent, which answers once, or a whole conversation."""

    id: str
    holds: ConversableAgent | Conversation
    join: Literal["all", "any"] = "all"


@dataclass(frozen=True)
class GraphEdge:
    """Otherwise ("else") holds when no condition of the node does. `max_times` counts in a run."""

    source: str
    target: str
    when: EdgeCondition = "always"
    max_times: int | None = None


@dataclass(kw_only=True)
class Graph(Conversation):
    """start  where the opening goes in; empty: every node that no edge leads to
    end    whose answers are the result; empty: those after which no edge was taken
    Raises DefinitionError for edges to nowhere and for a graph without a start.
    """

    nodes: Sequence[GraphNode]
    edges: Sequence[GraphEdge] = ()
    start: Sequence[str] = ()
    end: Sequence[str] = ()
    _peers: dict[str, ConversableAgent] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.order = {node.id: i for i, node in enumerate(self.nodes)}
        if len(self.order) != len(self.nodes):
            raise DefinitionError("Two nodes of the graph have the same id")
        for edge in self.edges:
            for one in (edge.source, edge.target):
                if one not in self.order:
                    raise DefinitionError(f"An edge names the node {one!r}, which there is not")
        reached = {edge.target for edge in self.edges}
        self.first = [n for n in self.nodes if n.id in self.start] or [
            n for n in self.nodes if n.id not in reached
        ]
        if not self.first:
            raise DefinitionError("Say where the graph starts: every node has an edge to it")
        self._leading: dict[tuple[str, str], frozenset[str]] = {}

    def peer(self, node: str) -> ConversableAgent:
        """Who speaks to the agent of a node: its memory of the node hangs on it."""
        if node not in self._peers:
            self._peers[node] = ConversableAgent(self.name, human_input_mode="NEVER")
        return self._peers[node]

    def sources_of(self, node: str) -> set[str]:
        """The other nodes from which an edge leads to this one."""
        return {e.source for e in self.edges if e.target == node} - {node}

    def leads_to(self, one: str, source: str, past: str) -> bool:
        """Whether a path leads from `one` to `source` that does not go through `past`."""
        key = (source, past)
        if key not in self._leading:
            found, todo = {source}, [source]
            while todo:
                before = self.sources_of(todo.pop()) - found - {past}
                found |= before
                todo += before
            self._leading[key] = frozenset(found)
        return one in self._leading[key]

    def edges_of(self, node: str) -> list[GraphEdge]:
        """Those that leave a node; none leaves an end."""
        return [] if node in self.end else [e for e in self.edges if e.source == node]

    async def _held(self, opening: str, clear: bool, method: SummaryMethod) -> Held:
        from .graph_run import GraphRun

        if clear:
            for node in self.nodes:
                if isinstance(node.holds, ConversableAgent):
                    node.holds.clear_history(self.peer(node.id))
        run = GraphRun(self, opening, clear=clear)
        await run.to_its_end()
        context = current_context()
        context.ended_by = run.reason or "The graph is at its end"
        messages: list[Message] = [m for visit in run.in_order() for m in visit.messages]
        result = "\n\n".join(text for text in run.results() if text)
        return Held(await self._summed_up(messages, result, method), messages, context.ended_by)
