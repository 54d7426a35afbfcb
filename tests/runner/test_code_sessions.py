"""Code in conversations, run by a whole studio in both kinds of boxes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from studio.engine.execution.box import Kind

from ..boxes import KINDS, needed
from ..builders import Json, check_log, unique
from ..conftest import InProcess, serving


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return needed(request.param)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    """One for all: what a machine has is looked at once."""
    with serving(tmp_path_factory.mktemp("code") / "home", allowed_hosts="localhost") as api:
        yield api


def block(code: str, language: str = "python") -> str:
    return f"```{language}\n{code}\n```"


def pair(studio: InProcess, kind: str, *replies: str, **config: Any) -> str:
    """A scripted writer, and a stand-in that runs what it writes."""
    writer = studio.assistant(studio.scripted(*replies, "TERMINATE"), name=unique("Writer"))
    runner = studio.stand_in(
        name=unique("Runner"), default_auto_reply="",
        code_execution_config={"executor": kind, "timeout": 20, **config},
    )  # fmt: skip
    given = {"kind": "two_agent", "initiator": runner, "recipient": writer}
    return str(studio.create("workflows", **given)["id"])


def played(studio: InProcess, workflow: str) -> list[Json]:
    one = studio.start(workflow)
    session = studio.wait(one, "finished", "failed", "waiting", seconds=60)
    events = studio.events(one)
    check_log(session, events)
    assert session["status"] == "finished", session["reason"]
    return events


def ran(events: list[Json]) -> list[Json]:
    return [event for event in events if event["kind"] == "code_executed"]


def test_what_code_prints_goes_back_into_the_conversation(studio: InProcess, kind: Kind) -> None:
    replies = [
        "First " + block("import sys\nprint('out')\nprint('err', file=sys.stderr)")
        + "\nthen " + block("echo $((6 * 7)); exit 3", "sh"),
        block("# filename: sums.py\ndef f():\n    return 5"),
        block("from sums import f\nprint(f())"),
        block("for i in 1 2; do echo -n $i; done", "bash"),
    ]  # fmt: skip
    found = ran(played(studio, pair(studio, kind, *replies)))
    assert [event["exit_code"] for event in found] == [3, 0, 0, 0]
    assert found[0]["output"] == "err\nout\n42\n"
    assert found[0]["language"] == "python"
    assert [event["output"] for event in found[1:]] == ["", "5\n", "12"]


def test_files_of_a_session_stay_in_it_and_every_version_is_kept(
    studio: InProcess, kind: Kind
) -> None:
    write = "open('data.csv', 'a').write('{0}\\n')"
    workflow = pair(
        studio, kind, block(write.format("a,b")), block(write.format("1,2")), block("1 + 1")
    )
    events = played(studio, workflow)
    saved = [event for event in events if event["kind"] == "artifact_saved"]
    assert [(one["name"], one["bytes"]) for one in saved] == [("data.csv", 4), ("data.csv", 8)]
    assert [event["artifacts"] for event in ran(events)] == [["data.csv"], ["data.csv"], []]
    assert [s["turn"] for s in saved] == [r["turn"] for r in ran(events)[:2]]
    other = played(studio, pair(studio, kind, block("import os\nprint(os.listdir())")))
    assert "data.csv" not in ran(other)[0]["output"]


def test_a_time_out_keeps_what_was_printed(studio: InProcess, kind: Kind) -> None:
    code = "print('so far')\nwhile True: pass"
    [event] = ran(played(studio, pair(studio, kind, block(code), timeout=5)))
    assert event["exit_code"] == 124
    assert event["limit"] == "the time limit of 5 s"
    assert event["output"].startswith("so far\n")
    assert "stopped at the time limit of 5 s" in event["output"]
    assert event["seconds"] < 10


def test_code_cannot_reach_the_studio_nor_its_files(studio: InProcess, kind: Kind) -> None:
    port = studio.url.rpartition(":")[2]
    code = f"""
import os, socket
for place in ({str(studio.home)!r}, "/etc/shadow", "/var/run/docker.sock", "/root"):
    try:
        print(place, os.listdir(place) if os.path.isdir(place) else open(place).read())
    except OSError as error:
        print("no", place)
for host, port in (("127.0.0.1", {port}), ("1.1.1.1", 53), ("169.254.169.254", 80)):
    try:
        socket.create_connection((host, port), 2)
        print("reached", host)
    except OSError:
        print("no", host)
print(sorted(name for name in os.environ if "STUDIO" in name or "KEY" in name))
print("uid", os.getuid())
"""
    [event] = ran(played(studio, pair(studio, kind, block(code))))
    lines = event["output"].splitlines()
    assert lines[0] == f"no {studio.home}"
    assert "reached" not in event["output"]
    assert [line for line in lines if line.startswith("no ")][-3:] == [
        "no 127.0.0.1", "no 1.1.1.1", "no 169.254.169.254",
    ]  # fmt: skip
    assert lines[-2] == "[]"
    assert lines[-1] != "uid 0"


def test_hosts_are_agreed_to_once_for_a_workflow(
    studio: InProcess, kind: Kind, finance: str
) -> None:
    """The first session asks; the answer holds for the next one, until the hosts change."""
    code = f"""
import urllib.request
print(urllib.request.urlopen("http://{finance}/META.csv").read().decode())
try:
    urllib.request.urlopen("http://unlisted.example/")
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
"""
    workflow = pair(studio, kind, block(code), network={"hosts": [finance]})
    one = studio.start(workflow)
    [question] = studio.wait(one, "waiting")["questions"]
    assert question["form"] == "approval"
    assert question["payload"]["hosts"] == [finance]
    studio.verb(one, "answer", {"question": question["id"], "approve": True})
    studio.wait(one, "finished", seconds=60)
    events = studio.events(one)
    [event] = ran(events)
    assert "2026-01-02,600.00" in event["output"]
    assert "403 unlisted.example is not among" in event["output"]
    asked = [(e["host"], e["allowed"]) for e in events if e["kind"] == "network_used"]
    assert asked == [("localhost", True), ("unlisted.example", False)]
    assert "2026-01-02" in ran(played(studio, workflow))[0]["output"]


def test_without_the_agreement_nothing_is_run(studio: InProcess, kind: Kind, finance: str) -> None:
    workflow = pair(studio, kind, block("print(1)"), network={"hosts": [finance]})
    one = studio.start(workflow)
    [question] = studio.wait(one, "waiting")["questions"]
    answer = {"question": question["id"], "approve": False, "reason": "not today"}
    studio.verb(one, "answer", answer)
    studio.wait(one, "finished", seconds=60)
    assert not ran(studio.events(one))
    told = [m["content"] for m in studio.messages(one) if m["agent"].startswith("Runner")]
    assert "The network was refused by a person: not today" in told[1]


def test_code_is_seen_edited_or_rejected_before_it_runs(studio: InProcess, kind: Kind) -> None:
    replies = [block("print('one')"), block("print('two')"), block("print('three')")]
    one = studio.start(pair(studio, kind, *replies, approval="always"))
    answers: list[Json] = [
        {"approve": True},
        {"approve": True, "edited": "print('changed')"},
        {"approve": False, "reason": "enough"},
    ]
    for text, answer in zip(("one", "two", "three"), answers, strict=True):
        [question] = studio.wait(one, "waiting", seconds=60)["questions"]
        assert question["payload"]["blocks"] == [["python", f"print('{text}')"]]
        stale = {"question": question["id"], **answer, "payload_hash": "0" * 32}
        studio.refused("POST", f"sessions/{one}/answer", stale, 409)
        studio.verb(one, "answer", {"question": question["id"], **answer})
    studio.wait(one, "finished", seconds=60)
    assert [event["output"] for event in ran(studio.events(one))] == ["one\n", "changed\n"]
    assert any("refused by a person: enough" in m["content"] for m in studio.messages(one))


def test_stop_ends_what_runs_within_3_seconds_and_another_session_is_not_disturbed(
    studio: InProcess, kind: Kind
) -> None:
    busy = studio.start(pair(studio, kind, block("print(1)\nwhile True: pass"), timeout=600))
    other = studio.start(pair(studio, kind, block("print(6 * 7)")))
    session = studio.wait(other, seconds=60)
    assert session["status"] == "finished"
    assert ran(studio.events(other))[0]["output"] == "42\n"
    assert studio.session(busy)["status"] == "running"
    began = time.monotonic()
    assert studio.verb(busy, "stop")["status"] == "stopped"
    assert time.monotonic() - began < 3
    assert studio.events(busy)[-1]["kind"] == "session_finished"
