"""Sessions with the real runner: pauses, restarts and follow-ups, and what they leave behind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from studio.definitions.common import Limits
from studio.engine.events import Delta
from studio.runner.answers import Answer
from studio.runner.runner import Runner, Start
from studio.store import sessions
from studio.store.sessions import Session
from studio.store.tables import OWNER

from .store_home import StoreHome

NAMES = ("ann", "bob", "cid")
WORDS_A_REPLY = 5


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreHome]:
    one = StoreHome(tmp_path_factory.mktemp("home"))
    yield one
    one.close()


@pytest.fixture
def group(home: StoreHome, request: pytest.FixtureRequest) -> str:
    return _group(home, request.node.name)


def _group(home: StoreHome, name: str, person: bool = False, **model: Any) -> str:
    """A round-robin group of scripted agents under a name of its own; returns the workflow's id."""
    name = "".join(c if c.isalnum() else "-" for c in name)[:50]
    replies = {n: [f"{n} says this {i} times" for i in range(20)] for n in NAMES}
    script = home.save("models", name=name, provider="scripted", replies=replies, **model)
    kinds = dict.fromkeys(NAMES, "assistant") | ({"bob": "user_proxy"} if person else {})
    # An agent is called as its script is; the rest of the session is told apart by the workflow.
    agents = [
        _agent(home, n, kinds[n], [] if kinds[n] == "user_proxy" else [script]) for n in NAMES
    ]
    return home.save(
        "workflows", kind="group_chat", name=name, initiator=agents[0], agents=agents,
        speaker_selection_method="round_robin", max_round=6,
    )  # fmt: skip


def _agent(home: StoreHome, name: str, kind: str, models: list[str]) -> str:
    """Names are unique in a studio: those of earlier tests make room."""
    from studio.store import definitions

    for stored in home.database.read_now(lambda c: definitions.all_of(c, OWNER, "agents")):
        if stored.name == name:
            renamed = stored.parsed().model_copy(update={"name": f"{name}-{stored.id}"})
            home.database.write_now(
                lambda c, one=stored, given=renamed: definitions.replace(
                    c, OWNER, "agents", one.id, given, "test"
                )
            )
    return home.save("agents", name=name, kind=kind, models=models)


async def _until(runner: Runner, one: str, *states: str) -> Session:
    """Waits until the session is in one of these states, as the log's followers do."""
    subscription = runner.bus.subscribe(one)
    try:
        while (session := await runner.session(OWNER, one)).status not in states:
            subscription.woken.clear()
            if (await runner.session(OWNER, one)).status not in states:
                await subscription.woken.wait()
    finally:
        runner.bus.unsubscribe(one, subscription)
    return session


def _said(home: StoreHome, one: str) -> list[str]:
    return [row["content"] for row in home.log(one) if row["kind"] == "message"]


async def _paused(home: StoreHome, runner: Runner, group: str, messages: int) -> str:
    """A session that its limit stopped between two turns."""
    start = Start(group, "Hello", Limits(max_messages=messages))
    session = await runner.start(OWNER, "test", start)
    await _until(runner, session.id, "paused", "finished", "failed")
    return session.id


async def test_a_paused_session_goes_on_where_it_was(home: StoreHome, group: str) -> None:
    runner = home.runner()
    whole = (await runner.start(OWNER, "test", Start(group, "Hello"))).id
    await _until(runner, whole, "finished", "failed")
    one = await _paused(home, runner, group, 3)
    so_far = _said(home, one)
    assert 3 <= len(so_far) < 6
    assert so_far == _said(home, whole)[: len(so_far)]
    await runner.change(OWNER, one, Limits(), None, None)
    await runner.resume(OWNER, "test", one)
    session = await _until(runner, one, "finished", "failed", "paused")
    await runner.close()
    assert session.status == "finished"
    assert _said(home, one) == _said(home, whole)


async def test_a_limit_is_not_passed_by_one_more_call(home: StoreHome, group: str) -> None:
    """What the last turn used counts before the next one is paid for."""
    runner = home.runner()
    one = await _paused(home, runner, group, 3)
    session = await runner.session(OWNER, one)
    await runner.close()
    assert (session.status, session.turns) == ("paused", 3)
    calls = [row for row in home.log(one) if row["kind"] == "model_called"]
    assert len(calls) == 2


async def test_every_call_can_be_looked_at_after_a_stop_between_turns(
    home: StoreHome, group: str
) -> None:
    """A call that was prepared but never made must not be the base of those that follow."""
    runner = home.runner()
    one = await _paused(home, runner, group, 3)
    await runner.change(OWNER, one, Limits(), None, None)
    before = len(_said(home, one)) - 1
    await runner.stop(OWNER, "test", one)
    await runner.follow_up(OWNER, "test", one, "Go on")
    await _until(runner, one, "finished", "failed")
    seqs = [row["seq"] for row in home.log(one) if row["kind"] == "model_called"]
    calls = [await runner.exact_call(OWNER, one, seq) for seq in seqs]
    await runner.close()
    assert len(calls) == before + 5
    assert [m["content"] for m in calls[-1]["request"]["messages"]][1:] == _said(home, one)[:-1]


async def test_the_time_of_a_session_is_the_time_of_its_calls(
    home: StoreHome, request: pytest.FixtureRequest
) -> None:
    """max_seconds is counted with it, and counts on after a pause."""
    slow = _group(home, request.node.name, word_delay=0.01)
    runner = home.runner()
    session = await runner.start(OWNER, "test", Start(slow, "Hello"))
    ended = await _until(runner, session.id, "finished", "failed")
    await runner.close()
    calls = [r["latency_ms"] for r in home.log(session.id) if r["kind"] == "model_called"]
    assert len(calls) == 5
    assert min(calls) >= 10 * WORDS_A_REPLY - 1
    assert ended.active_ms >= 0.9 * sum(calls)  # each commit rounds down to a millisecond


async def test_a_studio_that_is_closed_in_mid_turn_goes_on_after_its_start(
    home: StoreHome, request: pytest.FixtureRequest
) -> None:
    slow = _group(home, request.node.name, word_delay=0.02)
    first = home.runner()
    one = (await first.start(OWNER, "test", Start(slow, "Hello"))).id
    await _live_text(first, one)
    await first.close()
    assert (await first.session(OWNER, one)).status == "running"
    second = home.runner()
    await second.recover()
    ended = await _until(second, one, "finished", "failed")
    await second.close()
    assert ended.status == "finished"
    said = [r for r in home.log(one) if r["kind"] == "message"]
    assert [r["turn"] for r in said] == [1, 2, 3, 4, 5, 6]
    assert [r["attempt"] for r in said].count(2) == 1


async def _live_text(runner: Runner, one: str) -> None:
    """Waits until text of a turn that is being made is shown."""
    subscription = runner.bus.subscribe(one)
    try:
        while not any(isinstance(item, Delta) for item in subscription.items):
            subscription.woken.clear()
            await subscription.woken.wait()
    finally:
        runner.bus.unsubscribe(one, subscription)


async def _without_a_task(one: str) -> None:
    """A waiting session holds nothing: its task ends, and this with it."""
    if tasks := [t for t in asyncio.all_tasks() if one in t.get_name()]:
        await asyncio.wait(tasks)


async def test_an_answer_lets_a_waiting_session_go_on(
    home: StoreHome, request: pytest.FixtureRequest
) -> None:
    runner = home.runner()
    mixed = _group(home, request.node.name, person=True)
    one = (await runner.start(OWNER, "test", Start(mixed, "Hello"))).id
    for answer in ("I like it", "exit"):
        await _until(runner, one, "waiting", "failed")
        asked = await home.database.read(lambda c: sessions.open_questions(c, one, 1))
        assert [q["agent"] for q in asked] == ["bob"]
        await _without_a_task(one)
        await runner.answer(OWNER, "test", one, Answer(asked[0]["id"], text=answer))
    ended = await _until(runner, one, "finished", "failed")
    await runner.close()
    assert ended.status == "finished"
    assert [t.split(" says")[0] for t in _said(home, one)] == ["Hello", "I like it", "cid", "ann"]
