"""Definitions out as a document and in again: inert until somebody agrees (SECURITY R02)."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import yaml

from ..builders import Json
from ..conftest import InProcess, serving

KEY = "sk-in-no-export-0123456789"
NOUNS = ("models", "skills", "agents", "workflows")


def _team(studio: InProcess) -> str:
    """A workflow of every kind of reference: a sequence of a group with a skill, and a pair."""
    model = studio.create("models", model="x", base_url="http://127.0.0.1:9/v1", api_key=KEY)["id"]
    source = "def add(a: int, b: int) -> int:\n    '''Add two numbers.'''\n    return a + b\n"
    skill = studio.create("skills", source=source)["id"]
    one, two = studio.assistant(model, skills=[skill]), studio.assistant(model)
    group = studio.create(
        "workflows", kind="group_chat", initiator=one, agents=[one, two], max_round=4,
        allowed_or_disallowed_speaker_transitions={one: [two], two: [one]},
        speaker_transitions_type="allowed",
    )["id"]  # fmt: skip
    pair = studio.pair(studio.scripted("Hi", "Hi"))
    steps = [{"workflow": group, "message": "Begin.\nThen go on."}, {"workflow": pair}]
    return str(studio.create("workflows", kind="sequential", steps=steps)["id"])


def _export(studio: InProcess, one: str, kind: str = "yaml") -> str:
    return studio.http.get(f"/api/workflows/{one}/export?format={kind}").text


def _staged(studio: InProcess, document: str) -> Json:
    made: Json = studio.post("import", {"document": document}, 201)
    return made


def _confirmed(studio: InProcess, staged: Json, **more: str) -> list[Json]:
    body = {"consent": staged["capabilities"], **more}
    items: list[Json] = studio.post(f"import/{staged['id']}/confirm", body, 201)["items"]
    return items


@pytest.mark.parametrize("kind", ["yaml", "json"])
def test_what_goes_out_comes_in_the_same(own_studio: InProcess, tmp_path: Path, kind: str) -> None:
    document = _export(own_studio, _team(own_studio), kind)
    assert KEY not in document
    with serving(tmp_path / "other") as other:
        made = _confirmed(other, _staged(other, document))
        assert [m["noun"] for m in made] == sorted((m["noun"] for m in made), key=NOUNS.index)
        again = _export(other, made[-1]["id"], kind)
        assert yaml.safe_load(again) == yaml.safe_load(document)
        checked = other.post(f"workflows/{made[-1]['id']}/check", status=200)["problems"]
        assert [p["code"] for p in checked if p["blocking"]] == []


def test_nothing_is_made_before_somebody_agrees(own_studio: InProcess, tmp_path: Path) -> None:
    document = _export(own_studio, _team(own_studio))
    with serving(tmp_path / "other") as other:
        staged = _staged(other, document)
        assert [other.everything(noun) for noun in NOUNS] == [[]] * 4
        assert any("Python code" in what for what in staged["capabilities"])
        assert any("sends conversations to" in what for what in staged["capabilities"])
        path = f"import/{staged['id']}/confirm"
        problem = other.refused("POST", path, {"consent": staged["capabilities"][1:]})
        assert {e["code"] for e in problem["errors"]} == {"consent"}
        assert [other.everything(noun) for noun in NOUNS] == [[]] * 4
        _confirmed(other, staged)
        other.refused("POST", path, {"consent": staged["capabilities"]}, 404)


def test_code_in_a_document_is_not_run(studio: InProcess, tmp_path: Path) -> None:
    mark = tmp_path / "MARK"
    trap = f"open({str(mark)!r}, 'w')\n"
    source = f"{trap}def f(a: int = {trap.strip()}) -> int:\n    return a\n"
    skill = {"name": "trap", "source": source}
    document = json.dumps({"v": 1, "skills": [skill]})
    _confirmed(studio, _staged(studio, document))
    for unsafe in (f"!!python/object/apply:os.system ['touch {mark}']",
                   f"skills: !!python/name:os.system\n- {mark}"):  # fmt: skip
        studio.refused("POST", "import", {"document": unsafe})
    assert not mark.exists()


@pytest.mark.parametrize("clash", ["copy", "skip", "replace"])
def test_names_that_are_taken(own_studio: InProcess, clash: str) -> None:
    one = _team(own_studio)
    document = _export(own_studio, one).replace("You help.", "You help much.")
    before = {noun: own_studio.everything(noun) for noun in NOUNS}
    staged = _staged(own_studio, document)
    assert {p["code"] for p in staged["problems"]} == {"name_taken"}
    own_studio.refused("POST", f"import/{staged['id']}/confirm",
                       {"consent": staged["capabilities"]})  # fmt: skip
    made = _confirmed(own_studio, staged, clash=clash)
    after = {noun: own_studio.everything(noun) for noun in NOUNS}
    numbers = {noun: len(after[noun]) - len(before[noun]) for noun in NOUNS}
    if clash == "copy":
        assert numbers == {noun: len(before[noun]) for noun in NOUNS}
        assert all(m["name"].endswith("_2") for m in made)
    else:
        assert set(numbers.values()) == {0}
    helps = [a["system_message"] for a in after["agents"] if a["kind"] == "assistant"]
    assert ("You help much." in helps) == (clash != "skip")


@pytest.mark.parametrize(
    "document",
    ["", "42", "[]", "- a", "{", "agents: 1", "agents: [1]", "more: []", "a: &x [1]\nb: *x",
     "agents: " + "[" * 60 + "]" * 60, "[" * 100_000, "agents: [{name: 2020-01-01}]",
     "x: " + "y" * 1_100_000, "\x00", "a: \ud800".encode("utf-8", "replace").decode()],
)  # fmt: skip
def test_a_document_that_is_none(studio: InProcess, document: str) -> None:
    began = time.process_time()
    studio.refused("POST", "import", {"document": document})
    assert time.process_time() - began < 2


def test_each_problem_is_told_with_its_place(studio: InProcess) -> None:
    document = "agents:\n- name: no good\n- name: Fine\n  models: [models/None]\n"
    staged = _staged(studio, document)
    found = {(tuple(p["loc"]), p["code"]) for p in staged["problems"]}
    assert (("agents", 1, "models", 0), "unknown_name") in found
    assert ("agents", 0, "name") in {loc for loc, _ in found}
    body = {"consent": staged["capabilities"], "clash": "copy"}
    studio.refused("POST", f"import/{staged['id']}/confirm", body)
    assert studio.call("DELETE", f"import/{staged['id']}").status_code == 204


# -- transcripts


def test_a_transcript_in_every_format(studio: InProcess) -> None:
    model = studio.scripted("=1+1", '"quoted", with\nlines', "ü", "Hi")
    one = studio.start(studio.pair(model))
    studio.wait(one)
    said = [m["content"] for m in studio.messages(one)]
    as_json = studio.get(f"sessions/{one}/transcript")
    assert [m["content"] for m in as_json["messages"]] == said
    assert as_json["session"]["id"] == one
    markdown = studio.http.get(f"/api/sessions/{one}/transcript?format=md").text
    assert all(text in markdown for text in said)
    table = studio.http.get(f"/api/sessions/{one}/transcript?format=csv")
    assert "attachment" in table.headers["content-disposition"]
    assert "'=1+1" in table.text
    studio.refused("GET", f"sessions/{one}/transcript?format=exe")
    studio.refused("GET", "sessions/x/transcript", status=404)
