"""Branches side by side: people and models at once, crashes, failures, stops."""

from __future__ import annotations

from typing import Any

import pytest

from ..builders import Api, Json, check_log, contents, until
from ..conftest import InProcess, Launch
from ..fake_openai import Endpoint, FakeOpenAI


def graph(studio: Api, nodes: dict[str, str], *edges: str, **fields: Any) -> str:
    """Nodes are agents by id; "ab" is an edge from a to b."""
    made = [{"id": one, "agent": agent} for one, agent in nodes.items()]
    ways = [{"from": e[0], "to": e[1]} for e in edges]
    return str(studio.create("workflows", kind="graph", nodes=made, edges=ways, **fields)["id"])


def says(studio: Api, *replies: str) -> str:
    return studio.assistant(studio.scripted(*(replies or ["Fine"])))


def asks(studio: Api, endpoint: Endpoint) -> str:
    return studio.assistant(studio.model(endpoint))


def questions(studio: Api, one: str, number: int) -> dict[str, str]:
    """Ids of the open questions by the node that asks, once there are so many."""
    found = until(lambda: studio.session(one)["questions"], lambda q: len(q) == number)
    return {q["chat"].removeprefix("node:"): q["id"] for q in found}


def answer(studio: Api, one: str, question: str, text: str) -> Json:
    return studio.verb(one, "answer", {"question": question, "text": text})


def sound(studio: Api, one: str, status: str) -> list[Json]:
    session, events = studio.wait(one, status), studio.events(one)
    check_log(session, events)
    return events


def moves(events: list[Json]) -> list[str]:
    return [e["to"] for e in events if e["kind"] == "status_changed"]


def asking_and_working(studio: InProcess, held: Endpoint) -> tuple[str, str]:
    """A session whose branch b asks a person while branch c is in a model call."""
    nodes = {"a": says(studio, "Fine", "Well"), "b": studio.person(), "c": asks(studio, held),
             "d": says(studio, "D", "D2"), "e": says(studio, "E")}  # fmt: skip
    one = studio.start(graph(studio, nodes, "ab", "ac", "cd", "be"))
    asked = questions(studio, one, 1)["b"]
    until(lambda: held.requests)
    return one, asked


# -- people


def test_a_follow_up_asks_again_inside_a_step(studio: InProcess) -> None:
    """A question of its own: that the first one was answered says nothing about it."""
    pair = studio.create("workflows", kind="two_agent", initiator=studio.stand_in(),
                         recipient=studio.person(), max_turns=1)  # fmt: skip
    steps = studio.create("workflows", kind="sequential", steps=[{"workflow": pair["id"]}])
    one = studio.start(steps["id"])
    seen = set()
    for run in (1, 2, 3):
        [asked] = studio.wait(one, "waiting")["questions"]
        seen.add(asked["id"])
        answer(studio, one, asked["id"], f"Answer {run}")
        sound(studio, one, "finished")
        if run < 3:
            studio.verb(one, "messages", {"message": f"Follow {run}"})
    assert len(seen) == 3
    assert contents(studio.events(one)) == [
        "Begin.", "Answer 1", "Follow 1", "Answer 2", "Follow 2", "Answer 3",
    ]  # fmt: skip


def test_two_questions_are_open_at_once_and_each_branch_goes_on_by_itself(
    studio: InProcess,
) -> None:
    people = {"b": studio.person(), "c": studio.person()}
    nodes = {"a": says(studio), **people, "d": says(studio, "D"), "e": says(studio, "E")}
    one = studio.start(graph(studio, nodes, "ab", "ac", "bd", "ce"))
    studio.wait(one, "waiting")
    asked = questions(studio, one, 2)
    assert set(asked) == {"b", "c"}
    answer(studio, one, asked["c"], "From c")
    until(lambda: contents(studio.events(one)), lambda said: "E" in said)
    studio.wait(one, "waiting")
    assert questions(studio, one, 1) == {"b": asked["b"]}
    answer(studio, one, asked["b"], "From b")
    events = sound(studio, one, "finished")
    assert contents(events) == ["Fine", "From c", "E", "From b", "D"]


def test_a_branch_goes_on_at_once_while_another_one_is_at_work(
    studio: InProcess, fake: FakeOpenAI
) -> None:
    """Without a restart: the model call beside it is not made again."""
    held = fake.endpoint("held")
    nodes = {"a": says(studio), "b": studio.person(), "c": asks(studio, held),
             "d": says(studio, "After the answer"), "e": says(studio, "E")}  # fmt: skip
    one = studio.start(graph(studio, nodes, "ab", "ac", "bd", "de", "ce"))
    asked = questions(studio, one, 1)
    until(lambda: held.requests)
    assert studio.session(one)["status"] == "running", "it waits only when all branches do"
    assert answer(studio, one, asked["b"], "Yes")["status"] == "running"
    until(lambda: contents(studio.events(one)), lambda said: "After the answer" in said)
    assert (len(held.requests), held.held) == (1, 1)
    held.release()
    events = sound(studio, one, "finished")
    assert moves(events) == ["running", "finished"]
    assert contents(events)[-1] == "E"


def test_it_waits_when_the_last_branch_at_work_is_over(studio: InProcess, fake: FakeOpenAI) -> None:
    held = fake.endpoint("held")
    nodes = {"a": says(studio), "b": studio.person(), "c": asks(studio, held)}
    one = studio.start(graph(studio, nodes, "ab", "ac"))
    asked = questions(studio, one, 1)
    until(lambda: held.requests)
    held.release()
    events = sound(studio, one, "waiting")
    assert held.nonces[0] in contents(events)[-1]
    answer(studio, one, asked["b"], "exit")
    events = sound(studio, one, "finished")
    assert len(held.requests) == 1
    assert "ended the conversation" in events[-1]["reason"]


def test_a_second_answer_comes_while_the_first_one_sets_the_session_going(
    studio: InProcess, fake: FakeOpenAI
) -> None:
    """The long way to the questions is played again just then; still neither branch waits."""
    talk = studio.group(*[studio.scripted(*["Hm"] * 400) for _ in range(2)], max_round=600)
    ends = [fake.endpoint("held") for _ in range(2)]
    agents = {"b": studio.person(), "c": studio.person(), "d": asks(studio, ends[0]),
              "e": asks(studio, ends[1])}  # fmt: skip
    nodes = [{"id": "a", "workflow": talk}, *({"id": n, "agent": a} for n, a in agents.items())]
    edges = [{"from": e[0], "to": e[1]} for e in ("ab", "ac", "bd", "ce")]
    one = studio.start(studio.create("workflows", kind="graph", nodes=nodes, edges=edges)["id"])
    studio.wait(one, "waiting")
    asked = questions(studio, one, 2)
    answer(studio, one, asked["b"], "Yes")
    studio.wait(one, "running")
    answer(studio, one, asked["c"], "Yes")
    until(lambda: all(end.requests for end in ends))
    for end in ends:
        end.release()
    assert len(contents(sound(studio, one, "finished"))) == 305


def test_killed_while_one_branch_asks_and_another_one_is_at_work(
    launch: Launch, fake: FakeOpenAI
) -> None:
    held = fake.endpoint("held")
    first = launch()
    nodes = {"a": says(first), "b": first.person(), "c": asks(first, held), "d": says(first, "D")}
    one = first.start(graph(first, nodes, "ab", "ac", "bd", "cd"))
    asked = questions(first, one, 1)
    until(lambda: held.requests)
    first.kill()
    second = launch()
    until(lambda: len(held.requests) == 2)
    assert questions(second, one, 1) == asked
    assert second.session(one)["status"] == "running"
    answer(second, one, asked["b"], "After the crash")
    held.release()
    events = sound(second, one, "finished")
    said = contents(events)
    assert said.count("After the crash") == said.count("D") == 1
    assert [n in " ".join(said) for n in held.nonces] == [False, True]
    attempts = [e["attempt"] for e in events if e["kind"] == "message" and e["chat"] == "node:c"]
    assert attempts == [2]


# -- failures and stops


def test_a_failure_in_one_branch_fails_the_session_and_both_are_tried_again(
    studio: InProcess, fake: FakeOpenAI
) -> None:
    broken, held = fake.endpoint("unauthorized", times=1), fake.endpoint("held")
    gate = fake.endpoint("held")
    nodes = {"a": says(studio), "b": studio.person(), "c": asks(studio, held),
             "d": asks(studio, gate), "e": asks(studio, broken),
             "f": says(studio, "F")}  # fmt: skip
    one = studio.start(graph(studio, nodes, "ab", "ac", "ad", "de", "bf", "cf", "ef"))
    asked = questions(studio, one, 1)["b"]
    until(lambda: held.requests and gate.requests)
    gate.release()
    events = sound(studio, one, "failed")
    assert studio.session(one)["questions"] == []
    assert held.nonces[0] not in " ".join(contents(events))
    until(lambda: held.held == 0)
    studio.verb(one, "resume")
    until(lambda: len(held.requests) == 2)
    assert questions(studio, one, 1) == {"b": asked}
    answer(studio, one, asked, "Yes")
    held.release()
    events = sound(studio, one, "finished")
    assert contents(events)[-1] == "F"
    assert (len(gate.requests), len(held.requests), len(broken.requests)) == (1, 2, 2)


@pytest.mark.parametrize("at", ["running", "waiting"])
def test_a_stop_ends_all_branches(studio: InProcess, fake: FakeOpenAI, at: str) -> None:
    held = fake.endpoint("held")
    one, asked = asking_and_working(studio, held)
    if at == "waiting":
        held.release()
        studio.wait(one, "waiting")
    assert studio.verb(one, "stop")["status"] == "stopped"
    sound(studio, one, "stopped")
    until(lambda: held.held == 0)
    body = {"question": asked, "text": "Too late"}
    studio.refused("POST", f"sessions/{one}/answer", body, 409)
    held.release()
    studio.verb(one, "messages", {"message": "Once more."})
    again = until(lambda: studio.session(one)["questions"], len)
    assert [q["id"] != asked for q in again] == [True], "only the new run asks"
    answer(studio, one, again[0]["id"], "Yes")
    sound(studio, one, "finished")
