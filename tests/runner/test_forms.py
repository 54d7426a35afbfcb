"""Questions with choices and with forms, and how answers and JSON replies set context variables."""

from __future__ import annotations

from typing import Any

import pytest

from ..builders import Json, check_log, contents
from ..conftest import InProcess
from .test_branches import answer

SCHEMA: Json = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "title": "Where to?", "enum": ["Rome", "Oslo"]},
        "nights": {"type": "integer", "minimum": 1, "maximum": 14, "default": 3},
        "budget": {"type": "number", "minimum": 0},
        "flight": {"type": "boolean", "title": "By air"},
        "wishes": {"type": "string", "format": "textarea"},
    },
    "required": ["city", "nights"],
}


def asking(studio: InProcess, question: Json, *edges: Json, **fields: Any) -> tuple[str, Json]:
    """A graph whose person p is asked; edges lead from it to nodes x and y. The session, asked."""
    person = studio.person(question=question, default_auto_reply="Whatever.")
    agents = {"p": person} | {n: studio.assistant(studio.scripted(n.upper())) for n in "xy"}
    graph = studio.create(
        "workflows", kind="graph", nodes=[{"id": n, "agent": a} for n, a in agents.items()],
        edges=list(edges), **fields,
    )  # fmt: skip
    one = studio.start(graph["id"], "Plan it.")
    [asked] = studio.wait(one, "waiting")["questions"]
    return one, asked


TO = [{"from": "p", "to": "x"}, {"from": "x", "to": "y"}]


def finished(studio: InProcess, one: str) -> list[Json]:
    session, events = studio.wait(one), studio.events(one)
    check_log(session, events)
    assert session["status"] == "finished", session["reason"]
    return events


def changes(events: list[Json]) -> list[tuple[Json, str]]:
    return [(e["changes"], e["by"]) for e in events if e["kind"] == "context_changed"]


# -- choices


CHOICE = {"form": "choice", "prompt": "Which one?", "choices": ["tea", "coffee"]}


def test_one_of_the_choices_is_the_answer(studio: InProcess) -> None:
    one, asked = asking(studio, CHOICE, *TO)
    assert (asked["form"], asked["prompt"], asked["choices"]) == (
        "choice", "Which one?", ["tea", "coffee"],
    )  # fmt: skip
    answer(studio, one, asked["id"], "coffee")
    assert contents(finished(studio, one)) == ["coffee", "X", "Y"]


@pytest.mark.parametrize("said", ["milk", "Tea", "1", " tea"])
def test_anything_else_is_refused_and_the_question_stays(studio: InProcess, said: str) -> None:
    one, asked = asking(studio, CHOICE, *TO)
    body = {"question": asked["id"], "text": said}
    refused = studio.refused("POST", f"sessions/{one}/answer", body)
    assert [e["loc"] for e in refused["errors"]] == [["text"]]
    assert "tea, coffee" in refused["errors"][0]["msg"]
    assert studio.session(one)["questions"] == [asked]


@pytest.mark.parametrize("question", [CHOICE, {"form": "fields", "schema": SCHEMA}])
def test_a_choice_and_a_form_can_be_skipped_and_ended(studio: InProcess, question: Json) -> None:
    one, asked = asking(studio, question, *TO)
    assert asked["actions"] == ["skip", "end"]
    answer(studio, one, asked["id"], "")
    assert contents(finished(studio, one)) == ["Whatever.", "X", "Y"]
    one, asked = asking(studio, question, *TO)
    answer(studio, one, asked["id"], "exit")
    assert contents(finished(studio, one)) == []


# -- forms


def test_a_form_tells_its_fields_in_order_and_with_their_types(studio: InProcess) -> None:
    _, asked = asking(studio, {"form": "fields", "schema": SCHEMA})
    schema = asked["schema"]
    assert schema["type"] == "object"
    assert schema["required"] == ["city", "nights"]
    assert list(schema["properties"]) == ["city", "nights", "budget", "flight", "wishes"]
    for name, field in SCHEMA["properties"].items():
        assert field.items() <= schema["properties"][name].items()
    assert "enum" not in schema["properties"]["nights"]


def test_a_field_without_a_type_is_a_text(studio: InProcess) -> None:
    question = {"form": "fields", "schema": {"properties": {"why": {}}}}
    _, asked = asking(studio, question)
    assert asked["schema"]["type"] == "object"
    assert asked["schema"]["properties"]["why"]["type"] == "string"
    assert asked["schema"]["required"] == []


GOOD: Json = {"city": "Oslo", "nights": 2, "budget": 99.5, "flight": False, "wishes": "snow"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (GOOD, "Where to?: Oslo\nnights: 2\nbudget: 99.5\nBy air: no\nwishes: snow"),
        ({"nights": 14, "city": "Rome", "flight": True},
         "Where to?: Rome\nnights: 14\nBy air: yes"),
        ({"city": "Rome", "nights": "3", "budget": "0", "flight": "true", "wishes": ""},
         "Where to?: Rome\nnights: 3\nbudget: 0.0\nBy air: yes"),
    ],
)  # fmt: skip
def test_the_values_become_lines(studio: InProcess, values: Json, said: str) -> None:
    """In the order of the form, whatever the order they came in; texts are read as numbers."""
    one, asked = asking(studio, {"form": "fields", "schema": SCHEMA}, *TO)
    studio.verb(one, "answer", {"question": asked["id"], "values": values})
    events = finished(studio, one)
    assert contents(events) == [said, "X", "Y"]
    [received] = [e for e in events if e["kind"] == "input_received"]
    assert list(received["values"]) == [n for n in SCHEMA["properties"] if n in received["values"]]


@pytest.mark.parametrize(
    ("wrong", "fields"),
    [
        ({"city": None}, {"city"}),
        ({"city": "", "nights": " "}, {"city", "nights"}),
        ({"city": "Paris"}, {"city"}),
        ({"nights": 0}, {"nights"}),
        ({"nights": 15, "budget": -1}, {"nights", "budget"}),
        ({"nights": 1.5}, {"nights"}),
        ({"nights": "many"}, {"nights"}),
        ({"budget": "a lot"}, {"budget"}),
        ({"budget": "inf"}, {"budget"}),
        ({"flight": "perhaps"}, {"flight"}),
        ({"wishes": ["snow"]}, {"wishes"}),
        ({"hotel": "Ritz"}, {"hotel"}),
        ({"f0": "Rome"}, {"f0"}),
    ],
)
def test_values_that_do_not_fit_are_told_at_their_fields(
    studio: InProcess, wrong: Json, fields: set[str]
) -> None:
    one, asked = asking(studio, {"form": "fields", "schema": SCHEMA}, *TO)
    values = {k: v for k, v in (GOOD | wrong).items() if v is not None}
    body = {"question": asked["id"], "values": values}
    refused = studio.refused("POST", f"sessions/{one}/answer", body)
    assert {tuple(e["loc"][:2]) for e in refused["errors"]} == {("values", f) for f in fields}
    assert all(e["msg"] for e in refused["errors"])
    assert studio.session(one)["questions"] == [asked]


@pytest.mark.parametrize("said", [{"text": "Oslo"}, {"approve": True}, {"text": "skip"}])
def test_a_form_is_answered_with_values(studio: InProcess, said: Json) -> None:
    one, asked = asking(studio, {"form": "fields", "schema": SCHEMA})
    body = {"question": asked["id"], **said}
    refused = studio.refused("POST", f"sessions/{one}/answer", body)
    assert [e["loc"] for e in refused["errors"]] == [["values"]]


# -- context variables


WAYS = [
    {"from": "p", "to": "x", "when": {"context": {"name": "nights", "op": ">", "value": 7}}},
    {"from": "p", "to": "y", "when": "else"},
]


@pytest.mark.parametrize(("nights", "way"), [(3, "Y"), (8, "X")])
def test_values_set_the_context_variables_of_their_names(
    studio: InProcess, nights: int, way: str
) -> None:
    one, asked = asking(
        studio, {"form": "fields", "schema": SCHEMA}, *WAYS,
        context_variables={"nights": 3, "city": "", "other": 1},
    )  # fmt: skip
    values = {"city": "Rome", "nights": nights, "wishes": "sun"}
    studio.verb(one, "answer", {"question": asked["id"], "values": values})
    events = finished(studio, one)
    assert contents(events)[1:] == [way]
    set_first, set_by_person = changes(events)
    assert set_first == ({"nights": 3, "city": "", "other": 1}, "")
    known = {"city": "Rome"} | ({"nights": nights} if nights != 3 else {})
    assert set_by_person == (known, asked["agent"])


@pytest.mark.parametrize(
    ("reply", "way", "changed"),
    [
        ('{"mood": "bad", "unknown": 1, "list": [1]}', "X", [{"mood": "bad"}]),
        ('{"mood": "good"}', "Y", []),
        ('{"mood": ["bad"]}', "Y", []),
        ("not JSON", "Y", []),
    ],
)
def test_a_json_reply_sets_the_context_variables_of_its_names(
    studio: InProcess, reply: str, way: str, changed: list[Json]
) -> None:
    judge = studio.assistant(studio.scripted(reply), reply={"kind": "json"})
    agents = {"p": judge} | {n: studio.assistant(studio.scripted(n.upper())) for n in "xy"}
    bad = {"context": {"name": "mood", "op": "==", "value": "bad"}}
    graph = studio.create(
        "workflows", kind="graph", nodes=[{"id": n, "agent": a} for n, a in agents.items()],
        edges=[{"from": "p", "to": "x", "when": bad}, {"from": "p", "to": "y", "when": "else"}],
        context_variables={"mood": "good"},
    )  # fmt: skip
    events = finished(studio, studio.start(graph["id"]))
    assert contents(events)[-1] == way
    assert [c for c, _ in changes(events)] == [{"mood": "good"}, *changed]


def test_only_an_agent_that_answers_in_json_sets_variables(studio: InProcess) -> None:
    chatty = studio.assistant(studio.scripted('{"mood": "bad"}'))
    graph = studio.create("workflows", kind="graph", nodes=[{"id": "p", "agent": chatty}],
                          context_variables={"mood": "good"})  # fmt: skip
    events = finished(studio, studio.start(graph["id"]))
    assert [c for c, _ in changes(events)] == [{"mood": "good"}]


def test_prompts_know_the_context_variables(studio: InProcess) -> None:
    person = studio.person(question={"form": "fields", "schema": {"properties": {"city": {}}}})
    guide = studio.assistant(studio.scripted("Off we go"), ask="Talk about {city}. {unknown}")
    nodes = [{"id": "p", "agent": person}, {"id": "g", "agent": guide}]
    graph = studio.create(
        "workflows", kind="graph", nodes=nodes,
        edges=[{"from": "p", "to": "g"}], context_variables={"city": "nowhere"},
    )  # fmt: skip
    one = studio.start(graph["id"])
    [asked] = studio.wait(one, "waiting")["questions"]
    studio.verb(one, "answer", {"question": asked["id"], "values": {"city": "Rome"}})
    [call] = [e["seq"] for e in finished(studio, one) if e["kind"] == "model_called"]
    exact = studio.get(f"sessions/{one}/calls/{call}")["request"]["messages"]
    assert exact[-1]["content"] == "Talk about Rome. {unknown}"
