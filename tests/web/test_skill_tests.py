"""Tests of skills by REST: what is saved runs, in a box, and nowhere else (SECURITY P2 to P4)."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from ..boxes import KINDS, needed
from ..builders import Json, until
from ..conftest import TOKEN, InProcess, serving

SOURCE = '''
import os

def add(a: int, b: int = 2) -> int:
    """Add two numbers."""
    print("adding", a, b)
    return a + b

def fail(text: str) -> None:
    raise ValueError(text)

def odd() -> object:
    return {1, 2}

def nothing() -> None:
    pass

def wait(seconds: float) -> str:
    import time
    time.sleep(seconds)
    return "waited"

def key() -> str:
    return os.environ["MATHS_KEY"]

def status() -> dict:
    return dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
'''


@pytest.fixture(scope="module", params=KINDS)
def studio(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[InProcess]:
    with serving(tmp_path_factory.mktemp("skills") / "home", boxes=needed(request.param)) as api:
        api.http.timeout = 60  # calls wait for each other
        yield api


@pytest.fixture(scope="module")
def skill(studio: InProcess) -> str:
    return str(studio.create("skills", name="maths", source=SOURCE)["id"])


def tried(studio: InProcess, one: str, function: str, **arguments: object) -> Json:
    given = {"function": function, "arguments": arguments}
    found: Json = studio.post(f"skills/{one}/test", given, 200)
    return found


def folders(studio: InProcess) -> list[Path]:
    return [path for path in (studio.home / "work").glob("*") if path.name.startswith("try-")]


def test_a_call_gives_result_prints_and_time(studio: InProcess, skill: str) -> None:
    found = tried(studio, skill, "add", a=40)
    assert 0 < found.pop("seconds") < 20
    assert found == {"ok": True, "result": 42, "stdout": "adding 40 2\n", "stderr": ""}
    assert tried(studio, skill, "odd")["result"] == "{1, 2}"
    assert tried(studio, skill, "nothing")["result"] is None
    assert folders(studio) == []


def test_a_failure_is_an_answer_with_its_lines(studio: InProcess, skill: str) -> None:
    found = tried(studio, skill, "fail", text="no <b>")
    assert (found["ok"], found["error"]) == (False, "no <b>")
    assert 'File "maths.py", line 10, in fail' in found["stderr"]
    assert "result" not in found


@pytest.mark.parametrize(
    "extra",
    ["source", "code", "secrets", "network", "packages", "command", "environment", "image", "name"],
)
def test_a_test_cannot_bring_its_own(studio: InProcess, skill: str, extra: str) -> None:
    """SECURITY R03."""
    body = {"function": "add", "arguments": {"a": 1}, extra: "def add(a): return 'mine'"}
    problem = studio.refused("POST", f"skills/{skill}/test", body)
    assert problem["errors"][0]["loc"] == [extra]


def test_what_is_saved_runs_and_not_a_draft(studio: InProcess) -> None:
    made = studio.create("skills", source="def f() -> str:\n    return 'saved'\n")
    draft = {**made, "source": "def f() -> str:\n    return 'draft'\n"}
    studio.put(f"skills/{made['id']}/draft", draft)
    assert tried(studio, made["id"], "f")["result"] == "saved"


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"function": "absent"}, ["function"]),
        ({"function": "add"}, ["arguments", "a"]),
        ({"function": "add", "arguments": {"a": "1"}}, ["arguments", "a"]),
        ({"function": "add", "arguments": {"a": 1, "c": 1}}, ["arguments", "c"]),
        ({"function": "add", "arguments": [1]}, ["arguments"]),
        ({"arguments": {"a": 1}}, ["function"]),
    ],
)
def test_a_call_that_does_not_fit_is_refused_before_it_runs(
    studio: InProcess, skill: str, body: Json, loc: list[str]
) -> None:
    problem = studio.refused("POST", f"skills/{skill}/test", body)
    assert problem["errors"][0]["loc"] == loc


def test_it_runs_in_a_box(studio: InProcess, skill: str) -> None:
    """SECURITY R25: the test button."""
    status = {key: text.strip() for key, text in tried(studio, skill, "status")["result"].items()}
    assert int(status["CapEff"], 16) == 0
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


def test_a_secret_is_given_to_the_call_and_told_to_nobody(studio: InProcess) -> None:
    made = studio.create("skills", source=SOURCE, secrets=["MATHS_KEY"])
    body = {"function": "key"}
    problem = studio.refused("POST", f"skills/{made['id']}/test", body)
    assert [(e["loc"], e["code"]) for e in problem["errors"]] == [
        (["secrets", 0], "secret_missing")
    ]
    studio.post("secrets", {"name": "MATHS_KEY", "value": "a-secret-value"}, 201)
    assert tried(studio, made["id"], "key")["result"] == "[secret]"
    other = studio.create("skills", source=SOURCE)
    assert tried(studio, other["id"], "key")["ok"] is False


def test_what_is_asked_of_the_network_is_told(studio: InProcess) -> None:
    source = """
def f() -> str:
    import urllib.request
    return urllib.request.urlopen("http://elsewhere.example/x", timeout=5).read().decode()
"""
    made = studio.create("skills", source=source, network={"hosts": ["api.example.org"]})
    found = tried(studio, made["id"], "f")
    assert found["ok"] is False
    [request] = found["network"]
    assert (request["host"], request["port"], request["allowed"]) == (
        "elsewhere.example",
        80,
        False,
    )
    assert request["reason"]


def test_an_open_network_needs_the_owner_of_the_studio(studio: InProcess) -> None:
    made = studio.create("skills", source="def f() -> int:\n    return 1\n", network="open")
    problem = studio.refused("POST", f"skills/{made['id']}/test", {"function": "f"}, 503)
    assert "STUDIO_OPEN_NETWORK" in problem["detail"]


def test_only_a_few_run_at_once(studio: InProcess, skill: str) -> None:
    most, done = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.01):
            most = max(most, len(folders(studio)))

    with ThreadPoolExecutor(5) as pool:
        watching = pool.submit(watch)
        calls = [pool.submit(tried, studio, skill, "wait", seconds=1.0) for _ in range(4)]
        assert [call.result(60)["result"] for call in calls] == ["waited"] * 4
        done.set()
        watching.result(10)
    assert most == 2


def test_a_client_that_goes_away_stops_its_call(studio: InProcess, skill: str) -> None:
    parts = urlsplit(studio.url)
    body = json.dumps({"function": "wait", "arguments": {"seconds": 50}}).encode()
    head = (
        f"POST /api/skills/{skill}/test HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((str(parts.hostname), int(parts.port or 0)), 10) as wire:
        wire.sendall(head.encode() + body)
        until(lambda: folders(studio))
    until(lambda: folders(studio), lambda found: not found)
    assert tried(studio, skill, "add", a=1)["result"] == 3


def test_a_token_that_may_only_read_runs_nothing(studio: InProcess, skill: str) -> None:
    token = studio.post("tokens", {"name": "reader", "scope": "read"}, 201)["token"]
    answer = studio.http.post(
        f"/api/skills/{skill}/test", json={"function": "add", "arguments": {"a": 1}},
        headers={"authorization": f"Bearer {token}"},
    )  # fmt: skip
    assert answer.status_code == 403


def test_without_a_box_nothing_runs(tmp_path: Path) -> None:
    mark = tmp_path / "MARK"
    with serving(tmp_path / "home", boxes="") as studio:
        source = f"open({str(mark)!r}, 'w')\ndef f() -> int:\n    return 1\n"
        made = studio.create("skills", source=source)
        problem = studio.refused("POST", f"skills/{made['id']}/test", {"function": "f"}, 503)
    assert "box" in problem["detail"]
    assert not mark.exists()


def test_only_a_test_runs_a_skill_and_only_in_the_box(studio: InProcess, tmp_path: Path) -> None:
    """SECURITY R02: saving, looking, drafting, checking and copying run nothing of it."""
    mark = tmp_path / "MARK"
    trap = f"__import__('os').system('echo ran; touch {mark}')"
    source = f"""
{trap}
def _mark(given): {trap}; return given
class Trap:
    {trap}
@_mark
def f(a: int = {trap} and 1) -> str:
    return "here"
"""
    children = set(psutil.Process().children(recursive=True))
    made = studio.create("skills", source=source)
    one, page = f"skills/{made['id']}", f"/skills/{made['id']}"
    body = {k: v for k, v in made.items() if k in ("name", "source")}
    studio.put(one, body | {"description": "changed"})
    studio.put(f"{one}/draft", body | {"description": "draft"})
    studio.post(f"{one}/revisions/1/restore", None, 200)
    agent = studio.assistant(studio.scripted("Hi"), skills=[made["id"]])
    studio.post(f"workflows/{studio.pair_of(agent)}/check", None, 200)
    form = {**body, "description": "", "_revision": "3", "_function": "f", "_args.a": "1"}
    for path in (page, f"{page}/yaml", f"{page}/revisions", "/skills", f"/agents/{agent}"):
        assert studio.http.get(path).status_code == 200, path
    for path in ("parts/schema", "parts/arguments", f"{made['id']}/autosave",
                 f"{made['id']}/duplicate", "new"):  # fmt: skip
        answer = studio.http.post(f"/skills/{path}", data={**form, "name": f"trap {len(path)}"})
        assert answer.status_code < 400, (path, answer.text)
    assert set(psutil.Process().children(recursive=True)) <= children
    assert not mark.exists()
    found = tried(studio, made["id"], "f")
    assert (found["result"], found["stdout"]) == ("here", "ran\n" * 4)
    assert not mark.exists()
