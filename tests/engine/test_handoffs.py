"""Targets, conditions, tools and guardrails of groups by handoffs, where nothing was recorded."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest

from studio.engine import UserProxyAgent
from studio.engine.context_variables import ContextExpression, ContextVariables
from studio.engine.errors import DefinitionError
from studio.engine.guardrails import RegexGuardrail
from studio.engine.handoffs import (
    ExpressionContextCondition,
    Handoffs,
    OnCondition,
    OnContextCondition,
    StringAvailableCondition,
    StringContextCondition,
    StringLLMCondition,
)
from studio.engine.patterns import (
    AutoPattern,
    DefaultPattern,
    ManualPattern,
    Pattern,
    RandomPattern,
    RoundRobinPattern,
    a_initiate_group_chat,
    initiate_group_chat,
)
from studio.engine.targets import (
    AgentNameTarget,
    AgentTarget,
    AskUserTarget,
    GroupChatConfig,
    GroupChatTarget,
    GroupManagerTarget,
    NestedChatTarget,
    RandomAgentTarget,
    RevertToUserTarget,
    StayTarget,
    TerminateTarget,
    announcement,
    in_tool_name,
)

from .builders import Log, People, context_of, scripted, scripted_llm


async def said(pattern: Pattern, rounds: int = 20, *answers: str, **context: Any) -> list[Any]:
    """Who said what after the opening."""
    log, people = Log(), People(list(answers))
    running = context_of(log, people, **context)
    await a_initiate_group_chat(pattern, "hi", rounds, context=running)
    assert not people.answers
    return log.said[1:]


def customer(**arguments: Any) -> UserProxyAgent:
    return UserProxyAgent("customer", code_execution_config=False, **arguments)


async def test_stay_has_the_same_agent_speak_again() -> None:
    a = scripted("a", "1", "2", "3")
    a.handoffs.set_after_work(StayTarget())
    assert await said(DefaultPattern(a, [a, scripted("b")]), 3) == [("a", "1"), ("a", "2")]


async def test_a_random_agent_is_another_one_and_follows_from_the_seed() -> None:
    async def names(seed: int) -> list[str]:
        agents = [scripted(name, *"xxxxxxxx") for name in "abcd"]
        found = await said(RandomPattern(agents[0], agents), 9, random=random.Random(seed))
        return [name for name, _ in found]

    first = await names(1)
    assert first == await names(1)
    assert first != await names(2)
    assert all(one != other for one, other in pairwise(first))


async def test_a_person_is_asked_who_speaks_next() -> None:
    log, people = Log(), People(["2", "c", "exit"])
    agents = [scripted(name, "1", "2") for name in "abc"]
    pattern = ManualPattern(agents[0], agents, customer())
    pattern.agents[2].handoffs.set_after_work(RevertToUserTarget())
    await a_initiate_group_chat(pattern, "hi", context=context_of(log, people))
    assert log.said[1:] == [("a", "1"), ("b", "1"), ("c", "1")]
    assert people.asked[0].choices == ["a", "b", "c", "customer"]


async def test_the_managers_model_chooses_among_all_but_the_hidden() -> None:
    log = Log()
    a, b = scripted("a", "1"), scripted("b", "2")
    a.handoffs.set_after_work(GroupManagerTarget())
    b.handoffs.set_after_work(TerminateTarget())
    pattern = AutoPattern(a, [a, b], group_manager_args={"llm": scripted_llm(["b"])})
    await a_initiate_group_chat(pattern, "hi", context=context_of(log))
    assert log.said[1:] == [("a", "1"), ("b", "2")]
    chosen = next(one for one in log.selections if one.method == "auto")
    assert chosen.candidates == ["a", "b"]
    assert chosen.trace


async def test_a_whole_group_speaks_as_one_member_and_gives_the_word_back() -> None:
    inner = scripted("inner", "deep thought")
    a = scripted("a", "1", "2")
    target = GroupChatTarget(GroupChatConfig(DefaultPattern(inner, [inner])))
    a.handoffs.add_after_work(OnContextCondition(target))
    assert await said(DefaultPattern(a, [a]), 4) == [
        ("a", "1"),
        ("_User", "1"),
        ("inner", "deep thought"),
        ("wrapped_group_chat_a_1", "deep thought"),
        ("a", "2"),
    ]


async def test_after_works_are_asked_in_order_the_unconditional_one_last() -> None:
    a, b, c = (scripted(name, name.upper()) for name in "abc")
    a.handoffs.add_after_works(
        [
            OnContextCondition(AgentTarget(b)),
            OnContextCondition(AgentTarget(b), available=StringAvailableCondition("missing")),
            OnContextCondition(
                AgentNameTarget("c"), ExpressionContextCondition(ContextExpression("${n} > 1"))
            ),
        ]
    )
    variables = ContextVariables({"n": 2})
    pattern = DefaultPattern(a, [a, b, c], context_variables=variables)
    assert await said(pattern) == [("a", "A"), ("c", "C")]
    variables["n"] = 0
    assert await said(pattern) == [("a", "A"), ("b", "B")]
    del variables["n"]
    with pytest.raises(KeyError):
        await said(pattern)


async def test_a_round_includes_the_user_and_its_after_work_counts() -> None:
    agents = [scripted(name, *"12") for name in "ab"]
    pattern = RoundRobinPattern(agents[0], agents, customer())
    found = await said(pattern, 20, "go on", "exit")
    assert found == [("a", "1"), ("b", "1"), ("customer", "go on"), ("a", "2"), ("b", "2")]


async def test_an_earlier_chat_goes_on_and_agents_serve_in_many_groups() -> None:
    a, b = scripted("a", "1"), scripted("b", "2")
    a.handoffs.add_context_condition(
        OnContextCondition(AgentTarget(b), StringContextCondition("over"))
    )
    pattern = DefaultPattern(a, [a, b])
    result, variables, last = await a_initiate_group_chat(pattern, "hi", context=context_of())
    variables["over"] = True
    again, _, last_again = await a_initiate_group_chat(
        pattern, [*result.chat_history, {"content": "and now?"}], context=context_of()
    )
    assert last is a
    assert last_again is b
    assert [m["content"] for m in again.chat_history] == [
        "hi", "1", "and now?", "[Handing off to b]", "2",
    ]  # fmt: skip
    assert "name" not in again.chat_history[0]
    assert len(a.pipeline.entries) == len(scripted("c").pipeline.entries)


def test_a_sync_program_waits() -> None:
    a, b, inner = scripted("a", "1"), scripted("b", "2"), scripted("inner", "3")
    a.handoffs.add_context_condition(OnContextCondition(AgentTarget(b)))
    whole = GroupChatTarget(GroupChatConfig(DefaultPattern(inner, [inner]), "deep"))
    b.handoffs.add_after_work(OnContextCondition(whole))
    result, _, last = initiate_group_chat(DefaultPattern(a, [a, b]), "hi", 4, silent=True)
    texts = [message["content"] for message in result.chat_history]
    assert texts == ["hi", "[Handing off to b]", "2", "3"]
    assert (result.summary, last.name) == ("3", "wrapped_group_chat_b_1")
    b.handoffs.clear()
    opening = {"content": "from a", "name": "a"}
    result, _, _ = initiate_group_chat(DefaultPattern(b, [a, b]), [opening], silent=True)
    assert result.chat_history[0]["name"] == "a"


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (AgentTarget(scripted("stranger")), "stranger"),
        (AgentNameTarget("stranger"), "stranger"),
        (RandomAgentTarget([scripted("stranger")]), "random agent"),
        (RevertToUserTarget(), "user_agent"),
        (GroupManagerTarget(), "llm_config"),
        (NestedChatTarget({"chat_queue": []}), "a nested chat"),
    ],
)
async def test_a_target_that_the_group_cannot_follow_is_refused_before_anybody_speaks(
    target: Any, told: str
) -> None:
    a = scripted("a", "1")
    with pytest.raises(DefinitionError, match=told):
        await said(DefaultPattern(a, [a], group_after_work=target))
    assert not a.chat_messages


async def test_more_that_cannot_work_is_refused() -> None:
    a, b = scripted("a"), scripted("b", "1")
    with pytest.raises(DefinitionError, match="initial agent"):
        await said(DefaultPattern(a, [b]))
    with pytest.raises(DefinitionError, match="not an agent"):
        await a_initiate_group_chat(DefaultPattern(b, [b]), [{"content": "x", "name": "z"}])
    with pytest.raises(DefinitionError, match="needs a message"):
        await a_initiate_group_chat(DefaultPattern(b, [b]), [])
    with pytest.raises(DefinitionError, match="is not an OnCondition"):
        a.handoffs.add_llm_condition("tech")  # type: ignore[arg-type]
    a.handoffs.add(OnCondition(AgentTarget(b), StringLLMCondition("x")))
    with pytest.raises(DefinitionError, match="no model"):
        await said(DefaultPattern(a, [a, b]))
    with pytest.raises(DefinitionError, match="pattern of guardrail"):
        RegexGuardrail("g", "(", TerminateTarget())


def test_handoffs_can_be_given_in_one_list_and_forgotten() -> None:
    one = OnCondition(StayTarget(), StringLLMCondition("x"))
    other = OnContextCondition(StayTarget())
    handoffs = Handoffs().add_many([one, other]).set_after_work(StayTarget())
    assert (handoffs.llm_conditions, handoffs.context_conditions) == ([one], [other])
    assert handoffs.clear() == Handoffs()


def test_names_and_announcements_of_targets_that_are_no_agents() -> None:
    targets = [TerminateTarget(), StayTarget(), RevertToUserTarget(), AskUserTarget(),
               RandomAgentTarget([]), GroupManagerTarget()]  # fmt: skip
    assert [(in_tool_name(t), announcement(t)) for t in targets] == [
        ("terminate", "Terminate"),
        ("stay", "Stay with agent"),
        ("revert_to_user", "Revert to User"),
        ("ask_user", "Ask User"),
        ("random_agent", "Transfer to a random agent"),
        ("group_manager", "Transfer to the group manager"),
    ]
