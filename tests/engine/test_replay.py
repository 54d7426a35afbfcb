"""The recorded scenarios of AutoGen 0.2.40 come out exactly the same, wire messages included."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .replay import difference, load, play, wire_difference

RECORDING = Path(__file__).parent.parent / "data" / "autogen_0_2.json"
PREFIXES = (
    "two_agent_", "mcar_", "max_turns_", "group_round_robin_", "group_auto_", "group_mention_",
    "group_transitions_", "terminate_mode_", "always_mode_", "failover_",
)  # fmt: skip
NAMES = (
    "exit_is_exact", "always_mcar_0_empty_sends_empty", "message_none_prompts_human",
    "group_send_introductions", "group_two_agents_no_repeat", "summary_none",
    "group_manual_restricted_skip_ignores_graph", "group_bad_transitions_and_repeat",
    "group_bad_method", "group_method_case_insensitive", "group_member_mcar",
    "group_last_msg_summary", "group_max_turns_2", "group_empty_message_turn",
    "group_termination_manager", "group_agent_termination_not_manager",
    "group_manager_default_termination", "group_manager_mcar_0_still_runs", "group_of_groups",
    "group_second_chat_clears", "group_second_chat_keep", "initial_message_terminate",
    "sender_mutual_roles", "default_auto_reply_no_llm", "empty_llm_reply_none",
    "termination_before_code", "single_message_two_images_to_str", "multimodal_content_list",
)  # fmt: skip
SCENARIOS = {
    s["name"]: s for s in load([RECORDING]) if s["name"].startswith(PREFIXES) or s["name"] in NAMES
}
# Recorded crashes of the reference: ENGINE asks for something better (covered elsewhere).
del SCENARIOS["failover_all_fail"]


def test_the_recording_holds_all_that_is_replayed() -> None:
    assert set(NAMES) <= set(SCENARIOS)
    first_seven = [name for name in SCENARIOS if name.startswith(PREFIXES[:7])]
    assert len(first_seven) == 29


@pytest.mark.parametrize("name", SCENARIOS)
async def test_scenario_replays_exactly(name: str) -> None:
    scenario = SCENARIOS[name]
    got = await play(scenario, compat=True)
    assert difference(scenario, got) == ""
    assert wire_difference(scenario, got) == ""


async def test_when_every_model_fails_the_chat_fails_after_asking_each_once() -> None:
    scenario = next(s for s in load([RECORDING]) if s["name"] == "failover_all_fail")
    got = await play(scenario, compat=True)
    assert got["error"] == "ModelError"
    assert got["expected"] == scenario["expected"]
    assert wire_difference(scenario, got) == ""


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


@pytest.mark.parametrize(
    "change",
    [
        _other_text, _other_receiver, _message_missing, _other_summary, _other_group,
        _unused_reply, _question_asked, _failed,
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
