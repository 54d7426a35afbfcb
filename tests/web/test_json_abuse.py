"""SECURITY R20: whatever a client sends as JSON, the answer is 4xx, soon, and nothing is stored."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ..builders import Json, unique
from ..conftest import InProcess
from .routes import Route, json_routes

DEEP = 100_000
BROKEN: dict[str, bytes] = {
    "depth of arrays": b"[" * DEEP + b"]" * DEEP,
    "depth of objects": b'{"name":' * DEEP + b"1" + b"}" * DEEP,
    "depth in a field": b'{"name":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "unclosed depth": b"[" * DEEP,
    "NaN": b'{"name": NaN}',
    "Infinity": b'{"name": -Infinity}',
    "beyond floats": b'{"name": 1e999}',
    "lone surrogate": b'{"name": "\\ud800"}',
    "lone surrogate as a key": b'{"\\udfff": 1}',
    "5000 digits": b'{"name": ' + b"9" * 5000 + b"}",
    "bad UTF-8": b'{"name": "\xff\xfe"}',
    "a byte order mark": b'\xef\xbb\xbf{"name": "x"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "an array": b"[]",
    "a string": b'"x"',
    "a number": b"7",
    "null": b"null",
    "true": b"true",
    "nothing": b"",
    "half": b'{"name": "x"',
    "two documents": b'{"name": "x"} {"name": "y"}',
    "5 MB": b'{"name": "' + b"x" * 5_000_000 + b'"}',
}
MANY_KEYS = ("{" + ",".join(f'"k{i}":1' for i in range(200_000)) + "}").encode()


def _everything(studio: InProcess) -> int:
    nouns = ("models", "skills", "agents", "workflows", "sessions", "secrets")
    return sum(len(studio.everything(noun)) for noun in nouns)


@pytest.fixture(scope="module")
def ids(studio: InProcess) -> dict[str, str]:
    """One real object of each noun, so that a body is not spared by a 404."""
    model = studio.scripted("Hi", "Hi")
    pair = studio.pair(model)
    one = studio.start(studio.create("workflows", kind="two_agent", initiator=studio.person(),
                                     recipient=studio.person())["id"])  # fmt: skip
    studio.wait(one, "waiting")
    skill = studio.create("skills", source="def f(a: int) -> int:\n    return a\n")
    return {"models": model, "agents": studio.stand_in(), "workflows": pair, "sessions": one,
            "skills": skill["id"]}  # fmt: skip


def _send(studio: InProcess, route: Route, ids: dict[str, str], body: bytes) -> tuple[int, float]:
    noun = route.path.split("/")[2]
    started = time.monotonic()
    answer = studio.http.request(
        route.method, route.filled(one=ids.get(noun, "1")), content=body,
        headers={"content-type": "application/json", "connection": "close"},
    )  # fmt: skip
    return answer.status_code, time.monotonic() - started


@pytest.mark.parametrize("kind", BROKEN)
def test_no_json_route_takes_or_breaks_on_it(
    studio: InProcess, ids: dict[str, str], kind: str
) -> None:
    before = _everything(studio)
    found = json_routes(studio.app)
    assert len(found) >= 15, "the sweep has lost its routes"
    wrong = []
    for route in found:
        status, seconds = _send(studio, route, ids, BROKEN[kind])
        if not 400 <= status < 500 or seconds > 5:
            wrong.append((route.method, route.path, status, round(seconds, 1)))
    assert not wrong, wrong
    assert _everything(studio) == before


def test_deep_nesting_that_the_reader_takes_does_not_break_the_writer(
    studio: InProcess, ids: dict[str, str]
) -> None:
    """orjson reads 1,024 levels and writes 254: between them lies a 500."""
    wrong = []
    for route in json_routes(studio.app):
        for depth in (200, 300, 1000):
            nested = b"[" * depth + b"]" * depth
            for field in (b"name", b"values", b"schema", b"x"):
                status, _ = _send(studio, route, ids, b'{"%s": %s}' % (field, nested))
                if status >= 500:
                    wrong.append((route.method, route.path, depth, field.decode(), status))
    assert not wrong, wrong


def _bodies(ids: dict[str, str]) -> dict[tuple[str, str], Json]:
    """A body for each route that takes strings, good but for what the test does to it."""
    name = unique("abuse")
    return {
        ("POST", "models"): {"name": name, "description": "x", "model": "x"},
        ("POST", "skills"): {"name": name, "source": "def f(a: int) -> int:\n    return a\n"},
        ("POST", "agents"): {"name": name, "system_message": "x", "default_auto_reply": "x"},
        ("POST", "workflows"): {"name": name, "kind": "group_chat", "summary_prompt": "x"},
        ("PUT", f"agents/{ids['agents']}/draft"): {"name": name, "note": "x"},
        ("POST", "secrets"): {"name": "SOME_NAME", "value": "x"},
        ("POST", "sessions"): {"workflow": ids["workflows"], "message": "x", "name": "x"},
        ("PATCH", f"sessions/{ids['sessions']}"): {"tags": "x"},
        ("POST", f"sessions/{ids['sessions']}/answer"): {"question": "x", "text": "x"},
        ("POST", f"sessions/{ids['sessions']}/messages"): {"message": "x"},
    }


def test_a_nul_is_refused_in_every_text(studio: InProcess, ids: dict[str, str]) -> None:
    before = _everything(studio)
    taken = []
    for (method, path), body in _bodies(ids).items():
        for field, value in body.items():
            poisoned: Any = [f"{value}\x00"] if field == "tags" else f"{value}\x00"
            answer = studio.call(method, path, {**body, field: poisoned})
            if not 400 <= answer.status_code < 500:
                taken.append((method, path, field, answer.status_code))
    assert not taken, taken
    assert _everything(studio) == before


def test_a_key_that_is_given_twice_is_refused(studio: InProcess, ids: dict[str, str]) -> None:
    """Two readers of such a body may disagree on what it says; it is never meant."""
    taken = []
    for (method, path), body in _bodies(ids).items():
        name, value = next(iter(body.items()))
        doubled = f"{{{json.dumps(name)}: {json.dumps(value)}, {json.dumps(body)[1:]}".encode()
        answer = studio.http.request(
            method, f"/api/{path}", content=doubled, headers={"content-type": "application/json"}
        )
        if not 400 <= answer.status_code < 500:
            taken.append((method, path, answer.status_code))
    assert not taken, taken


def test_a_body_of_another_type_is_refused(studio: InProcess, ids: dict[str, str]) -> None:
    """A form or plain text that happens to be JSON is what another site can send unasked."""
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        for route in json_routes(studio.app):
            path = route.filled(one=ids.get(route.path.split("/")[2], "1"))
            headers = {"content-type": content_type}
            body = b'{"name": "typed", "kind": "assistant"}'
            answer = studio.http.request(route.method, path, content=body, headers=headers)
            assert 400 <= answer.status_code < 500, (route, content_type, answer.status_code)


@pytest.mark.parametrize("path", ["/api/agents", "/api/sessions"])
def test_many_unknown_fields_are_refused_quickly(
    studio: InProcess, ids: dict[str, str], path: str
) -> None:
    """One such body must not keep everybody else waiting: there is one event loop."""
    began = time.process_time()
    status, _ = _send(studio, Route("POST", path), ids, MANY_KEYS)
    assert status in (413, 422)
    assert time.process_time() - began < 2


def test_a_body_that_grows_over_the_limit_while_it_is_sent(studio: InProcess) -> None:
    """Without Content-Length the size is only known as it comes."""

    def pieces() -> Iterator[bytes]:
        yield b'{"name": "'
        for _ in range(50):
            yield b"x" * 100_000
        yield b'"}'

    answer = studio.http.post(
        "/api/agents", content=pieces(), headers={"content-type": "application/json"}
    )
    assert 400 <= answer.status_code < 500
    assert studio.get("health") == {"status": "ok"}
