"""The recorded scenarios of AutoGen 0.2.40 come out exactly the same, wire messages included."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .replay import difference, load, play, wire_difference

RECORDING = Path(__file__).parent.parent / "data" / "autogen_0_2.json"
SCENARIOS = {s["name"]: s for s in load([RECORDING])}
OTHER_WIRE = {
    "assistant_defaults": "the assistant's own system message is our text, not AutoGen's",
}


def test_the_recording_holds_all_that_is_replayed() -> None:
    assert len(SCENARIOS) == 143


@pytest.mark.parametrize("name", SCENARIOS)
async def test_scenario_replays_exactly(name: str) -> None:
    scenario = SCENARIOS[name]
    got = await play(scenario, compat=True)
    assert difference(scenario, got) == ""
    assert bool(wire_difference(scenario, got)) == (name in OTHER_WIRE)


def _other_text(scenario: dict[str, Any]) -> None:
    scenario["expected"][-1]["content"] += "!"


def _other_receiver(scenario: dict[str, Any]) -> None:
    scenario["expected"][0]["to"] = "nobody"


def _message_missing(scenario: dict[str, Any]) -> None:
    scenario["expected"].pop()


def _other_summary(scenario: dict[str, Any]) -> None:
    scenario["summaries"] = ["something else"]


def _other_group(scenario: dict[str, Any]) -> None:
    scenario["group_messages"]["chat_manager"][0]["name"] = "carol"


def _unused_reply(scenario: dict[str, Any]) -> None:
    scenario["unused_replies"]["alice"] = 99


def _question_asked(scenario: dict[str, Any]) -> None:
    scenario["human_log"].append({"agent": "alice", "prompt": ">", "input": "x"})


def _failed(scenario: dict[str, Any]) -> None:
    scenario["error"] = {"type": "ValueError", "message": ""}


def _other_files(scenario: dict[str, Any]) -> None:
    scenario["files"] = ["a.py"]


def _other_costs(scenario: dict[str, Any]) -> None:
    scenario["costs"] = [{}]


@pytest.mark.parametrize(
    "change",
    [
        _other_text, _other_receiver, _message_missing, _other_summary, _other_group,
        _unused_reply, _question_asked, _failed, _other_files, _other_costs,
    ],
)  # fmt: skip
async def test_a_changed_recording_is_noticed(change: Callable[[dict[str, Any]], None]) -> None:
    """The harness itself must be able to fail, or the scenarios above prove nothing."""
    changed = copy.deepcopy(SCENARIOS["group_auto_basic"])
    got = await play(changed, compat=True)
    assert difference(changed, got) == ""
    change(changed)
    assert difference(changed, got)


async def test_a_changed_wire_message_is_noticed() -> None:
    changed = copy.deepcopy(SCENARIOS["group_auto_basic"])
    got = await play(changed, compat=True)
    changed["llm_calls"][1]["messages"][0]["content"] += " "
    assert difference(changed, got) == ""
    assert wire_difference(changed, got)


async def test_a_scripted_reply_that_is_not_asked_for_is_noticed() -> None:
    changed = copy.deepcopy(SCENARIOS["two_agent_exact_terminate"])
    name = next(iter(changed["scripted_replies"]))
    changed["scripted_replies"][name].append("never asked for")
    assert difference(changed, await play(changed, compat=True))
