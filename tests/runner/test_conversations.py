"""Sessions from start to end, over REST and the stream, against a server that behaves."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from ..builders import Json, check_log, contents, until
from ..conftest import InProcess
from ..fake_openai import USAGE, Endpoint, FakeOpenAI


def _whole(studio: InProcess, one: str) -> tuple[Json, list[Json]]:
    """A session at its end and its log, which is sound."""
    session, events = studio.wait(one), studio.events(one)
    check_log(session, events)
    return session, events


def _said(endpoint: Endpoint, n: int) -> str:
    return f"{endpoint.text} {'word ' * (5 - len(endpoint.text.split()))}{endpoint.nonces[n]}"


def test_a_group_chat_speaks_in_turn_to_its_last_round(studio: InProcess, fake: FakeOpenAI) -> None:
    first, second = fake.endpoint(text="First"), fake.endpoint(text="Second")
    workflow = studio.group(studio.model(first), studio.model(second), max_round=5)
    session, events = _whole(studio, studio.start(workflow, "Begin."))
    assert session["status"] == "finished"
    assert "5" in session["reason"]
    assert contents(events) == [
        "Begin.", _said(first, 0), _said(second, 0), "Go on.", _said(first, 1),
    ]  # fmt: skip
    chosen = [e for e in events if e["kind"] == "speaker_selected"]
    assert [e["method"] for e in chosen] == ["round_robin"] * 4
    assert all(e["reason"] and e["agent"] in e["candidates"] for e in chosen)


def test_a_pair_takes_turns(studio: InProcess, fake: FakeOpenAI) -> None:
    endpoint = fake.endpoint()
    session, events = _whole(studio, studio.start(studio.pair(studio.model(endpoint))))
    assert contents(events) == ["Begin.", _said(endpoint, 0), "Go on.", _said(endpoint, 1)]
    assert session["status"] == "finished"
    finished = events[-1]
    assert (finished["status"], finished["run"]) == ("finished", 1)
    assert finished["summary"] == _said(endpoint, 1)


def test_a_conversation_ends_at_the_agreed_word(studio: InProcess, fake: FakeOpenAI) -> None:
    model = studio.model(fake.endpoint(text="TERMINATE", tokens=1))
    admin = studio.stand_in(is_termination_msg={"kind": "contains", "text": "TERMINATE"})
    pair = studio.create(
        "workflows", kind="two_agent", initiator=admin, recipient=studio.assistant(model)
    )
    session, events = _whole(studio, studio.start(pair["id"]))
    assert session["status"] == "finished"
    assert session["turns"] == 2
    assert session["reason"]
    assert "TERMINATE" not in events[-1]["summary"]


def test_a_model_chooses_the_speaker_and_the_log_says_why(
    studio: InProcess, fake: FakeOpenAI
) -> None:
    a, b = fake.endpoint(text="A"), fake.endpoint(text="B")
    selector = studio.scripted("Beta", "nobody", "still nobody", "no", "Alpha")
    alpha = studio.assistant(studio.model(a), name="Alpha")
    beta = studio.assistant(studio.model(b), name="Beta")
    group = studio.create(
        "workflows", kind="group_chat", initiator=alpha, agents=[alpha, beta], models=[selector],
        max_round=4,
    )  # fmt: skip
    _, events = _whole(studio, studio.start(group["id"]))
    chosen = [e for e in events if e["kind"] == "speaker_selected"]
    assert [e["agent"] for e in chosen] == ["Beta", "Alpha", "Alpha"]
    assert "chose" in chosen[0]["reason"]
    assert "next in order" in chosen[1]["reason"]
    assert chosen[1]["trace"][-1]["content"]


def test_tokens_and_cost_are_counted_to_the_last(studio: InProcess, fake: FakeOpenAI) -> None:
    """SECURITY I8: what is shown is the sum of what the server reported."""
    price = {"input": 1000.0, "output": 2000.0}
    model = studio.model(fake.endpoint(), price=price)
    session, events = _whole(studio, studio.start(studio.pair(model)))
    calls = [e for e in events if e["kind"] == "model_called"]
    assert len(calls) == 2
    assert session["usage"] == {
        "prompt_tokens": 2 * USAGE["prompt_tokens"],
        "completion_tokens": 2 * USAGE["completion_tokens"],
        "total_tokens": 2 * USAGE["total_tokens"],
    }
    each = USAGE["prompt_tokens"] * 0.001 + USAGE["completion_tokens"] * 0.002
    assert [round(c["cost_usd"], 9) for c in calls] == [round(each, 9)] * 2
    assert round(session["cost_usd"], 9) == round(2 * each, 9)


def test_a_call_can_be_read_exactly_as_it_was_sent(studio: InProcess, fake: FakeOpenAI) -> None:
    endpoint = fake.endpoint()
    model = studio.model(endpoint, parameters={"temperature": 0.5, "seed": 7})
    one = studio.start(studio.pair(model), 'Say "hi"\nto — 😀')
    _, events = _whole(studio, one)
    seqs = [e["seq"] for e in events if e["kind"] == "model_called"]
    assert len(seqs) == len(endpoint.requests) == 2
    for seq, received, nonce in zip(seqs, endpoint.requests, endpoint.nonces, strict=True):
        call = studio.get(f"sessions/{one}/calls/{seq}")
        assert call["request"] == received.body
        assert call["response"]["content"].endswith(nonce)
        assert call["purpose"] == "turn"
    other = next(e["seq"] for e in events if e["kind"] == "message")
    for seq in (other, 10_000):
        studio.refused("GET", f"sessions/{one}/calls/{seq}", status=404)


def test_an_edit_does_not_reach_a_session_that_runs(studio: InProcess, fake: FakeOpenAI) -> None:
    held = fake.endpoint("held")
    model = studio.model(held)
    workflow = studio.pair(model)
    one = studio.start(workflow)
    until(lambda: held.requests)
    shown = studio.get(f"workflows/{workflow}")
    agent = studio.get(f"agents/{shown['recipient']}")
    studio.put(f"agents/{agent['id']}", {**agent, "system_message": "Be rude."})
    studio.put(f"workflows/{workflow}", {**shown, "max_turns": 9})
    studio.put(f"models/{model}", {**studio.get(f"models/{model}"), "model": "another"})
    held.release()
    session, events = _whole(studio, one)
    assert len(contents(events)) == 4
    assert session["revision"] == 1
    assert [r.body["model"] for r in held.requests] == ["x", "x"]
    assert {r.messages[0]["content"] for r in held.requests} == {"You help."}


def test_what_a_session_used_may_be_deleted_later(studio: InProcess, fake: FakeOpenAI) -> None:
    endpoint = fake.endpoint()
    model = studio.model(endpoint)
    workflow = studio.pair(model)
    recipient = studio.get(f"workflows/{workflow}")["recipient"]
    one = studio.start(workflow)
    before = _whole(studio, one)
    for path in (f"workflows/{workflow}", f"agents/{recipient}", f"models/{model}"):
        assert studio.call("DELETE", path).status_code == 204
    assert _whole(studio, one) == before
    seq = next(e["seq"] for e in before[1] if e["kind"] == "model_called")
    assert studio.get(f"sessions/{one}/calls/{seq}")["request"] == endpoint.requests[0].body
    studio.verb(one, "messages", {"message": "And now?"})
    assert _whole(studio, one)[0]["run"] == 2


def test_models_can_be_exchanged_for_one_session(studio: InProcess, fake: FakeOpenAI) -> None:
    usual, other = fake.endpoint(), fake.endpoint()
    old, new = studio.model(usual), studio.model(other)
    workflow = studio.pair(old)
    one = studio.start(workflow, models={old: new})
    _whole(studio, one)
    assert (len(usual.requests), len(other.requests)) == (0, 2)
    studio.wait(studio.start(workflow))
    assert len(usual.requests) == 2
    body = {"workflow": workflow, "message": "Begin.", "models": {old: "nothing"}}
    refused = studio.refused("POST", "sessions", body)
    assert refused["errors"][0]["loc"][0] == "models"


def test_many_sessions_at_once_mix_neither_words_nor_keys(
    studio: InProcess, fake: FakeOpenAI
) -> None:
    endpoints = [fake.endpoint(text=f"Team{i}", itl=0.005) for i in range(8)]
    keys = [f"sk-key-of-team-{i}-0000000000" for i in range(8)]
    workflows = [
        studio.pair(studio.model(e, api_key=k), max_turns=4)
        for e, k in zip(endpoints, keys, strict=True)
    ]
    with ThreadPoolExecutor(8) as pool:
        started = list(pool.map(studio.start, workflows))
    for one, endpoint, key in zip(started, endpoints, keys, strict=True):
        _, events = _whole(studio, one)
        said = [c for c in contents(events) if c not in ("Begin.", "Go on.")]
        assert said == [_said(endpoint, n) for n in range(4)]
        assert {r.authorization for r in endpoint.requests} == {f"Bearer {key}"}
        asked = [m["content"] for r in endpoint.requests for m in r.messages]
        assert not [a for a in asked if "Team" in a and endpoint.text not in a]


def test_sessions_are_listed_and_searched(own_studio: InProcess) -> None:
    first = own_studio.pair(own_studio.scripted("The 50% answer", "Two"))
    second = own_studio.pair(own_studio.scripted("Nothing here", "Two"))
    a = own_studio.start(first, "Find the treasure", name="Treasure hunt")
    b = own_studio.start(second, "Find the exit")
    own_studio.wait(a), own_studio.wait(b)

    def found(**params: str) -> list[str]:
        return [s["id"] for s in own_studio.get("sessions", **params)["items"]]

    assert found() == [b, a]
    assert found(workflow=first) == [a]
    assert found(status="finished") == [b, a]
    assert found(status="running") == []
    assert found(q="50%") == [a]
    assert found(q="treasure") == [a]
    assert found(q="5_%") == []
    assert own_studio.call("GET", "sessions", params={"status": "lost"}).status_code == 422
    assert [s["name"] for s in own_studio.everything("sessions", limit=1)] == [
        "Find the exit", "Treasure hunt",
    ]  # fmt: skip
