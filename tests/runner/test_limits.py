"""A limit pauses, says which, and can be raised, but never over the server's own."""

from __future__ import annotations

from typing import Any

import pytest

from ..builders import Json, check_log, let_pass, until
from ..conftest import InProcess, serving
from ..fake_openai import USAGE, FakeOpenAI

LIMITS: list[tuple[str, float, float, dict[str, Any]]] = [
    ("max_messages", 3, 50, {}),
    ("max_tokens", USAGE["total_tokens"] + 1, 100_000, {}),
    ("max_cost_usd", 0.02, 5.0, {"price": {"input": 1000, "output": 1000}}),
]


@pytest.mark.parametrize(("limit", "low", "high", "model"), LIMITS)
def test_a_limit_pauses_and_can_be_raised(
    studio: InProcess, fake: FakeOpenAI, limit: str, low: float, high: float, model: Json
) -> None:
    endpoint = fake.endpoint()
    workflow = studio.pair(studio.model(endpoint, **model), max_turns=6)
    one = studio.start(workflow, limits={limit: low})
    session = studio.wait(one, "paused", "finished", "failed")
    events = studio.events(one)
    check_log(session, events)
    assert session["status"] == "paused"
    assert "limit" in session["reason"]
    (reached,) = [e for e in events if e["kind"] == "limit_reached"]
    assert (reached["limit"], reached["max"]) == (limit, low)
    assert low <= reached["value"] < 3 * low  # within one call of the budget
    before = len(endpoint.requests)
    studio.verb(one, "resume")
    assert studio.wait(one, "paused", "finished")["status"] == "paused"
    assert len(endpoint.requests) == before
    assert studio.call("PATCH", f"sessions/{one}", {"limits": {limit: high}}).status_code == 200
    studio.verb(one, "resume")
    session = studio.wait(one, "finished")
    check_log(session, studio.events(one))
    assert session["turns"] == 12


def test_time_pauses_too(studio: InProcess, fake: FakeOpenAI) -> None:
    slow = fake.endpoint(itl=0.15, tokens=6)
    one = studio.start(studio.pair(studio.model(slow), max_turns=9), limits={"max_seconds": 1})
    session = studio.wait(one, "paused", "finished")
    assert session["status"] == "paused"
    assert "limit" in session["reason"]


def test_time_that_was_spent_is_kept(studio: InProcess, fake: FakeOpenAI) -> None:
    """It is shown, and a resumed session does not begin to count from zero again."""
    slow = fake.endpoint(itl=0.15, tokens=6)
    one = studio.start(studio.pair(studio.model(slow), max_turns=9), limits={"max_seconds": 1})
    assert 1 <= studio.wait(one, "paused", "finished")["seconds"] < 4
    before = len(slow.requests)
    studio.verb(one, "resume")
    studio.wait(one, "paused", "finished")
    assert len(slow.requests) == before


def test_waiting_for_a_person_costs_no_time(studio: InProcess) -> None:
    pair = studio.create(
        "workflows", kind="two_agent", initiator=studio.person(),
        recipient=studio.assistant(studio.scripted("One", "Two")),
    )  # fmt: skip
    one = studio.start(pair["id"], limits={"max_seconds": 3})
    question = studio.wait(one, "waiting")["question"]["id"]
    let_pass(3.1)
    studio.verb(one, "answer", {"question": question, "text": "Yes"})
    session = until(lambda: studio.session(one), lambda s: s["turns"] == 4)
    assert session["seconds"] < 3
    assert studio.wait(one, "waiting", "paused")["status"] == "waiting"


def test_a_raised_limit_is_felt_by_a_session_that_runs(studio: InProcess, fake: FakeOpenAI) -> None:
    held = fake.endpoint("held")
    one = studio.start(studio.pair(studio.model(held)), limits={"max_messages": 2})
    studio.wait(one, "running")
    studio.call("PATCH", f"sessions/{one}", {"limits": {"max_messages": 9}})
    held.release()
    assert studio.wait(one, "paused", "finished")["status"] == "finished"


def test_the_stricter_of_session_workflow_and_server_counts(
    tmp_path_factory: pytest.TempPathFactory, fake: FakeOpenAI
) -> None:
    home = tmp_path_factory.mktemp("strict") / "home"
    with serving(home, max_messages=8, max_tokens=100) as studio:
        workflow = studio.pair(studio.scripted(*["Hi"] * 9), limits={"max_messages": 4})
        one = studio.start(workflow, limits={"max_messages": 6, "max_tokens": 1000})
        assert studio.session(one)["limits"] == {
            "max_messages": 4, "max_tokens": 100, "max_cost_usd": 100.0, "max_seconds": 86_400,
        }  # fmt: skip
        changed = studio.call("PATCH", f"sessions/{one}", {"limits": {"max_messages": 7}}).json()
        assert changed["limits"]["max_messages"] == 7, "a person may raise it over the workflow's"
        refused = studio.refused("PATCH", f"sessions/{one}", {"limits": {"max_messages": 9}})
        assert [e["loc"] for e in refused["errors"]] == [["limits", "max_messages"]]
        assert studio.session(one)["limits"]["max_messages"] == 7


def test_a_session_without_limits_has_the_servers(studio: InProcess) -> None:
    one = studio.start(studio.pair(studio.scripted("Hi", "Hi")))
    limits = studio.session(one)["limits"]
    assert all(limits[name] for name in ("max_messages", "max_tokens", "max_cost_usd"))
    assert limits["max_seconds"]


def test_two_agents_that_never_end_are_ended_by_max_round(studio: InProcess) -> None:
    """SECURITY R29: the default of ten rounds holds without anybody asking for it."""
    first, second = (studio.assistant(studio.scripted(*["More"] * 99)) for _ in range(2))
    group = studio.create(
        "workflows", kind="group_chat", initiator=first, agents=[first, second],
        speaker_selection_method="round_robin",
    )  # fmt: skip
    session = studio.wait(studio.start(group["id"]))
    assert (session["status"], session["turns"]) == ("finished", 10)
