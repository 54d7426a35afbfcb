"""Graphs of agents and conversations: conditional edges, parallel branches, joins, loops.

All edges of a node whose condition holds are taken, and what they lead to runs side by side. A node
that waits for "all" begins when nothing that is still at work can come over those of its edges over
which nothing has come: a branch that was not taken never holds it up. One that takes "any" begins
with what arrives first; what comes from beside it is left. So the order in which branches finish
decides nothing, but who is first at an "any", and that is recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .agents import ConversableAgent
from .context import current_context
from .conversations import Conversation, Held, SummaryMethod
from .graph_plan import GraphEdge, GraphNode, GraphPlan
from .graph_run import GraphRun
from .messages import Message


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

    def __post_init__(self) -> None:
        self.plan = GraphPlan(self.name, self.llm, self.nodes, self.edges, self.start, self.end)

    async def _held(self, opening: str, clear: bool, method: SummaryMethod) -> Held:
        if clear:
            for node in self.nodes:
                if isinstance(node.holds, ConversableAgent):
                    node.holds.clear_history(self.plan.peer(node.id))
        run = GraphRun(self.plan, opening, clear=clear)
        await run.to_its_end()
        context = current_context()
        context.ended_by = run.reason or "The graph is at its end"
        messages: list[Message] = [m for visit in run.in_order() for m in visit.messages]
        result = "\n\n".join(text for text in run.results() if text)
        return Held(await self._summed_up(messages, result, method), messages, context.ended_by)
