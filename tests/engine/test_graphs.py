"""Graphs: branches side by side, joins, conditions, loops, and what ends a branch or the whole."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from studio.engine import ConversableAgent
from studio.engine.context import RunContext, current_context, entered
from studio.engine.context_variables import ContextTest
from studio.engine.conversations import Conversation, Held
from studio.engine.errors import DefinitionError
from studio.engine.events import ChatStarted, EdgeTaken
from studio.engine.graph import Graph
from studio.engine.graph_plan import AskModel, Contains, GraphEdge, GraphNode
from studio.engine.messages import Message
from studio.engine.strand import StrandVariables

from .builders import Log, context_of, scripted, scripted_llm

SECONDS = 10.0  # a branch that waits longer has not been met


class Doing(ConversableAgent):
    """Answers with what a coroutine function makes of the messages it heard."""

    def __init__(self, name: str, work: Any) -> None:
        super().__init__(name, human_input_mode="NEVER")
        self.heard: list[list[str]] = []

        async def reply(
            agent: ConversableAgent, messages: list[Message], sender: Any, config: Any
        ) -> tuple[bool, str]:
            self.heard.append([m["content"] for m in messages])
            return True, await work()

        self.register_reply(ConversableAgent, reply)


def saying(name: str, text: str = "") -> Doing:
    async def work() -> str:
        return text or name.upper()

    return Doing(name, work)


def setting(name: str, **values: Any) -> Doing:
    """An agent whose answer sets context variables."""

    async def work() -> str:
        current_context().set_variables(values, name)
        return name.upper()

    return Doing(name, work)


def graph_of(
    agents: Sequence[ConversableAgent | Conversation],
    *edges: str | GraphEdge,
    any_of: str = "",
    **fields: Any,
) -> Graph:
    """A graph of agents; an edge "ab" leads from a to b, ids are names."""
    nodes = [GraphNode(one.name, one, "any" if one.name == any_of else "all") for one in agents]
    made = [GraphEdge(e[0], e[1]) if isinstance(e, str) else e for e in edges]
    return Graph(name="graph", nodes=nodes, edges=made, **fields)


async def held(graph: Graph, context: RunContext | None = None) -> Held:
    with entered(context or context_of()):
        return await asyncio.wait_for(graph.hold("Go"), SECONDS)


def visits(log: Log) -> list[str]:
    """The chats of the nodes that were at work, in the order in which they began."""
    return [chat for chat, event in log.events if isinstance(event, ChatStarted)]


# -- branches and joins


async def test_branches_run_side_by_side() -> None:
    """Each waits for the other one: one after the other they would wait for ever."""
    here, there = asyncio.Event(), asyncio.Event()

    async def left() -> str:
        here.set()
        await there.wait()
        return "left met"

    async def right() -> str:
        there.set()
        await here.wait()
        return "right met"

    end = saying("d", "over")
    graph = graph_of(
        [saying("a"), Doing("b", left), Doing("c", right), end], "ab", "ac", "bd", "cd"
    )
    assert (await held(graph)).summary == "over"
    assert end.heard == [["left met", "right met"]]


@pytest.mark.parametrize("slow", ["b", "c"])
async def test_a_join_waits_for_all_and_hears_them_in_the_order_of_the_nodes(slow: str) -> None:
    other_is_over = asyncio.Event()

    def side(name: str) -> Doing:
        async def work() -> str:
            if name == slow:
                await other_is_over.wait()
            other_is_over.set()
            return name.upper()

        return Doing(name, work)

    end = saying("d")
    log = Log()
    graph = graph_of([saying("a"), side("b"), side("c"), end], "ab", "ac", "cd", "bd")
    await held(graph, context_of(log))
    assert end.heard == [["B", "C"]]
    said = [e for _, e in log.events if e.kind == "message" and e.agent in "bc"]
    assert said[-1].agent == slow


async def test_a_branch_that_was_not_taken_does_not_hold_up_a_join() -> None:
    end = saying("d")
    never = GraphEdge("a", "c", Contains("never"))
    await held(graph_of([saying("a"), saying("b"), saying("c"), end], "ab", never, "bd", "cd"))
    assert end.heard == [["B"]]


async def test_a_join_waits_for_branches_of_different_lengths() -> None:
    end = saying("e")
    agents = [saying("a"), saying("b"), saying("c"), saying("d"), end]
    await held(graph_of(agents, "ab", "bc", "ce", "ad", "de"))
    assert end.heard == [["C", "D"]]


async def test_any_begins_with_the_first_and_leaves_the_other() -> None:
    began = asyncio.Event()

    async def late() -> str:
        await began.wait()
        return "late"

    async def end() -> str:
        began.set()
        return "over"

    first, last = Doing("d", end), Doing("c", late)
    log = Log()
    graph = graph_of([saying("a"), saying("b"), last, first], "ab", "ac", "bd", "cd", any_of="d")
    assert (await held(graph, context_of(log))).summary == "over"
    assert first.heard == [["B"]], "it did not wait for c, and did not begin again for it"
    assert ("c", "late") in log.said


async def test_a_loop_leads_to_an_any_again() -> None:
    """What comes from behind it is news, what comes from beside its beginning is not."""
    loop = GraphEdge("d", "a", max_times=1)
    end = saying("d")
    graph = graph_of(
        [saying("a"), saying("b"), saying("c"), end], "ab", "ac", "bd", "cd", loop, any_of="d",
        start=["a"],
    )  # fmt: skip
    await held(graph)
    assert len(end.heard) == 2


# -- where it goes on


async def test_else_is_taken_when_no_condition_held() -> None:
    def graph(answer: str) -> Graph:
        return graph_of(
            [saying("a", answer), saying("b"), saying("c"), saying("d")],
            GraphEdge("a", "b", Contains("good")), GraphEdge("a", "c", "else"), "ad",
        )  # fmt: skip

    assert (await held(graph("a good one"))).summary == "B\n\nD"
    assert (await held(graph("a bad one"))).summary == "C\n\nD"


async def test_every_edge_that_holds_is_taken_and_says_why() -> None:
    log = Log()
    known = StrandVariables({"score": 7})
    graph = graph_of(
        [saying("a", "good and cheap"), saying("b"), saying("c"), saying("d"), saying("e")],
        GraphEdge("a", "b", Contains("good")), GraphEdge("a", "c", Contains("dear")),
        GraphEdge("a", "d", ContextTest("score", ">=", 7)), GraphEdge("a", "e", "else"),
    )  # fmt: skip
    context = context_of(log)
    context.strand.variables = known
    assert (await held(graph, context)).summary == "B\n\nD"
    taken = [(chat, e.to, e.reason) for chat, e in log.events if isinstance(e, EdgeTaken)]
    assert taken == [
        ("node:a", "b", "the answer contains “good”"), ("node:a", "d", "score >= 7"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "taken"),
    [("yes", True), ("Yes.", True), ("**yes**", True), ("no", False), ("No, not at all", False),
     ("perhaps", False)],
)  # fmt: skip
async def test_a_model_says_yes_or_no(answer: str, taken: bool) -> None:
    log = Log()
    edge = GraphEdge("a", "b", AskModel("Is it polite?"))
    graph = graph_of([saying("a"), saying("b")], edge, llm=scripted_llm([answer]))
    assert (await held(graph, context_of(log))).summary == ("B" if taken else "A")
    [call] = [(chat, e) for chat, e in log.events if e.kind == "model_called"]
    assert (call[0], call[1].purpose) == ("node:a", "select")


async def test_a_question_without_a_model_is_an_error() -> None:
    edge = GraphEdge("a", "b", AskModel("Is it polite?"))
    with pytest.raises(DefinitionError, match="no model"):
        await held(graph_of([saying("a"), saying("b")], edge))


async def test_a_loop_ends_by_its_number_of_times_and_an_agent_remembers_its_rounds() -> None:
    log = Log()
    writer = saying("a")
    loop = GraphEdge("b", "a", max_times=2)
    graph = graph_of([writer, saying("b")], "ab", loop, start=["a"])
    found = await held(graph, context_of(log))
    assert visits(log) == [
        "node:a", "node:b", "node:a:2", "node:b:2", "node:a:3", "node:b:3",
    ]  # fmt: skip
    assert writer.heard[-1] == ["Go", "A", "B", "A", "B"]
    assert found.summary == "B"
    times = [e.times for _, e in log.events if isinstance(e, EdgeTaken) and e.to == "a"]
    assert times == [1, 2]
    again = await held(graph)
    assert again.summary == "B"
    assert writer.heard[3] == ["Go"], "the next time it begins anew"


async def test_a_loop_ends_when_its_condition_fails() -> None:
    writer = scripted("a", "draft again", "draft again", "final")
    loop = GraphEdge("a", "a", Contains("again"), max_times=9)
    log = Log()
    assert (await held(graph_of([writer], loop, start=["a"]), context_of(log))).summary == "final"
    assert len(visits(log)) == 3


async def test_several_ends_and_nothing_behind_them() -> None:
    after = saying("d")
    graph = graph_of(
        [saying("a"), saying("b"), saying("c"), after], "ab", "ac", "bd", end=["c", "b"]
    )
    assert (await held(graph)).summary == "B\n\nC"
    assert after.heard == []


async def test_several_starts_hear_the_opening() -> None:
    a, b = saying("a"), saying("b")
    await held(graph_of([a, b, saying("c")], "ac", "bc"))
    assert a.heard == b.heard == [["Go"]]


def test_edges_to_nowhere_and_a_graph_without_a_start_are_refused() -> None:
    with pytest.raises(DefinitionError, match="'x', which there is not"):
        graph_of([saying("a")], "ax")
    with pytest.raises(DefinitionError, match="where the graph starts"):
        graph_of([saying("a"), saying("b")], "ab", "ba")
    assert graph_of([saying("a"), saying("b")], "ab", "ba", start=["b"]).plan.first[0].id == "b"
    with pytest.raises(DefinitionError, match="same id"):
        graph_of([saying("a"), saying("a")])
