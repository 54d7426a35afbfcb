"""The recorder where branches run side by side: an answer that comes early."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from studio.engine.effects import Effect, Outcome, Perform
from studio.runner.recorder import Recorder
from studio.store import effects
from studio.streaming.bus import Bus

from .store_home import StoreHome

SECONDS = 30.0


@pytest.fixture
def home(tmp_path: Path) -> Iterator[StoreHome]:
    one = StoreHome(tmp_path)
    yield one
    one.close()


@dataclass
class Waiting:
    """Lets one agent's call begin only when another agent was asked."""

    recorder: Recorder
    late: str
    until: str
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def do(self, effect: Effect, perform: Perform) -> Outcome:
        if effect.agent == self.until:
            self.asked.set()
        if effect.agent == self.late:
            await asyncio.wait_for(self.asked.wait(), SECONDS)
        return await self.recorder.do(effect, perform)


def _snapshot() -> dict[str, Any]:
    """ann, then person bob and behind him dee; beside them cid."""
    agents = {
        name: {"kind": "assistant", "name": name, "models": ["m"], "system_message": "Hm."}
        for name in ("ann", "cid", "dee")
    }
    agents["bob"] = {"kind": "user_proxy", "name": "bob", "human_input_mode": "ALWAYS"}
    edges = [("ann", "bob"), ("ann", "cid"), ("bob", "dee")]
    return {
        "v": 1,
        "workflow": {
            "kind": "graph", "name": "G", "nodes": [{"id": n, "agent": n} for n in agents],
            "edges": [{"from": a, "to": b} for a, b in edges],
        },
        "agents": agents, "skills": {}, "workflows": {},
        "models": {"m": {"name": "m", "provider": "scripted", "replies": ["one", "two"]}},
    }  # fmt: skip


def _said(home: StoreHome, session: str) -> list[str]:
    return [r["agent"] for r in home.log(session) if r["kind"] == "message"]


async def test_an_answer_counts_that_comes_before_its_question_is_played_again(
    home: StoreHome,
) -> None:
    """Else its branch would wait for all others to come to rest."""
    session = home.session(_snapshot())
    first = home.recorder(session, Bus())
    life = home.live(session, first, Waiting(first, "cid", "dee")).play("Tea?", first=True)
    task = asyncio.create_task(life)
    while "1:node:bob#1" not in home.effects(session):  # noqa: ASYNC110 - another thread writes it
        await asyncio.sleep(0.005)
    task.cancel()  # the process ends while cid is at work
    await asyncio.gather(task, return_exceptions=True)
    recorder = home.recorder(session, Bus())
    key = "1:node:bob#1"
    home.database.write_now(lambda c: effects.finish(c, session, key, '{"text": "Yes"}'))
    recorder.answered(key, {"text": "Yes"})
    chat = home.live(session, recorder, Waiting(recorder, "cid", "dee"))
    await chat.play("Tea?", first=True)
    await recorder.commit()
    assert sorted(_said(home, session)) == ["ann", "bob", "cid", "dee"]
