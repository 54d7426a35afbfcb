"""What the branches of a graph know of each other, and whole conversations as its nodes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from studio.engine.chats import a_initiate_chat
from studio.engine.context import RunContext, current_context
from studio.engine.context_variables import ContextTest
from studio.engine.conversations import Pair, SequenceStep, Steps
from studio.engine.graph_plan import GraphEdge
from studio.engine.stopping import TextSaid
from studio.engine.strand import StrandVariables
from studio.engine.teams import Nested, nest

from .builders import Log, context_of, scripted, silent
from .test_graphs import Doing, graph_of, held, saying, setting, visits


def knowing(log: Log | None = None, **variables: Any) -> RunContext:
    context = context_of(log)
    context.strand.variables = StrandVariables(variables)
    return context


# -- context variables


async def test_a_branch_knows_what_was_set_before_it_but_not_beside_it() -> None:
    log = Log()
    told = GraphEdge("b", "d", ContextTest("mood", "==", "good"))
    agents = [setting("a", mood="good"), saying("b"), setting("c", mood="bad"), saying("d")]
    await held(graph_of(agents, "ab", "ac", told), knowing(log, mood=""))
    assert "node:d" in visits(log)
    changed = [(chat, e.changes, e.by) for chat, e in log.events if e.kind == "context_changed"]
    assert changed == [("node:a", {"mood": "good"}, "a"), ("node:c", {"mood": "bad"}, "c")]


@pytest.mark.parametrize("last_to_end", ["b", "e"])
async def test_at_a_join_what_was_set_further_from_the_start_wins(last_to_end: str) -> None:
    """Not what was set later by the clock: a run that is played again must come to the same."""
    other_is_over = asyncio.Event()

    def slow(name: str, **values: Any) -> Doing:
        agent = setting(name, **values)
        [entry] = [e for e in agent.pipeline.entries if not e.built_in]
        reply = entry.function

        async def later(*given: Any, **named: Any) -> Any:
            if name == last_to_end:
                await other_is_over.wait()
            other_is_over.set()
            return await reply(*given, **named)

        entry.function = later
        return agent

    context = knowing(x=0, y=0)
    agents = [
        saying("a"), slow("b", x="near", y="only b"), saying("c"), slow("e", x="far"), saying("f"),
    ]  # fmt: skip
    await held(graph_of(agents, "ab", "ac", "ce", "bf", "ef"), context)
    assert dict(context.strand.variables) == {"x": "far", "y": "only b"}


async def test_of_two_at_the_same_distance_the_later_node_wins() -> None:
    context = knowing(x=0)
    agents = [saying("a"), setting("b", x="b"), setting("c", x="c"), saying("d")]
    await held(graph_of(agents, "ac", "ab", "cd", "bd"), context)
    assert context.strand.variables["x"] == "c"


async def test_what_a_branch_only_knew_does_not_undo_what_another_one_set() -> None:
    context = knowing(x=0)
    agents = [saying("a"), setting("b", x=1), saying("c"), saying("d"), saying("e")]
    test = GraphEdge("e", "d", ContextTest("x", "==", 1))
    await held(graph_of(agents, "ab", "ac", "be", "ce", test), context)
    assert context.strand.variables["x"] == 1


async def test_a_variable_that_a_tool_sets_by_its_method_is_merged_too() -> None:
    async def work() -> str:
        variables = current_context().strand.variables
        variables.set("x", 1)
        variables.set("new", 2)
        variables.remove("old")
        return "B"

    context = knowing(x=0)
    await held(graph_of([saying("a"), Doing("b", work), saying("c"), saying("d")], "ab", "ac",
                        "bd", "cd"), context)  # fmt: skip
    assert (context.strand.variables["x"], context.strand.variables["new"]) == (1, 2)


# -- what is fast and what is slow decides nothing


def at_pace(name: str, late: asyncio.Event | None = None) -> Doing:
    """Says how often it has spoken; its first answer waits for an event."""

    async def work() -> str:
        number = len(agent.heard)
        if late is not None and number == 1:
            with suppress(TimeoutError):
                await asyncio.wait_for(late.wait(), 0.1)
        return f"{name}{number}"

    agent = Doing(name, work)
    return agent


@pytest.mark.parametrize("slow", [None, "b", "c", "j"])
async def test_a_node_behind_a_loop_is_at_work_once_for_each_round_and_one_after_the_other(
    slow: str | None,
) -> None:
    never = asyncio.Event()
    s, b, c, j = (at_pace(name, never if name == slow else None) for name in "sbcj")
    again = GraphEdge("b", "b", max_times=2)
    log = Log()
    await held(graph_of([s, b, c, j], "sb", "sc", "bj", again, "cj", start=["s"]), context_of(log))
    assert j.heard[-1] == ["b1", "c1", "j1", "b2", "j2", "b3"]
    assert [len(messages) for messages in j.heard] == [2, 4, 6]
    starts = [i for i, (chat, e) in enumerate(log.events)
              if e.kind == "chat_started" and e.of == "j"]  # fmt: skip
    ends = [i for i, (chat, e) in enumerate(log.events)
            if e.kind == "chat_ended" and chat.startswith("node:j")]  # fmt: skip
    assert sorted([*starts, *ends]) == [i for pair in zip(starts, ends, strict=True) for i in pair]


async def test_a_start_that_is_also_led_to_is_not_at_work_twice_at_once() -> None:
    never = asyncio.Event()
    s, b = at_pace("s"), at_pace("b", never)
    await held(graph_of([s, b], "sb", start=["s", "b"]))
    assert b.heard == [["Go"], ["Go", "b1", "s1"]]


# -- whole conversations as nodes


async def test_a_graph_is_a_node_of_another_one() -> None:
    log = Log()
    inner = graph_of([saying("x"), saying("y"), saying("z")], "xy", "xz")
    inner.name = "i"
    end = saying("e")
    await held(graph_of([saying("a"), inner, end], "ai", "ie"), context_of(log))
    assert end.heard == [["Y\n\nZ"]]
    assert visits(log) == [
        "node:a", "node:i", "node:i/node:x", "node:i/node:y", "node:i/node:z", "node:e",
    ]  # fmt: skip


async def test_an_inner_stop_condition_ends_the_inner_graph_only() -> None:
    inner = graph_of([saying("x"), saying("y", "DONE"), saying("z")], "xy", "yz",
                     termination=TextSaid("DONE"))  # fmt: skip
    inner.name = "i"
    log, end = Log(), saying("e")
    found = await held(graph_of([saying("a"), inner, end], "ai", "ie"), context_of(log))
    assert end.heard == [["DONE"]]
    assert found.ended_by == "The graph is at its end"


async def test_a_conversation_hears_all_that_came_to_its_node_with_the_authors() -> None:
    pair = Pair(
        name="p", initiator=silent("user"), recipient=scripted("expert", "fine"), max_turns=1
    )
    log = Log()
    found = await held(
        graph_of([saying("a"), saying("b"), saying("c"), pair], "ab", "ac", "bp", "cp"),
        context_of(log),
    )
    inside = [(e.agent, e.content) for chat, e in log.events
              if e.kind == "message" and chat == "node:p"]  # fmt: skip
    assert inside == [("user", "b:\nB\n\nc:\nC"), ("expert", "fine")]
    assert found.summary == "fine"


async def test_the_word_that_ends_chats_goes_along_no_edge() -> None:
    end = saying("b")
    await held(graph_of([saying("a", "All done. TERMINATE"), end], "ab"))
    assert end.heard == [["All done."]]


async def test_a_graph_in_a_sequence_in_a_nested_chat() -> None:
    log = Log()
    steps = Steps(name="steps", steps=[SequenceStep(graph_of([saying("a"), saying("b")], "ab"))])
    agent = silent("agent")
    nest(agent, [Nested(lambda: steps)])
    await a_initiate_chat(silent("user"), agent, message="Go", max_turns=1, context=context_of(log))
    assert visits(log) == [
        "2/nested0", "2/nested0/step:1", "2/nested0/step:1/node:a", "2/nested0/step:1/node:b",
    ]  # fmt: skip
    assert log.said[-1] == ("agent", "B")
    turns = [(chat, e.turn) for chat, e in log.events if e.kind == "message"]
    assert turns == [
        ("", 1), ("2/nested0/step:1/node:a", 1), ("2/nested0/step:1/node:b", 1), ("", 2),
    ]  # fmt: skip
