"""Chats that end by stop conditions: of two, in groups, inside each other, by handoffs."""

from __future__ import annotations

from typing import Any

import pytest

from studio.engine import GroupChat
from studio.engine.chats import a_initiate_chat
from studio.engine.context import entered, watched
from studio.engine.context_variables import ContextVariables
from studio.engine.conversations import Group, Pair
from studio.engine.handoffs import OnContextCondition, StringContextCondition
from studio.engine.patterns import DefaultPattern, RoundRobinPattern, a_initiate_group_chat
from studio.engine.stopping import (
    CostReached,
    HandedTo,
    MaxMessages,
    NothingNew,
    SpokenBy,
    TextSaid,
    TokensUsed,
)
from studio.engine.targets import AgentTarget
from studio.engine.teams import Nested, nest

from .builders import Log, context_of, manager_of, scripted, silent


async def test_a_chat_of_two_ends_and_says_why() -> None:
    log = Log()
    context = context_of(log)
    await a_initiate_chat(
        silent("ann", default_auto_reply="And?"), scripted("bob", "1", "2", "3 DONE", "4"),
        message="Go", termination=TextSaid("DONE"), context=context,
    )  # fmt: skip
    assert [text for _, text in log.said] == ["Go", "1", "And?", "2", "And?", "3 DONE"]
    assert context.ended_by == "“DONE” was said"


@pytest.mark.parametrize("most", [1, 2, 3])
@pytest.mark.parametrize("max_turns", [None, 9])
async def test_the_opening_counts_as_a_message(most: int, max_turns: int | None) -> None:
    log = Log()
    await a_initiate_chat(
        silent("ann", default_auto_reply="x"), silent("bob", default_auto_reply="y"), message="Go",
        termination=MaxMessages(most), max_turns=max_turns, context=context_of(log),
    )  # fmt: skip
    assert len(log.said) == most


def test_a_plain_program_may_give_one_to_initiate_chat() -> None:
    ann = silent("ann", default_auto_reply="And?")
    bob = scripted("bob", *"12345")
    found = ann.initiate_chat(bob, message="Go", silent=True, termination=MaxMessages(4))
    assert [m["content"] for m in found.chat_history] == ["Go", "1", "And?", "2"]
    queue = {"recipient": bob, "message": "Go", "termination": MaxMessages(2), "silent": True}
    [found] = ann.initiate_chats([queue])
    assert len(found.chat_history) == 2


def with_nested(*replies: str) -> Any:
    """An agent that asks another one, three turns long, before it answers."""
    inner = Pair(
        name="inner", initiator=silent("asker", default_auto_reply="More?"),
        recipient=scripted("expert", *replies), max_turns=3,
    )  # fmt: skip
    agent = silent("agent")
    nest(agent, [Nested(lambda: inner)])
    return agent


async def test_messages_of_nested_chats_count_and_end_them_too() -> None:
    log = Log()
    context = context_of(log)
    await a_initiate_chat(
        silent("user", default_auto_reply="Again"), with_nested("1", "2", "3"), message="Go",
        termination=MaxMessages(4), context=context,
    )  # fmt: skip
    inside = [(chat, e.content) for chat, e in log.events if e.kind == "message"]
    assert inside[:4] == [
        ("", "Go"),
        ("2/nested0", "Go"),
        ("2/nested0", "1"),
        ("2/nested0", "More?"),
    ]
    assert [chat for chat, _ in inside[4:]] == [""], "the agent says what it came to, then it ends"
    assert context.ended_by == "4 messages were said"


async def test_an_inner_condition_ends_the_inner_chat_only() -> None:
    log = Log()
    inner = Pair(
        name="inner", initiator=silent("asker", default_auto_reply="More?"),
        recipient=scripted("expert", "1", "2 DONE", "3", "4"), termination=TextSaid("DONE"),
    )  # fmt: skip
    agent = silent("agent")
    nest(agent, [Nested(lambda: inner)])
    await a_initiate_chat(
        silent("user", default_auto_reply="Again"), agent, message="Go", max_turns=1,
        termination=MaxMessages(99), context=context_of(log),
    )  # fmt: skip
    ended = [(chat, e.reason) for chat, e in log.events if e.kind == "chat_ended"]
    assert ended == [("2/nested0", "“DONE” was said")]
    assert log.said[-1] == ("agent", "2 DONE")


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (MaxMessages(3), "abc"),
        (SpokenBy("b"), "ab"),
        (TextSaid("c"), "abc"),
        (NothingNew(2), "abcab"),
        (MaxMessages(4) & SpokenBy("c"), "abca"),
        (TokensUsed(1), "ab"),
        (CostReached(1), "abcabcabca"),
    ],
)
async def test_a_group_ends_by_a_condition(condition: Any, said: str) -> None:
    """The first message opens it; scripted models use tokens and cost nothing."""
    log = Log()
    agents = [scripted(name, *[name] * 9) for name in "abc"]
    group = GroupChat(agents, max_round=10, speaker_selection_method="round_robin")
    team = Group(
        name="team", initiator=agents[0], recipient=manager_of(group), termination=condition
    )
    with entered(context_of(log)):
        found = await team.hold("a")
    assert "".join(text for _, text in log.said) == said
    assert found.summary == said[-1]


async def test_each_chat_counts_anew() -> None:
    log = Log()
    pair = Pair(
        name="pair", initiator=silent("ann", default_auto_reply="x"),
        recipient=silent("bob", default_auto_reply="y"), termination=MaxMessages(3),
    )  # fmt: skip
    with entered(context_of(log)):
        for _ in range(2):
            held = await pair.hold("Go")
            assert held.ended_by == "3 messages were said"
    assert len(log.said) == 6


@pytest.mark.parametrize("after", ["context", "after_work"])
async def test_a_handoff_ends_it_before_the_other_agent_speaks(after: str) -> None:
    """Who is handed to is often a person, who must not be asked in vain."""
    log = Log()
    a, b, user = scripted("a", "1", "2"), scripted("b", "3"), silent("user")
    if after == "context":
        ready = StringContextCondition("ready")
        a.handoffs.add_context_condition(OnContextCondition(AgentTarget(b), ready))
    else:
        a.handoffs.set_after_work(AgentTarget(b))
    known = ContextVariables({"ready": True})
    context = context_of(log)
    with entered(context), watched(HandedTo("b")):
        await a_initiate_group_chat(
            DefaultPattern(a, [a, b], user, context_variables=known), "Go", context=context
        )
    said = "[Handing off to b]" if after == "context" else "1"
    assert log.said == [("user", "Go"), ("a", said)]
    assert context.ended_by == "the word was handed to b"


async def test_who_is_next_in_order_was_not_handed_the_word() -> None:
    log = Log()
    a, b = scripted("a", "1"), scripted("b", "2")
    context = context_of(log)
    with entered(context), watched(HandedTo("b")):
        pattern = RoundRobinPattern(a, [a, b])
        await a_initiate_group_chat(pattern, "Go", 3, context=context)
    assert [name for name, _ in log.said[1:]] == ["a", "b"]
