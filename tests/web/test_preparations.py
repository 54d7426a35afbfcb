"""Preparing what code needs: by the interface and by the card on the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..builders import Json, until
from ..conftest import InProcess
from ..runner.wheels import make_wheel, only_from

SECONDS = 60.0  # pip takes its time, and more of it on a busy machine
SOURCE = "import demo\ndef version() -> str:\n    return demo.VERSION\n"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that is pip's only source."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    only_from(monkeypatch, folder)
    return folder


def coder(studio: InProcess, *packages: str, **config: object) -> str:
    given = {"executor": "sandbox", "packages": list(packages), **config}
    return studio.stand_in(code_execution_config=given)


def items(studio: InProcess, **whose: str) -> list[Json]:
    found: list[Json] = studio.get("preparations", **whose)["items"]
    return found


def settled(studio: InProcess, **whose: str) -> list[Json]:
    """The items once nothing runs any more."""
    return until(
        lambda: items(studio, **whose),
        lambda found: all(i["state"] != "running" for i in found),
        SECONDS,
    )


def test_packages_of_an_agent_are_prepared_once_and_deleted(studio: InProcess, shelf: Path) -> None:
    make_wheel(shelf, "demo")
    one = coder(studio, "demo")
    missing = {"what": "packages", "kind": "sandbox", "names": ["demo"], "state": "missing",
               "detail": "", "bytes": 0}  # fmt: skip
    assert items(studio, agent=one) == [missing]
    started = studio.post("preparations", {"agent": one}, 202)["items"]
    assert [(i["names"], i["state"]) for i in started] == [(["demo"], "running")]
    [ready] = settled(studio, agent=one)
    assert ready["bytes"] > 100
    assert ready == missing | {"state": "ready", "bytes": ready["bytes"]}
    assert studio.post("preparations", {"agent": one}, 202)["items"] == [ready]
    other = coder(studio, "DEMO")
    assert items(studio, agent=other)[0]["state"] == "ready"
    gone = studio.call("DELETE", f"preparations?agent={other}").json()["items"]
    assert gone[0]["state"] == "missing"
    assert items(studio, agent=one) == [missing]


def test_a_workflow_needs_what_its_agents_and_skills_need(studio: InProcess, shelf: Path) -> None:
    make_wheel(shelf, "demo")
    skill = studio.create("skills", source=SOURCE, packages=["demo"])["id"]
    server = studio.create(
        "skills", kind="mcp", transport={"kind": "http", "url": "http://127.0.0.1:9/"},
        packages=["unused"],
    )["id"]  # fmt: skip
    plain = studio.create("skills", source="def f() -> int:\n    return 1\n")["id"]
    assistant = studio.assistant(studio.scripted("x"), skills=[skill, server, plain])
    runner = coder(studio, "demo", "other")
    workflow = studio.create(
        "workflows", kind="two_agent", initiator=runner, recipient=assistant, max_turns=1
    )["id"]
    found = [(i["names"], i["state"]) for i in items(studio, workflow=workflow)]
    assert sorted(found) == [(["demo"], "missing"), (["demo", "other"], "missing")]
    assert [i["names"] for i in items(studio, skill=skill)] == [["demo"]]
    assert items(studio, skill=plain) == items(studio, skill=server) == []
    problem = studio.refused("POST", "sessions", {"workflow": workflow, "message": "x"})
    assert "not_prepared" in {e["code"] for e in problem["errors"]}
    studio.post("preparations", {"workflow": workflow}, 202)
    states = {i["state"]: i for i in settled(studio, workflow=workflow)}
    assert set(states) == {"ready", "failed"}
    assert "other" in states["failed"]["detail"]
    make_wheel(shelf, "other")
    studio.post("preparations", {"workflow": workflow}, 202)
    assert {i["state"] for i in settled(studio, workflow=workflow)} == {"ready"}
    assert studio.start(workflow, "x")
    assert studio.call("DELETE", f"preparations?workflow={workflow}").status_code == 200


def test_what_no_box_can_have_is_said(studio: InProcess) -> None:
    [item] = items(studio, agent=coder(studio, "demo", image="python:3-slim"))
    assert (item["kind"], item["state"]) == ("none", "failed")
    assert "choose Docker" in item["detail"]
    one = coder(studio, executor="docker", image="127.0.0.1:9/nothing:1")
    [item] = items(studio, agent=one)
    assert (item["what"], item["names"], item["state"]) == (
        "image", ["127.0.0.1:9/nothing:1"], "missing",
    )  # fmt: skip
    studio.post("preparations", {"agent": one}, 202)
    [item] = settled(studio, agent=one)
    assert item["state"] == "failed"
    assert item["detail"]


@pytest.mark.parametrize("query", ["", "agent=a&skill=b", "agent=", "agent=a&agent=b&workflow=c"])
def test_one_definition_is_named(studio: InProcess, query: str) -> None:
    studio.refused("GET", f"preparations?{query}")
    studio.refused("DELETE", f"preparations?{query}")


def test_what_is_not_there_or_not_asked_for(studio: InProcess) -> None:
    for noun in ("agent", "skill", "workflow"):
        studio.refused("GET", f"preparations?{noun}=nobody", status=404)
        studio.refused("POST", "preparations", {noun: "nobody"}, status=404)
        assert studio.http.get(f"/prepare?{noun}=nobody").status_code == 404
    for body in ({}, {"agent": 1}, {"agent": "a", "packages": ["x"]}, {"agent": "a", "skill": "b"}):
        studio.refused("POST", "preparations", body)
    assert items(studio, agent=studio.assistant()) == []


# -- the card


def card(studio: InProcess, one: str, verb: str = "") -> str:
    method = "POST" if verb else "GET"
    path = {"": "/prepare", "start": "/prepare"}.get(verb, f"/prepare/{verb}")
    answer = studio.http.request(
        method, path, params={"agent": one}, headers={"origin": studio.url}
    )
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_card_leads_from_missing_to_ready_and_back(studio: InProcess, shelf: Path) -> None:
    one = coder(studio, "demo")
    shown = card(studio, one)
    assert "demo is not on this machine yet." in shown
    assert f'hx-post="/prepare?agent={one}"' in shown
    assert ">Prepare</button>" in shown.replace("</svg>", ">")
    assert "load delay" not in shown
    assert "load delay" in card(studio, one, "start")
    failed = until(lambda: card(studio, one), lambda text: "load delay" not in text, SECONDS)
    assert "demo cannot be used." in failed
    assert "Try again" in failed
    make_wheel(shelf, "demo")
    card(studio, one, "start")
    ready = until(lambda: card(studio, one), lambda text: "load delay" not in text, SECONDS)
    assert "Ready" in ready
    assert "Delete" in ready
    assert "demo is not on this machine yet." in card(studio, one, "forget")
    page = studio.http.get(f"/agents/{one}").text
    assert f'hx-get="/prepare?agent={one}" hx-trigger="load"' in page


def test_the_card_shows_names_as_they_are(studio: InProcess) -> None:
    one = coder(studio, executor="docker", image="<b>x</b>&")
    assert "&lt;b&gt;x&lt;/b&gt;&amp;" in card(studio, one)
    assert "<b>" not in card(studio, one)
    assert "btn" not in card(studio, studio.assistant())


def test_the_card_of_a_workflow_leads_on_to_its_start(studio: InProcess, shelf: Path) -> None:
    name = make_wheel(shelf, "leads").name.partition("-")[0]
    runner = coder(studio, name)
    workflow = studio.create(
        "workflows", kind="two_agent", initiator=runner,
        recipient=studio.assistant(studio.scripted("x")), max_turns=1,
    )["id"]  # fmt: skip
    studio.post("preparations", {"workflow": workflow}, 202)
    settled(studio, workflow=workflow)
    shown = studio.http.get("/prepare", params={"workflow": workflow}).text
    assert "btn" not in shown
    shown = studio.http.get("/prepare", params={"workflow": workflow, "watched": "true"}).text
    assert f'href="/workflows/{workflow}/start"' in shown
