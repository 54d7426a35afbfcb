"""SECURITY R32 and P12: whatever a model's server does, the session ends in a state to be read.

Bounded time, words for a person, no key in them, and the next session works.
"""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from ..builders import Json, check_log, contents, until
from ..conftest import InProcess
from ..fake_openai import FakeOpenAI

KEY = "sk-bad-models-SECRET-0123456789"
TIMEOUT = 2.0


def _run(studio: InProcess, *models: str, seconds: float = 15) -> tuple[Json, list[Json], str]:
    """A session to its end: its row, its sound log, and everything that was streamed."""
    one = studio.start(studio.pair(*models))
    with studio.stream(one) as messages:
        streamed = json.dumps([m.data for m in messages])
    session, events = studio.wait(one, seconds=seconds), studio.events(one)
    check_log(session, events)
    return session, events, streamed


def _errors(events: list[Json]) -> list[Json]:
    return [e for e in events if e["kind"] == "error"]


HOPELESS: list[tuple[str, dict[str, Any], str]] = [
    ("hang", {}, "within 2 s"),
    ("failing", {}, "500"),
    ("busy", {}, "too many requests"),
    ("busy", {"retry_after": "3600"}, "too many requests"),
    ("busy", {"retry_after": "soon"}, "too many requests"),
    ("busy", {"retry_after": "-5"}, "too many requests"),
    ("busy", {"retry_after": "nan"}, "too many requests"),
    ("truncated", {}, "broke off"),
    ("ended-early", {}, "broke off"),
    ("malformed", {}, "not valid JSON"),
    ("html", {}, "broke off"),
    ("unauthorized", {}, "401"),
    ("huge", {}, "longer than"),
]


@pytest.mark.parametrize(("behaviour", "options", "words"), HOPELESS)
def test_it_ends_as_a_failure_that_can_be_read(
    studio: InProcess, fake: FakeOpenAI, behaviour: str, options: dict[str, Any], words: str
) -> None:
    endpoint = fake.endpoint(behaviour, **options)
    # only what hangs is to be cut: three tries pause for up to 1.5 s
    timeout = TIMEOUT if behaviour == "hang" else 20.0
    model = studio.model(endpoint, api_key=KEY, timeout=timeout)
    started = time.monotonic()
    session, events, streamed = _run(studio, model)
    assert time.monotonic() - started < TIMEOUT + 6
    assert session["status"] == "failed"
    assert words in session["reason"]
    assert "Traceback" not in session["reason"]
    assert _errors(events)[-1]["who"] == "model"
    assert words in _errors(events)[-1]["message"]
    assert contents(events) == ["Begin."]
    assert 1 <= len(endpoint.requests) <= 4
    assert KEY not in streamed + json.dumps(events)
    assert {r.authorization for r in endpoint.requests} == {f"Bearer {KEY}"}
    after = studio.wait(studio.start(studio.pair(studio.model(fake.endpoint()))))
    assert after["status"] == "finished"


def test_nothing_listens_there(studio: InProcess, fake: FakeOpenAI) -> None:
    model = studio.scripted("never")
    shown = studio.get(f"models/{model}")
    studio.put(f"models/{model}", {
        "name": shown["name"], "model": "x", "base_url": "http://127.0.0.1:9/v1",
    })  # fmt: skip
    session, _, _ = _run(studio, model)
    assert session["status"] == "failed"
    assert "Nothing answers at http://127.0.0.1:9/v1" in session["reason"]


@pytest.mark.parametrize("behaviour", ["failing", "busy", "truncated", "malformed"])
def test_what_passes_is_tried_again_and_told(
    studio: InProcess, fake: FakeOpenAI, behaviour: str
) -> None:
    endpoint = fake.endpoint(behaviour, times=2, retry_after="0.1")
    session, events, _ = _run(studio, studio.model(endpoint))
    assert session["status"] == "finished"
    assert len(endpoint.requests) == 4  # two failures and two turns
    assert len(_errors(events)) == 2
    assert all(e["retryable"] and "Trying again" in e["message"] for e in _errors(events))
    assert contents(events)[1].endswith(endpoint.nonces[0])


def test_a_pause_that_the_server_asks_for_is_kept(studio: InProcess, fake: FakeOpenAI) -> None:
    endpoint = fake.endpoint("busy", times=1, retry_after="1")
    started = time.monotonic()
    session, events, _ = _run(studio, studio.model(endpoint))
    assert time.monotonic() - started >= 1
    assert session["status"] == "finished"
    assert "1.0 s" in _errors(events)[0]["message"]


def test_what_does_not_pass_is_not_tried_again(studio: InProcess, fake: FakeOpenAI) -> None:
    endpoint = fake.endpoint("unauthorized")
    _run(studio, studio.model(endpoint, api_key=KEY))
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("behaviour", ["failing", "unauthorized", "malformed", "hang"])
def test_the_second_model_answers_when_the_first_cannot(
    studio: InProcess, fake: FakeOpenAI, behaviour: str
) -> None:
    bad, good = fake.endpoint(behaviour), fake.endpoint(text="Second best")
    first = studio.model(bad, timeout=1.0, api_key=KEY)
    second = studio.model(good)
    session, events, streamed = _run(studio, first, second)
    assert session["status"] == "finished"
    assert [c for c in contents(events) if "Second best" in c] == contents(events)[1::2]
    name = studio.get(f"models/{second}")["name"]
    assert {e["model"] for e in events if e["kind"] == "model_called"} == {name}
    assert f"Trying {name} instead" in "".join(e["message"] for e in _errors(events))
    assert KEY not in streamed
    assert {r.authorization for r in good.requests} <= {"", "Bearer none"}


def test_when_no_model_answers_the_last_reason_is_given(
    studio: InProcess, fake: FakeOpenAI
) -> None:
    models = [studio.model(fake.endpoint("unauthorized")) for _ in range(2)]
    session, _, _ = _run(studio, *models)
    assert session["status"] == "failed"
    assert studio.get(f"models/{models[1]}")["name"] in session["reason"]


def test_an_empty_answer_does_not_hang_or_fail(studio: InProcess, fake: FakeOpenAI) -> None:
    """No content is no reply: the default reply is sent, and two empty ones end the chat."""
    admin = studio.stand_in(default_auto_reply="")
    agent = studio.assistant(studio.model(fake.endpoint("empty")))
    pair = studio.create("workflows", kind="two_agent", initiator=admin, recipient=agent)
    session = studio.wait(studio.start(pair["id"]))
    assert session["status"] == "finished"
    assert session["turns"] <= 4
    check_log(session, studio.events(session["id"]))


@pytest.mark.parametrize(("behaviour", "cut"), [("unauthorized", 4000), ("malformed", 500)])
def test_no_part_of_a_key_is_told_wherever_it_stands(
    studio: InProcess, fake: FakeOpenAI, behaviour: str, cut: int
) -> None:
    """A provider's words are cut to a length; a key at the cut must not lose its mask."""
    for place in range(cut - 60, cut + 5, 7):
        endpoint = fake.endpoint(behaviour, pad=place)
        model = studio.model(endpoint, api_key=KEY, timeout=0.2)
        report = studio.post(f"models/{model}/test", status=200)
        assert report["ok"] is False
        assert report["detail"]
        assert KEY[:12] not in json.dumps(report), f"key at {place}"


def test_broken_utf8_is_mended_or_refused_but_ends(studio: InProcess, fake: FakeOpenAI) -> None:
    session, events, _ = _run(studio, studio.model(fake.endpoint("invalid-utf8")))
    assert session["status"] in ("finished", "failed")
    assert (session["status"] == "finished") == ("\ufffd" in "".join(contents(events)))


def test_the_text_of_a_cut_answer_is_withdrawn(studio: InProcess, fake: FakeOpenAI) -> None:
    """A retry starts at offset 0 again, so that a page never shows both halves."""
    endpoint = fake.endpoint("truncated", times=1)
    one = studio.start(studio.pair(studio.model(endpoint), max_turns=1))
    with studio.stream(one) as messages:
        shown, final = "", ""
        for message in messages:
            if message.event == "delta":
                shown = shown[: message.data["offset"]] + message.data["text"]
            if message.event == "message" and message.data["turn"] == 2:
                final = message.data["content"]
                break
    assert shown.strip() == final
    assert "breaks" not in final


def test_a_hanging_session_holds_up_no_other(studio: InProcess, fake: FakeOpenAI) -> None:
    hang = fake.endpoint("hang")
    stuck = [studio.start(studio.pair(studio.model(hang))) for _ in range(10)]
    until(lambda: len(hang.requests) == 10)
    session = studio.wait(studio.start(studio.pair(studio.model(fake.endpoint()))))
    assert session["status"] == "finished"
    for one in stuck:
        studio.verb(one, "stop")


def test_a_tool_that_nobody_offered_is_answered_with_an_error(
    studio: InProcess, fake: FakeOpenAI
) -> None:
    """The model reads what was wrong and may go on; the page shows the call as text."""
    endpoint = fake.endpoint("calling")
    session, events, _ = _run(studio, studio.model(endpoint))
    assert session["status"] == "finished"
    assert contents(events)[1:3] == ["", "Error: Function rm_-rf__b_ not found."]
    called = [e for e in events if e["kind"] == "tool_called"]
    assert [e["name"] for e in called] == ["rm_-rf__b_"]
    assert [e["ok"] for e in events if e["kind"] == "tool_returned"] == [False]
    sent = endpoint.requests[1].messages
    assert [m["role"] for m in sent[-2:]] == ["assistant", "tool"]
    page = studio.http.get(f"/sessions/{session['id']}")
    assert page.status_code == 200
    assert "<img src=x>" not in page.text
    assert "&lt;img src=x&gt;" in page.text
