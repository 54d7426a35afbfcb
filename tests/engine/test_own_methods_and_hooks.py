"""Methods that a subclass overrides, and hooks: both are honoured wherever an agent speaks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from studio.engine import (
    AssistantAgent,
    ConversableAgent,
    GroupChat,
    GroupChatManager,
    UserProxyAgent,
)
from studio.engine.pipeline import HOOKS

from .library_user import plain


class Plain(ConversableAgent):
    def generate_reply(self, messages: Any = None, sender: Any = None, **kwargs: Any) -> Any:
        return f"my own, then {super().generate_reply(messages, sender, **kwargs)}"


class Later(ConversableAgent):
    async def a_generate_reply(self, messages: Any = None, sender: Any = None, **kw: Any) -> Any:
        return f"my own, then {await super().a_generate_reply(messages, sender, **kw)}"


class Both(Plain, ConversableAgent):
    async def a_generate_reply(self, messages: Any = None, sender: Any = None, **kw: Any) -> Any:
        return "the async one"

    def generate_reply(self, messages: Any = None, sender: Any = None, **kwargs: Any) -> Any:
        return "the sync one"


def _held(agent: ConversableAgent, *, in_group: bool, is_async: bool) -> str:
    user: ConversableAgent = plain("user")
    recipient = agent
    if in_group:
        group = GroupChat([user, agent], speaker_selection_method="round_robin", max_round=2)
        recipient = GroupChatManager(group)
    named: dict[str, Any] = {"message": "Hi", "max_turns": 1}
    if is_async:
        return str(asyncio.run(user.a_initiate_chat(recipient, **named)).summary)
    return user.initiate_chat(recipient, **named).summary


@pytest.mark.parametrize("in_group", [False, True])
@pytest.mark.parametrize("is_async", [False, True])
def test_overridden_replies_are_honoured(in_group: bool, is_async: bool) -> None:
    for kind in (Plain, Later):
        agent = kind("a", human_input_mode="NEVER", default_auto_reply="the default")
        answer = _held(agent, in_group=in_group, is_async=is_async)
        assert answer == "my own, then the default"
    both = _held(Both("a"), in_group=in_group, is_async=is_async)
    assert both == ("the async one" if is_async else "the sync one")


class Typed(UserProxyAgent):
    def get_human_input(self, prompt: str) -> str:
        return "typed"


class TypedLater(UserProxyAgent):
    async def a_get_human_input(self, prompt: str) -> str:
        return "typed later"


class TypedBoth(Typed, TypedLater): ...


@pytest.mark.parametrize("in_group", [False, True])
@pytest.mark.parametrize("is_async", [False, True])
def test_overridden_questions_are_honoured(in_group: bool, is_async: bool) -> None:
    both = "typed later" if is_async else "typed"
    for kind, text in ((Typed, "typed"), (TypedLater, "typed later"), (TypedBoth, both)):
        agent = kind("a", code_execution_config=False)
        assert _held(agent, in_group=in_group, is_async=is_async) == text
        assert agent.human_input == [text]


def test_a_method_replaced_on_one_agent_is_honoured() -> None:
    agent = UserProxyAgent("a", code_execution_config=False)
    agent.get_human_input = lambda prompt: "replaced"  # type: ignore[method-assign]
    assert _held(agent, in_group=False, is_async=False) == "replaced"


# -- hooks


@pytest.mark.parametrize("is_async", [False, True])
def test_hooks_in_their_order(is_async: bool) -> None:
    """In a sync chat the last message is changed before all messages, in an async one after."""
    agent = plain("a", "answer")
    kept: list[str] = []
    agent.register_hook(
        "process_last_received_message", lambda text: kept.append("last") or text + "!"
    )
    agent.register_hook(
        "process_all_messages_before_reply", lambda messages: kept.append("all") or messages
    )
    agent.register_hook(
        "process_message_before_send",
        lambda sender, silent, recipient, message: f"{message} of {sender.name}",
    )
    agent.register_reply(
        ConversableAgent,
        lambda recipient, messages, sender, config: (True, messages[-1]["content"]),
    )
    assert _held(agent, in_group=False, is_async=is_async) == "Hi! of a"
    assert kept == (["all", "last"] if is_async else ["last", "all"])
    assert [m[0]["content"] for m in agent.chat_messages.values()] == ["Hi"]


def test_async_hooks_are_awaited() -> None:
    async def louder(content: str) -> str:
        return content + "!"

    async def signed(sender: Any, message: Any, recipient: Any, silent: Any) -> str:
        return f"{message} of {sender.name}"

    async def all_of(messages: Any) -> Any:
        return [*messages[:-1], {**messages[-1], "content": messages[-1]["content"] + "?"}]

    agent = plain("a")
    agent.register_hook("a_process_last_received_message", louder)
    agent.register_hook("a_process_all_messages_before_reply", all_of)
    agent.register_hook("a_process_message_before_send", signed)
    agent.register_reply(
        ConversableAgent,
        lambda recipient, messages, sender, config: (True, messages[-1]["content"]),
    )
    assert _held(agent, in_group=True, is_async=True) == "Hi?! of a"


@pytest.mark.parametrize(
    "message",
    [{"content": "exit"}, {"content": None, "function_call": {"name": "f", "arguments": "{}"}},
     {"content": "x", "context": {}}],
)  # fmt: skip
def test_messages_that_no_hook_of_the_last_one_sees(message: Any) -> None:
    agent = plain("a")
    agent.register_hook("process_last_received_message", lambda text: pytest.fail("was called"))
    agent.generate_reply(messages=[{"role": "user", **message}], sender=plain("peer"))


def test_hooks_are_registered_once_and_by_a_known_name() -> None:
    agent = AssistantAgent("a")
    for name in HOOKS:
        agent.register_hook(name, print)
        with pytest.raises(AssertionError, match="already registered"):
            agent.register_hook(name, print)
    with pytest.raises(AssertionError, match="not a hookable method"):
        agent.register_hook("process_everything", print)
