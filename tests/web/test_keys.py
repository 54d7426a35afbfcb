"""A model's key goes in and never comes out, and goes to no other host than its own."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from ..builders import Json, unique, until
from ..conftest import InProcess
from ..fake_openai import Endpoint, FakeOpenAI

KEY = "sk-test-VERYSECRETkey0123456789-ab1234"
FORMS = [KEY, base64.b64encode(KEY.encode()).decode(), KEY[3:-4]]


def _leaks(text: str) -> list[str]:
    return [form for form in FORMS if form in text]


def _files(home: Path) -> bytes:
    """Everything on disk: the database, its journal, and whatever else there is."""
    return b"".join(p.read_bytes() for p in sorted(home.rglob("*")) if p.is_file())


def _save(studio: InProcess, made: Json, endpoint: Endpoint, **fields: object) -> Json:
    body = {"name": made["name"], "model": "x", "base_url": endpoint.url, **fields}
    saved: Json = studio.put(f"models/{made['id']}", body)
    return saved


@pytest.fixture
def keyed(studio: InProcess, fake: FakeOpenAI) -> tuple[Json, Endpoint]:
    endpoint = fake.endpoint()
    made = studio.create("models", model="x", base_url=endpoint.url, api_key=KEY)
    return made, endpoint


def _codes(studio: InProcess, model: str) -> list[str]:
    pair = studio.pair(model)
    problems = studio.post(f"workflows/{pair}/check", status=200)["problems"]
    return [p["code"] for p in problems]


def test_the_key_is_used_and_only_its_end_is_shown(
    studio: InProcess, keyed: tuple[Json, Endpoint]
) -> None:
    made, endpoint = keyed
    assert (made["api_key_set"], made["api_key_hint"]) == (True, "...1234")
    assert "api_key" not in made
    assert studio.post(f"models/{made['id']}/test", status=200)["ok"] is True
    assert {r.authorization for r in endpoint.requests} == {f"Bearer {KEY}"}


def test_the_key_is_in_no_answer_and_in_no_file(own_studio: InProcess, fake: FakeOpenAI) -> None:
    """SECURITY R11: every GET there is, the streams of two sessions, and every byte on disk."""
    studio, echo = own_studio, fake.endpoint("unauthorized")
    good = studio.create("models", model="x", base_url=fake.endpoint().url, api_key=KEY)
    bad = studio.create("models", model="x", base_url=echo.url, api_key=KEY, description="v1")
    studio.put(f"models/{bad['id']}/draft", {"api_key": KEY, "base_url": echo.url})
    _save(studio, bad, echo, description="v2", api_key=KEY)
    studio.post("secrets", {"name": "SOME_SECRET", "value": KEY}, 201)
    said = [studio.call("POST", f"models/{bad['id']}/test").text]
    for model in (good, bad):
        one = studio.start(studio.pair(model["id"]))
        studio.wait(one)
        with studio.stream(one) as messages:
            said += [json.dumps(m.data) for m in messages]
        calls = [e["seq"] for e in studio.events(one) if e["kind"] == "model_called"]
        said += [studio.call("GET", f"sessions/{one}/{p}").text
                 for p in ("", "events", *(f"calls/{n}" for n in calls))]  # fmt: skip
        for path in ("", "/draft", "/revisions", "/revisions/1"):
            said.append(studio.call("GET", f"models/{model['id']}{path}").text)
    lists = ("models", "agents", "workflows", "sessions", "secrets", "status")
    said += [studio.call("GET", path).text for path in lists]
    assert _leaks("".join(said)) == []
    on_disk = _files(studio.home)
    assert b"SOME_SECRET" in on_disk  # it is the right place to look
    assert [form for form in FORMS if form.encode() in on_disk] == []
    assert f"Bearer {KEY}" in {r.authorization for r in echo.requests}


def test_a_refused_body_does_not_come_back_with_its_key(studio: InProcess) -> None:
    for body in ({"api_key": KEY + " x"}, {"api_key": KEY, "colour": "red"}, {"api_key": [KEY]},
                 {"name": "m", "api_key": KEY, "base_url": f"http://{KEY}@host/v1"}):  # fmt: skip
        assert _leaks(studio.call("POST", "models", body).text) == []
    broken = studio.http.post("/api/models", content=b'{"api_key": "%s", ' % KEY.encode())
    assert 400 <= broken.status_code < 500
    assert _leaks(broken.text) == []


def test_a_key_is_kept_while_the_host_stays(
    studio: InProcess, fake: FakeOpenAI, keyed: tuple[Json, Endpoint]
) -> None:
    made, _ = keyed
    other_path = fake.endpoint()
    saved = _save(studio, made, other_path)
    assert (saved["api_key_set"], saved["api_key_hint"]) == (True, "...1234")
    assert _save(studio, made, other_path, api_key_set=False, api_key_hint="x")["api_key_set"]
    studio.post(f"models/{made['id']}/test", status=200)
    assert {r.authorization for r in other_path.requests} == {f"Bearer {KEY}"}


def test_another_host_never_gets_the_key(
    studio: InProcess, canary: FakeOpenAI, keyed: tuple[Json, Endpoint]
) -> None:
    """SECURITY R12, by the test button and by a session."""
    made, _ = keyed
    trap = canary.endpoint()
    saved = _save(studio, made, trap)
    assert (saved["api_key_set"], saved["api_key_hint"]) == (False, None)
    assert _codes(studio, made["id"]) == ["secret_missing"]
    report = studio.post(f"models/{made['id']}/test", status=200)
    assert report["ok"] is False
    assert "key" in report["error"]
    studio.refused("POST", "sessions", {"workflow": studio.pair(made["id"]), "message": "Begin."})
    assert [r for r in trap.requests if KEY in r.authorization] == []


def test_going_back_to_the_first_host_does_not_bring_the_key_back(
    studio: InProcess, canary: FakeOpenAI, keyed: tuple[Json, Endpoint]
) -> None:
    made, endpoint = keyed
    _save(studio, made, canary.endpoint())
    assert _save(studio, made, endpoint)["api_key_set"] is False
    assert _codes(studio, made["id"]) == ["secret_missing"]
    assert _save(studio, made, endpoint, api_key=KEY)["api_key_set"] is True
    assert _codes(studio, made["id"]) == []


def test_restoring_another_host_clears_the_key(
    studio: InProcess, canary: FakeOpenAI, keyed: tuple[Json, Endpoint]
) -> None:
    made, _ = keyed
    trap = canary.endpoint()
    own = "sk-another-key-of-the-canary-9876"
    _save(studio, made, trap, api_key=own)
    restored = studio.post(f"models/{made['id']}/revisions/1/restore", status=200)
    assert restored["api_key_set"] is False
    assert _codes(studio, made["id"]) == ["secret_missing"]
    body = studio.get(f"models/{made['id']}/revisions/1")
    assert _leaks(json.dumps(body)) == []


def test_restoring_the_same_host_keeps_the_key(
    studio: InProcess, keyed: tuple[Json, Endpoint]
) -> None:
    made, endpoint = keyed
    _save(studio, made, endpoint, description="second")
    restored = studio.post(f"models/{made['id']}/revisions/1/restore", status=200)
    assert restored["api_key_set"] is True


@pytest.mark.parametrize("cleared", [None, ""])
def test_a_key_can_be_cleared(
    studio: InProcess, keyed: tuple[Json, Endpoint], cleared: str | None
) -> None:
    made, endpoint = keyed
    saved = _save(studio, made, endpoint, api_key=cleared)
    assert saved["api_key_set"] is False
    assert _codes(studio, made["id"]) == []  # this provider needs none
    studio.post(f"models/{made['id']}/test", status=200)
    assert [r for r in endpoint.requests if KEY in r.authorization] == []


def test_a_new_key_is_used_by_sessions_that_run_already(
    studio: InProcess, fake: FakeOpenAI
) -> None:
    """What users of AutoGen Studio asked for most: an edited key reaches the workflow."""
    held = fake.endpoint("held")
    made = studio.create("models", model="x", base_url=held.url, api_key=KEY)
    one = studio.start(studio.pair(made["id"], max_turns=2))
    until(lambda: held.requests)
    _save(studio, made, held, api_key="sk-the-new-key-0000000000")
    held.release()
    studio.wait(one)
    assert [r.authorization for r in held.requests] == [
        f"Bearer {KEY}", "Bearer sk-the-new-key-0000000000",
    ]  # fmt: skip


def test_a_secret_of_a_model_cannot_be_borrowed_by_name(
    studio: InProcess, canary: FakeOpenAI, keyed: tuple[Json, Endpoint]
) -> None:
    made, _ = keyed
    trap = canary.endpoint()
    thief = studio.create(
        "models", name=unique("thief"), model="x", base_url=trap.url, secret=f"model:{made['id']}"
    )
    studio.post(f"models/{thief['id']}/test", status=200)
    assert [r for r in trap.requests if KEY in r.authorization] == []


def test_named_secrets_are_listed_without_their_values(studio: InProcess) -> None:
    studio.post("secrets", {"name": "MY_TOKEN", "value": KEY}, 201)
    listed = studio.get("secrets")["items"]
    assert "MY_TOKEN" in [s["name"] for s in listed]
    assert _leaks(json.dumps(listed)) == []
    assert studio.call("DELETE", "secrets/MY_TOKEN").status_code == 204
    assert "MY_TOKEN" not in [s["name"] for s in studio.get("secrets")["items"]]
    studio.refused("DELETE", "secrets/MY_TOKEN", status=404)
