"""The recorded group chats of ag2 0.9.9 come out the same: transcript, history, wire, variables."""

from __future__ import annotations

import asyncio
import copy
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.engine.events import MessageSent
from studio.engine.llm.configured import close_clients
from studio.engine.patterns import a_initiate_group_chat, initiate_group_chat
from studio.engine.sync import run

from .builders import Log, People, context_of
from .group_teams import OPENINGS, ROUNDS, TEAMS, Desk
from .scripted_server import ScriptedServer

RECORDING = Path(__file__).parent.parent / "data" / "ag2_groups.json"
RECORDED = {recorded["name"]: recorded for recorded in json.loads(RECORDING.read_text())}
SHOWN = ("tool_calls", "tool_responses", "role")


def alike(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages with "" as the content of bare calls.

    ag2 0.9.9 tells the group the text "None" where there was no content. A model would read it as
    something that was said: on purpose we do not do the same.
    """
    said = [dict(message) for message in messages]
    for message in said:
        if message.get("tool_calls") and message["content"] == "None":
            message["content"] = ""
    return said


def called(call: dict[str, Any]) -> dict[str, Any]:
    tools = [tool["function"] for tool in call.get("tools", [])]
    return {
        "agent": call["agent"],
        "tools": [[tool["name"], tool["description"]] for tool in tools],
        "messages": alike(call["messages"]),
    }


def shown(event: MessageSent) -> dict[str, Any]:
    said = {"speaker": event.agent, "to": event.to, "content": event.content}
    return said | {key: getattr(event, key) for key in SHOWN if getattr(event, key)}


async def played(recorded: dict[str, Any], *, waits: bool = False) -> dict[str, Any]:
    """Runs a team against a scripted server; what it did, in the shape of the recording.

    With `waits` the program is a sync one, in a thread of its own.
    """
    name, log = recorded["name"], Log()
    people = People([text for texts in recorded["human_inputs"].values() for text in texts])
    async with ScriptedServer(recorded["scripted_replies"]) as server:
        pattern = TEAMS[name](Desk(server.port))
        opening, rounds = OPENINGS.get(name, "hi"), ROUNDS.get(name, 20)
        if waits:
            result, variables, last = await asyncio.to_thread(
                initiate_group_chat, pattern, opening, rounds, context=context_of(log, people)
            )
            await asyncio.to_thread(run, close_clients())
        else:
            result, variables, last = await a_initiate_group_chat(
                pattern, opening, rounds, context=context_of(log, people)
            )
            await close_clients()
    asked = Counter(question.agent for question in people.asked)
    return {
        "expected": [shown(e) for _, e in log.events if isinstance(e, MessageSent)],
        "chat_history": alike(result.chat_history),
        "llm_calls": [called(call) for call in server.calls],
        "context_variables": variables.to_dict(),
        "summary": result.summary,
        "last_speaker": last.name,
        "asked": dict(asked),
        "unused_replies": {name: len(left) for name, left in server.replies.items() if left},
    }


def wanted(recorded: dict[str, Any]) -> dict[str, Any]:
    """The recording in the same shape; what was not recorded follows from its model calls."""
    calls = Counter(call["agent"] for call in recorded["llm_calls"])
    unused = {n: len(r) - calls[n] for n, r in recorded["scripted_replies"].items()}
    kept = ("expected", "context_variables", "summary", "last_speaker")
    return {key: recorded[key] for key in kept} | {
        "chat_history": alike(recorded["chat_history"]),
        "llm_calls": [{**c, "messages": alike(c["messages"])} for c in recorded["llm_calls"]],
        "asked": {name: len(texts) for name, texts in recorded["human_inputs"].items()},
        "unused_replies": {name: count for name, count in unused.items() if count},
    }


def test_every_recording_has_a_team() -> None:
    assert set(TEAMS) == set(RECORDED)


@pytest.mark.parametrize("waits", [False, True], ids=["async", "sync"])
@pytest.mark.parametrize("name", RECORDED)
async def test_a_recorded_group_chat_comes_out_the_same(name: str, waits: bool) -> None:
    assert await played(RECORDED[name], waits=waits) == wanted(RECORDED[name])


def _other_text(recorded: dict[str, Any]) -> None:
    recorded["expected"][-1]["content"] += "!"


def _other_history(recorded: dict[str, Any]) -> None:
    recorded["chat_history"][0]["name"] = "_User"


def _other_tool(recorded: dict[str, Any]) -> None:
    recorded["llm_calls"][0]["tools"][0][1] += "!"


def _other_wire(recorded: dict[str, Any]) -> None:
    recorded["llm_calls"][-1]["messages"].pop()


def _other_variables(recorded: dict[str, Any]) -> None:
    recorded["context_variables"]["n"] = 4


@pytest.mark.parametrize(
    "change", [_other_text, _other_history, _other_tool, _other_wire, _other_variables]
)
async def test_a_changed_recording_is_noticed(change: Callable[[dict[str, Any]], None]) -> None:
    """The comparison must be able to fail, or the recordings above prove nothing."""
    changed = copy.deepcopy(RECORDED["group_reply_result"])
    got = await played(changed)
    change(changed)
    assert got != wanted(changed)


async def test_no_tool_shows_the_context_variables_and_agents_are_as_before() -> None:
    recorded = RECORDED["group_reply_result"]
    async with ScriptedServer(recorded["scripted_replies"]) as server:
        desk = Desk(server.port)
        pattern = TEAMS[recorded["name"]](desk)
        tools, entries = list(desk.triage.tools), list(desk.triage.pipeline.entries)
        await a_initiate_group_chat(pattern, "hi", context=context_of())
        await close_clients()
    parameters = server.calls[0]["tools"][0]["function"]["parameters"]
    assert list(parameters["properties"]) == parameters["required"] == ["x"]
    assert desk.triage.tools == tools
    assert desk.triage.pipeline.entries == entries
    assert not any(desk.triage.hook_lists.values())
