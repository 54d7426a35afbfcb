"""The reply pipeline at its public face: order, positions, triggers, silence, configurations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from studio.engine import CodeExecution, ConversableAgent, UserProxyAgent

from .library_user import plain, said, serving, speaker

MESSAGE = [{"role": "user", "content": "Hi"}]
Replying = Callable[..., tuple[bool, Any]]


def says(text: Any, *, final: bool = True) -> Replying:
    def reply(recipient: Any, messages: Any, sender: Any, config: Any) -> tuple[bool, Any]:
        return final, text

    return reply


def reply_of(agent: ConversableAgent, sender: ConversableAgent | None = None) -> Any:
    return agent.generate_reply(messages=MESSAGE, sender=sender or plain("peer"))


def names_of(agent: ConversableAgent) -> list[str]:
    return [entry.function.__name__ for entry in agent.pipeline.entries]


BUILT_IN = ["termination_and_human", "function_call", "tool_calls", "code_execution", "model"]


def test_tools_come_before_code_and_code_before_the_model() -> None:
    assert names_of(plain("a", code_execution=CodeExecution())) == BUILT_IN


def test_what_is_registered_last_is_asked_first() -> None:
    agent, asked = plain("a"), []

    def asks(name: str) -> Replying:
        def reply(recipient: Any, messages: Any, sender: Any, config: Any) -> tuple[bool, Any]:
            asked.append(name)
            return name == "first", name

        return reply

    for name in ("first", "second", "third"):
        agent.register_reply(ConversableAgent, asks(name))
    assert reply_of(agent) == "first"
    assert asked == ["third", "second", "first"]


@pytest.mark.parametrize(
    ("position", "before"),
    [(0, "termination_and_human"), (1, "termination_and_human"), (2, "function_call"),
     (4, "tool_calls"), (6, "code_execution"), (7, "model"), (8, "model"), (99, None)],
)  # fmt: skip
def test_a_position_counts_as_autogens_list_does(position: int, before: str | None) -> None:
    """Its list holds sync and async functions; in a sync chat the sync one of a pair counts."""
    agent = plain("a", code_execution=CodeExecution())
    agent.register_reply(ConversableAgent, says("x"), position)
    names = names_of(agent)
    assert names[-1 if before is None else names.index(before) - 1] == "reply"


PEER = plain("peer")


@pytest.mark.parametrize(
    ("trigger", "fires"),
    [
        (ConversableAgent, True), (UserProxyAgent, False), ("peer", True), ("pee", False),
        (PEER, True), (plain("peer"), False), (lambda sender: sender is PEER, True),
        (lambda sender: False, False), ([UserProxyAgent, "peer"], True), ([], False), (None, False),
        ([None, "peer"], True), (["nobody", [PEER]], True),
    ],
)  # fmt: skip
def test_triggers_of_every_kind(trigger: Any, fires: bool) -> None:
    agent = plain("a", "default")
    agent.register_reply(trigger, says("fired"))
    assert reply_of(agent, PEER) == ("fired" if fires else "default")


def test_a_trigger_for_no_sender() -> None:
    agent = plain("a", "default")
    agent.register_reply([ConversableAgent, None], says("fired"))
    assert agent.generate_reply(messages=MESSAGE) == "fired"


def test_triggers_that_cannot_work() -> None:
    agent = plain("a")
    with pytest.raises(ValueError, match="trigger must be"):
        agent.register_reply(7, says("x"))
    agent.register_reply("peer", says("x"))
    with pytest.raises(ValueError, match="needs a sender"):
        agent.generate_reply(messages=MESSAGE)
    agent.register_reply(lambda sender: "yes", says("x"))
    with pytest.raises(ValueError, match="must return True or False"):
        reply_of(agent)


def test_removing_the_other_reply_functions() -> None:
    agent = plain("a", "default", is_termination_msg=lambda m: True)
    agent.register_reply(ConversableAgent, says(None, final=False), remove_other_reply_funcs=True)
    assert reply_of(agent) == "default"


def test_final_none_is_silence() -> None:
    agent, user = plain("a", "default"), plain("user")
    agent.register_reply(user, says(None))
    assert len(user.initiate_chat(agent, message="Hi").chat_history) == 1


def test_final_empty_text_is_a_message() -> None:
    agent, user = plain("a", "default"), plain("user")
    agent.register_reply(user, says(""))
    user.register_reply(agent, says(None))
    assert said(user.initiate_chat(agent, message="Hi")) == [("user", "Hi"), ("a", "")]


def test_what_is_not_final_is_not_said() -> None:
    agent = plain("a", "default")
    agent.register_reply(ConversableAgent, says("never", final=False))
    assert reply_of(agent) == "default"


def test_a_configuration_is_a_copy_and_reset_gives_the_first_one_back() -> None:
    given, own, told = {"count": 0}, {"count": 0}, []

    def count(recipient: Any, messages: Any, sender: Any, config: Any) -> tuple[bool, Any]:
        config["count"] += 1
        return False, None

    agent = plain("a")
    agent.register_reply(ConversableAgent, count, config=given)
    agent.register_reply(ConversableAgent, count, config=own, reset_config=told.append)
    reply_of(agent)
    assert (given, agent.pipeline.entries[1].config) == ({"count": 0}, {"count": 1})
    agent.reset()
    assert agent.pipeline.entries[1].config == {"count": 0}
    assert told == [{"count": 1}]


def test_arguments_are_given_by_name() -> None:
    def other_order(agent: Any, config: Any, sender: Any, messages: Any) -> tuple[bool, str]:
        return True, f"{messages[-1]['content']} {sender.name} {config}"

    agent = plain("a")
    agent.register_reply(ConversableAgent, other_order, config="c")
    assert reply_of(agent) == "Hi peer c"


def test_excluded_functions_are_not_asked() -> None:
    agent, function = plain("a", "default"), says("x")
    agent.register_reply(ConversableAgent, function)
    assert agent.generate_reply(MESSAGE, plain("peer"), exclude=[function]) == "default"


def test_autogens_names_of_the_steps_exclude_and_reorder() -> None:
    with serving(bob=["from the model", "again"]) as server:
        bob, peer = speaker(server, "bob", default_auto_reply="default"), plain("peer")
        oai = ConversableAgent.generate_oai_reply
        assert bob.generate_reply(MESSAGE, peer, exclude=[oai]) == "default"
        assert bob.generate_oai_reply(MESSAGE, peer) == (True, "from the model")
        bob.register_reply([ConversableAgent, None], oai)
        end = [{"role": "user", "content": "TERMINATE"}]
        assert bob.generate_reply(end, peer) == "again"
    assert bob.check_termination_and_human_reply(end, peer) == (True, None)


def test_neither_messages_nor_sender() -> None:
    with pytest.raises(AssertionError, match="Either messages or sender"):
        plain("a").generate_reply()


def test_messages_of_nobody_are_checked_for_the_end_and_not_counted() -> None:
    agent = plain("a", "default", max_consecutive_auto_reply=2)
    for _ in range(5):
        assert agent.generate_reply(messages=MESSAGE) == "default"
    assert agent.generate_reply(messages=[{"role": "user", "content": "TERMINATE"}]) is None
