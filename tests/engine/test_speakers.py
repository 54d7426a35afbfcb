"""Who may speak next, and the strategies without a model: round robin, random, manual."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from studio.engine import ConversableAgent, GroupChat
from studio.engine.context import entered
from studio.engine.errors import DefinitionError
from studio.engine.speakers import (
    NoEligibleSpeakerError,
    Selection,
    eligible,
    mentions,
    next_agent,
    select,
)

from .builders import People, context_of, ids, manager_of, silent

UNITS = json.loads((Path(__file__).parent.parent / "data" / "autogen_0_2_units.json").read_text())


def _group(names: str = "abc", method: str = "round_robin", **rules: Any) -> GroupChat:
    return GroupChat([silent(n) for n in names], speaker_selection_method=method, **rules)


def _by_name(group: GroupChat) -> dict[str, ConversableAgent]:
    return {a.name: a for a in group.agents}


def _graph(group: GroupChat, graph: dict[str, str], kind: str) -> GroupChat:
    """The same group with a transition graph given by letters."""
    agents = _by_name(group)
    return GroupChat(
        group.agents,
        speaker_selection_method=group.speaker_selection_method,
        allowed_or_disallowed_speaker_transitions={
            agents[a]: [agents[b] for b in after] for a, after in graph.items()
        },
        speaker_transitions_type=kind,  # type: ignore[arg-type]
    )


async def _chosen(
    group: GroupChat, last: ConversableAgent, people: People | None = None, **context: Any
) -> Selection:
    with entered(context_of(people=people, **context)):
        return await select(group, manager_of(group), last)


# -- tables recorded from the reference


@pytest.mark.parametrize("case", UNITS["mentions"]["cases"], ids=lambda c: c["text"] or "empty")
def test_mentions_as_recorded(case: dict[str, Any]) -> None:
    assert mentions(case["text"], UNITS["mentions"]["agents"]) == list(case["out"])


@pytest.mark.parametrize(
    "case", UNITS["next_agent"], ids=ids(UNITS["next_agent"], lambda c: f"{c['last']}-{c['out']}")
)
def test_next_agent_as_recorded(case: dict[str, Any]) -> None:
    agents = {name: silent(name) for name in UNITS["mentions"]["agents"]}
    last = agents.get(case["last"]) or silent(case["last"])
    subset = [agents[n] for n in case["subset"] or agents]
    assert next_agent(list(agents.values()), last, subset).name == case["out"]


def test_disallowed_transitions_are_inverted_as_recorded() -> None:
    table = UNITS["invert"]
    agents = {name: silent(name) for name in table["agents"]}
    group = GroupChat(
        list(agents.values()),
        allowed_or_disallowed_speaker_transitions={
            agents[a]: [agents[b] for b in after] for a, after in table["disallowed"].items()
        },
        speaker_transitions_type="disallowed",
    )
    assert group.transitions is not None
    got = {a.name: [b.name for b in after] for a, after in group.transitions.items()}
    assert got == table["allowed"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("bob_", []),
        ("_bob", []),
        ("bob2", []),
        ("bob\nann", ["ann", "bob"]),
        ("ann.", ["ann"]),
        (".ann", ["ann"]),
        ("Büro-ann", ["ann"]),
        ("äann", []),
        ("**ann** or `bob`", ["ann", "bob"]),
    ],
)
def test_a_name_counts_only_as_a_whole_word(text: str, named: list[str]) -> None:
    assert mentions(text, ["ann", "bob"]) == named


# -- round robin


async def test_round_robin_goes_in_order_and_around() -> None:
    group = _group()
    a, b, c = group.agents
    assert [(await _chosen(group, last)).agent for last in (a, b, c)] == [b, c, a]


async def test_round_robin_after_an_outsider_begins_with_the_first() -> None:
    group = _group()
    chosen = await _chosen(group, silent("outsider"))
    assert chosen.agent is group.agents[0]
    assert chosen.candidates == group.agents


# -- random


async def _drawn(seed: int) -> list[str]:
    group = _group("abcde", "random")
    manager, last = manager_of(group), group.agents[0]
    with entered(context_of(random=random.Random(seed))):
        return [(await select(group, manager, last)).agent.name for _ in range(20)]


async def test_random_is_repeatable_by_seed() -> None:
    assert await _drawn(7) == await _drawn(7)
    assert await _drawn(7) != await _drawn(8)
    assert set(await _drawn(7)) <= set("abcde")


async def test_random_keeps_to_the_candidates() -> None:
    group = _graph(_group("abcd", "random"), {"a": "bc", "b": "a", "c": "a", "d": "a"}, "allowed")
    with entered(context_of(random=random.Random(1))):
        drawn = {
            (await select(group, manager_of(group), group.agents[0])).agent.name for _ in range(30)
        }
    assert drawn == {"b", "c"}


# -- manual


@pytest.mark.parametrize(
    ("answers", "chosen"),
    [
        (["1"], "a"),
        (["3"], "c"),
        ([" 2 "], "b"),
        (["c"], "c"),
        ([""], "b"),
        (["q"], "b"),
        (["4", "3"], "c"),
        (["0", "1"], "a"),
        (["-1", "c"], "c"),
        (["nobody", "2"], "b"),
        (["nobody", "0"], "b"),
        (["99", "x"], "b"),
        (["x", ""], "b"),
        (["²", "3"], "c"),
        (["9" * 5000, "3"], "c"),
    ],
    ids=lambda v: v if isinstance(v, str) else "-".join(x[:6] or "empty" for x in v),
)
async def test_manual_choice(answers: list[str], chosen: str) -> None:
    """Number or name; invalid is asked again once; then the next in order after a, who spoke."""
    group = _group(method="manual")
    people = People(list(answers))
    selection = await _chosen(group, group.agents[0], people)
    assert selection.agent.name == chosen
    assert not people.answers
    assert {tuple(q.choices or ()) for q in people.asked} == {("a", "b", "c")}
    assert {q.form for q in people.asked} == {"choice"}


async def test_manual_numbers_count_the_candidates_only() -> None:
    group = _graph(_group("abcd", "manual"), {"a": "cd", "b": "a", "c": "a", "d": "a"}, "allowed")
    people = People(["2"])
    assert (await _chosen(group, group.agents[0], people)).agent.name == "d"
    assert people.asked[0].choices == ["c", "d"]


# -- transitions and repeats


def _names(group: GroupChat, last: str, *, compat: bool = False) -> str:
    agent = _by_name(group).get(last) or silent(last)
    return "".join(a.name for a in eligible(group, agent, compat=compat))


@pytest.mark.parametrize(
    ("kind", "last", "allowed"),
    [
        ("allowed", "a", "bc"),
        ("allowed", "b", "b"),
        ("allowed", "outsider", "abc"),
        ("disallowed", "a", "a"),
        ("disallowed", "b", "ac"),
        ("disallowed", "c", "abc"),
    ],
)
def test_transitions(kind: str, last: str, allowed: str) -> None:
    assert _names(_graph(_group(), {"a": "bc", "b": "b"}, kind), last) == allowed


@pytest.mark.parametrize("compat", [False, True])
def test_a_member_without_a_key_ends_the_group_in_both_modes(compat: bool) -> None:
    group = _graph(_group(), {"a": "b"}, "allowed")
    with pytest.raises(NoEligibleSpeakerError, match="nobody may follow c"):
        _names(group, "c", compat=compat)


@pytest.mark.parametrize(
    ("repeat", "last", "allowed"),
    [
        (None, "a", "abc"),
        (True, "a", "abc"),
        (False, "a", "bc"),
        (False, "c", "ab"),
        (False, "outsider", "abc"),
        ("b", "b", "abc"),
        ("b", "a", "bc"),
        ("", "a", "bc"),
    ],
)
def test_allow_repeat_speaker(repeat: bool | str | None, last: str, allowed: str) -> None:
    group = _group()
    agents = _by_name(group)
    group = GroupChat(
        group.agents,
        allow_repeat_speaker=[agents[n] for n in repeat] if isinstance(repeat, str) else repeat,
    )
    assert _names(group, last) == allowed


async def test_a_single_candidate_is_chosen_without_asking_anyone() -> None:
    group = GroupChat(
        [silent("a"), silent("b")], speaker_selection_method="manual", allow_repeat_speaker=False
    )
    chosen = await _chosen(group, group.agents[0], People([]))
    assert chosen.agent is group.agents[1]
    assert chosen.reason == "only b may follow a"


async def test_methods_are_case_insensitive_and_unknown_ones_refused() -> None:
    group = _group(method="Round_Robin")
    assert (await _chosen(group, group.agents[0])).agent is group.agents[1]
    bad = _group(method="loudest")
    with pytest.raises(DefinitionError, match="loudest"):
        await _chosen(bad, bad.agents[0])


async def test_a_group_of_one_is_refused() -> None:
    group = _group("a")
    with pytest.raises(DefinitionError, match="at least two"):
        await _chosen(group, group.agents[0])


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"allow_repeat_speaker": True, "graph": True, "kind": "allowed"}, "not both"),
        ({"graph": True, "kind": None}, "allowed or disallowed"),
        ({"graph": True, "kind": "maybe"}, "allowed or disallowed"),
        ({"max_retries_for_selecting_speaker": -1}, "0 or more"),
    ],
)
def test_contradicting_rules_are_refused(rules: dict[str, Any], words: str) -> None:
    a, b = silent("a"), silent("b")
    given = {k: v for k, v in rules.items() if k not in ("graph", "kind")}
    if rules.get("graph"):
        given["allowed_or_disallowed_speaker_transitions"] = {a: [b], b: [a]}
        given["speaker_transitions_type"] = rules["kind"]
    with pytest.raises(DefinitionError, match=words):
        GroupChat([a, b], **given)
