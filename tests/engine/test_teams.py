"""A whole conversation that speaks as one agent."""

from __future__ import annotations

import pytest

from studio.engine import GroupChat
from studio.engine.conversations import Group
from studio.engine.errors import ModelError
from studio.engine.events import ChatEnded, ChatStarted
from studio.engine.society import LEAD_IN, PREPARE
from studio.engine.stopping import MaxMessages
from studio.engine.teams import TeamAgent

from .builders import Log, manager_of, scripted, scripted_llm, silent
from .test_conversations import Asked, chat, held, pair


def team(*replies: str, rounds: int = 3) -> Group:
    members = [scripted("in1", *replies), scripted("in2", "2", "22 TERMINATE")]
    group = GroupChat(members, max_round=rounds, speaker_selection_method="round_robin")
    return Group(name="team", initiator=members[0], recipient=manager_of(group))


async def test_without_a_model_the_team_says_what_it_came_to() -> None:
    log = Log()
    found = await chat(TeamAgent("boss", lambda: pair("inner", "done TERMINATE")), log)
    assert found.summary == "done"
    assert [c for c, e in log.events if isinstance(e, ChatStarted)] == ["2/team0"]


async def test_with_a_model_the_answer_is_made_of_what_was_said_inside() -> None:
    effects = Asked()
    boss = TeamAgent("boss", lambda: team("1"), llm=scripted_llm(["One voice"]))
    assert (await chat(boss, Log(), effects=effects)).summary == "One voice"
    assert effects.calls[-1] == (
        "boss",
        [("system", LEAD_IN), ("user", "Tea"), ("user", "2"), ("user", "1"), ("system", PREPARE)],
    )


async def test_a_team_hears_what_was_said_before_and_answers_to_what_is_new() -> None:
    effects = Asked()
    boss = TeamAgent("boss", lambda: team("1", "11"), "Say it short.",
                     llm=scripted_llm(["first", "second"]))  # fmt: skip
    await chat(boss, Log(), turns=2, effects=effects)
    inner = next(m for agent, m in reversed(effects.calls) if agent == "in2")
    assert [text for _, text in inner][1:] == ["Tea", "first", "And then?"]
    assert [text for _, text in effects.calls[-1][1]] == [
        LEAD_IN, "And then?", "22 TERMINATE", "11", "Say it short.",
    ]  # fmt: skip


async def test_what_fails_inside_a_team_is_not_swallowed() -> None:
    boss = TeamAgent("boss", lambda: pair("inner"))
    boss.conversation.recipient.llm = scripted_llm([])  # type: ignore[attr-defined]
    with pytest.raises(ModelError):
        await chat(boss, Log())


async def test_a_team_is_a_member_of_a_group() -> None:
    log = Log()
    boss = TeamAgent("boss", lambda: pair("inner", "x", "y"))
    members = [silent("a", default_auto_reply="A"), boss]
    group = GroupChat(members, max_round=4, speaker_selection_method="round_robin")
    await held(Group(name="g", initiator=members[0], recipient=manager_of(group)), log)
    outer = [(e.agent, e.content) for c, e in log.events if e.kind == "message" and not c]
    assert outer == [("a", "Tea"), ("boss", "x"), ("a", "A"), ("boss", "y")]


async def test_a_team_of_two_is_told_nothing_of_what_was_said_before() -> None:
    """Only a group can hear more than one message at once: a chat of two begins anew."""
    effects = Asked()
    boss = TeamAgent("boss", lambda: pair("inner", "x", "y"))
    await chat(boss, Log(), turns=2, effects=effects)
    assert [[text for _, text in messages][1:] for _, messages in effects.calls] == [
        ["Tea"], ["And then?"],
    ]  # fmt: skip


async def test_an_inner_team_ends_by_the_condition_of_the_outer_chat() -> None:
    log = Log()
    boss = TeamAgent("boss", lambda: team("1", "11", rounds=9))
    await chat(boss, log, turns=5, termination=MaxMessages(3))
    ended = [(c, e.reason) for c, e in log.events if isinstance(e, ChatEnded)]
    assert ended == [("2/team0", "3 messages were said")]
    assert [name for name, _ in log.said] == ["user", "in1", "in2", "boss"]


def test_a_team_knows_its_conversation_only_when_it_is_needed() -> None:
    """A nested chat may hold the agent that it stands in."""
    made: list[str] = []
    boss = TeamAgent("boss", lambda: made.append("made") or team())  # type: ignore[func-returns-value]
    assert made == []
    assert boss.conversation is boss.conversation
    assert made == ["made"]
