"""One time that a node of a graph is at work."""

from __future__ import annotations

from dataclasses import dataclass, field

from .agents import ConversableAgent
from .graph_plan import GraphEdge, GraphNode
from .messages import Message
from .strand import Strand


@dataclass(eq=False)
class Visit:
    """One time that a node is at work, with all visits that led to it where that matters. A
    `stopped` one lets nothing begin that depends on it; `reason` says why it is the first of these.
    """

    node: GraphNode
    number: int
    heard: list[Message]
    strand: Strand
    depth: int
    before: frozenset[Visit]
    output: str = ""
    messages: list[Message] = field(default_factory=list)
    taken: list[GraphEdge] = field(default_factory=list)
    stopped: bool = False
    reason: str = ""

    @property
    def path(self) -> str:
        return f"node:{self.node.id}" + (f":{self.number}" if self.number > 1 else "")

    @property
    def author(self) -> str:
        holds = self.node.holds
        return holds.name if isinstance(holds, ConversableAgent) else self.node.id

    @property
    def task(self) -> str:
        """What came over the edges, as an opening: with its authors where there are several."""
        if len(self.heard) == 1:
            return str(self.heard[0]["content"])
        return "\n\n".join(f"{m.get('name', '')}:\n{m['content']}" for m in self.heard)
