"""Pauses and limits where branches run side by side."""

from __future__ import annotations

import random

import pytest

from ..builders import check_log, contents, in_parallel, until
from ..conftest import InProcess
from ..fake_openai import FakeOpenAI
from .test_branches import answer, asking_and_working, asks, graph, moves, questions, says, sound


@pytest.mark.parametrize("order", ["resume, answer", "answer, resume"])
def test_a_pause_holds_all_branches(studio: InProcess, fake: FakeOpenAI, order: str) -> None:
    held = fake.endpoint("held")
    one, asked = asking_and_working(studio, held)
    studio.verb(one, "pause")
    held.release()
    events = sound(studio, one, "paused")
    assert "D" not in contents(events)
    assert questions(studio, one, 1) == {"b": asked}
    if order == "resume, answer":
        studio.verb(one, "resume")
        sound(studio, one, "waiting")
        assert contents(studio.events(one))[-1] == "D"
        answer(studio, one, asked, "Yes")
    else:
        assert answer(studio, one, asked, "Yes")["status"] == "paused"
        studio.verb(one, "resume")
    events = sound(studio, one, "finished")
    assert sorted(contents(events)[2:]) == ["D", "E", "Yes"]
    assert len(held.requests) == 1


def test_a_pause_is_taken_back_while_a_branch_is_at_work(
    studio: InProcess, fake: FakeOpenAI
) -> None:
    held = fake.endpoint("held")
    one, asked = asking_and_working(studio, held)
    studio.verb(one, "pause")
    studio.verb(one, "resume")
    held.release()
    sound(studio, one, "waiting")
    answer(studio, one, asked, "Yes")
    assert len(contents(sound(studio, one, "finished"))) == 5


@pytest.mark.parametrize("answers", ["before", "after"])
def test_a_branch_that_came_to_rest_at_a_pause_goes_on_when_the_others_rest_too(
    studio: InProcess, fake: FakeOpenAI, answers: str
) -> None:
    """b asks, c stands at the pause, d is at work: then the pause is taken back."""
    quick, slow = fake.endpoint("held"), fake.endpoint("held")
    nodes = {"a": says(studio), "b": studio.person(), "c": asks(studio, quick),
             "d": asks(studio, slow), "e": says(studio, "E"), "f": says(studio, "F")}  # fmt: skip
    one = studio.start(graph(studio, nodes, "ab", "ac", "ad", "ce", "df"))
    asked = questions(studio, one, 1)["b"]
    until(lambda: quick.requests and slow.requests)
    studio.verb(one, "pause")
    quick.release()
    until(lambda: contents(studio.events(one)), lambda said: quick.nonces[0] in " ".join(said))
    studio.verb(one, "resume")
    if answers == "before":
        answer(studio, one, asked, "Yes")
    slow.release()
    if answers == "after":
        sound(studio, one, "waiting")
        answer(studio, one, asked, "Yes")
    events = sound(studio, one, "finished")
    assert {"E", "F", "Yes"} <= set(contents(events))
    assert (len(quick.requests), len(slow.requests)) == (1, 1)


def test_a_limit_that_two_branches_reach_is_told_once(studio: InProcess, fake: FakeOpenAI) -> None:
    ends = [fake.endpoint("held") for _ in range(2)]
    nodes = {"a": says(studio), "b": asks(studio, ends[0]), "c": asks(studio, ends[1]),
             "d": says(studio, "D"), "e": says(studio, "E")}  # fmt: skip
    one = studio.start(graph(studio, nodes, "ab", "ac", "bd", "ce"), limits={"max_messages": 2})
    until(lambda: all(end.requests for end in ends))
    for end in ends:
        end.release()
    events = sound(studio, one, "paused")
    assert len(contents(events)) == 3, "both calls were under way"
    reached = [e for e in events if e["kind"] == "limit_reached"]
    assert [(e["limit"], e["max"]) for e in reached] == [("max_messages", 2)]
    studio.call("PATCH", f"sessions/{one}", {"limits": {"max_messages": 9}})
    studio.verb(one, "resume")
    assert sorted(contents(sound(studio, one, "finished"))[3:]) == ["D", "E"]


def test_a_limit_is_reached_while_another_branch_asks(studio: InProcess, fake: FakeOpenAI) -> None:
    """It pauses, and does not seem to wait for an answer that would not help."""
    held = fake.endpoint("held")
    nodes = {"a": says(studio), "b": studio.person(), "c": asks(studio, held), "d": says(studio)}
    one = studio.start(graph(studio, nodes, "ab", "ac", "cd"), limits={"max_messages": 2})
    asked = questions(studio, one, 1)["b"]
    until(lambda: held.requests)
    held.release()
    events = sound(studio, one, "paused")
    assert moves(events) == ["running", "paused"]
    studio.call("PATCH", f"sessions/{one}", {"limits": {"max_messages": 9}})
    studio.verb(one, "resume")
    sound(studio, one, "waiting")
    assert questions(studio, one, 1) == {"b": asked}
    answer(studio, one, asked, "Yes")
    assert len(contents(sound(studio, one, "finished"))) == 4


def test_clicks_that_race_with_branches_leave_a_sound_log(studio: InProcess) -> None:
    """Answers, pauses and resumes come at once, from many tabs; the seed is printed."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    talks = [
        studio.create("workflows", kind="two_agent", initiator=studio.person(), max_turns=9,
                      recipient=studio.assistant(studio.scripted(*["Hm"] * 9)))["id"]
        for _ in range(3)
    ]  # fmt: skip
    nodes = [{"id": f"n{i}", "workflow": one} for i, one in enumerate(talks)]
    one = studio.start(studio.create("workflows", kind="graph", nodes=nodes, edges=[])["id"])
    answers = 0

    def click(what: str) -> int:
        if what in ("pause", "resume"):
            return studio.call("POST", f"sessions/{one}/{what}").status_code
        body = {"question": what, "text": "Go on."}
        return studio.call("POST", f"sessions/{one}/answer", body).status_code

    while studio.session(one)["status"] != "finished":
        asked = [q["id"] for q in studio.session(one)["questions"]]
        clicks = ["pause", "resume", "resume", *asked, *asked]
        chance.shuffle(clicks)
        todo = iter(clicks)
        codes = in_parallel(lambda todo=todo: click(next(todo)), len(clicks))
        assert set(codes) <= {202, 409}
        studio.call("POST", f"sessions/{one}/resume")
        session = studio.wait(one, "waiting", "paused", "finished")
        answers += 1
        assert answers < 99
    session, events = studio.session(one), studio.events(one)
    check_log(session, events)
    assert len(contents(events)) == 54
