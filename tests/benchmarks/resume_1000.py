"""How long does it take to resume a session of 1,000 turns?

    python -m tests.benchmarks.resume_1000 [--turns 1000] [--times 3] [--profile]

Makes a session in a temporary folder with the real store and runner (a group of four, round robin,
a scripted model). Then, as after a crash just before the end: a new runner finds the session
running, builds the chat from its snapshot and replays every recorded effect to the end. Prints the
best of `--times` and its parts. The goal is under one second.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import text

from studio.config import Settings
from studio.definitions.nouns import parse
from studio.runner.local_model import BuiltInModel
from studio.runner.runner import Runner, Start
from studio.store import definitions, effects, secrets, sessions
from studio.store.database import Database
from studio.store.secrets import Vault
from studio.store.tables import OWNER
from studio.streaming.bus import Bus
from studio.streaming.follow import follow

GOAL = 1.0  # seconds, ARCHITECTURE 6
NAMES = ("planner", "writer", "critic", "editor")
SENTENCE = "Point {i} of {name}: we keep the plan small, try it with real readers and go on. "


def reply(name: str, i: int) -> str:
    """About 60 words, as a chat among assistants has them."""
    return SENTENCE.format(i=i, name=name) + "It has worked before, and it costs little. " * 5


class Studio:
    """The parts of a studio that a session needs; `reopened` is the process after a crash."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home)
        self.database = Database(self.settings.database, self.settings.sqlite_synchronous)
        self.vault = Vault(secrets.load_keys(home, None, None))
        self.bus = Bus()

    @asynccontextmanager
    async def runner(self) -> AsyncIterator[Runner]:
        local = BuiltInModel(self.settings.home)
        one = Runner(self.settings, self.database, self.bus, self.vault, local)
        yield one
        await one.close()

    async def save(self, noun: Any, body: dict[str, Any]) -> str:
        given = parse(noun, body)
        stored = await self.database.write(
            lambda c: definitions.create(c, OWNER, noun, given, "benchmark")
        )
        return stored.id

    async def until_over(self, session_id: str, after: int = 0) -> None:
        """Waits for the last row of a run: the state, not a time."""
        async for _ in follow(self.database, self.bus, session_id, after):
            pass


async def prepared(studio: Studio, turns: int) -> str:
    """A finished session of `turns` recorded replies; returns its id."""
    replies = {name: [reply(name, i) for i in range(turns)] for name in NAMES}
    model = await studio.save(
        "models", {"name": "script", "provider": "scripted", "replies": replies}
    )
    agents = [
        await studio.save(
            "agents", {"name": name, "models": [model], "max_consecutive_auto_reply": turns}
        )
        for name in NAMES
    ]
    workflow = await studio.save(
        "workflows",
        {
            "kind": "group_chat", "name": "Long talk", "initiator": agents[0], "agents": agents,
            "speaker_selection_method": "round_robin", "max_round": turns + 1,
        },
    )  # fmt: skip
    async with studio.runner() as runner:
        session = await runner.start(OWNER, "benchmark", Start(workflow, "Plan a small magazine"))
        await studio.until_over(session.id)
        ended = await runner.session(OWNER, session.id)
    assert ended.turns == turns + 1, f"{ended.turns} turns: {ended.reason}"
    return session.id


async def as_after_a_crash(studio: Studio, session_id: str) -> int:
    """Takes the end of the log away, as if the process had died just before writing it."""
    session = await studio.database.read(lambda c: sessions.get(c, None, session_id))
    assert session.status == "finished", f"{session.status}: {session.reason}"

    def cut(connection: Any) -> None:
        values = {"id": session_id, "last": session.last_seq - 2}
        connection.execute(text("DELETE FROM event WHERE session_id = :id AND seq > :last"), values)
        connection.execute(
            text("UPDATE session SET status = 'running', last_seq = :last WHERE id = :id"), values
        )

    await studio.database.write(cut)
    return session.last_seq - 2


async def resumed(studio: Studio, session_id: str, profile: cProfile.Profile | None) -> float:
    """Seconds from the start of a new runner to the end of the session."""
    last_seq = await as_after_a_crash(studio, session_id)
    before = await studio.database.read(lambda c: len(effects.load(c, session_id)))
    async with studio.runner() as runner:
        if profile is not None:
            profile.enable()
        started = time.perf_counter()
        await runner.recover()
        await studio.until_over(session_id, last_seq)
        seconds = time.perf_counter() - started
        if profile is not None:
            profile.disable()
    after = await studio.database.read(lambda c: len(effects.load(c, session_id)))
    assert before == after, "the replay must not ask for anything new"
    return seconds


async def loading(studio: Studio, session_id: str) -> float:
    """Seconds of that for reading the recorded effects from the database."""
    started = time.perf_counter()
    await studio.database.read(lambda c: effects.load(c, session_id))
    return time.perf_counter() - started


async def measured(turns: int, times: int, *, with_profile: bool) -> float:
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(Path(folder))
        try:
            started = time.perf_counter()
            session_id = await prepared(studio, turns)
            print(f"{turns} turns recorded in {time.perf_counter() - started:.2f} s")
            figures = [await resumed(studio, session_id, None) for _ in range(times)]
            load = await loading(studio, session_id)
            best = min(figures)
            told = " ".join(f"{f:.3f}" for f in figures)
            print(f"resume: {best:.3f} s, best of {told} (loading effects {load:.3f})")
            if with_profile:
                profile = cProfile.Profile()
                await resumed(studio, session_id, profile)
                pstats.Stats(profile).sort_stats("tottime").print_stats(12)
                pstats.Stats(profile).sort_stats("cumtime").print_stats("studio", 20)
        finally:
            studio.database.close()
    return best


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=1000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    best = asyncio.run(measured(options.turns, options.times, with_profile=options.profile))
    return 0 if best < GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
