"""A client of one studio that says what tests want to say, and the facts true of every log."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

import httpx2

from .fake_openai import Endpoint

T = TypeVar("T")
Json = dict[str, Any]
SECONDS = 40.0
IDLE_SECONDS = 12.0  # less than the pause between pings: a stream that only pings has hung
TERMINAL = ("finished", "failed", "stopped")
# ARCHITECTURE section 6. Written down a second time on purpose: a log is checked against the
# promise, not against the table that made it.
MOVES = {
    "queued": {"running", "paused", "stopped"},
    "running": {"waiting", "paused", "queued", "finished", "failed", "stopped"},
    "waiting": {"queued", "paused", "failed", "stopped"},
    "paused": {"queued", "stopped"},
    "finished": {"queued"},
    "failed": {"queued"},
    "stopped": {"queued"},
}
_numbers = count(1)


def unique(prefix: str) -> str:
    return f"{prefix}{next(_numbers)}"


def until(
    read: Callable[[], T], is_true: Callable[[T], object] = bool, seconds: float = SECONDS
) -> T:
    """Reads again and again until it is as wanted; fails with what was read last."""
    deadline = time.monotonic() + seconds
    while True:
        value = read()
        if is_true(value):
            return value
        assert time.monotonic() < deadline, f"after {seconds:g} s still {value!r}"
        time.sleep(0.01)


def let_pass(seconds: float) -> None:
    """For tests whose subject is a moment; all others wait for a state."""
    time.sleep(seconds)


def in_parallel(work: Callable[[], T], times: int, threads: int = 8) -> list[T]:
    """Runs `work` many times at once; after a failure nothing more is begun."""
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(work) for _ in range(times)]
        try:
            return [future.result(SECONDS) for future in futures]
        finally:
            pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class Sent:
    """One server-sent event."""

    event: str
    id: int | None
    data: Json


class Api:
    """The JSON interface of one studio."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self.http = httpx2.Client(base_url=url, headers=headers, timeout=SECONDS, trust_env=False)

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> httpx2.Response:
        return self.http.request(method, f"/api/{path}", json=body, **options)

    def get(self, path: str, **params: Any) -> Any:
        return _good(self.call("GET", path, params=params or None), 200)

    def put(self, path: str, body: Json, **headers: str) -> Any:
        return _good(self.call("PUT", path, body, headers=headers), 200)

    def post(self, path: str, body: Json | None = None, status: int = 202) -> Any:
        return _good(self.call("POST", path, body), status)

    def refused(self, method: str, path: str, body: Any = None, status: int = 422) -> Json:
        """The problem (RFC 9457) that a request is answered with."""
        answer = self.call(method, path, body)
        assert answer.status_code == status, (answer.status_code, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        problem: Json = answer.json()
        assert problem["status"] == status
        return problem

    def everything(self, path: str, **params: Any) -> list[Json]:
        """All items of a list, page after page."""
        items: list[Json] = []
        cursor: dict[str, Any] = {}
        while True:
            page = self.get(path, **params, **cursor)
            items += page["items"]
            if page["next"] is None:
                return items
            cursor = {"cursor": page["next"]}

    # -- definitions

    def create(self, noun: str, **fields: Any) -> Json:
        fields.setdefault("name", unique(noun[:1]))
        made: Json = self.post(noun, fields, 201)
        return made

    def model(self, endpoint: Endpoint, **fields: Any) -> str:
        given = {
            "provider": "openai_compatible", "model": "x", "base_url": endpoint.url, "timeout": 20,
        }  # fmt: skip
        return str(self.create("models", **given | fields)["id"])

    def scripted(self, *replies: str, **fields: Any) -> str:
        given = {"provider": "scripted", "replies": list(replies)}
        return str(self.create("models", **given | fields)["id"])

    def assistant(self, *models: str, **fields: Any) -> str:
        given = {"kind": "assistant", "system_message": "You help.", "models": list(models)}
        return str(self.create("agents", **given | fields)["id"])

    def stand_in(self, **fields: Any) -> str:
        given = {"human_input_mode": "NEVER", "default_auto_reply": "Go on."}
        return str(self.create("agents", kind="user_proxy", **given | fields)["id"])

    def person(self, **fields: Any) -> str:
        given = {"kind": "user_proxy", "human_input_mode": "ALWAYS"}
        return str(self.create("agents", **given | fields)["id"])

    def pair(self, *models: str, max_turns: int = 2, **fields: Any) -> str:
        """A stand-in who asks an assistant `max_turns` times."""
        return self.pair_of(self.assistant(*models), max_turns, **fields)

    def pair_of(self, assistant: str, max_turns: int = 2, **fields: Any) -> str:
        given = {
            "kind": "two_agent", "initiator": self.stand_in(), "recipient": assistant,
            "max_turns": max_turns,
        }  # fmt: skip
        return str(self.create("workflows", **given | fields)["id"])

    def group(self, *models: str, max_round: int = 6, **fields: Any) -> str:
        """A stand-in and one assistant for each model, in order."""
        admin = self.stand_in()
        given = {
            "kind": "group_chat", "initiator": admin, "speaker_selection_method": "round_robin",
            "agents": [admin, *(self.assistant(m) for m in models)], "max_round": max_round,
        }  # fmt: skip
        return str(self.create("workflows", **given | fields)["id"])

    # -- sessions

    def start(self, workflow: str, message: str = "Begin.", **fields: Any) -> str:
        made = self.post("sessions", {"workflow": workflow, "message": message, **fields}, 201)
        return str(made["id"])

    def session(self, one: str) -> Json:
        found: Json = self.get(f"sessions/{one}")
        return found

    def wait(self, one: str, *statuses: str, seconds: float = SECONDS) -> Json:
        """The session once it has one of these states; any end by default."""
        wanted = statuses or TERMINAL
        return until(lambda: self.session(one), lambda s: s["status"] in wanted, seconds)

    def events(self, one: str) -> list[Json]:
        rows: list[Json] = []
        while page := self.get(f"sessions/{one}/events", after=len(rows))["items"]:
            rows += page
        return rows

    def messages(self, one: str) -> list[Json]:
        return [e for e in self.events(one) if e["kind"] == "message"]

    def verb(self, one: str, verb: str, body: Json | None = None) -> Json:
        answered: Json = self.post(f"sessions/{one}/{verb}", body)
        return answered

    @contextmanager
    def stream(self, one: str, **options: Any) -> Iterator[Iterator[Sent]]:
        path = f"/api/sessions/{one}/stream"
        with self.http.stream("GET", path, timeout=IDLE_SECONDS, **options) as response:
            assert response.status_code == 200, response.read()
            yield sent(lines(response.iter_bytes()))


def _good(answer: httpx2.Response, status: int) -> Any:
    assert answer.status_code == status, (answer.status_code, answer.text[:2000])
    return answer.json() if answer.content else None


def lines(pieces: Iterator[bytes]) -> Iterator[str]:
    """Lines that end at a newline only: Python also breaks at U+2028 and the like."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line.decode() for line in whole)


def sent(lines: Iterator[str]) -> Iterator[Sent]:
    """Reads server-sent events as the standard says: fields until an empty line.

    Fails when a stream stays open too long; its pings would keep a test waiting for ever.
    """
    fields: dict[str, str] = {}
    deadline = time.monotonic() + SECONDS
    for line in lines:
        assert time.monotonic() < deadline, f"the stream is still open after {SECONDS:g} s"
        if line and not line.startswith(":"):
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif not line and fields:
            number = fields.get("id")
            yield Sent(fields["event"], int(number) if number else None, json.loads(fields["data"]))
            fields = {}


def check_log(session: Json, events: list[Json]) -> None:
    """What is true of the log of every session at rest, whatever happened to it."""
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    assert session["last_seq"] == len(events)
    assert session["turns"] == sum(e["kind"] == "message" for e in events)
    _check_chats(events)
    status, ends = "queued", 0
    for event in events:
        if event["kind"] == "status_changed":
            assert event["from"] == status, f"{event} but the session was {status}"
            assert event["to"] in MOVES[status], event
            status = event["to"]
            ends += status in TERMINAL
    assert status == session["status"]
    assert sum(e["kind"] == "session_finished" for e in events) == ends
    if status in TERMINAL:
        assert events[-1]["kind"] == "session_finished"
        assert events[-1]["status"] == status
    runs = [e["run"] for e in events if e["kind"] == "session_started"]
    assert runs == list(range(1, session["run"] + 1))


def _check_chats(events: list[Json]) -> None:
    """Turns count from 1 in each chat: over all runs in the outermost one, whose path is empty, and
    anew in each run in those inside it, which begin and end once and say nothing behind that."""
    turns: dict[tuple[int, str], list[int]] = {}
    kinds: dict[tuple[int, str], list[str]] = {}
    for event in events:
        place = (event["run"] if event["chat"] else 0, event["chat"])
        kinds.setdefault(place, []).append(event["kind"])
        if event["kind"] == "message":
            turns.setdefault(place, []).append(event["turn"])
    for place, counted in turns.items():
        assert counted == list(range(1, len(counted) + 1)), place
    for place, found in kinds.items():
        if place[1]:
            assert found[0] == "chat_started", place
            assert found.count("chat_started") == 1, place
            behind = found[found.index("chat_ended") + 1 :] if "chat_ended" in found else []
            assert set(behind) <= {"edge_taken", "model_called", "error"}, place


def contents(events: list[Json]) -> list[str]:
    return [e["content"] for e in events if e["kind"] == "message"]
