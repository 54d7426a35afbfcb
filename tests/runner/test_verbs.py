"""Pause, resume, stop, follow-up, delete and change: what each may do in which state."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from ..builders import Json, check_log, contents, in_parallel, let_pass, until
from ..conftest import InProcess
from ..fake_openai import Endpoint, FakeOpenAI


def _in_a_turn(studio: InProcess, fake: FakeOpenAI, turns: int = 2) -> tuple[str, Endpoint]:
    """A session whose agent has begun to speak and is held there."""
    held = fake.endpoint("held")
    one = studio.start(studio.pair(studio.model(held), max_turns=turns))
    until(lambda: held.requests)
    return one, held


def _sound(studio: InProcess, one: str) -> tuple[Json, list[Json]]:
    session, events = studio.session(one), studio.events(one)
    check_log(session, events)
    return session, events


def test_pause_lets_the_turn_end_and_resume_goes_on(studio: InProcess, fake: FakeOpenAI) -> None:
    one, held = _in_a_turn(studio, fake)
    studio.verb(one, "pause")
    studio.verb(one, "pause")
    held.release()
    session = studio.wait(one, "paused")
    _, events = _sound(studio, one)
    assert contents(events)[1].endswith(held.nonces[0])
    assert len(held.requests) == 1
    assert session["turns"] <= 3  # a stand-in's words cost nothing and may still come
    studio.verb(one, "pause")
    studio.verb(one, "resume")
    studio.wait(one)
    session, events = _sound(studio, one)
    assert (session["status"], session["turns"], len(held.requests)) == ("finished", 4, 2)
    assert {e["attempt"] for e in events if e["kind"] == "message"} == {1}


def test_a_pause_can_be_taken_back(studio: InProcess, fake: FakeOpenAI) -> None:
    one, held = _in_a_turn(studio, fake)
    studio.verb(one, "pause")
    studio.verb(one, "resume")
    studio.verb(one, "resume")
    held.release()
    assert studio.wait(one, "paused", "finished")["status"] == "finished"
    _sound(studio, one)


def test_stop_cuts_the_turn_at_once(studio: InProcess, fake: FakeOpenAI) -> None:
    """SECURITY R29: within three seconds, also while a model hangs."""
    hang = fake.endpoint("hang")
    one = studio.start(studio.pair(studio.model(hang)))
    until(lambda: hang.requests)
    started = time.monotonic()
    assert studio.verb(one, "stop")["status"] == "stopped"
    assert time.monotonic() - started < 3
    assert studio.verb(one, "stop")["status"] == "stopped"
    _, events = _sound(studio, one)
    assert contents(events) == ["Begin."]
    assert events[-1]["by"]
    until(lambda: hang.held == 0)


@pytest.mark.parametrize("state", ["waiting", "paused"])
def test_stop_works_in_every_active_state(studio: InProcess, state: str) -> None:
    one = _asking(studio)
    if state == "paused":
        studio.verb(one, "pause")
    studio.wait(one, state)
    assert studio.verb(one, "stop")["status"] == "stopped"
    session, _ = _sound(studio, one)
    assert (session["question"], session["questions"]) == (None, [])


def test_a_follow_up_keeps_the_history_and_counts_rounds_afresh(
    studio: InProcess, fake: FakeOpenAI
) -> None:
    endpoint = fake.endpoint()
    one = studio.start(studio.pair(studio.model(endpoint), max_turns=2))
    studio.wait(one)
    for run in (2, 3):
        assert studio.verb(one, "messages", {"message": f"Follow {run}"})["run"] == run
        studio.wait(one)
    session, events = _sound(studio, one)
    assert (session["run"], session["turns"], len(endpoint.requests)) == (3, 12, 6)
    assert [e["run"] for e in events if e["kind"] == "session_finished"] == [1, 2, 3]
    last = [m["content"] for m in endpoint.requests[-1].messages]
    assert [m for m in ("Begin.", "Follow 2", "Follow 3") if m in last] == [
        "Begin.", "Follow 2", "Follow 3",
    ]  # fmt: skip


def test_a_follow_up_after_a_stop_in_mid_turn(studio: InProcess, fake: FakeOpenAI) -> None:
    one, held = _in_a_turn(studio, fake)
    studio.verb(one, "stop")
    held.release()
    studio.verb(one, "messages", {"message": "Once more."})
    session = studio.wait(one)
    _, events = _sound(studio, one)
    assert session["status"] == "finished"
    assert contents(events)[:2] == ["Begin.", "Once more."]
    assert held.nonces[0] not in "".join(contents(events))


MOVES_REFUSED = [
    ("finished", ["pause", "resume", "stop"]),
    ("stopped", ["pause", "resume"]),
    ("failed", ["pause", "stop"]),
    ("waiting", ["resume", "messages"]),
    ("paused", ["messages"]),
    ("running", ["messages"]),
]


def _asking(studio: InProcess) -> str:
    pair = studio.create(
        "workflows", kind="two_agent", initiator=studio.person(),
        recipient=studio.assistant(studio.scripted(*["Hi"] * 9)), max_turns=3,
    )  # fmt: skip
    one = studio.start(pair["id"])
    studio.wait(one, "waiting")
    return one


@pytest.fixture
def in_state(studio: InProcess, fake: FakeOpenAI) -> Callable[[str], str]:
    def make(state: str) -> str:
        if state == "running":
            return _in_a_turn(studio, fake)[0]
        if state in ("finished", "failed"):
            replies = ["Hi"] * (2 if state == "finished" else 1)
            one = studio.start(studio.pair(studio.scripted(*replies)))
        else:
            one = _asking(studio)
            if state != "waiting":
                studio.verb(one, {"paused": "pause", "stopped": "stop"}[state])
        studio.wait(one, state)
        return one

    return make


@pytest.mark.parametrize(("state", "verbs"), MOVES_REFUSED)
def test_moves_that_are_not_allowed_are_409_and_change_nothing(
    studio: InProcess, in_state: Callable[[str], str], state: str, verbs: list[str]
) -> None:
    one = in_state(state)
    before = studio.session(one)
    for verb in verbs:
        body = {"message": "More."} if verb == "messages" else None
        problem = studio.refused("POST", f"sessions/{one}/{verb}", body, 409)
        assert state in problem["detail"]
    assert studio.session(one) == before


@pytest.mark.parametrize(
    ("state", "verb"),
    [("paused", "resume"), ("failed", "resume"), ("finished", "messages"), ("waiting", "pause"),
     ("waiting", "stop"), ("paused", "stop"), ("running", "stop"), ("running", "pause")],
)  # fmt: skip
def test_a_verb_that_comes_many_times_at_once_counts_once(
    studio: InProcess, in_state: Callable[[str], str], state: str, verb: str
) -> None:
    """Two tabs, or a nervous finger: the log must not tell of two moves where there was one."""
    one = in_state(state)
    body = {"message": "More."} if verb == "messages" else None

    answers = in_parallel(lambda: studio.call("POST", f"sessions/{one}/{verb}", body), 8)
    codes = [answer.status_code for answer in answers]
    assert set(codes) <= {202, 409}, codes
    assert 202 in codes, {answer.text for answer in answers}
    if state == "running" and verb == "pause":
        studio.verb(one, "stop")
    studio.wait(one, "waiting", "paused", "stopped", "finished", "failed")
    session, _ = _sound(studio, one)
    if verb == "messages":
        assert (session["run"], codes.count(202)) == (2, 1)


def _click(studio: InProcess, one: str, verb: str, asked: Json | None) -> int:
    body = {"question": asked["id"], "text": "Go on."} if verb == "answer" and asked else None
    return studio.call("POST", f"sessions/{one}/{verb}", body).status_code


def test_clicks_that_race_with_each_other_and_the_worker_leave_a_sound_log(
    studio: InProcess,
) -> None:
    """Every state that a verb was judged from may be gone when it is written."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    pair = studio.create(
        "workflows", kind="two_agent", initiator=studio.person(),
        recipient=studio.assistant(studio.scripted(*["Hi"] * 12)), max_turns=30,
    )  # fmt: skip
    one = studio.start(pair["id"])
    studio.wait(one, "waiting")
    for _ in range(25):
        asked = studio.session(one)["question"]
        verbs = ["pause", "resume", "resume", *["answer"] * (asked is not None)]
        clicks = iter(chance.choices(verbs, k=8))
        codes = in_parallel(lambda c=clicks, q=asked: _click(studio, one, next(c), q), 8)
        assert set(codes) <= {202, 409}
        studio.wait(one, "waiting", "paused", "failed")
    studio.call("POST", f"sessions/{one}/stop")
    studio.wait(one)
    _sound(studio, one)


def test_a_failed_session_can_try_its_open_turn_again(studio: InProcess, fake: FakeOpenAI) -> None:
    broken = fake.endpoint("unauthorized", times=1)
    one = studio.start(studio.pair(studio.model(broken)))
    assert studio.wait(one)["status"] == "failed"
    studio.verb(one, "resume")
    session = studio.wait(one, "finished")
    _, events = _sound(studio, one)
    assert session["turns"] == 4
    assert [e["attempt"] for e in events if e["kind"] == "message"] == [1, 2, 1, 1]


def test_deleting_an_active_session_ends_it_first(studio: InProcess, fake: FakeOpenAI) -> None:
    hang = fake.endpoint("hang")
    one = studio.start(studio.pair(studio.model(hang)))
    until(lambda: hang.requests)
    assert studio.call("DELETE", f"sessions/{one}").status_code == 204
    until(lambda: hang.held == 0)
    for path in ("", "/events", "/stream", "/calls/1"):
        studio.refused("GET", f"sessions/{one}{path}", status=404)
    for verb in ("pause", "resume", "stop"):
        studio.refused("POST", f"sessions/{one}/{verb}", status=404)
    studio.refused("DELETE", f"sessions/{one}", status=404)
    assert one not in [s["id"] for s in studio.everything("sessions")]


@pytest.mark.parametrize("verb", ["stop", "pause"])
def test_a_verb_at_any_moment_leaves_a_sound_log(studio: InProcess, verb: str) -> None:
    """Races of a verb with the worker's claim, its turns and its end; the seed is printed."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    workflow = studio.group(*[studio.scripted(*["Hi there"] * 9) for _ in range(2)], max_round=6)
    for _ in range(40):
        one = studio.start(workflow)
        let_pass(chance.random() * 0.04)
        answer = studio.call("POST", f"sessions/{one}/{verb}")
        assert answer.status_code in (202, 409), answer.text
        session = studio.wait(one, "finished", {"stop": "stopped", "pause": "paused"}[verb])
        if answer.status_code == 409:
            assert session["status"] == "finished"
        _sound(studio, one)


def test_stopping_sessions_as_they_begin_leaves_a_studio_that_can_write(
    own_studio: InProcess,
) -> None:
    """The stop may meet the worker's claim while that still waits to be written."""
    workflow = own_studio.pair(own_studio.scripted(*["Hi"] * 9), max_turns=9)

    def start_and_stop() -> str:
        one = own_studio.start(workflow)
        answer = own_studio.call("POST", f"sessions/{one}/stop")
        assert answer.status_code in (202, 409), answer.text
        return one

    for one in in_parallel(start_and_stop, 80):
        own_studio.wait(one)
        _sound(own_studio, one)
    own_studio.create("agents")


def test_changes_of_a_session(studio: InProcess) -> None:
    one = _asking(studio)
    changed = studio.call(
        "PATCH", f"sessions/{one}", {"tags": ["a", "b"], "limits": {"max_messages": 50}}
    ).json()
    assert changed["tags"] == ["a", "b"]
    assert changed["limits"]["max_messages"] == 50
    assert studio.session(one) == changed
    studio.refused("PATCH", f"sessions/{one}", {"status": "finished"})
    studio.refused("PATCH", f"sessions/{one}", {"limits": {"max_messages": 0}})
    studio.refused("PATCH", "sessions/nothing", {"tags": []}, 404)
