"""The bodies that PRODUCT says must work, word for word, and what comes back for them."""

from __future__ import annotations

from typing import Any

import pytest

from ..builders import Json
from ..conftest import InProcess

MODEL = {
    "name": "m", "provider": "openai_compatible", "model": "x",
    "base_url": "http://127.0.0.1:9100/v1", "api_key": "sk-minimal-body-key-1234",
}  # fmt: skip
SKILL = {
    "name": "maths",
    "source": 'def add(a: int, b: int) -> int:\n    """Add two numbers."""\n    return a + b\n',
}


@pytest.fixture(scope="module")
def made(studio: InProcess) -> dict[str, Json]:
    """Each minimal body posted once, in the order of PRODUCT; ids from the calls before."""
    made: dict[str, Json] = {}

    def post(noun: str, body: dict[str, Any]) -> str:
        made[body["name"]] = studio.post(noun, body, 201)
        return str(made[body["name"]]["id"])

    model, skill = post("models", MODEL), post("skills", SKILL)
    planner = post("agents", {
        "name": "Planner", "kind": "assistant", "system_message": "You plan.",
        "models": [model], "skills": [skill],
    })  # fmt: skip
    admin = post("agents", {
        "name": "Admin", "kind": "user_proxy", "human_input_mode": "NEVER",
        "default_auto_reply": "",
    })  # fmt: skip
    team = post("workflows", {
        "name": "team", "kind": "group_chat", "initiator": admin, "agents": [admin, planner],
        "speaker_selection_method": "round_robin", "max_round": 12, "models": [model],
    })  # fmt: skip
    post("workflows", {
        "name": "pair", "kind": "two_agent", "initiator": admin, "recipient": planner,
        "max_turns": 4,
    })  # fmt: skip
    post("workflows", {
        "name": "chain", "kind": "sequential",
        "steps": [{"workflow": team, "message": "Go.", "summary_method": "last_msg"},
                  {"workflow": team, "message": "Again."}],
    })  # fmt: skip
    return made


def test_everything_is_at_revision_one_with_times(made: dict[str, Json]) -> None:
    for shown in made.values():
        assert shown["revision"] == 1
        assert shown["created_at"] == shown["updated_at"]
        assert shown["created_at"].endswith("Z")
        assert len(shown["created_at"]) == len("2026-11-22T17:00:00.000Z")


def test_omitted_fields_have_the_defaults_of_autogen(made: dict[str, Json]) -> None:
    planner, admin, team = made["Planner"], made["Admin"], made["team"]
    assert planner["human_input_mode"] == "NEVER"
    assert planner["code_execution_config"] is False
    assert planner["max_consecutive_auto_reply"] is None
    assert planner["default_auto_reply"] == ""
    assert admin["system_message"] == ""
    assert team["summary_method"] == "last_msg"
    assert team["send_introductions"] is False
    assert made["pair"]["max_turns"] == 4


def test_a_user_proxy_asks_by_default_and_a_group_lets_a_model_choose(studio: InProcess) -> None:
    proxy = studio.create("agents", kind="user_proxy")
    group = studio.create("workflows", kind="group_chat")
    assert proxy["human_input_mode"] == "ALWAYS"
    assert group["speaker_selection_method"] == "auto"
    assert group["max_round"] == 10


def test_a_skill_says_how_its_functions_are_called(made: dict[str, Json]) -> None:
    (add,) = made["maths"]["functions"]
    assert add["name"] == "add"
    assert add["description"] == "Add two numbers."
    assert add["parameters"]["required"] == ["a", "b"]
    assert add["parameters"]["properties"]["a"]["type"] == "integer"


def test_what_is_read_may_be_sent_back_unchanged(studio: InProcess, made: dict[str, Json]) -> None:
    """Derived fields come along with what was read and are ignored; nothing is a new revision."""
    nouns = {"m": "models", "maths": "skills", "Planner": "agents", "Admin": "agents"}
    for name, shown in made.items():
        path = f"{nouns.get(name, 'workflows')}/{shown['id']}"
        assert studio.put(path, studio.get(path)) == shown


def test_a_transition_table_and_every_other_documented_field(
    studio: InProcess, made: dict[str, Json]
) -> None:
    a, b = made["Planner"]["id"], made["Admin"]["id"]
    fields = {
        "kind": "group_chat", "initiator": b, "agents": [a, b],
        "allowed_or_disallowed_speaker_transitions": {a: [b], b: [a]},
        "speaker_transitions_type": "disallowed", "send_introductions": True,
        "is_termination_msg": {"kind": "endswith", "text": "TERMINATE"},
        "termination": {"any": [{"max_messages": 20}, {"all": [{"text": "done"},
                                                                {"tokens": 100}]}]},
        "limits": {"max_messages": 5, "max_tokens": 100, "max_cost_usd": 0.5, "max_seconds": 60},
        "context_variables": {"tries": 1}, "compat": "autogen-0.2",
    }  # fmt: skip
    shown = studio.create("workflows", **fields)
    again = studio.get(f"workflows/{shown['id']}")
    assert again["allowed_or_disallowed_speaker_transitions"] == {a: [b], b: [a]}
    assert again["limits"] == fields["limits"]
    assert again["termination"]["any"][1]["all"][1]["tokens"] == 100
    assert {k: again[k] for k in ("compat", "context_variables", "send_introductions")} == {
        k: fields[k] for k in ("compat", "context_variables", "send_introductions")
    }
