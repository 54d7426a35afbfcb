"""kill -9 at any moment: no acknowledged turn is lost, none is shown twice, sessions go on.

The invariants I1 to I8 are those of SECURITY section 3.
"""

from __future__ import annotations

import random
import signal
import sqlite3
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from ..builders import Json, check_log, contents, let_pass, until
from ..conftest import Launch, StudioProcess
from ..fake_openai import USAGE, Endpoint, FakeOpenAI


def _check_files(home: Path) -> None:
    """I5: the file is sound and nothing points to nowhere."""
    with closing(sqlite3.connect(home / "studio.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def _check_transcript(studio: StudioProcess, one: str, *endpoints: Endpoint) -> list[Json]:
    """A sound log (I2) in which every nonce that the servers gave appears at most once (I3)."""
    session, events = studio.session(one), studio.events(one)
    check_log(session, events)
    said = " ".join(contents(events))
    counts = Counter(n for e in endpoints for n in e.nonces if n in said)
    assert [n for n in counts if said.count(n) > 1] == []
    calls = [e for e in events if e["kind"] == "model_called"]
    assert session["usage"]["total_tokens"] == len(calls) * USAGE["total_tokens"]  # I8
    return events


class _Follower(threading.Thread):
    """Keeps the rows that a browser saw until its connection broke."""

    def __init__(self, studio: StudioProcess, one: str) -> None:
        super().__init__(daemon=True)
        self.studio, self.one = studio, one
        self.rows: list[Json] = []
        self.text = ""
        self.start()

    def run(self) -> None:
        try:
            with self.studio.stream(self.one) as messages:
                for message in messages:
                    if message.event == "delta":
                        self.text += message.data["text"]
                    else:
                        self.rows.append(message.data)
        except (httpx2.HTTPError, OSError, RuntimeError):
            return


def test_a_turn_that_was_cut_starts_again_by_itself(launch: Launch, fake: FakeOpenAI) -> None:
    held = fake.endpoint("held", text="One two three")
    first = launch()
    one = first.start(first.pair(first.model(held)))
    seen = _Follower(first, one)
    until(lambda: seen.text)
    cut = held.nonces[0]
    first.kill()
    seen.join(10)
    held.release()
    second = launch()
    session = second.wait(one)
    assert session["status"] == "finished"
    events = _check_transcript(second, one, held)
    assert events[: len(seen.rows)] == seen.rows  # I4
    assert cut not in " ".join(contents(events))
    attempts = [e["attempt"] for e in events if e["kind"] == "turn_started" and e["turn"] == 2]
    assert attempts == [1, 2]
    assert [e["attempt"] for e in events if e["kind"] == "message"] == [1, 2, 1, 1]
    assert "restart" in "".join(e.get("reason", "") for e in events)
    second.kill()
    _check_files(second.home)


def test_a_client_that_reconnects_after_the_crash_ends_up_with_the_log(
    launch: Launch, fake: FakeOpenAI
) -> None:
    held = fake.endpoint("held")
    first = launch()
    one = first.start(first.pair(first.model(held)))
    seen = _Follower(first, one)
    until(lambda: seen.text)
    first.kill()
    seen.join(10)
    second = launch()
    headers = {"last-event-id": str(seen.rows[-1]["seq"])}
    with second.stream(one, headers=headers) as messages:
        held.release()
        rest = [m.data for m in messages if m.event != "delta"]
    assert seen.rows + rest == second.events(one)


def test_a_question_survives_and_its_answer_goes_on(launch: Launch, fake: FakeOpenAI) -> None:
    endpoint = fake.endpoint()
    first = launch()
    pair = first.create(
        "workflows", kind="two_agent", initiator=first.person(),
        recipient=first.assistant(first.model(endpoint)),
    )  # fmt: skip
    one = first.start(pair["id"])
    before = first.wait(one, "waiting")
    first.kill()
    second = launch()
    assert second.session(one) == before
    question = before["question"]["id"]
    second.verb(one, "answer", {"question": question, "text": "After the crash"})
    after = until(lambda: second.wait(one, "waiting"), lambda s: s["question"]["id"] != question)
    assert len(endpoint.requests) == 2
    assert "After the crash" in contents(_check_transcript(second, one, endpoint))
    second.refused("POST", f"sessions/{one}/answer", {"question": question, "text": "2"}, 409)
    second.verb(one, "answer", {"question": after["question"]["id"], "text": "exit"})
    assert second.wait(one)["status"] == "finished"


def test_a_paused_session_stays_paused_until_it_is_resumed(
    launch: Launch, fake: FakeOpenAI
) -> None:
    held = fake.endpoint("held")
    first = launch()
    one = first.start(first.pair(first.model(held)))
    until(lambda: held.requests)
    first.verb(one, "pause")
    held.release()
    before = first.wait(one, "paused")
    first.kill()
    second = launch()
    assert second.session(one) == before
    assert len(held.requests) == 1
    second.verb(one, "resume")
    assert second.wait(one)["status"] == "finished"
    events = _check_transcript(second, one, held)
    assert held.nonces[0] in contents(events)[1], "the turn before the pause was made again"
    assert len(held.requests) == 2


def test_sigterm_in_mid_turn_ends_no_session(launch: Launch, fake: FakeOpenAI) -> None:
    """An upgrade of the studio is a stop and a start; the session goes on as after a crash."""
    held = fake.endpoint("held")
    first = launch()
    one = first.start(first.pair(first.model(held)))
    until(lambda: held.requests)
    first.kill(signal.SIGTERM)
    held.release()
    second = launch()
    assert second.wait(one)["status"] == "finished"
    _check_transcript(second, one, held)


def test_a_second_crash_makes_a_third_attempt(launch: Launch, fake: FakeOpenAI) -> None:
    held = fake.endpoint("held")
    first = launch()
    one = first.start(first.pair(first.model(held)))
    until(lambda: len(held.requests) == 1)
    first.kill()
    second = launch()
    until(lambda: len(held.requests) == 2)
    second.kill()
    third = launch()
    held.release()
    assert third.wait(one)["status"] == "finished"
    events = _check_transcript(third, one, held)
    assert [e["attempt"] for e in events if e["kind"] == "message"] == [1, 3, 1, 1]


def test_a_stopped_and_a_deleted_session_stay_so(launch: Launch, fake: FakeOpenAI) -> None:
    held = fake.endpoint("held")
    first = launch()
    pair = first.pair(first.model(held))
    stopped, deleted = first.start(pair), first.start(pair)
    until(lambda: len(held.requests), lambda n: n == 2)
    first.verb(stopped, "stop")
    assert first.call("DELETE", f"sessions/{deleted}").status_code == 204
    first.kill()
    second = launch()
    second.refused("GET", f"sessions/{deleted}", status=404)
    assert second.session(stopped)["status"] == "stopped"
    _check_transcript(second, stopped, held)


@pytest.mark.timeout(120)
def test_crashes_at_random_moments(launch: Launch, fake: FakeOpenAI) -> None:
    """Six rounds over the same sessions; new ones join in every round. The seed is printed."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    endpoints = [fake.endpoint(text=f"Voice{i}", itl=0.004, tokens=5) for i in range(3)]
    studio = launch()
    group = studio.group(*[studio.model(e) for e in endpoints], max_round=24)
    acknowledged: list[str] = []
    seen: dict[str, list[Json]] = {}
    for number in range(6):
        followers = [_Follower(studio, one) for one in acknowledged]
        for _ in range(3):
            acknowledged.append(studio.start(group))
            followers.append(_Follower(studio, acknowledged[-1]))
        if number == 5:  # the pauses may all have been too short for a slow machine
            until(lambda rows=followers[0].rows: len(rows) > 10)
        let_pass(chance.uniform(0, 0.7))
        studio.kill()
        for follower in followers:
            follower.join(10)
            if len(follower.rows) > len(seen.get(follower.one, [])):
                seen[follower.one] = follower.rows
        studio = launch()
    for one in acknowledged:  # I1 and I6
        assert studio.wait(one, seconds=40)["status"] == "finished"
        events = _check_transcript(studio, one, *endpoints)
        assert len(contents(events)) == 24
        assert events[: len(seen.get(one, []))] == seen.get(one, [])  # I4
    assert max(len(rows) for rows in seen.values()) > 10, "nothing ran before the crashes"
    studio.kill(signal.SIGTERM)
    _check_files(studio.home)
