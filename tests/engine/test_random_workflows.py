"""Whatever the workflow: killed at every effect in turn and resumed, the log is the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from studio.engine.effects import Effect, Outcome, Perform
from studio.engine.errors import Suspend
from studio.store import effects as effect_store
from studio.streaming.bus import Bus

from .random_workflows import Json, snapshots
from .store_home import StoreHome
from .test_recorder import TIMES, KilledError, Mortal

MOMENTS = ("before", "during", "after")
MOST_EFFECTS = 30


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreHome]:
    one = StoreHome(tmp_path_factory.mktemp("home"))
    yield one
    one.close()


def _answer_all(home: StoreHome, session: str) -> None:
    """What people say follows from who is asked and where, never from when."""

    def work(connection: Any) -> None:
        for key, kept in effect_store.load(connection, session).items():
            if kept.kind == "input" and kept.result is None:
                said = ("yes", "no", "again")[sum(key.encode()) % 3]
                effect_store.finish(connection, session, key, f'{{"text":"{said}"}}')

    home.database.write_now(work)


_lives = count()


@dataclass
class Shaken(Mortal):
    """In every life another branch is the fast one, also while it is replayed."""

    random: Random = field(default_factory=lambda: Random(next(_lives)))

    async def do(self, effect: Effect, perform: Perform) -> Outcome:
        for _ in range(self.random.choice((0, 0, 1, 5, 25))):
            await asyncio.sleep(0)

        async def slowly(attempt: int) -> dict[str, Any]:
            await asyncio.sleep(self.random.choice((0, 0, 0.001, 0.003)))
            return await perform(attempt)

        return await super().do(effect, slowly)


async def _life(home: StoreHome, session: str, at: int | None = None, moment: str = "") -> Any:
    """One life of a worker: its last words, None when it was killed, "..." when it waits."""
    recorder = home.recorder(session, Bus())
    mortal = Shaken(recorder, at, moment)
    chat = home.live(session, recorder, mortal)
    try:
        summary = await chat.play("Tea?", first=True)
    except KilledError:
        return None, mortal
    except Suspend as suspended:
        return "..." if suspended.state == "waiting" else suspended.state, mortal
    await recorder.commit()
    return f"{summary}|{chat.context.ended_by}", mortal


async def _to_the_end(home: StoreHome, session: str) -> str:
    for _ in range(200):
        _answer_all(home, session)
        words, _ = await _life(home, session)
        if words != "...":
            return str(words)
    raise AssertionError("it waits for people again and again")


def _by_chat(log: list[Json]) -> dict[str, list[Json]]:
    """The rows of every chat, without times and numbers. Chats that run side by side may stand in
    any order to each other."""
    found: dict[str, list[Json]] = {}
    for row in log:
        again = row["kind"] == "turn_started" and row["attempt"] > 1
        if row["kind"] != "status_changed" and not again:
            kept = {k: v for k, v in row.items() if k not in (*TIMES, "seconds")}
            found.setdefault(row["chat"], []).append(kept)
    return found


@pytest.mark.timeout(300)
@settings(
    max_examples=20, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(snapshots)
def test_killed_at_every_effect_and_resumed_the_log_is_as_undisturbed(
    home: StoreHome, snapshot: Json
) -> None:
    async def lives() -> None:
        undisturbed = home.session(snapshot)
        ended = await _to_the_end(home, undisturbed)
        log, effects = _by_chat(home.log(undisturbed)), set(home.effects(undisturbed))
        for at in range(min(len(effects), MOST_EFFECTS)):
            killed = home.session(snapshot)
            words, _ = await _life(home, killed, at, MOMENTS[at % 3])
            while words == "...":
                _answer_all(home, killed)
                words, _ = await _life(home, killed, at, MOMENTS[at % 3])
            assert await _to_the_end(home, killed) == ended
            assert _by_chat(home.log(killed)) == log
            assert set(home.effects(killed)) == effects
        again, mortal = await _life(home, undisturbed)
        assert (again, mortal.performed) == (ended, 0)
        assert _by_chat(home.log(undisturbed)) == log

    asyncio.run(lives())


@dataclass
class Slowed(Mortal):
    """One agent's models never answer in this life; what was recorded before counts."""

    slow: str = ""

    async def do(self, effect: Effect, perform: Perform) -> Outcome:
        async def slowly(attempt: int) -> dict[str, Any]:
            if effect.agent == self.slow:
                await asyncio.Event().wait()
            return await perform(attempt)

        return await super().do(effect, slowly)


def _race() -> Json:
    agents = {
        name: {"name": name, "kind": "assistant", "models": ["m"], "system_message": "Hm."}
        for name in ("ann", "bob", "cid", "dee")
    }
    edges = [("ann", "bob"), ("ann", "cid"), ("bob", "dee"), ("cid", "dee")]
    return {
        "v": 1, "agents": agents, "workflows": {}, "skills": {},
        "models": {"m": {"name": "script", "provider": "scripted",
                         "replies": {name: [f"{name} says"] for name in agents}}},
        "workflow": {
            "kind": "graph", "name": "Race", "edges": [{"from": a, "to": b} for a, b in edges],
            "nodes": [{"id": n, "agent": n, "join": "any" if n == "dee" else "all"}
                      for n in agents],
        },
    }  # fmt: skip


@pytest.mark.parametrize(("slow", "first"), [("cid", "bob"), ("bob", "cid")])
async def test_who_was_first_stays_first(home: StoreHome, slow: str, first: str) -> None:
    """Killed when the first had come, and resumed where the other one is faster."""

    async def life(slowed: str, at: int | None) -> None:
        recorder = home.recorder(session, Bus())
        mortal = Slowed(recorder, at, "during", slow=slowed)
        with suppress(KilledError):
            await home.live(session, recorder, mortal).play("Go", first=True)
        await recorder.commit()

    session = home.session(_race())
    await life(slow, 4)  # ann, bob, cid, who is first, dee
    assert [k for k in home.effects(session) if "first:dee" in k] == ["1:#first:dee:1"]
    await life(first, None)
    asked = next(r["seq"] for r in home.log(session)
                 if (r["kind"], r["chat"]) == ("model_called", "node:dee"))  # fmt: skip
    call = home.database.read_now(lambda c: effect_store.model_call(c, session, asked))
    assert call["messages"][-1]["content"] == f"{first} says"
