"""The recorder with a real SQLite file: killed anywhere and resumed, the log is the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.engine.effects import Effect, Outcome, Perform
from studio.engine.errors import DivergenceError, Suspend
from studio.runner.recorder import Recorder
from studio.store import effects as effect_store
from studio.store.events import FencedError
from studio.streaming.bus import Bus

from .store_home import StoreHome, group_snapshot

NAMES = ("ann", "bob", "cid")
TIMES = ("at", "latency_ms", "first_token_ms", "seq", "attempt")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreHome]:
    one = StoreHome(tmp_path_factory.mktemp("home"))
    yield one
    one.close()


class KilledError(BaseException):
    """The process is gone: nothing after this line runs."""


@dataclass
class Mortal:
    """Passes effects on to the recorder and kills the process at one of them.

    during  the intent is committed, the answer never comes
    after   the answer has come, but it was not committed
    before  not even the intent is committed
    """

    recorder: Recorder
    at: int | None = None
    moment: str = "during"
    count: int = 0
    performed: int = 0

    async def do(self, effect: Effect, perform: Perform) -> Outcome:
        dies = self.count == self.at
        self.count += 1
        if dies and self.moment == "before":
            raise KilledError

        async def counted(attempt: int) -> dict[str, Any]:
            if dies and self.moment == "during":
                raise KilledError
            self.performed += 1
            return await perform(attempt)

        outcome = await self.recorder.do(effect, counted)
        if dies:
            raise KilledError
        return outcome


async def _life(home: StoreHome, session: str, at: int | None = None, moment: str = "") -> Mortal:
    """One life of a worker: from the start of the chat to its end, or to its death."""
    recorder = home.recorder(session, Bus())
    mortal = Mortal(recorder, at, moment)
    chat = home.live(session, recorder, mortal)
    try:
        await chat.play("Tea?", first=True)
    except KilledError:
        return mortal
    await recorder.commit()
    return mortal


def _shape(log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A log without times and numbers, and without the second starts of turns that were cut."""
    rows = [
        r
        for r in log
        if r["kind"] not in ("status_changed",)
        and not (r["kind"] == "turn_started" and r["attempt"] > 1)
    ]
    return [{k: v for k, v in r.items() if k not in TIMES} for r in rows]


words = st.sampled_from(["yes", "no", "bob, go on", "TERMINATE", "", "1. tea\n2. milk"])
nine = st.lists(words, min_size=9, max_size=9)
chats = st.fixed_dictionaries(
    {
        "order": st.sampled_from(["round_robin", "random", "auto"]),
        "replies": st.fixed_dictionaries(dict.fromkeys(NAMES, nine)),
        "rounds": st.integers(2, 8),
        "summary_method": st.sampled_from(["last_msg", "none"]),
    }
)  # fmt: skip
deaths = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(["before", "during", "after"])), max_size=3
)


@settings(max_examples=40, deadline=None)
@given(chats, deaths)
def test_killed_and_resumed_the_log_is_as_undisturbed(
    home: StoreHome, chat: dict[str, Any], deaths: list[tuple[int, str]]
) -> None:
    async def lives() -> None:
        snapshot = group_snapshot(**chat)
        undisturbed, killed = home.session(snapshot), home.session(snapshot)
        whole = await _life(home, undisturbed)
        for at, moment in deaths:
            await _life(home, killed, at, moment)
        await _life(home, killed)
        assert _shape(home.log(killed)) == _shape(home.log(undisturbed))
        assert set(home.effects(killed)) == set(home.effects(undisturbed))
        again = await _life(home, killed)
        assert (again.performed, again.count) == (0, whole.count)

    asyncio.run(lives())


PLAIN = group_snapshot({n: [f"{n} {i}" for i in range(9)] for n in NAMES}, rounds=6)


async def test_a_cut_turn_is_a_second_attempt(home: StoreHome) -> None:
    session = home.session(PLAIN)
    await _life(home, session, 2, "during")
    await _life(home, session)
    log = home.log(session)
    starts = [(r["turn"], r["attempt"]) for r in log if r["kind"] == "turn_started"]
    said = [(r["turn"], r["attempt"]) for r in log if r["kind"] == "message"]
    assert starts == [(2, 1), (3, 1), (4, 1), (4, 2), (5, 1), (6, 1)]
    assert said == [(1, 1), (2, 1), (3, 1), (4, 2), (5, 1), (6, 1)]
    assert [r["seq"] for r in log] == list(range(1, len(log) + 1))


async def test_a_replay_appends_nothing(home: StoreHome) -> None:
    session = home.session(PLAIN)
    await _life(home, session)
    before = home.log(session)
    again = await _life(home, session)
    assert again.performed == 0
    assert home.log(session) == before


async def test_a_writer_that_was_taken_over_cannot_write(home: StoreHome) -> None:
    session = home.session(PLAIN)
    late = home.recorder(session, Bus())
    home.recorder(session, Bus())
    with pytest.raises(FencedError):
        await home.live(session, late).play("Tea?", first=True)
    assert home.log(session) == []


async def test_a_changed_request_is_a_divergence_and_says_the_turn(home: StoreHome) -> None:
    session = home.session(PLAIN)
    await _life(home, session)
    recorder = home.recorder(session, Bus())
    chat = home.live(session, recorder)
    chat.conversation.recipient.groupchat.agents[2].system_message = "changed"  # type: ignore[attr-defined]
    with pytest.raises(DivergenceError, match="At turn 3"):
        await chat.play("Tea?", first=True)


async def test_the_pause_comes_before_the_next_effect(home: StoreHome) -> None:
    session = home.session(PLAIN)
    recorder = home.recorder(session, Bus())
    recorder.pause_reason = "Paused by a test"
    with pytest.raises(Suspend) as caught:
        await home.live(session, recorder).play("Tea?", first=True)
    assert caught.value.state == "paused"
    assert [r["kind"] for r in home.log(session)] == [
        "message", "speaker_selected", "turn_started",
    ]  # fmt: skip


async def test_every_call_keeps_the_exact_messages(home: StoreHome) -> None:
    """Only what is new is stored; put together again it is the whole request."""
    session = home.session(PLAIN)
    await _life(home, session)
    seqs = [r["seq"] for r in home.log(session) if r["kind"] == "model_called"]
    calls = [
        home.database.read_now(lambda c, seq=seq: effect_store.model_call(c, session, seq))
        for seq in seqs
    ]
    assert [c["agent"] for c in calls] == ["bob", "cid", "ann", "bob", "cid"]
    assert [m["content"] for m in calls[3]["messages"]] == [
        "I am bob", "Tea?", "bob 0", "cid 0", "ann 0",
    ]  # fmt: skip
    assert [m["role"] for m in calls[3]["messages"]] == [
        "system", "user", "assistant", "user", "user",
    ]  # fmt: skip


def test_the_home_is_a_real_file(home: StoreHome) -> None:
    assert Path(home.settings.home / "studio.db").stat().st_size > 0
