"""What a run of a graph follows: nodes, conditional edges, and what leads where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .agents import ConversableAgent
from .context_variables import ContextTest
from .conversations import Conversation
from .errors import DefinitionError
from .llm.call import LLM


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


class GraphPlan:
    """See `Graph`. Raises DefinitionError for edges to nowhere and for a graph without a start."""

    def __init__(
        self,
        name: str,
        llm: LLM | None,
        nodes: Sequence[GraphNode],
        edges: Sequence[GraphEdge],
        start: Sequence[str],
        end: Sequence[str],
    ) -> None:
        self.name, self.llm = name, llm
        self.nodes, self.edges, self.end = nodes, edges, end
        self.order = {node.id: i for i, node in enumerate(nodes)}
        if len(self.order) != len(nodes):
            raise DefinitionError("Two nodes of the graph have the same id")
        for edge in edges:
            for one in (edge.source, edge.target):
                if one not in self.order:
                    raise DefinitionError(f"An edge names the node {one!r}, which there is not")
        reached = {edge.target for edge in edges}
        self.first = [n for n in nodes if n.id in start] or [
            n for n in nodes if n.id not in reached
        ]
        if not self.first:
            raise DefinitionError("Say where the graph starts: every node has an edge to it")
        self._peers: dict[str, ConversableAgent] = {}
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
