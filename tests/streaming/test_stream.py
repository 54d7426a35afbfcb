"""The stream is the log: the same rows, once each, in order, from wherever a client stopped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ..builders import Json, Sent, check_log, in_parallel, until
from ..conftest import InProcess
from ..fake_openai import Endpoint, FakeOpenAI


def _rows(messages: list[Sent]) -> list[Json]:
    """What a client keeps: everything but live text."""
    kept = [m for m in messages if m.event != "delta"]
    for message in kept:
        assert (message.event, message.id) == (message.data["kind"], message.data["seq"])
    return [m.data for m in kept]


def _all(studio: InProcess, one: str, **options: object) -> list[Sent]:
    with studio.stream(one, **options) as messages:
        return list(messages)


def _all_live(studio: InProcess, one: str, held: Endpoint) -> list[Sent]:
    """All of a session whose first reply is held until the stream has shown some of it."""
    seen: list[Sent] = []
    with studio.stream(one) as messages:
        for message in messages:
            seen.append(message)
            if message.event == "delta":
                held.release()
    return seen


@pytest.fixture(scope="module")
def ended(studio: InProcess, fake: FakeOpenAI) -> str:
    model = studio.model(fake.endpoint())
    one = studio.start(studio.group(model, model, max_round=8))
    studio.wait(one)
    return one


def _held(studio: InProcess, fake: FakeOpenAI) -> tuple[str, Endpoint]:
    endpoint = fake.endpoint("held", text="One two three", tokens=8)
    return studio.start(studio.pair(studio.model(endpoint))), endpoint


def test_a_live_stream_ends_with_exactly_the_log(studio: InProcess, fake: FakeOpenAI) -> None:
    endpoint = fake.endpoint("held", times=1, itl=0.01, tokens=12)
    slow = studio.model(endpoint)
    one = studio.start(studio.group(slow, slow, max_round=6))
    messages = _all_live(studio, one, endpoint)
    events = studio.events(one)
    check_log(studio.session(one), events)
    assert _rows(messages) == events
    assert messages[-1].event == "session_finished"
    assert [m for m in messages if m.event == "delta"]


def test_live_text_adds_up_to_what_was_said(studio: InProcess, fake: FakeOpenAI) -> None:
    endpoint = fake.endpoint("held", times=1, itl=0.01, tokens=20)
    one = studio.start(studio.pair(studio.model(endpoint), max_turns=3))
    shown: dict[int, str] = {}
    said: dict[int, str] = {}
    for message in _all_live(studio, one, endpoint):
        turn = message.data.get("turn", 0)
        if message.event == "delta":
            assert message.id is None
            assert "seq" not in message.data
            assert turn not in said, "text of a turn that is over"
            text = shown.get(turn, "")
            shown[turn] = text[: message.data["offset"]] + message.data["text"]
        elif message.event == "message":
            said[turn] = message.data["content"]
    assert {t: text.strip() for t, text in shown.items()} == {t: said[t] for t in (2, 4, 6)}


def test_an_ended_session_is_replayed_and_the_stream_closes(studio: InProcess, ended: str) -> None:
    events = studio.events(ended)
    assert _rows(_all(studio, ended)) == events
    for after in (0, 1, 5, len(events) - 1):
        assert _rows(_all(studio, ended, params={"after": after})) == events[after:]
    assert _rows(_all(studio, ended, params={"after": len(events)})) == []


@pytest.mark.parametrize("given", ["", "abc", "-1", "1.5", "٣", "evt-77", "0x10", "1e3", "nan"])
def test_a_foreign_last_event_id_counts_as_none(studio: InProcess, ended: str, given: str) -> None:
    events = studio.events(ended)
    headers = {"last-event-id": given.encode()}
    assert _rows(_all(studio, ended, headers=headers)) == events
    assert _rows(_all(studio, ended, params={"after": given})) == events
    assert _rows(_all(studio, ended, params={"after": 3}, headers=headers)) == events[3:]


def test_the_larger_of_after_and_last_event_id_counts(studio: InProcess, ended: str) -> None:
    events = studio.events(ended)
    for after, last in ((2, 7), (7, 2)):
        rows = _rows(_all(studio, ended, params={"after": after}, headers={
            "last-event-id": str(last)}))  # fmt: skip
        assert rows == events[7:]


@pytest.mark.parametrize("last", ["1000000", str(2**53 - 1), str(2**53), "9" * 90])
def test_a_last_event_id_beyond_the_end_does_not_hang_an_ended_session(
    studio: InProcess, ended: str, last: str
) -> None:
    rows = _rows(_all(studio, ended, headers={"last-event-id": last}))
    assert rows in ([], studio.events(ended))


@pytest.mark.parametrize("last", ["1000000", str(2**53 - 1)])
def test_a_last_event_id_beyond_the_end_does_not_hang_a_live_session(
    studio: InProcess, fake: FakeOpenAI, last: str
) -> None:
    """A browser may carry the id of another session; it must still see this one end."""
    one, held = _held(studio, fake)
    until(lambda: held.requests)
    with studio.stream(one, headers={"last-event-id": last}) as messages:
        held.release()
        seen = list(messages)
    assert seen[-1].event == "session_finished"


def test_who_joins_in_mid_turn_gets_the_text_so_far(studio: InProcess, fake: FakeOpenAI) -> None:
    one, held = _held(studio, fake)
    so_far = "One two three word "
    shown = ""
    with studio.stream(one) as messages:
        deltas = (m.data for m in messages if m.event == "delta")
        while shown != so_far:
            delta = next(deltas)
            assert delta["offset"] == len(shown)
            shown += delta["text"]
    with studio.stream(one) as messages:
        joined = next(m for m in messages if m.event == "delta")
        assert (joined.data["offset"], joined.data["turn"]) == (0, 2)
        assert joined.data["text"] == so_far
        held.release()
        rest = list(messages)
    assert rest[-1].event == "session_finished"


def test_a_client_that_reconnects_again_and_again_misses_nothing(
    studio: InProcess, fake: FakeOpenAI
) -> None:
    slow = studio.model(fake.endpoint(itl=0.004))
    one = studio.start(studio.pair(slow, max_turns=6))
    seen: list[Json] = []
    while not seen or seen[-1]["kind"] != "session_finished":
        headers = {"last-event-id": str(seen[-1]["seq"])} if seen else {}
        with studio.stream(one, headers=headers) as messages:
            for _, message in zip(range(3), messages, strict=False):
                seen += _rows([message])
    assert seen == studio.events(one)


def test_many_followers_see_the_same(studio: InProcess, fake: FakeOpenAI) -> None:
    one, held = _held(studio, fake)
    until(lambda: held.requests)
    with ThreadPoolExecutor(12) as pool:
        followers = [pool.submit(_all, studio, one) for _ in range(12)]
        held.release()
        seen = [_rows(f.result(20)) for f in followers]
    assert seen == [studio.events(one)] * 12


def test_every_stream_ends_when_many_sessions_fail_at_once(
    studio: InProcess, fake: FakeOpenAI
) -> None:
    """Retries are logged in the background: they must not tear the last rows from the state."""
    pair = studio.pair(studio.model(fake.endpoint("busy")))

    def follow() -> None:
        one = studio.start(pair)
        assert _rows(_all(studio, one)) == studio.events(one)
        assert studio.session(one)["status"] == "failed"

    in_parallel(follow, 40)


def test_two_streams_at_once_do_not_mix(studio: InProcess, fake: FakeOpenAI) -> None:
    ones = [
        studio.start(studio.pair(studio.model(fake.endpoint(text=f"Team{i}", itl=0.005))))
        for i in range(4)
    ]
    with ThreadPoolExecutor(4) as pool:
        for i, messages in enumerate(pool.map(lambda one: _all(studio, one), ones)):
            texts = [str(m.data.get("text", "")) + str(m.data.get("content", ""))
                     for m in messages]  # fmt: skip
            others = [f"Team{n}" for n in range(4) if n != i]
            assert f"Team{i}" in "".join(texts)
            assert not [t for t in texts if any(o in t for o in others)]


def test_a_stream_goes_on_through_a_follow_up_that_came_before_its_end(
    studio: InProcess, ended: str, fake: FakeOpenAI
) -> None:
    """The end of run 1 is not the end of the log: the stream stops at the last row."""
    one = studio.start(studio.pair(studio.model(fake.endpoint())))
    studio.wait(one)
    studio.verb(one, "messages", {"message": "More."})
    rows = _rows(_all(studio, one))
    assert [r["run"] for r in rows if r["kind"] == "session_finished"] == [1, 2]
    assert rows == studio.events(one)


def test_a_waiting_session_keeps_its_stream_open(studio: InProcess) -> None:
    pair = studio.create(
        "workflows", kind="two_agent", initiator=studio.person(),
        recipient=studio.assistant(studio.scripted("Hi")),
    )  # fmt: skip
    one = studio.start(pair["id"])
    with studio.stream(one) as messages:
        asked = next(m for m in messages if m.event == "input_requested")
        studio.wait(one, "waiting")
        studio.verb(one, "answer", {"question": asked.data["question"], "text": "exit"})
        rest = [m.event for m in messages]
    assert "input_received" in rest
    assert rest[-1] == "session_finished"


def test_the_log_can_be_read_in_pages(studio: InProcess, ended: str) -> None:
    events = studio.events(ended)
    read: list[Json] = []
    after = 0
    while True:
        page = studio.get(f"sessions/{ended}/events", after=after, limit=4)
        if page["next"] is None:
            break
        read += page["items"]
        assert len(page["items"]) <= 4
        after = page["next"]
    assert read == events
    for params in ({"limit": 0}, {"limit": 1001}, {"after": -1}, {"after": "x"}):
        answer = studio.call("GET", f"sessions/{ended}/events", params=params)
        assert answer.status_code == 422


def test_the_stream_is_an_event_stream(studio: InProcess, ended: str) -> None:
    answer = studio.http.get(f"/api/sessions/{ended}/stream")
    assert answer.headers["content-type"].startswith("text/event-stream")
    studio.refused("GET", "sessions/nothing/stream", status=404)


def test_line_breaks_of_every_kind_survive(studio: InProcess) -> None:
    text = "a\nb\r\nc\rd\u2028e\x0bf\x85g data: x\n\nid: 9\nevent: evil"
    one = studio.start(studio.pair(studio.scripted(text, "end")), text)
    studio.wait(one)
    said = [e["content"] for e in studio.events(one) if e["kind"] == "message"]
    assert said[0] == text
    raw = studio.http.get(f"/api/sessions/{one}/stream").content
    assert raw.count(b"\nevent: evil") == 0
    assert [r["content"] for r in _rows(_all(studio, one)) if r["kind"] == "message"] == said
