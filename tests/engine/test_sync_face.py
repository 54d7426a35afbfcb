"""The sync face: plain threads, running event loops, chats inside chats, async functions."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest

from studio.engine import ConversableAgent, a_initiate_chats
from studio.engine.sync import run

from .library_user import closing, plain, said, serving, speaker


def test_a_chat_from_a_plain_thread() -> None:
    with serving(bob=["Hello, Ann."]) as server:
        result = plain("ann").initiate_chat(speaker(server, "bob"), message="Hi", max_turns=1)
    assert said(result) == [("ann", "Hi"), ("bob", "Hello, Ann.")]
    assert result.summary == "Hello, Ann."


async def test_a_sync_chat_inside_a_running_event_loop() -> None:
    """As in a Jupyter cell: the cell's loop waits, the chat has a loop of its own."""
    with serving(bob=["Hello."]) as server:
        result = plain("ann").initiate_chat(speaker(server, "bob"), message="Hi", max_turns=1)
    assert result.summary == "Hello."


async def test_an_async_chat_in_the_users_own_loop() -> None:
    with serving(bob=["Hello."]) as server:
        chat = plain("ann").a_initiate_chat(speaker(server, "bob"), message="Hi", max_turns=1)
        assert (await closing(chat)).summary == "Hello."


def _reply_function(agent: ConversableAgent, call: Any) -> None:
    agent.register_reply(
        ConversableAgent, lambda recipient, messages, sender, config: (True, call())
    )


def _termination(agent: ConversableAgent, call: Any) -> None:
    heard: list[str] = []
    agent.is_termination_msg = lambda message: bool(heard.append(call()))  # type: ignore[func-returns-value]
    agent.default_auto_reply = ""
    _reply_function(agent, lambda: heard[-1])
    agent.pipeline.entries.append(agent.pipeline.entries.pop(0))
    agent.pipeline.entries.pop(3)  # no model


def _hook(agent: ConversableAgent, call: Any) -> None:
    agent.register_hook("process_last_received_message", lambda content: call())
    _reply_function(agent, lambda: agent.name)
    entry = agent.pipeline.entries[0]
    entry.function = lambda recipient, messages, sender, config: (True, messages[-1]["content"])


def _tool(agent: ConversableAgent, call: Any) -> None:
    agent.register_function({"deeper": call})
    asked = {"id": "1", "type": "function", "function": {"name": "deeper", "arguments": "{}"}}

    def through_the_tool(recipient: Any, messages: Any, sender: Any, config: Any) -> Any:
        message = {"role": "assistant", "content": None, "tool_calls": [asked]}
        answer = recipient.generate_reply(messages=[message], sender=sender)
        return True, answer["content"]

    agent.register_reply(ConversableAgent, through_the_tool)
    fires = agent.pipeline.entries[0]
    fires.trigger = lambda sender: not agent.chat_messages[sender][-1].get("seen")
    own = fires.function

    def once(recipient: Any, messages: Any, sender: Any, config: Any) -> Any:
        recipient.chat_messages[sender][-1]["seen"] = True
        return own(recipient, messages=messages, sender=sender, config=config)

    fires.function = once


@pytest.mark.parametrize("way", [_reply_function, _tool, _termination, _hook])
@pytest.mark.parametrize("is_async", [False, True])
def test_sync_chats_inside_each_other_five_deep(way: Any, is_async: bool) -> None:
    """Each agent's answer is what the next agent says in a sync chat that the first one holds."""
    with serving(bottom=["the bottom"]) as server:
        agents: list[ConversableAgent] = [speaker(server, "bottom")]

        def ask(below: ConversableAgent) -> str:
            asker = plain(f"asks_{below.name}")
            return asker.initiate_chat(below, message="Deeper.", max_turns=1).summary

        for level in range(5):
            below, agent = agents[-1], plain(f"level{level}")
            way(agent, lambda below=below: ask(below))
            agents.append(agent)
        if is_async:
            chat = plain("top").a_initiate_chat(agents[-1], message="Down.", max_turns=1)
            result = asyncio.run(closing(chat))
        else:
            result = plain("top").initiate_chat(agents[-1], message="Down.", max_turns=1)
    assert result.summary == "the bottom"


def test_a_tool_may_run_an_event_loop_of_its_own() -> None:
    """The functions of that loop's chat must not wait for the thread that waits for the tool."""
    helper = plain("helper")
    helper.register_reply("asker", lambda recipient, messages, sender, config: (True, "helped"))

    def ask() -> str:
        chat = plain("asker").a_initiate_chat(helper, message="Help", max_turns=1)
        return str(asyncio.run(chat).summary)

    agent = plain("agent")
    agent.register_reply(
        ConversableAgent, lambda recipient, messages, sender, config: (True, ask())
    )
    assert plain("user").initiate_chat(agent, message="Hi", max_turns=1).summary == "helped"


def test_two_threads_hold_a_chat_each() -> None:
    """Both are inside a reply function at once, or neither would go on."""
    both = threading.Barrier(2, timeout=20)
    summaries: dict[str, str] = {}

    def meet(recipient: Any, messages: Any, sender: Any, config: Any) -> tuple[bool, Any]:
        both.wait()
        return False, None

    def hold(name: str) -> None:
        agent = speaker(server, name)
        agent.register_reply(ConversableAgent, meet)
        chat = plain("user").initiate_chat(agent, message="Hi", max_turns=1)
        summaries[name] = chat.summary

    with serving(one=["1"], two=["2"]) as server:
        threads = [threading.Thread(target=hold, args=(name,)) for name in ("one", "two")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert summaries == {"one": "1", "two": "2"}


def test_plain_functions_run_in_the_waiting_thread() -> None:
    seen = []
    agent = plain("agent", is_termination_msg=lambda m: bool(seen.append(threading.get_ident())))  # type: ignore[func-returns-value]
    plain("user").initiate_chat(agent, message="Hi", max_turns=1)
    assert set(seen) == {threading.get_ident()}


def test_a_sync_call_on_the_engines_own_loop_is_refused() -> None:
    async def inside() -> None:
        plain("a").initiate_chat(plain("b"), message="Hi", max_turns=1)

    with pytest.raises(RuntimeError, match="inside the event loop; await its a_ twin"):
        run(inside())


def test_an_async_reply_function_needs_an_async_chat() -> None:
    async def late(recipient: Any, messages: Any, sender: Any, config: Any) -> tuple[bool, str]:
        return True, "late"

    agent, user = plain("agent", "plain"), plain("user")
    agent.register_reply(user, late)
    with pytest.raises(RuntimeError, match=r"async chats \(a_initiate_chat\): late"):
        user.initiate_chat(agent, message="Hi", max_turns=1)
    assert not agent.chat_messages[user]
    chat = user.a_initiate_chat(agent, message="Hi", max_turns=1)
    assert asyncio.run(chat).summary == "late"


def test_an_async_reply_function_that_may_be_ignored_is() -> None:
    async def late(recipient: Any, messages: Any, sender: Any, config: Any) -> tuple[bool, str]:
        return True, "late"

    agent, user = plain("agent", "plain"), plain("user")
    agent.register_reply(user, late, ignore_async_in_sync_chat=True)
    assert user.initiate_chat(agent, message="Hi", max_turns=1).summary == "plain"
    chat = user.a_initiate_chat(agent, message="Hi", max_turns=1)
    assert asyncio.run(chat).summary == "late"


async def test_functions_of_parallel_async_chats_run_at_once() -> None:
    both = threading.Barrier(2, timeout=20)

    def meet(recipient: Any, messages: Any, sender: Any, config: Any) -> tuple[bool, str]:
        both.wait()
        return True, recipient.name

    agents = [plain("one"), plain("two")]
    for agent in agents:
        agent.register_reply(ConversableAgent, meet)
    queue = [
        {"chat_id": i, "sender": plain("user"), "recipient": a, "message": "Hi", "max_turns": 1}
        for i, a in enumerate(agents)
    ]
    results = await a_initiate_chats(queue)
    assert [r.summary for r in results.values()] == ["one", "two"]


def test_a_forked_process_has_a_loop_of_its_own() -> None:
    """multiprocessing and prefork servers fork a program that has held chats already."""
    program = (
        "import os\n"
        "from studio.engine import ConversableAgent\n"
        "def ask():\n"
        "    a, b = (ConversableAgent(n, human_input_mode='NEVER') for n in 'ab')\n"
        "    return a.initiate_chat(b, message='Hi', max_turns=1)\n"
        "ask()\n"
        "child = os.fork()\n"
        "ask()\n"
        "assert child == 0 or os.waitpid(child, 0)[1] == 0\n"
    )
    # from 3.12 on Python warns of forks in a process with threads, as this one is
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
