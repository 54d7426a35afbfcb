"""A chat is deterministic apart from its effects: run again, it asks and says the same."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.engine import ConversableAgent, GroupChat, a_initiate_chat
from studio.engine.effects import Effect, Outcome, Perform
from studio.engine.errors import Suspend

from .builders import Log, People, context_of, manager_of, scripted_llm

NAMES = ("ann", "bob", "cid")
Asked = tuple[str, str, int, str, dict[str, Any], list[dict[str, Any]] | None]


@dataclass
class RecordingEffects:
    """Performs effects and remembers them; what `known` holds is answered without asking."""

    known: list[Outcome] = field(default_factory=list)
    stop_before: int | None = None
    asked: list[Asked] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    performed: int = 0

    async def do(self, effect: Effect, perform: Perform) -> Outcome:
        messages = None if effect.messages is None else [dict(m) for m in effect.messages]
        n = len(self.asked)
        if n == self.stop_before:
            raise Suspend("paused", "a test")
        self.asked.append(
            (effect.key, effect.kind, effect.turn, effect.agent, effect.request, messages)
        )
        if n < len(self.known):
            outcome = self.known[n]
        else:
            self.performed += 1
            outcome = Outcome(await perform(1))
        self.outcomes.append(outcome)
        return outcome


@dataclass(frozen=True)
class Plan:
    """A random group chat, and how its people answer."""

    method: str
    replies: dict[str, list[str]]
    modes: list[str]
    answers: list[str]
    choices: list[str]
    rounds: int
    repeat: bool
    seed: int


words = st.sampled_from(
    ["yes", "no", "ann should go on", "TERMINATE", "", "1. tea\n2. milk", "bob"]
)
plans = st.builds(
    Plan,
    method=st.sampled_from(["round_robin", "random", "auto", "manual"]),
    replies=st.fixed_dictionaries({n: st.lists(words, min_size=12, max_size=12) for n in NAMES}),
    modes=st.lists(st.sampled_from(["NEVER", "ALWAYS", "TERMINATE"]), min_size=3, max_size=3),
    answers=st.lists(
        st.sampled_from(["", "exit", "more", "2", "q", "cid"]), min_size=40, max_size=40
    ),
    choices=st.lists(st.sampled_from([*NAMES, "ann or bob", "?"]), min_size=40, max_size=40),
    rounds=st.integers(1, 8),
    repeat=st.booleans(),
    seed=st.integers(0, 9),
)


async def _hold(plan: Plan, effects: RecordingEffects) -> tuple[Log, str]:
    """Builds the chat of a plan from nothing and holds it; returns what it said."""
    llm = scripted_llm(plan.replies)
    members = [
        ConversableAgent(n, f"I am {n}", llm=llm, human_input_mode=mode)  # type: ignore[arg-type]
        for n, mode in zip(NAMES, plan.modes, strict=True)
    ]
    group = GroupChat(
        members,
        speaker_selection_method=plan.method,
        max_round=plan.rounds,
        allow_repeat_speaker=plan.repeat,
    )
    log = Log()
    context = context_of(
        log, People(list(plan.answers)), effects=effects, random=random.Random(plan.seed)
    )
    manager = manager_of(group, scripted_llm(plan.choices, "select"))
    try:
        result = await a_initiate_chat(members[0], manager, message="Tea?", context=context)
    except Suspend:
        return log, "suspended"
    return log, f"{result.summary}|{context.ended_by}"


@settings(max_examples=60, deadline=None)
@given(plans)
def test_a_replay_asks_and_says_the_same(plan: Plan) -> None:
    async def twice() -> None:
        first = RecordingEffects()
        log, end = await _hold(plan, first)
        second = RecordingEffects(known=first.outcomes)
        replayed, replayed_end = await _hold(plan, second)
        assert second.asked == first.asked
        assert second.performed == 0
        assert replayed.rows() == log.rows()
        assert replayed_end == end
        keys = [asked[0] for asked in first.asked]
        assert len(set(keys)) == len(keys)

    asyncio.run(twice())


@settings(max_examples=60, deadline=None)
@given(plans, st.integers(0, 12))
def test_stopped_after_k_effects_it_goes_on_as_if_nothing_had_been(plan: Plan, k: int) -> None:
    async def cut() -> None:
        undisturbed = RecordingEffects()
        log, end = await _hold(plan, undisturbed)
        before = RecordingEffects(stop_before=k)
        said, _ = await _hold(plan, before)
        assert said.rows() == log.rows()[: len(said.events)]
        # The script counts the calls of the chat, so the rest may be asked of it afresh.
        after = RecordingEffects(known=before.outcomes)
        answers = plan.answers[sum(a[1] == "input" for a in before.asked) :]
        resumed, resumed_end = await _hold(Plan(**{**plan.__dict__, "answers": answers}), after)
        assert _shape(resumed) == _shape(log)
        assert [a[:5] for a in after.asked] == [a[:5] for a in undisturbed.asked]
        assert resumed_end == end

    asyncio.run(cut())


def _shape(log: Log) -> list[tuple[str, dict[str, Any]]]:
    """Rows without the times that a call took."""
    times = ("latency_ms", "first_token_ms")
    return [(chat, {k: v for k, v in row.items() if k not in times}) for chat, row in log.rows()]


async def test_what_a_replay_hears_is_what_was_recorded() -> None:
    """The recorded answer counts, not what the model would say today."""
    plan = Plan("round_robin", {n: ["x"] * 4 for n in NAMES}, ["NEVER"] * 3, [], [], 3, True, 0)
    first = RecordingEffects()
    await _hold(plan, first)
    changed = [Outcome({**o.result, "content": "as recorded"}) for o in first.outcomes]
    log, _ = await _hold(plan, RecordingEffects(known=changed))
    assert log.said == [("ann", "Tea?"), ("bob", "as recorded"), ("cid", "as recorded")]


async def test_question_ids_follow_from_seed_and_place() -> None:
    ids = []
    for seed in ("one", "one", "two"):
        people = People(["a", "b", "exit"])
        person = ConversableAgent("p", human_input_mode="ALWAYS", default_auto_reply="x")
        context = context_of(Log(), people)
        context.seed = seed
        await a_initiate_chat(
            ConversableAgent("q", human_input_mode="NEVER", default_auto_reply="y"), person,
            message="Hi", context=context,
        )  # fmt: skip
        ids.append([q.question for q in people.asked])
    assert ids[0] == ids[1]
    assert not set(ids[0]) & set(ids[2])
    assert len(set(ids[0])) == 3


async def test_a_suspension_passes_through_every_layer() -> None:
    plan = Plan("auto", {n: ["x"] * 4 for n in NAMES}, ["NEVER"] * 3, [], ["bob"], 3, True, 0)
    effects = RecordingEffects(stop_before=0)
    log, end = await _hold(plan, effects)
    assert (log.said, end) == ([("ann", "Tea?")], "suspended")
    with pytest.raises(Suspend):
        raise Suspend("paused", "not an Exception")
