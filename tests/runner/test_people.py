"""A person in the conversation: asked, answered once, and no longer than that."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ..builders import Json, check_log, contents, until
from ..conftest import InProcess
from ..fake_openai import FakeOpenAI


def _asking(studio: InProcess, replies: int = 5, **person: object) -> str:
    """A pair of a person, who opens, and an assistant; the person is asked after each reply."""
    admin = studio.person(**person)
    model = studio.scripted(*[f"Reply {n}" for n in range(1, replies + 1)])
    pair = studio.create(
        "workflows", kind="two_agent", initiator=admin, recipient=studio.assistant(model)
    )
    return studio.start(pair["id"])


def _question(studio: InProcess, one: str) -> Json:
    session = studio.wait(one, "waiting")
    check_log(session, studio.events(one))
    assert session["questions"] == [session["question"]]
    found: Json = session["question"]
    return found


def test_a_person_is_asked_answers_and_ends_it(studio: InProcess) -> None:
    one = _asking(studio)
    first = _question(studio, one)
    assert (first["form"], first["actions"]) == ("text", ["skip", "end"])
    assert first["prompt"]
    answered = studio.verb(one, "answer", {"question": first["id"], "text": "And then?"})
    assert answered["status"] in ("queued", "running", "waiting")
    second = until(lambda: _question(studio, one), lambda q: q["id"] != first["id"])
    studio.verb(one, "answer", {"question": second["id"], "text": "exit"})
    session, events = studio.wait(one), studio.events(one)
    check_log(session, events)
    assert session["status"] == "finished"
    assert contents(events) == ["Begin.", "Reply 1", "And then?", "Reply 2"]
    received = [e for e in events if e["kind"] == "input_received"]
    assert [(e["question"], e["text"]) for e in received] == [
        (first["id"], "And then?"), (second["id"], "exit"),
    ]  # fmt: skip
    assert all(e["by"] for e in received)


def test_an_answer_is_taken_once_and_only_to_an_open_question(studio: InProcess) -> None:
    one, other = _asking(studio), _asking(studio)
    question, foreign = _question(studio, one), _question(studio, other)
    path = f"sessions/{one}/answer"
    for wrong in ("nothing", foreign["id"]):
        studio.refused("POST", path, {"question": wrong, "text": "Hi"}, 409)
    studio.verb(one, "answer", {"question": question["id"], "text": "Yes"})
    studio.refused("POST", path, {"question": question["id"], "text": "No"}, 409)
    until(lambda: _question(studio, one), lambda q: q["id"] != question["id"])
    studio.refused("POST", path, {"question": question["id"], "text": "No"}, 409)
    assert "No" not in contents(studio.events(one))
    assert _question(studio, other)["id"] == foreign["id"]


def test_only_one_of_many_answers_at_once_counts(studio: InProcess) -> None:
    one = _asking(studio)
    question = _question(studio, one)["id"]

    def answer(n: int) -> int:
        body = {"question": question, "text": f"Answer {n}"}
        return studio.call("POST", f"sessions/{one}/answer", body).status_code

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(answer, range(8)))
    assert sorted(codes) == [202] + [409] * 7
    until(lambda: _question(studio, one), lambda q: q["id"] != question)
    said = contents(studio.events(one))
    assert said == ["Begin.", "Reply 1", f"Answer {codes.index(202)}", "Reply 2"]


def test_skipping_lets_the_auto_reply_speak(studio: InProcess) -> None:
    one = _asking(studio, default_auto_reply="Please go on.")
    question = _question(studio, one)
    studio.verb(one, "answer", {"question": question["id"], "text": ""})
    until(lambda: _question(studio, one), lambda q: q["id"] != question["id"])
    assert contents(studio.events(one)) == ["Begin.", "Reply 1", "Please go on.", "Reply 2"]


def test_an_ending_message_cannot_be_skipped(studio: InProcess) -> None:
    """After TERMINATE there is nothing to skip to: an empty answer ends the chat."""
    model = studio.scripted("All done TERMINATE")
    ends = {"kind": "endswith", "text": "TERMINATE"}
    pair = studio.create(
        "workflows", kind="two_agent", initiator=studio.person(is_termination_msg=ends),
        recipient=studio.assistant(model),
    )  # fmt: skip
    one = studio.start(pair["id"])
    question = _question(studio, one)
    assert question["actions"] == ["end"]
    studio.verb(one, "answer", {"question": question["id"], "text": ""})
    assert studio.wait(one)["status"] == "finished"


def test_a_group_waits_for_its_person_too(studio: InProcess) -> None:
    admin = studio.person()
    helpers = [studio.assistant(studio.scripted(*["Hm"] * 9)) for _ in range(2)]
    group = studio.create(
        "workflows", kind="group_chat", initiator=admin, agents=[admin, *helpers],
        speaker_selection_method="round_robin", max_round=5,
    )  # fmt: skip
    one = studio.start(group["id"])
    question = _question(studio, one)
    studio.verb(one, "answer", {"question": question["id"], "text": "My view."})
    session, events = studio.wait(one), studio.events(one)
    check_log(session, events)
    assert contents(events) == ["Begin.", "Hm", "Hm", "My view.", "Hm"]


def test_pausing_a_question_keeps_it_and_an_answer_meanwhile_counts(studio: InProcess) -> None:
    one = _asking(studio)
    question = _question(studio, one)
    studio.verb(one, "pause")
    assert studio.session(one)["question"]["id"] == question["id"]
    answered = studio.verb(one, "answer", {"question": question["id"], "text": "Later"})
    assert answered["status"] == "paused"
    studio.verb(one, "resume")
    until(lambda: _question(studio, one), lambda q: q["id"] != question["id"])
    assert contents(studio.events(one)) == ["Begin.", "Reply 1", "Later", "Reply 2"]


def test_pause_and_resume_without_an_answer_asks_the_same_question(studio: InProcess) -> None:
    one = _asking(studio)
    question = _question(studio, one)
    studio.verb(one, "pause")
    studio.verb(one, "resume")
    assert _question(studio, one) == question
    asked = [e for e in studio.events(one) if e["kind"] == "input_requested"]
    assert len(asked) == 1


def test_a_pause_asked_for_during_a_turn_holds_even_if_a_question_comes_next(
    studio: InProcess, fake: FakeOpenAI
) -> None:
    """It was answered with 202: after the person's answer the models must not go on."""
    held = fake.endpoint("held")
    pair = studio.create(
        "workflows", kind="two_agent", initiator=studio.person(),
        recipient=studio.assistant(studio.model(held)),
    )  # fmt: skip
    one = studio.start(pair["id"])
    until(lambda: held.requests)
    studio.verb(one, "pause")
    held.release()
    session = studio.wait(one, "paused", "waiting")
    if session["status"] == "waiting":
        studio.verb(one, "answer", {"question": session["question"]["id"], "text": "Hm"})
        session = until(
            lambda: studio.session(one),
            lambda s: s["status"] == "paused" or len(held.requests) > 1,
        )
    assert session["status"] == "paused"
    assert len(held.requests) == 1


@pytest.mark.parametrize(
    "body", [{}, {"text": "to nothing"}, {"question": ""}, {"question": "q", "text": 5},
             {"question": "q", "approve": "perhaps"}, {"question": "q", "values": []}],
)  # fmt: skip
def test_answers_that_are_not_answers(studio: InProcess, body: Json) -> None:
    one = _asking(studio)
    question = _question(studio, one)
    given = {**body, "question": question["id"]} if body.get("question") else body
    studio.refused("POST", f"sessions/{one}/answer", given)
    assert _question(studio, one) == question


@pytest.mark.parametrize("said", [{}, {"approve": True}, {"values": {"a": 1}}])
def test_an_answer_must_say_what_was_asked(studio: InProcess, said: Json) -> None:
    """A question for text takes a text; leaving it out is not a skip, which is "text": ""."""
    one = _asking(studio)
    question = _question(studio, one)
    studio.refused("POST", f"sessions/{one}/answer", {"question": question["id"], **said})
    assert _question(studio, one) == question
