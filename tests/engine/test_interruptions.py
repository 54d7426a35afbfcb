"""Ctrl-C and the end of the input: who goes on, and that the engine stays alive."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from studio.engine import ConversableAgent, GroupChat, GroupChatManager

from .library_user import plain

ROOT = Path(__file__).resolve().parents[2]


class Impatient(ConversableAgent):
    """Its person presses Ctrl-C instead of answering."""

    def get_human_input(self, prompt: str) -> str:
        raise KeyboardInterrupt


def test_an_interrupted_question_ends_the_chat() -> None:
    person = Impatient("person", human_input_mode="ALWAYS")
    with pytest.raises(KeyboardInterrupt):
        plain("user").initiate_chat(person, message="Hi")
    assert plain("user").initiate_chat(plain("b", "still"), message="Hi", max_turns=1).summary


@pytest.mark.parametrize("has_admin", [True, False])
def test_an_interrupted_question_in_a_group_is_the_admins_turn(has_admin: bool) -> None:
    person = Impatient("person", human_input_mode="ALWAYS")
    opener, admin = plain("opener"), plain("Admin" if has_admin else "other", "I take over")
    group = GroupChat([opener, person, admin], speaker_selection_method="round_robin", max_round=2)
    manager = GroupChatManager(group)
    if has_admin:
        assert opener.initiate_chat(manager, message="Hi").summary == "I take over"
    else:
        with pytest.raises(KeyboardInterrupt):
            opener.initiate_chat(manager, message="Hi")


def test_an_interruption_in_parallel_chats_leaves_the_engine_alive() -> None:
    """They are tasks of the engine's loop, which a KeyboardInterrupt would end."""
    person = Impatient("person", human_input_mode="ALWAYS")
    queue = [
        {"chat_id": 1, "recipient": person, "message": "Hi", "max_turns": 1},
        {"chat_id": 2, "recipient": plain("b"), "message": "Hi", "max_turns": 1},
    ]
    agent, user = plain("agent"), plain("user")
    agent.register_nested_chats(queue, trigger=user, use_async=True)
    with pytest.raises(KeyboardInterrupt):
        user.initiate_chat(agent, message="Hi", max_turns=1)
    assert user.initiate_chat(plain("c", "alive"), message="Hi", max_turns=1).summary == "alive"


CHILD = """
import sys
from studio.engine import *

name, port = sys.argv[1], sys.argv[2]
llm = {"config_list": [{"model": "m", "api_key": "k", "base_url": f"http://127.0.0.1:{port}/v1"}]}
quiet = dict(human_input_mode="NEVER")
opener = ConversableAgent("opener", **quiet)
thinker = ConversableAgent("thinker", llm_config=llm, **quiet)
other = ConversableAgent(name, default_auto_reply="I take over", **quiet)
group = GroupChat([opener, thinker, other], speaker_selection_method="round_robin", max_round=2)
try:
    result = opener.initiate_chat(GroupChatManager(group), message="Hi")
except KeyboardInterrupt:
    print("INTERRUPTED")
else:
    print("SUMMARY", result.summary)
"""


@pytest.mark.parametrize(
    ("name", "ending"), [("Admin", "SUMMARY I take over"), ("x", "INTERRUPTED")]
)
async def test_ctrl_c_during_a_model_call(name: str, ending: str) -> None:
    """A real SIGINT in a program of its own, while its model thinks."""
    asked = asyncio.Event()

    async def thinks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()  # until the other side hangs up
        writer.close()

    async with await asyncio.start_server(thinks, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHILD, name, str(port),
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        await asyncio.wait_for(asked.wait(), 30)
        os.kill(child.pid, signal.SIGINT)
        out, err = await asyncio.wait_for(child.communicate(), 30)
    assert out.decode().strip().splitlines()[-1] == ending, err.decode()
    assert child.returncode == 0


def test_the_end_of_the_input_is_exit() -> None:
    """A program whose input is closed ends its chat as a person would."""
    program = (
        "from studio.engine import *\n"
        "a = UserProxyAgent('a', code_execution_config=False)\n"
        "b = ConversableAgent('b', human_input_mode='NEVER', default_auto_reply='Well?')\n"
        "print('TURNS', len(a.initiate_chat(b, message='Hi').chat_history))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False, cwd=ROOT, timeout=60,
    )  # fmt: skip
    assert done.stdout.endswith("TURNS 2\n"), done.stderr
