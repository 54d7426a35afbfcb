"""Chats made of chats: nested ones, sequences, graphs of prerequisites, a society of mind."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from studio.engine import (
    ConversableAgent,
    GroupChat,
    GroupChatManager,
    SocietyOfMindAgent,
    a_initiate_chats,
    initiate_chats,
)
from studio.engine.errors import CarryoverError

from .library_user import closing, config, plain, serving, speaker

USER = plain("user")


def to(recipient: ConversableAgent, message: Any = "Hi", **more: Any) -> dict[str, Any]:
    return {"recipient": recipient, "message": message, "max_turns": 1, **more}


def ask(agent: ConversableAgent, message: Any = "Hi", sender: ConversableAgent = USER) -> Any:
    return sender.initiate_chat(agent, message=message, max_turns=1)


def heard(agent: ConversableAgent) -> list[Any]:
    """What opened each chat with this agent."""
    return [messages[0]["content"] for messages in agent.chat_messages.values()]


# -- nested chats


def test_a_nested_chat_opens_with_what_was_heard() -> None:
    agent, inner = plain("agent"), plain("inner", "from inside")
    agent.register_nested_chats([to(inner, None)], trigger=USER)
    assert ask(agent, "a question").summary == "from inside"
    assert heard(inner) == ["a question"]


def test_a_second_chat_without_message_is_left_out() -> None:
    agent, one, two = plain("agent"), plain("one", "1"), plain("two", "2")
    agent.register_nested_chats([to(one, None), to(two, None)], trigger=USER)
    assert ask(agent).summary == "1"
    assert heard(two) == []


def test_messages_of_nested_chats_may_be_functions() -> None:
    def opening(recipient: Any, messages: Any, sender: Any, config: Any) -> str:
        return f"{recipient.name} heard {messages[-1]['content']} of {sender.name}"

    async def later(recipient: Any, messages: Any, sender: Any, config: Any) -> str:
        return "later"

    agent, one, two = plain("agent"), plain("one", "1"), plain("two", "2")
    agent.register_nested_chats([to(one, opening), to(two, later)], trigger=USER)
    assert ask(agent).summary == "2"
    assert heard(one) == ["agent heard Hi of user"]
    assert heard(two) == ["later\nContext: \n1"]


def test_a_callable_trigger_decides() -> None:
    agent, inner = plain("agent", "by myself"), plain("inner", "from inside")
    agent.register_nested_chats([to(inner)], trigger=lambda sender: sender.name == "user")
    assert ask(agent).summary == "from inside"
    assert ask(agent, sender=plain("other")).summary == "by myself"


def test_a_reply_function_of_ones_own_for_nested_chats() -> None:
    def reply(queue: Any, recipient: Any, messages: Any, sender: Any, config: Any) -> Any:
        results = recipient.initiate_chats(queue)
        return True, f"{config}: {' and '.join(r.summary for r in results)}"

    agent = plain("agent")
    queue = [to(plain("one", "1")), to(plain("two", "2"))]
    agent.register_nested_chats(queue, USER, reply, config="found")
    assert ask(agent).summary == "found: 1 and 2"
    with pytest.raises(ValueError, match="must be a callable"):
        agent.register_nested_chats(queue, USER, "other_function")


@pytest.mark.parametrize("is_async", [False, True])
def test_async_nested_chats(is_async: bool) -> None:
    agent, two = plain("agent"), plain("two", "2")
    queue = [to(plain("one", "1"), chat_id=1), to(two, chat_id=2, prerequisites=[1])]
    agent.register_nested_chats(queue, USER, use_async=True)
    if is_async:
        chat = USER.a_initiate_chat(agent, message="Hi", max_turns=1)
        assert asyncio.run(chat).summary == "2"
    else:
        assert ask(agent).summary == "2"
    assert heard(two) == ["Hi\nContext: \n1"]


def test_async_nested_chats_need_ids() -> None:
    agent = plain("agent")
    agent.register_nested_chats([to(plain("one"))], USER, use_async=True)
    with pytest.raises(ValueError, match="chat_id is required"):
        ask(agent)


def test_nested_chats_three_deep_with_models() -> None:
    with serving(bottom=["deep"]) as server:
        agents: list[ConversableAgent] = [speaker(server, "bottom")]
        for level in range(3):
            agent = plain(f"level{level}")
            agent.register_nested_chats([to(agents[-1], None)], trigger=ConversableAgent)
            agents.append(agent)
        assert ask(agents[-1], "down").summary == "deep"
        assert server.calls[0]["messages"][-1]["content"] == "down"


# -- sequences


@pytest.mark.parametrize(
    ("carryover", "message"),
    [
        ("own", "Hi\nContext: \nown\n1"),
        (["a", {"content": "b"}, {"other": 1}, 5], "Hi\nContext: \na\nb\n{'other': 1}\n5\n1"),
        ([], "Hi\nContext: \n1"),
    ],
)
def test_carryover_is_added_to(carryover: Any, message: str) -> None:
    two = plain("two", "2")
    USER.initiate_chats([to(plain("one", "1")), to(two, carryover=carryover)])
    assert heard(two) == [message]


def test_carryover_of_another_type_is_refused() -> None:
    with pytest.raises(CarryoverError):
        USER.initiate_chats([to(plain("one"), carryover=5)])


def test_summaries_are_excluded_by_index() -> None:
    three = plain("three")
    excluded = {"finished_chat_indexes_to_exclude_from_carryover": [0]}
    results = USER.initiate_chats(
        [to(plain("one", "1")), to(plain("two", "2")), to(three, **excluded)]
    )
    assert heard(three) == ["Hi\nContext: \n2"]
    assert [r.summary for r in results] == ["1", "2", ""]
    assert USER.get_chat_results(1) is results[1]


def test_a_repeated_recipient_warns() -> None:
    one = plain("one", "1")
    with pytest.warns(UserWarning, match="one is the recipient of several chats"):
        USER.initiate_chats([to(one), to(one)])


def test_a_queue_entry_needs_sender_and_recipient() -> None:
    with pytest.raises(ValueError, match="must have a sender"):
        initiate_chats([to(plain("one"))])
    with pytest.raises(ValueError, match="must have a recipient"):
        USER.initiate_chats([{"message": "Hi"}])


async def test_a_diamond_of_prerequisites_runs_its_sides_together() -> None:
    both = threading.Barrier(2, timeout=20)

    def meet(recipient: Any, messages: Any, sender: Any, config: Any) -> tuple[bool, str]:
        both.wait()
        return True, recipient.name

    sides, end = [plain("left"), plain("right")], plain("end", "done")
    for side in sides:
        side.register_reply(ConversableAgent, meet)
    results = await plain("user").a_initiate_chats(
        [
            to(end, chat_id=4, prerequisites=[2, 3]),
            to(sides[0], chat_id=2, prerequisites=[1]),
            to(sides[1], chat_id=3, prerequisites=[1]),
            to(plain("start", "go"), chat_id=1),
        ]
    )
    assert list(results) == [4, 2, 3, 1]
    assert heard(end) == ["Hi\nContext: \nleft\nright"]
    assert heard(sides[0]) == heard(sides[1]) == ["Hi\nContext: \ngo"]


async def test_a_circle_runs_nothing_of_it() -> None:
    agents = [plain(name, name) for name in "abc"]
    queue = [
        to(agents[0], chat_id=1, prerequisites=[2], sender=USER),
        to(agents[1], chat_id=2, prerequisites=[1], sender=USER),
        to(agents[2], chat_id=3, sender=USER),
    ]
    assert list(await a_initiate_chats(queue)) == [3]
    assert heard(agents[0]) == []


async def test_ids_and_prerequisites_must_exist() -> None:
    with pytest.raises(ValueError, match="unique chat_id"):
        await plain("user").a_initiate_chats([to(plain("one"))])
    with pytest.raises(ValueError, match="no chat with the id 9"):
        await plain("user").a_initiate_chats([to(plain("one"), chat_id=1, prerequisites=[9])])


async def test_what_a_parallel_chat_raises_is_raised() -> None:
    def fails(recipient: Any, messages: Any, sender: Any, config: Any) -> Any:
        raise LookupError("lost")

    bad = plain("bad")
    bad.register_reply(ConversableAgent, fails)
    queue = [
        to(bad, chat_id=1),
        to(plain("b"), chat_id=2),
        to(plain("c"), chat_id=3, prerequisites=[1]),
    ]
    with pytest.raises(LookupError, match="lost"):
        await plain("user").a_initiate_chats(queue)


# -- a society of mind


def society(**arguments: Any) -> tuple[SocietyOfMindAgent, GroupChat]:
    members = [plain("one", "1"), plain("two", "2 TERMINATE ")]
    group = GroupChat(members, speaker_selection_method="round_robin", max_round=3)
    return SocietyOfMindAgent("mind", GroupChatManager(group), **arguments), group


def test_a_society_without_a_model_says_what_was_said_last() -> None:
    mind, group = society()
    assert ask(mind).summary == "2"
    assert [m["content"] for m in group.messages] == ["Hi", "1", "2 TERMINATE "]


def test_a_society_hears_what_was_said_before() -> None:
    with serving(mind=["first answer", "second answer"]) as server:
        mind, group = society(llm_config=config(server, "mind"))
        user = plain("user", "And then?")
        result = user.initiate_chat(mind, message="Hi", max_turns=2)
        contents = [m["content"] for m in server.calls[1]["messages"]]
    assert result.summary == "second answer"
    assert [m["content"] for m in group.messages[:3]] == ["Hi", "first answer", "And then?"]
    assert [m["name"] for m in group.messages[:2]] == ["user", "mind"]
    assert contents[1:-1] == ["And then?", "1", "2 TERMINATE "]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_function_prepares_the_response_and_may_hold_chats(is_async: bool) -> None:
    def prepare(agent: Any, messages: Any) -> str:
        asked = ask(plain("helper", "helped"), sender=plain("preparer"))
        return f"{agent.name}, {len(messages)} messages, {asked.summary}"

    mind, _ = society(response_preparer=prepare)
    if is_async:
        chat = closing(plain("user").a_initiate_chat(mind, message="Hi", max_turns=1))
        assert asyncio.run(chat).summary == "mind, 3 messages, helped"
    else:
        assert ask(mind).summary == "mind, 3 messages, helped"
