"""What ends a branch of a graph, or the whole: errors, pauses, stop conditions, people."""

from __future__ import annotations

import asyncio

import pytest

from studio.engine import UserProxyAgent
from studio.engine.context import RunContext
from studio.engine.errors import ModelError, Suspend
from studio.engine.events import ChatEnded, InputRequested
from studio.engine.graph import Graph
from studio.engine.stopping import MaxMessages, NothingNew, SpokenBy, StopCondition, TextSaid

from .builders import Log, context_of, scripted
from .test_graphs import Doing, graph_of, held, saying, visits


def asking(name: str) -> UserProxyAgent:
    return UserProxyAgent(name, code_execution_config=False)


class Persons:
    """Answers each agent's questions with its own list; waits where a list says so."""

    def __init__(self, **answers: list[str]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def __call__(self, question: InputRequested) -> str:
        self.asked.append(question.agent)
        return self.answers[question.agent].pop(0)


async def test_an_error_in_one_branch_ends_the_graph_and_cancels_the_others() -> None:
    began, cancelled = asyncio.Event(), asyncio.Event()

    async def endless() -> str:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return "never"

    async def failing() -> str:
        await began.wait()
        raise ModelError("no answer")

    log = Log()
    agents = [saying("a"), Doing("b", endless), Doing("c", failing), saying("d")]
    context = context_of(log)
    with pytest.raises(ModelError, match="no answer"):
        await held(graph_of(agents, "ab", "ac", "ad"), context)
    assert cancelled.is_set()
    assert context.activity.at_work == 1, "only the graph itself is at work again"
    assert [t for t in asyncio.all_tasks() if t is not asyncio.current_task()] == []


async def test_a_branch_that_must_pause_lets_the_others_end_and_begins_nothing() -> None:
    paused = asyncio.Event()

    async def pausing() -> str:
        paused.set()
        raise Suspend("paused", "a limit")

    async def other() -> str:
        await paused.wait()
        return "C"

    after, log = saying("d"), Log()
    with pytest.raises(Suspend, match="a limit"):
        await held(
            graph_of(
                [saying("a"), Doing("b", pausing), Doing("c", other), after], "ab", "ac", "cd"
            ),
            context_of(log),
        )
    assert ("c", "C") in log.said
    assert after.heard == []


STOPS: list[tuple[StopCondition, str]] = [
    (TextSaid("DONE"), "“DONE” was said"),
    (SpokenBy("b"), "b has spoken"),
    (MaxMessages(2) & TextSaid("DONE"), "2 messages were said and “DONE” was said"),
]


@pytest.mark.parametrize(("condition", "reason"), STOPS)
async def test_a_stop_condition_lets_nothing_begin_that_depends_on_its_branch(
    condition: StopCondition, reason: str
) -> None:
    log = Log()
    agents = [saying(n, "DONE" if n == "b" else "") for n in "abcdef"]
    graph = graph_of(agents, "ab", "ac", "bd", "ce", "df", "ef", termination=condition)
    found = await held(graph, context_of(log))
    assert visits(log) == ["node:a", "node:b", "node:c", "node:e"]
    assert found.ended_by == reason
    ended = {chat: e.reason for chat, e in log.events if isinstance(e, ChatEnded)}
    assert (ended["node:b"], ended["node:c"]) == (reason, "Done")


async def test_what_branches_used_together_ends_it_where_they_join() -> None:
    log = Log()
    agents = [saying(name) for name in "abcde"]
    graph = graph_of(agents, "ab", "ac", "bd", "cd", "de", termination=MaxMessages(4))
    found = await held(graph, context_of(log))
    assert visits(log) == ["node:a", "node:b", "node:c", "node:d"]
    assert (found.ended_by, found.summary) == ("4 messages were said", "D")


async def test_a_loop_is_ended_by_a_stop_condition() -> None:
    log = Log()
    agents = [saying("a"), saying("b")]
    graph = graph_of(agents, "ab", "ba", start=["a"], termination=MaxMessages(7))
    assert (await held(graph, context_of(log))).ended_by == "7 messages were said"
    assert len(log.said) == 7


async def test_a_loop_in_which_nothing_new_is_said_is_ended() -> None:
    """Each visit is a chat of its own; a row is of the agents along the way."""
    log = Log()
    ways = graph_of([saying("a"), saying("b")], "ab", "ba", start=["a"],
                    termination=NothingNew(3) | MaxMessages(40))  # fmt: skip
    assert (await held(ways, context_of(log))).ended_by == "3 messages in a row said nothing new"
    assert [text for _, text in log.said] == ["A", "B", "A", "B", "A"]


async def test_news_in_one_branch_ends_a_row_of_nothing_new() -> None:
    def graph(c: str) -> Graph:
        agents = [saying("a", "x"), saying("b", "x"), saying("c", c), saying("d", "x")]
        return graph_of(agents, "ab", "ac", "bd", "cd", termination=NothingNew(2))

    assert (await held(graph("x"))).ended_by == "2 messages in a row said nothing new"
    assert (await held(graph("news"))).ended_by == "The graph is at its end"


async def test_a_person_who_ends_a_branch_stops_what_depends_on_it() -> None:
    log = Log()
    persons = Persons(b=["exit"], c=["My view"])
    context = RunContext(sink=log, ask=persons, seed="seed")
    agents = [saying("a"), asking("b"), asking("c"), saying("d"), saying("e")]
    found = await held(graph_of(agents, "ab", "ac", "bd", "cd", "ce"), context)
    assert log.said == [("a", "A"), ("c", "My view"), ("e", "E")]
    assert found.ended_by == "b ended the conversation"


async def test_an_agent_with_nothing_to_say_ends_only_its_branch() -> None:
    mute = scripted("b", "never said", max_consecutive_auto_reply=0)
    log = Log()
    found = await held(graph_of([saying("a"), mute, saying("c"), saying("d")], "ab", "ac", "bd",
                                "cd"), context_of(log))  # fmt: skip
    assert log.said == [("a", "A"), ("c", "C"), ("d", "D")]
    assert found.summary == "D"
