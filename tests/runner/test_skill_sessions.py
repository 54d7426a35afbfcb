"""Skills in conversations: called in a box, approved by people, with secrets that are agreed to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from studio.engine.execution.box import Kind

from ..boxes import KINDS, needed
from ..builders import Json, check_log, unique
from ..conftest import InProcess, serving

SOURCE = '''
import os

def add(a: int, b: int = 2) -> int:
    """Add two numbers."""
    print("adding", a, b)
    return a + b

def keep(text: str) -> str:
    """Keep a text in a file."""
    with open("kept.txt", "a") as file:
        file.write(text + "\\n")
    return open("kept.txt").read()

def key() -> str:
    """Say how long the key is."""
    value = os.environ.get("MATHS_KEY", "")
    return f"{len(value)} {value}"

def ends() -> str:
    """End the process."""
    os._exit(7)
'''


@pytest.fixture(scope="module", params=KINDS)
def studio(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[InProcess]:
    """One for each kind: skills take whichever a machine has."""
    kind: Kind = needed(request.param)
    with serving(tmp_path_factory.mktemp("skills") / "home", boxes=kind) as api:
        yield api


def call(function: str, **arguments: Any) -> Json:
    return {"tool_calls": [{"name": function, "arguments": arguments}]}


def group(studio: InProcess, *replies: Any, skill: Json | None = None, **agent: Any) -> str:
    """A stand-in and an agent with a skill, in a group chat."""
    made = studio.create("skills", name=unique("Maths"), source=SOURCE, **skill or {})
    model = studio.create("models", provider="scripted", replies=[*replies, "TERMINATE"])
    solver = studio.assistant(model["id"], name=unique("Solver"), skills=[made["id"]], **agent)
    admin = studio.stand_in()
    return str(studio.create(
        "workflows", kind="group_chat", initiator=admin, agents=[admin, solver],
        speaker_selection_method="round_robin", max_round=20,
        is_termination_msg={"kind": "exact"},
    )["id"])  # fmt: skip


def at_rest(studio: InProcess, one: str, status: str = "finished") -> list[Json]:
    session = studio.wait(one, "finished", "failed", "waiting", seconds=60)
    events = studio.events(one)
    check_log(session, events)
    assert session["status"] == status, session["reason"]
    return events


def returned(events: list[Json]) -> list[Json]:
    return [event for event in events if event["kind"] == "tool_returned"]


def test_a_call_is_made_when_a_person_has_approved_it(studio: InProcess) -> None:
    one = studio.start(group(studio, call("add", a=40), "It is 42."))
    at_rest(studio, one, "waiting")
    [question] = studio.session(one)["questions"]
    assert question["form"] == "approval"
    assert question["payload"]["name"] == "add"
    assert json.loads(question["payload"]["arguments"]) == {"a": 40}
    studio.verb(one, "answer", {
        "question": question["id"], "approve": True, "payload_hash": question["payload_hash"],
    })  # fmt: skip
    events = at_rest(studio, one)
    [answer] = returned(events)
    assert (answer["content"], answer["ok"], answer["printed"]) == ("42", True, "adding 40 2\n")
    assert "It is 42." in [m["content"] for m in studio.messages(one)]


def test_a_refusal_reaches_the_agent_as_text(studio: InProcess) -> None:
    one = studio.start(group(studio, call("add", a=40), "Then I cannot say."))
    [question] = studio.wait(one, "waiting", seconds=60)["questions"]
    studio.verb(
        one, "answer", {"question": question["id"], "approve": False, "reason": "count yourself"}
    )
    events = at_rest(studio, one)
    [answer] = returned(events)
    assert answer["content"] == "Error: add was refused by a person: count yourself"
    assert "Then I cannot say." in [m["content"] for m in studio.messages(one)]


def test_other_arguments_ask_again(studio: InProcess) -> None:
    replies = [call("add", a=1), call("add", a=1), call("add", a=2), "Done"]
    one = studio.start(group(studio, *replies, skill={"approval": "once"}))
    asked = []
    for _ in range(2):
        [question] = studio.wait(one, "waiting", seconds=60)["questions"]
        asked.append(json.loads(question["payload"]["arguments"]))
        studio.verb(one, "answer", {"question": question["id"], "approve": True})
        studio.wait(one, "waiting", "finished", seconds=60)
    events = at_rest(studio, one)
    assert asked == [{"a": 1}, {"a": 2}]
    assert [answer["content"] for answer in returned(events)] == ["3", "3", "4"]


@pytest.mark.parametrize(
    ("edited", "words"),
    [("", "Reject it instead"), ("[1]", "Write a JSON object"), ("{a: 1}", "Write a JSON object")],
)
def test_an_edit_that_cannot_be_is_said_at_its_field(
    studio: InProcess, edited: str, words: str
) -> None:
    one = studio.start(group(studio, call("add", a=1)))
    [question] = studio.wait(one, "waiting", seconds=60)["questions"]
    answer = {"question": question["id"], "approve": True, "edited": edited}
    problem = studio.refused("POST", f"sessions/{one}/answer", answer)
    assert problem["errors"][0]["loc"] == ["edited"]
    assert words in problem["errors"][0]["msg"]
    good = answer | {"edited": '{"a": 5, "b": 6}'}
    studio.verb(one, "answer", good)
    assert "11" in returned(at_rest(studio, one))[0]["content"]


def test_wrong_calls_come_back_as_text(studio: InProcess) -> None:
    """Nothing a model says fails a session: it reads what is wrong, and may try again."""
    wrong = [
        call("add"), call("add", a="four"), call("add", a=1, c=2), call("nothing"),
        call("ends"), "Done",
    ]  # fmt: skip
    one = studio.start(group(studio, *wrong, skill={"approval": "never"}))
    answers = returned(at_rest(studio, one))
    assert [answer["ok"] for answer in answers] == [False] * 5
    assert all(answer["content"].startswith("Error: ") for answer in answers)
    assert "Function nothing not found" in answers[3]["content"]
    assert "exit code 7" in answers[4]["content"]


def test_calls_share_the_folder_of_the_session_and_their_files_are_kept(
    studio: InProcess,
) -> None:
    replies = [call("keep", text="one"), call("keep", text="two"), "Done"]
    one = studio.start(group(studio, *replies, skill={"approval": "never"}))
    events = at_rest(studio, one)
    assert [answer["content"] for answer in returned(events)] == ["one\n", "one\ntwo\n"]
    saved = [event for event in events if event["kind"] == "artifact_saved"]
    assert [(s["name"], s["bytes"]) for s in saved] == [("kept.txt", 4), ("kept.txt", 8)]


def test_a_secret_is_given_where_agent_and_skill_agree_and_never_told(studio: InProcess) -> None:
    value = "maths-secret-0123456789"
    studio.post("secrets", {"name": "MATHS_KEY", "value": value}, 201)
    skill = {"approval": "never", "secrets": ["MATHS_KEY"]}
    without = studio.start(group(studio, call("key"), "Done", skill=skill))
    assert returned(at_rest(studio, without))[0]["content"] == "0 "
    given = studio.start(group(studio, call("key"), "Done", skill=skill, secrets=["MATHS_KEY"]))
    events = at_rest(studio, given)
    assert returned(events)[0]["content"] == f"{len(value)} [secret]"
    assert value not in json.dumps(events)
    problems = studio.post(f"workflows/{studio.session(without)['workflow']}/check", {}, 200)
    assert "secret_consent" in [problem["code"] for problem in problems["problems"]]
