"""Questions that nobody answers in time: what the agent, the conversation or the session does."""

from __future__ import annotations

import pytest

from ..builders import Api, Json, check_log, contents, let_pass, until
from ..conftest import InProcess, Launch
from ..fake_openai import FakeOpenAI
from .test_branches import answer, asks, graph, questions, says

LATER = 1.6  # seconds: longer than the time that is given here by default
ENOUGH = 5  # seconds to do something in time


def asking(studio: Api, then: str, seconds: int = 1, **fields: object) -> str:
    """A person who opens, is asked after the first reply, and ends it after the second."""
    limit = {"seconds": seconds, "then": then}
    admin = studio.person(default_auto_reply="By myself.", human_timeout=limit)
    return str(studio.create(
        "workflows", kind="two_agent", initiator=admin, max_turns=2,
        recipient=studio.assistant(studio.scripted("One", "Two", "Three")), **fields,
    )["id"])  # fmt: skip


def sound(studio: Api, one: str, status: str) -> list[Json]:
    session, events = studio.wait(one, status), studio.events(one)
    check_log(session, events)
    return events


def first_question(studio: Api, one: str) -> Json:
    """As the log has it: its time may be over before anybody sees it open."""
    studio.wait(one, "waiting", "finished", "failed")
    return next(e for e in studio.events(one) if e["kind"] == "input_requested")


def received(events: list[Json]) -> list[tuple[str, str]]:
    return [(e["by"], e["text"]) for e in events if e["kind"] == "input_received"]


def test_the_agent_answers_by_itself(studio: InProcess) -> None:
    one = studio.start(asking(studio, "auto_reply"))
    assert first_question(studio, one)["timeout"] == {"seconds": 1, "then": "auto_reply"}
    events = sound(studio, one, "finished")
    assert contents(events) == ["Begin.", "One", "By myself.", "Two"]
    assert received(events) == [("time-out", "")]


def test_the_conversation_ends(studio: InProcess) -> None:
    events = sound(studio, studio.start(asking(studio, "end")), "finished")
    assert contents(events) == ["Begin.", "One"]
    assert received(events) == [("time-out", "exit")]
    assert events[-1]["reason"].endswith("ended the conversation")


def test_the_session_fails_and_once_resumed_waits_for_ever(studio: InProcess) -> None:
    one = studio.start(asking(studio, "fail"))
    first = first_question(studio, one)["question"]
    events = sound(studio, one, "failed")
    assert events[-1]["reason"].endswith("was not answered in time")
    assert received(events) == []
    studio.verb(one, "resume")
    assert studio.wait(one, "waiting")["question"]["id"] == first
    let_pass(LATER)
    assert studio.session(one)["status"] == "waiting"
    answer(studio, one, first, "Here I am.")
    assert contents(sound(studio, one, "finished"))[2] == "Here I am."


def test_an_answer_in_time_is_the_only_one(studio: InProcess) -> None:
    one = studio.start(asking(studio, "fail", ENOUGH))
    question = studio.wait(one, "waiting")["question"]
    assert question["timeout"] == {"seconds": ENOUGH, "then": "fail"}
    answer(studio, one, question["id"], "In time.")
    sound(studio, one, "finished")
    let_pass(ENOUGH + 0.6)
    assert received(sound(studio, one, "finished")) == [("STUDIO_TOKEN", "In time.")]


@pytest.mark.parametrize("then", ["auto_reply", "fail"])
def test_the_time_goes_on_over_a_restart(launch: Launch, then: str) -> None:
    first = launch()
    one = first.start(asking(first, then))
    question = first_question(first, one)["question"]
    first.kill()
    second = launch()
    if then == "auto_reply":
        assert contents(sound(second, one, "finished"))[2] == "By myself."
    else:
        sound(second, one, "failed")
        second.kill()
        third = launch()
        third.verb(one, "resume")
        third.wait(one, "waiting")
        let_pass(LATER)
        answer(third, one, question, "Still here.")
        assert contents(sound(third, one, "finished"))[2] == "Still here."


def test_a_pause_holds_the_time_back_and_what_is_overdue_ends_at_the_resume(
    studio: InProcess,
) -> None:
    one = studio.start(asking(studio, "auto_reply", ENOUGH))
    studio.wait(one, "waiting")
    studio.verb(one, "pause")
    let_pass(ENOUGH + 0.6)
    assert studio.session(one)["status"] == "paused"
    studio.verb(one, "resume")
    assert contents(sound(studio, one, "finished"))[2] == "By myself."


def _late(studio: Api, then: str) -> str:
    limit = {"seconds": 1, "then": then}
    return studio.person(default_auto_reply="By myself.", human_timeout=limit)


def test_a_branch_answers_by_itself_while_another_one_is_at_work(
    studio: InProcess, fake: FakeOpenAI
) -> None:
    held = fake.endpoint("held")
    nodes = {"a": says(studio), "b": _late(studio, "auto_reply"), "c": asks(studio, held),
             "d": says(studio, "After it")}  # fmt: skip
    one = studio.start(graph(studio, nodes, "ab", "ac", "bd"))
    until(lambda: contents(studio.events(one)), lambda said: "After it" in said)
    assert studio.session(one)["status"] == "running"
    held.release()
    events = sound(studio, one, "finished")
    assert contents(events)[:3] == ["Fine", "By myself.", "After it"]
    assert len(held.requests) == 1


def test_a_failure_waits_for_the_branches_that_are_at_work(
    studio: InProcess, fake: FakeOpenAI
) -> None:
    held = fake.endpoint("held")
    nodes = {"a": says(studio), "b": _late(studio, "fail"), "c": asks(studio, held)}
    one = studio.start(graph(studio, nodes, "ab", "ac"))
    asked = questions(studio, one, 1)["b"]
    let_pass(LATER)
    assert studio.session(one)["status"] == "running"
    held.release()
    assert len(contents(sound(studio, one, "failed"))) == 2
    studio.verb(one, "resume")
    studio.wait(one, "waiting")
    answer(studio, one, asked, "Here I am.")
    sound(studio, one, "finished")
    assert len(held.requests) == 1


def test_two_people_have_their_own_times(studio: InProcess) -> None:
    nodes = {"a": says(studio), "b": _late(studio, "auto_reply"), "c": studio.person(),
             "d": says(studio, "After b")}  # fmt: skip
    one = studio.start(graph(studio, nodes, "ab", "ac", "bd"))
    until(lambda: contents(studio.events(one)), lambda said: "After b" in said)
    studio.wait(one, "waiting")
    answer(studio, one, questions(studio, one, 1)["c"], "My turn.")
    assert contents(sound(studio, one, "finished")) == ["Fine", "By myself.", "After b", "My turn."]
