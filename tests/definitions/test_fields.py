"""What a definition may not say, and that the answer points at the field."""

from __future__ import annotations

from typing import Any

import pytest

from ..builders import Json, unique
from ..conftest import InProcess

PROXY = {"kind": "user_proxy"}
GROUP = {"kind": "group_chat"}
GRAPH = {"kind": "graph", "nodes": []}


def _locs(problem: Json) -> list[list[str | int]]:
    return [error["loc"] for error in problem["errors"]]


@pytest.mark.parametrize(
    ("noun", "body", "loc"),
    [
        ("models", {"colour": "red"}, ["colour"]),
        ("models", {"parameters": {"heat": 1}}, ["parameters", "heat"]),
        ("models", {"price": {"inputs": 1}}, ["price", "inputs"]),
        ("skills", {"source": "def f() -> int:\n    return 1\n", "run": True}, ["run"]),
        ("agents", {"llm_config": {}}, ["llm_config"]),
        ("agents", {**PROXY, "reply": {"kinds": "text"}}, ["reply", "kinds"]),
        ("agents", {"code_execution_config": {"work_dir": "/"}},
         ["code_execution_config", "work_dir"]),
        ("agents", {"code_execution_config": {"use_docker": False}},
         ["code_execution_config", "use_docker"]),
        ("agents", {"examples": [{"user": "a", "assistant": "b", "x": 1}]}, ["examples", 0, "x"]),
        ("workflows", {**GROUP, "admin_name": "x"}, ["admin_name"]),
        ("workflows", {**GROUP, "limits": {"max_rounds": 1}}, ["limits", "max_rounds"]),
        ("workflows", {**GROUP, "termination": {"any": [{"max_message": 1}]}},
         ["termination", "any", 0, "max_message"]),
    ],
)  # fmt: skip
def test_unknown_fields_are_refused_with_their_path(
    studio: InProcess, noun: str, body: dict[str, Any], loc: list[str | int]
) -> None:
    problem = studio.refused("POST", noun, {"name": unique("u"), **body})
    assert loc in _locs(problem)


@pytest.mark.parametrize(
    ("noun", "body", "loc"),
    [
        ("models", {"provider": "magic"}, ["provider"]),
        ("models", {"base_url": "ftp://host/v1"}, ["base_url"]),
        ("models", {"base_url": "http://user:pass@host/v1"}, ["base_url"]),
        ("models", {"base_url": "http://host:99999/v1"}, ["base_url"]),
        ("models", {"parameters": {"temperature": 3}}, ["parameters", "temperature"]),
        ("models", {"timeout": 0}, ["timeout"]),
        ("models", {"api_key": "two words"}, ["api_key"]),
        ("agents", {"human_input_mode": "SOMETIMES"}, ["human_input_mode"]),
        ("agents", {"max_consecutive_auto_reply": -1}, ["max_consecutive_auto_reply"]),
        ("agents", {"is_termination_msg": {"kind": "regex"}}, ["is_termination_msg", "kind"]),
        ("workflows", {**GROUP, "max_round": 0}, ["max_round"]),
        ("workflows", {**GROUP, "max_round": 10_001}, ["max_round"]),
        ("workflows", {**GROUP, "max_round": -1}, ["max_round"]),
        ("workflows", {**GROUP, "max_round": 1.5}, ["max_round"]),
        ("workflows", {**GROUP, "max_round": "x"}, ["max_round"]),
        ("workflows", {**GROUP, "limits": {"max_messages": 0}}, ["limits", "max_messages"]),
        ("workflows", {**GROUP, "agents": ["nobody"]}, ["agents", 0]),
        ("workflows", {**GROUP, "initiator": "nobody"}, ["initiator"]),
        ("agents", {"models": ["nothing"]}, ["models", 0]),
        ("workflows", {"kind": "sequential", "steps": [{"workflow": "nothing"}]},
         ["steps", 0, "workflow"]),
    ],
)  # fmt: skip
def test_wrong_values_are_refused_with_their_path(
    studio: InProcess, noun: str, body: dict[str, Any], loc: list[str | int]
) -> None:
    problem = studio.refused("POST", noun, {"name": unique("w"), **body})
    assert _locs(problem) == [loc]
    assert problem["errors"][0]["msg"]


@pytest.mark.parametrize("kind", [None, "round_table", 7])
@pytest.mark.parametrize("noun", ["agents", "workflows"])
def test_an_unknown_kind_is_said_at_kind(studio: InProcess, noun: str, kind: object) -> None:
    problem = studio.refused("POST", noun, {"name": unique("k"), "kind": kind})
    assert _locs(problem) == [["kind"]]


def test_a_workflow_must_say_its_kind(studio: InProcess) -> None:
    assert _locs(studio.refused("POST", "workflows", {"name": unique("k")})) == [["kind"]]


def test_a_graph_must_be_connected_by_nodes_that_exist(studio: InProcess) -> None:
    edges = [{"from": "a", "to": "b"}]
    studio.refused("POST", "workflows", {"name": unique("g"), **GRAPH, "edges": edges})


@pytest.mark.parametrize("name", ["", "   ", "a/b", "a\nb", "x" * 65, "<b>", "a\x00b", "name?"])
@pytest.mark.parametrize("noun", ["models", "agents"])
def test_names_that_are_refused(studio: InProcess, noun: str, name: str) -> None:
    assert ["name"] in _locs(studio.refused("POST", noun, {"name": name}))


def test_names_may_hold_letters_of_any_language_and_some_signs(studio: InProcess) -> None:
    for name in ("Ünïcode-名前_1.5", "x" * 64, "with space"):
        assert studio.create("models", name=name)["name"] == name


def test_an_agent_has_no_space_in_its_name(studio: InProcess) -> None:
    problem = studio.refused("POST", "agents", {"name": "two words"})
    assert _locs(problem) == [["name"]]


def test_a_name_is_taken_once_for_each_noun(studio: InProcess) -> None:
    name = unique("Twin")
    first = studio.create("agents", name=name)
    assert _locs(studio.refused("POST", "agents", {"name": name})) == [["name"]]
    other = studio.create("agents")
    clash = {"name": name, "kind": "assistant"}
    assert _locs(studio.refused("PUT", f"agents/{other['id']}", clash)) == [["name"]]
    assert studio.get(f"agents/{other['id']}")["revision"] == 1
    studio.create("models", name=name)
    studio.call("DELETE", f"agents/{first['id']}")
    studio.create("agents", name=name)


def test_a_missing_name_is_said_at_name(studio: InProcess) -> None:
    for noun, body in (("models", {}), ("agents", {}), ("workflows", GROUP)):
        assert ["name"] in _locs(studio.refused("POST", noun, body))
