"""Saving with gaps is allowed; /check and POST /sessions say what is missing."""

from __future__ import annotations

from typing import Any

import pytest

from ..builders import Json
from ..conftest import InProcess


def found(problems: list[Json], *, blocking: bool) -> set[tuple[str, str]]:
    return {
        (".".join(map(str, p["loc"])), p["code"]) for p in problems if p["blocking"] is blocking
    }


def check(studio: InProcess, workflow: str) -> list[Json]:
    found: list[Json] = studio.post(f"workflows/{workflow}/check", status=200)["problems"]
    return found


def expect_refused(studio: InProcess, workflow: str, wanted: set[tuple[str, str]]) -> None:
    """/check lists the problems as blocking, and a session is refused with the same list."""
    problems = check(studio, workflow)
    assert wanted <= found(problems, blocking=True)
    assert all(p["msg"] for p in problems)
    before = len(studio.everything("sessions"))
    refused = studio.refused("POST", "sessions", {"workflow": workflow, "message": "Begin."})
    assert found(refused["errors"], blocking=True) == found(problems, blocking=True)
    assert len(studio.everything("sessions")) == before


def test_an_empty_group_lacks_an_initiator_and_members(studio: InProcess) -> None:
    group = studio.create("workflows", kind="group_chat", models=[], agents=[])
    wanted = {("initiator", "agent_missing"), ("agents", "too_few_agents")}
    expect_refused(studio, group["id"], wanted)


def test_a_pair_without_agents(studio: InProcess) -> None:
    pair = studio.create("workflows", kind="two_agent")
    wanted = {("initiator", "agent_missing"), ("recipient", "agent_missing")}
    expect_refused(studio, pair["id"], wanted)


def test_an_assistant_without_a_model_is_named_with_its_place(studio: InProcess) -> None:
    admin, mute = studio.stand_in(), studio.assistant()
    group = studio.create("workflows", kind="group_chat", initiator=admin, agents=[admin, mute])
    expect_refused(studio, group["id"], {("agents.1.models", "model_missing")})


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"provider": "openai", "model": "gpt-4.1-mini"}, "secret_missing"),
        ({"provider": "openai_compatible", "model": "x"}, "address_missing"),
        ({"provider": "openai_compatible", "base_url": "http://127.0.0.1:1/v1"}, "model_unnamed"),
        ({"provider": "scripted"}, "no_replies"),
        ({"provider": "local"}, "model_not_fetched"),
    ],
)
def test_a_model_that_cannot_be_asked(studio: InProcess, fields: dict[str, Any], code: str) -> None:
    model = studio.create("models", **fields)["id"]
    workflow = studio.create(
        "workflows", kind="two_agent", initiator=studio.stand_in(),
        recipient=studio.assistant(model),
    )  # fmt: skip
    expect_refused(studio, workflow["id"], {("recipient.models.0", code)})


def test_what_is_unwise_is_said_and_does_not_block(studio: InProcess) -> None:
    first, second = studio.assistant(studio.scripted("A")), studio.assistant(studio.scripted("B"))
    group = studio.create(
        "workflows", kind="group_chat", initiator=studio.stand_in(), agents=[first, second],
        allowed_or_disallowed_speaker_transitions={first: [second]}, max_round=2,
    )  # fmt: skip
    problems = check(studio, group["id"])
    assert found(problems, blocking=True) == set()
    assert {code for _, code in found(problems, blocking=False)} >= {
        "initiator_outside", "dead_end", "selector_missing",
    }  # fmt: skip
    assert studio.wait(studio.start(group["id"]))["status"] == "finished"


def test_a_sound_workflow_has_no_problems(studio: InProcess) -> None:
    assert check(studio, studio.pair(studio.scripted("Fine"))) == []


def test_a_session_needs_a_message_and_a_workflow_that_exists(studio: InProcess) -> None:
    workflow = studio.pair(studio.scripted("Fine"))
    for message in ("", "  \n "):
        refused = studio.refused("POST", "sessions", {"workflow": workflow, "message": message})
        assert [e["loc"] for e in refused["errors"]] == [["message"]]
    studio.refused("POST", "sessions", {"workflow": "nothing", "message": "Begin."}, 404)
    studio.refused("POST", "workflows/nothing/check", status=404)


@pytest.mark.parametrize(
    "field",
    ["definition", "data", "team_config", "code", "work_dir", "code_execution_config", "base_url",
     "use_docker", "command", "agents"],
)  # fmt: skip
def test_a_start_cannot_bring_its_own_definition(studio: InProcess, field: str) -> None:
    """SECURITY R03: what runs is what is stored."""
    workflow = studio.pair(studio.scripted("Fine"))
    body = {"workflow": workflow, "message": "Begin.", field: {"x": 1}}
    refused = studio.refused("POST", "sessions", body)
    assert [e["loc"] for e in refused["errors"]] == [[field]]
