"""One run of a graph: which node begins when, and what its branches come to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from .agents import ConversableAgent
from .answering import answer
from .context import RunContext, current_context, entered
from .conversations import without_end
from .effects import Effect
from .errors import Suspend
from .events import ChatEnded, ChatStarted, EdgeTaken
from .graph_edges import why_taken
from .graph_plan import GraphEdge, GraphNode, GraphPlan
from .graph_visit import Visit
from .messages import Message, text_of
from .strand import Strand


class GraphRun:
    """The visits of one run. Nothing here depends on which of two tasks ends first."""

    def __init__(self, graph: GraphPlan, opening: str, *, clear: bool) -> None:
        self.graph, self.opening, self.clear = graph, opening, clear
        self.context = current_context()
        self._is_racing = any(node.join == "any" for node in graph.nodes)
        self.visits: list[Visit] = []
        self._arrived: dict[str, list[Visit]] = {}
        self._times: dict[GraphEdge, int] = {}
        self._working: dict[asyncio.Task[Any], Visit] = {}
        self._deciding: dict[asyncio.Task[Any], str] = {}
        self._chosen: dict[str, str] = {}
        self._suspended: Suspend | None = None
        self._cut: set[str] = set()

    # -- results

    @property
    def reason(self) -> str:
        """Why it ended before its time, or nothing."""
        return next((v.reason for v in self.in_order() if v.reason), "")

    def in_order(self) -> list[Visit]:
        """By how far from the start, then as the definition orders the nodes."""
        return sorted(self.visits, key=lambda v: (v.depth, self.graph.order[v.node.id]))

    def results(self) -> Iterator[str]:
        """The last answer of each end that was reached; without ends, of every branch."""
        last = [v for v in self.in_order() if not v.taken and not v.stopped]
        ends = {v.node.id: v for v in last if v.node.id in self.graph.end}
        chosen = [ends[n.id] for n in self.graph.nodes if n.id in ends] or last
        yield from (v.output for v in chosen or [v for v in self.in_order() if v.output][-1:])

    # -- the loop

    async def to_its_end(self) -> None:
        """Raises what a branch raises; Suspend only when no branch can go on. In a run that was cut
        the others are played as far as they came: later runs remember them."""
        for node in self.graph.first:
            said: Message = {"content": self.opening}
            self._begin(node, [said], [self.context.strand], 0, frozenset())
        activity = self.context.activity
        try:
            while self._working or self._deciding:
                for task in await self._awoken():
                    activity.at_work -= 1  # the task's own, kept until the loop is awake
                    self._finished(task)
                if self._suspended is None or self._cut:
                    self._begin_what_is_ready()
        finally:
            await self._cancel()
        if self._suspended is None or self._cut:
            self.context.strand.take_in([visit.strand for visit in self.in_order()])
        if self._suspended is not None:
            raise self._suspended

    async def _awoken(self) -> set[asyncio.Task[Any]]:
        """Rests until a branch has something to say."""
        tasks = [*self._working, *self._deciding]
        self.context.activity.rests()
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.context.activity.begins()
        return done

    async def _cancel(self) -> None:
        """After a failure, or when the session is stopped: no branch outlives the graph."""
        left = [*self._working, *self._deciding]
        for task in left:
            task.cancel()
        if left:
            await asyncio.gather(*left, return_exceptions=True)
            self.context.activity.at_work -= len(left)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        visit = self._working.pop(task, None)
        node = self._deciding.pop(task, "")
        try:
            result = task.result()
        except Suspend as suspended:
            if self._suspended is None or suspended.state == "paused":
                self._suspended = suspended
            if suspended.state == "cut":
                self._cut.add(node if visit is None else visit.node.id)
            return
        if visit is None:
            self._chosen[node] = result
        else:
            self._deliver(visit)

    def _deliver(self, visit: Visit) -> None:
        """What a visit came to goes along its edges; that it was stopped, along all of them."""
        edges = self.graph.edges_of(visit.node.id) if visit.stopped else visit.taken
        for edge in edges:
            place = self._arrived.setdefault(edge.target, [])
            if self._counts(edge.target, visit) and visit not in place:
                place.append(visit)

    def _counts(self, target: str, visit: Visit) -> bool:
        """At an "any" what comes from beside the visit that began counts no more; and no node is
        stopped twice."""
        earlier = [v for v in self.visits if v.node.id == target]
        if visit.stopped and any(v.stopped for v in earlier):
            return False
        is_any = self.graph.nodes[self.graph.order[target]].join == "any"
        return not (is_any and earlier and earlier[-1] not in visit.before)

    # -- what begins

    def _begin_what_is_ready(self) -> None:
        while ready := self._ready():
            for node in ready:
                self._begin_node(node)

    def _ready(self) -> list[GraphNode]:
        """Nodes to begin now. When all that is left waits for each other, the first begins."""
        waiting = [n for n in self.graph.nodes if self._arrived.get(n.id)]
        ready = [node for node in waiting if self._is_ready(node, waiting)]
        if not ready and waiting and not (self._working or self._deciding or self._cut):
            return waiting[:1]
        return ready

    @property
    def _busy(self) -> set[str]:
        return {visit.node.id for visit in self._working.values()} | self._cut

    def _is_ready(self, node: GraphNode, waiting: list[GraphNode]) -> bool:
        if node.id in self._busy:
            return False
        if node.join == "any":
            chosen = self._chosen.get(node.id)
            if chosen is not None:
                return any(visit.path == chosen for visit in self._arrived[node.id])
            if len(self.graph.sources_of(node.id)) < 2:
                return True
            if node.id not in self._deciding.values():
                self._decide(node)
            return False
        return not self._is_reached(node, waiting)

    def _is_reached(self, node: GraphNode, waiting: list[GraphNode]) -> bool:
        """Whether something may still come over an edge over which nothing has come."""
        came = {visit.node.id for visit in self._arrived[node.id]}
        others = {*self._busy, *(one.id for one in waiting)} - {node.id}
        return any(
            self.graph.leads_to(one, source, node.id)
            for source in self.graph.sources_of(node.id) - came
            for one in others
        )

    def _decide(self, node: GraphNode) -> None:
        """Who is first is up to the clock: an effect, also of one alone, to be played again."""
        number = 1 + sum(v.node.id == node.id for v in self.visits)
        first = self._arrived[node.id][0].path
        key = f"{self.context.chat}#first:{node.id}:{number}"
        effect = Effect(key, "order", self.context.turns + 1, node.id, {"node": node.id})

        async def decide() -> str:
            async def choose(_: int) -> dict[str, str]:
                return {"first": first}

            return str((await self.context.effects.do(effect, choose)).result["first"])

        self.context.activity.at_work += 1
        self._deciding[asyncio.get_running_loop().create_task(decide())] = node.id

    def _begin_node(self, node: GraphNode) -> None:
        arrived = self._arrived.pop(node.id)
        if node.join == "any":
            chosen = self._chosen.pop(node.id, arrived[0].path)
            arrived = [visit for visit in arrived if visit.path == chosen] or arrived[:1]
        else:  # one of each: what came since then is for its next visit, however late this one is
            first = {visit.node.id: visit for visit in reversed(arrived)}
            self._arrived[node.id] = [v for v in arrived if v is not first[v.node.id]]
            arrived = list(first.values())
        arrived.sort(key=lambda v: (self.graph.order[v.node.id], v.number))
        heard: list[Message] = [
            {"content": without_end(v.output), "name": v.author} for v in arrived
        ]
        before: frozenset[Visit] = frozenset()
        if self._is_racing:
            before = before.union(arrived, *(visit.before for visit in arrived))
        depth = 1 + max(visit.depth for visit in arrived)
        strands = [visit.strand for visit in arrived]
        if any(visit.stopped for visit in arrived):
            number = 1 + sum(v.node.id == node.id for v in self.visits)
            strand = Strand.merged(strands, f"{self.context.chat}/stopped:{node.id}")
            stopped = Visit(node, number, heard, strand, depth, before, stopped=True)
            self.visits.append(stopped)
            self._deliver(stopped)
            return
        self._begin(node, heard, strands, depth, before)

    def _begin(
        self,
        node: GraphNode,
        heard: list[Message],
        strands: list[Strand],
        depth: int,
        before: frozenset[Visit],
    ) -> None:
        number = 1 + sum(v.node.id == node.id for v in self.visits)
        visit = Visit(node, number, heard, Strand(), depth, before)
        place = f"{self.context.chat}/{visit.path}"
        visit.strand = Strand.merged(strands, place)
        self.visits.append(visit)
        context = self.context.branch(visit.path, visit.strand)
        context.task = self.opening
        turn = self.context.activity.enlists()
        task = asyncio.get_running_loop().create_task(self._work(visit, context, turn))
        self._working[task] = visit

    # -- the work of one visit

    async def _work(self, visit: Visit, context: RunContext, turn: asyncio.Future[None]) -> None:
        await turn
        try:
            await self._at_work(visit, context)
        finally:
            context.activity.ends()

    async def _at_work(self, visit: Visit, context: RunContext) -> None:
        holds = visit.node.holds
        with entered(context):
            agent = holds.name if isinstance(holds, ConversableAgent) else None
            context.emit(ChatStarted("node", holds.name, agent, visit.node.id, visit.number))
            if isinstance(holds, ConversableAgent):
                went_on = await self._answer(visit, holds)
            else:
                again = self.clear or visit.number > 1
                held = await holds.hold(visit.task, clear=again)
                visit.output, visit.messages, went_on = held.summary, held.messages, True
            reason = context.strand.stop_reason
            if reason:
                visit.stopped, visit.reason = True, reason
            context.emit(ChatEnded(reason or context.ended_by or "Done"))
            if went_on and not visit.stopped:
                await self._take_edges(visit, context)

    async def _answer(self, visit: Visit, agent: ConversableAgent) -> bool:
        """One answer to what came over the edges. False: it said nothing, its branch ends."""
        peer = self.graph.peer(visit.node.id)
        current_context().heard_in = self.context.chat  # what the agents of a graph say is one row
        for message in visit.heard:
            agent.store(message, peer, own=False)
        agent.reset_consecutive_auto_reply_counter(peer)
        said = await answer(agent, peer)
        if said is None:
            if agent.human_input_mode != "NEVER":  # a person said that it ends here
                visit.stopped, visit.reason = True, current_context().ended_by
            return False
        visit.output = text_of(said.get("content"))
        visit.messages = [{"role": "user", "name": agent.name, "content": visit.output}]
        return True

    async def _take_edges(self, visit: Visit, context: RunContext) -> None:
        edges = self.graph.edges_of(visit.node.id)
        taken: dict[int, str] = {}
        is_met = False
        for i, edge in enumerate(edges):
            if edge.when != "else" and self._may_take(edge):
                why = await why_taken(edge.when, self.graph, visit.author, visit.output)
                is_met = is_met or (edge.when != "always" and bool(why))
                taken |= {i: why} if why else {}
        for i, edge in enumerate(edges):
            if edge.when == "else" and not is_met and self._may_take(edge):
                taken[i] = "no other condition held"
        for i in sorted(taken):
            times = self._times[edges[i]] = self._times.get(edges[i], 0) + 1
            visit.taken.append(edges[i])
            context.emit(EdgeTaken(edges[i].source, edges[i].target, times, taken[i]))

    def _may_take(self, edge: GraphEdge) -> bool:
        return edge.max_times is None or self._times.get(edge, 0) < edge.max_times
