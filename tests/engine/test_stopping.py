"""Stop conditions: each alone, composed, latched, over forks and joins."""

from __future__ import annotations

import pytest

from studio.engine.stopping import (
    CostReached,
    HandedTo,
    MaxMessages,
    NothingNew,
    SpokenBy,
    StopCondition,
    TextSaid,
    TokensUsed,
    Watch,
    WorkedFor,
)

USAGE = {"prompt_tokens": 30, "completion_tokens": 20, "cost_nano": 2_000_000, "latency_ms": 700}


def watching(condition: StopCondition, *said: tuple[str, str]) -> Watch:
    """A watch that has heard these messages of one chat."""
    watch = Watch(condition)
    for agent, text in said:
        watch.heard("", agent, text)
    return watch


def why(condition: StopCondition, *texts: str) -> str:
    return watching(condition, *(("Ann", text) for text in texts)).reason()


# -- each condition


def test_messages_are_counted() -> None:
    assert why(MaxMessages(2), "one") == ""
    assert why(MaxMessages(2), "one", "two") == "2 messages were said"
    assert why(MaxMessages(2), "one", "two", "three") == "2 messages were said"


@pytest.mark.parametrize(
    ("condition", "calls", "reason"),
    [
        (TokensUsed(100), 1, ""),
        (TokensUsed(100), 2, "100 tokens were used"),
        (CostReached(0.004), 1, ""),
        (CostReached(0.004), 2, "0.004 USD were spent"),
        (WorkedFor(2), 2, ""),
        (WorkedFor(2), 3, "2 seconds of work are over"),
    ],
)
def test_what_models_use_is_summed_up(condition: StopCondition, calls: int, reason: str) -> None:
    watch = Watch(condition)
    for _ in range(calls):
        watch.used(USAGE)
    assert watch.reason() == reason


def test_a_kept_answer_costs_nothing_but_has_its_tokens() -> None:
    for condition, holds in ((CostReached(0.001), False), (TokensUsed(50), True)):
        watch = Watch(condition)
        watch.used({**USAGE, "cached": True})
        assert bool(watch.reason()) is holds


def test_tools_and_code_work_too() -> None:
    watch = Watch(WorkedFor(2))
    watch.used({"content": "42", "ok": True, "seconds": 1.25})
    assert watch.reason() == ""
    watch.used({"exit_code": 0, "output": "", "seconds": 0.75})
    assert watch.reason() == "2 seconds of work are over"


def test_a_text_may_stand_anywhere_in_what_is_said_and_case_counts() -> None:
    assert why(TextSaid("DONE"), "We are done.") == ""
    assert why(TextSaid("DONE"), "We are DONE.") == "“DONE” was said"
    watch = Watch(TextSaid("DONE"))
    watch.heard("", "Ann", [{"type": "text", "text": "DONE"}])
    watch.heard("", "Bob", None)
    assert watch.reason()


def test_an_agent_has_spoken() -> None:
    assert watching(SpokenBy("Bob"), ("Ann", "Bob?")).reason() == ""
    assert watching(SpokenBy("Bob"), ("Ann", "Bob?"), ("Bob", "")).reason() == "Bob has spoken"


def test_only_a_handoff_to_the_agent_counts() -> None:
    watch = watching(HandedTo("Bob"), ("Bob", "Here I am"))
    watch.handed_to("Ann")
    assert watch.reason() == ""
    watch.handed_to("Bob")
    assert watch.reason() == "the word was handed to Bob"


@pytest.mark.parametrize(
    ("texts", "holds"),
    [
        (["a", "b", "c", "d"], False),
        (["a", "a", "a"], False),
        (["a", "a", "a", "a"], True),
        (["ping", "pong", "ping", "pong"], False),
        (["ping", "pong", "ping", "pong", "ping"], True),
        (["ping", "pong", "ping", "pong", "news", "ping"], False),
        (["x", "y", "z", "z", "y", "x"], True),
        (["Yes, sir", "yes,  SIR", " yes, sir ", "YES,\nsir"], True),
        (["yes, sir", "yes, sir!", "yes; sir", "yes sir"], False),
    ],
)
def test_three_messages_that_say_nothing_new(texts: list[str], holds: bool) -> None:
    """Loops of every period are found: what counts is that it had been said."""
    assert bool(why(NothingNew(3), *texts)) is holds


def test_what_is_said_in_another_chat_is_new_in_this_one() -> None:
    watch = Watch(NothingNew(2))
    for chat in ("", "2/nested0", "4/nested1", "6/nested2"):
        watch.heard(chat, "Ann", "again")
    assert watch.reason() == ""
    watch.heard("2/nested0", "Ann", "again")
    assert watch.reason() == ""
    watch.heard("2/nested0", "Ann", "again")
    assert watch.reason() == "2 messages in a row said nothing new"


# -- composed and latched


def test_either_of_two() -> None:
    either = MaxMessages(3) | TextSaid("DONE")
    assert why(either, "one", "two") == ""
    assert why(either, "DONE") == "“DONE” was said"
    assert why(either, "one", "two", "three") == "3 messages were said"


def test_both_of_two_though_not_at_the_same_time() -> None:
    """What was once said stays said."""
    both = TextSaid("DONE") & SpokenBy("Bob")
    assert watching(both, ("Ann", "DONE")).reason() == ""
    assert watching(both, ("Bob", "Hm")).reason() == ""
    late = watching(both, ("Ann", "DONE"), ("Cid", "Well"), ("Bob", "Hm"), ("Cid", "So"))
    assert late.reason() == "“DONE” was said and Bob has spoken"


def test_a_tree_of_three_levels() -> None:
    tree = (TextSaid("stop") & (SpokenBy("Bob") | SpokenBy("Cid"))) | MaxMessages(5)
    assert watching(tree, ("Ann", "stop"), ("Ann", "stop")).reason() == ""
    assert watching(tree, ("Cid", "stop")).reason() == "“stop” was said and Cid has spoken"
    assert watching(tree, *[("Ann", "hm")] * 5).reason() == "5 messages were said"


def test_and_binds_as_in_python() -> None:
    tree = TextSaid("a") | TextSaid("b") & TextSaid("c")
    assert why(tree, "a")
    assert why(tree, "b") == ""
    assert why(tree, "b", "c")


# -- forks and joins


def fork_and_join(condition: StopCondition, branches: int, said: str) -> Watch:
    """A past of two messages, then as many branches with one message each, then a join."""
    watch = watching(condition, ("Ann", "one"), ("Ann", "two"))
    forks = [watch.forked(f"b{i}") for i in range(branches)]
    for i, fork in enumerate(forks):
        fork.heard(f"b{i}", f"B{i}", said)
        fork.used(USAGE)
    joined = forks[0].forked("join")
    joined.joined(forks)
    return joined


def test_branches_add_up_and_their_common_past_counts_once() -> None:
    assert fork_and_join(MaxMessages(5), 3, "x").reason() == "5 messages were said"
    assert fork_and_join(MaxMessages(6), 3, "x").reason() == ""
    assert fork_and_join(TokensUsed(150), 3, "x").reason()
    assert fork_and_join(TokensUsed(151), 3, "x").reason() == ""


def test_a_branch_does_not_know_what_is_said_beside_it() -> None:
    watch = watching(MaxMessages(4), ("Ann", "one"))
    left, right = watch.forked("left"), watch.forked("right")
    for _ in range(2):
        left.heard("left", "Bob", "x")
        right.heard("right", "Cid", "x")
    assert (left.reason(), right.reason()) == ("", "")
    left.joined([right])
    assert left.reason() == "4 messages were said"


def test_a_join_knows_what_any_of_its_branches_latched() -> None:
    watch = Watch(TextSaid("DONE") & SpokenBy("B1"))
    left, right = watch.forked("left"), watch.forked("right")
    left.heard("left", "B0", "DONE")
    right.heard("right", "B1", "Hm")
    assert (left.reason(), right.reason()) == ("", "")
    after = left.forked("after")
    after.joined([left, right])
    assert after.reason()


def test_joining_twice_counts_nothing_twice() -> None:
    """A diamond behind a diamond, and the whole handed back to where it began."""
    root = watching(MaxMessages(99), ("Ann", "one"))
    first = [root.forked(name) for name in ("a", "b")]
    for branch in first:
        branch.heard(branch.mark, "Bob", "x")
    middle = first[0].forked("m")
    middle.joined(first)
    middle.heard("m", "Cid", "x")
    second = [middle.forked(name) for name in ("c", "d")]
    for branch in second:
        branch.heard(branch.mark, "Bob", "x")
    root.joined([*first, middle, *second])
    root.joined(second)
    messages = sum(tally.messages for tally in (*root.parts.values(), root.own))
    assert messages == 6
