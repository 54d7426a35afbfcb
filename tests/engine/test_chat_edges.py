"""Edges of a two-agent chat: messages, carryover, summaries, limits and memory."""

from __future__ import annotations

from typing import Any

import pytest

from studio.engine import ConversableAgent, GroupChat, GroupChatManager, UserProxyAgent
from studio.engine.errors import CarryoverError

from .library_user import config, plain, said, serving

IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}


def ask(message: Any, reply: Any = "ok", **named: Any) -> Any:
    agent = plain("agent")
    answer = lambda recipient, messages, sender, config: (True, reply)  # noqa: E731
    agent.register_reply(ConversableAgent, answer)
    return plain("user").initiate_chat(agent, message=message, max_turns=1, **named)


def test_sending_without_asking_for_a_reply() -> None:
    a, b = plain("a"), plain("b", "reply")
    a.send("one", b)
    assert [m["content"] for m in b.chat_messages[a]] == ["one"]
    a.send("two", b, request_reply=True)
    assert [m["content"] for m in b.chat_messages[a]] == ["one", "two", "reply"]
    b.receive("three", a, request_reply=True)
    assert [m["content"] for m in a.chat_messages[b]] == ["one", "two", "reply", "reply"]


def test_after_a_chat_both_still_answer_each_other_until_told_not_to() -> None:
    a, b = plain("a", is_termination_msg=lambda m: True), plain("b", "reply")
    a.initiate_chat(b, message="Hi")
    a.send("again", b)
    assert b.last_message(a) == {"content": "reply", "role": "assistant", "name": "b"}
    b.stop_reply_at_receive(a)
    a.send("once more", b)
    assert [m["content"] for m in b.chat_messages[a]][-1] == "once more"


@pytest.mark.parametrize("message", [{}, {"role": "user"}, {"content": None}])
def test_a_message_without_content_and_calls(message: Any) -> None:
    with pytest.raises(ValueError, match="neither content nor calls"):
        ask(message)


def test_a_message_made_by_a_function() -> None:
    def opening(sender: Any, recipient: Any, context: Any) -> str:
        return f"{sender.name} to {recipient.name}: {context['topic']} {context['carryover']}"

    async def later(sender: Any, recipient: Any, context: Any) -> dict[str, Any]:
        return {"content": f"later: {context['topic']}"}

    result = ask(opening, topic="tea", carryover="kept")
    assert said(result)[0] == ("user", "user to agent: tea kept")
    assert said(ask(later, topic="tea"))[0] == ("user", "later: tea")


def test_carryover_goes_before_the_parts_of_a_message() -> None:
    parts = [{"type": "text", "text": "Look"}, IMAGE]
    [first, _] = ask({"content": parts}, carryover=["seen"]).chat_history
    assert first["content"] == [{"type": "text", "text": "\nContext: \nseen"}, *parts]


@pytest.mark.parametrize("carryover", [5, ("a",), {"content": "a"}])
def test_carryover_is_text_or_a_list(carryover: Any) -> None:
    with pytest.raises(CarryoverError, match="string or a list"):
        ask("Hi", carryover=carryover)


def test_no_turns_say_nothing() -> None:
    with pytest.warns(UserWarning, match="agent has no message"):
        result = plain("user").initiate_chat(plain("agent"), message="Hi", max_turns=0)
    assert (result.chat_history, result.summary) == ([], "")


# -- summaries


def test_a_summary_of_parts_is_their_text() -> None:
    parts = [{"type": "text", "text": "a"}, IMAGE, {"type": "text", "text": "b TERMINATE"}]
    assert ask("Hi", {"content": parts}).summary == "a\nb "


@pytest.mark.parametrize("is_async", [False, True])
def test_a_function_makes_the_summary(is_async: bool) -> None:
    def short(sender: Any, recipient: Any, arguments: Any) -> Any:
        return None if arguments == {"none": True} else f"{sender.name}, {recipient.name}"

    async def later(sender: Any, recipient: Any, arguments: Any) -> Any:
        return short(sender, recipient, arguments)

    method = later if is_async else short
    assert ask("Hi", summary_method=method).summary == "user, agent"
    assert ask("Hi", summary_method=method, summary_args={"none": True}).summary == ""


def test_a_refused_reflection_is_no_summary() -> None:
    refused = {"error": {"status": 400, "message": "too long"}}
    with serving(agent=["answer", refused]) as server:
        agent = ConversableAgent("agent", llm_config=config(server, "agent"))
        with pytest.warns(UserWarning, match="no summary"):
            result = plain("user").initiate_chat(
                agent, message="Hi", max_turns=1, summary_method="reflection_with_llm"
            )
    assert result.summary == ""


# -- memory


def test_some_messages_are_kept_and_a_tools_answer_keeps_its_call() -> None:
    a, b = plain("a"), plain("b")
    call = {"content": None, "tool_calls": [{"id": "1"}]}
    a.chat_messages[b] = [
        {"content": "1"},
        call,
        {"content": "r", "tool_responses": [{}]},
        {"content": "4"},
    ]
    a.clear_history(nr_messages_to_preserve=2)
    assert a.chat_messages[b][0] is call
    a.clear_history()
    assert a.chat_messages[b] == []


def test_limits_are_for_one_sender_or_for_all() -> None:
    a, b, c = plain("a"), plain("b"), plain("c")
    a.update_max_consecutive_auto_reply(3, b)
    assert (a.max_consecutive_auto_reply(b), a.max_consecutive_auto_reply(c)) == (3, 100)
    a.update_max_consecutive_auto_reply(1)
    assert (a.max_consecutive_auto_reply(b), a.max_consecutive_auto_reply()) == (1, 1)


def test_the_last_message_of_whom() -> None:
    a, b, c = plain("a"), plain("b"), plain("c")
    assert a.last_message() is None
    a.send("one", b)
    assert (a.last_message() or {})["content"] == "one"
    a.send("two", c)
    with pytest.raises(ValueError, match="several agents"):
        a.last_message()


# -- groups, where functions of a user's own hold chats or wait


def asks(answer: str) -> str:
    return plain("q").initiate_chat(plain("h", answer), message="who?", max_turns=1).summary


def selected(method: Any, **manager: Any) -> list[str]:
    members = [plain("a", "A"), plain("b", "B")]
    group = GroupChat(members, speaker_selection_method=method, max_round=3)
    members[0].initiate_chat(GroupChatManager(group, **manager), message="Hi")
    return [m["content"] for m in group.messages]


def test_a_selecting_function_may_wait_or_hold_chats() -> None:
    async def later(last: Any, group: Any) -> Any:
        return group.agent_by_name("b")

    assert selected(later) == ["Hi", "B", "B"]
    assert selected(lambda last, group: group.agent_by_name(asks("b"))) == ["Hi", "B", "B"]


def test_a_managers_predicate_may_hold_chats() -> None:
    ends = {"is_termination_msg": lambda m: asks("yes") == "yes" and m["content"] == "B"}
    assert selected("round_robin", **ends) == ["Hi", "B"]


def test_a_reply_outside_of_a_chat_asks_at_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda prompt: "typed")
    person = UserProxyAgent("person", code_execution_config=False)
    heard = [{"role": "user", "content": "Hi"}]
    reply = person.generate_reply(messages=heard, sender=plain("peer"))
    assert reply == {"role": "user", "content": "typed"}
