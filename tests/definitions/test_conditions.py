"""Conditions as they are written down: stop conditions read aloud, and what they cannot say."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from studio.definitions.conditions import Condition, Termination, aloud
from studio.runner.rules import stop_condition

NAMES = {"a1": "Editor", "a2": "Writer"}


def read(**tree: Any) -> str:
    return aloud(Termination.model_validate(tree), lambda one: NAMES.get(one, one))


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"max_messages": 1}, "after 1 message"),
        ({"max_messages": 1200}, "after 1,200 messages"),
        ({"text": "DONE"}, "when somebody says “DONE”"),
        ({"tokens": 50_000}, "after 50,000 tokens"),
        ({"cost_usd": 0.5}, "after 0.5 USD"),
        ({"cost_usd": 2}, "after 2 USD"),
        ({"seconds": 1}, "after 1 second of work"),
        ({"seconds": 90}, "after 90 seconds of work"),
        ({"seconds": 60}, "after 1 minute of work"),
        ({"seconds": 7200}, "after 120 minutes of work"),
        ({"source": "a1"}, "when Editor has spoken"),
        ({"source": "gone"}, "when gone has spoken"),
        ({"handoff": "a2"}, "when the word is handed to Writer"),
        ({"stale": 3}, "when 3 messages in a row say nothing new"),
    ],
)
def test_one_condition(tree: dict[str, Any], words: str) -> None:
    assert read(**tree) == f"Ends {words}."


A, B, C = {"text": "A"}, {"text": "B"}, {"text": "C"}
SAYS_A, SAYS_B, SAYS_C = (f"when somebody says “{x}”" for x in "ABC")


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"any": [A, B]}, f"{SAYS_A} or {SAYS_B}"),
        ({"all": [A, B, C]}, f"{SAYS_A} and {SAYS_B} and {SAYS_C}"),
        ({"any": [A]}, SAYS_A),
        ({"all": [{"any": [{"all": [A]}]}]}, SAYS_A),
        ({"any": [A, {"any": [B, C]}]}, f"{SAYS_A} or {SAYS_B} or {SAYS_C}"),
        ({"any": [A, {"all": [B, C]}]}, f"{SAYS_A} or once ({SAYS_B} and {SAYS_C})"),
        ({"all": [{"any": [A, B]}, C]}, f"once ({SAYS_A} or {SAYS_B}) and {SAYS_C}"),
        (
            {"any": [{"all": [A, {"any": [B, C]}]}, {"max_messages": 9}]},
            f"once ({SAYS_A} and once ({SAYS_B} or {SAYS_C})) or after 9 messages",
        ),
    ],
)
def test_a_tree_says_what_belongs_together(tree: dict[str, Any], words: str) -> None:
    assert read(**tree) == f"Ends {words}."


def test_a_walk_gives_every_leaf_with_the_path_to_it() -> None:
    tree = Termination.model_validate(
        {"any": [{"max_messages": 9}, {"all": [{"source": "a1"}, {"any": [{"handoff": "a2"}]}]}]}
    )
    found = [(loc, leaf.rule) for loc, leaf in tree.walk(("termination",))]
    assert found == [
        (("termination", "any", 0, "max_messages"), ("max_messages", 9)),
        (("termination", "any", 1, "all", 0, "source"), ("source", "a1")),
        (("termination", "any", 1, "all", 1, "any", 0, "handoff"), ("handoff", "a2")),
    ]
    alone = Termination(stale=2)
    assert [(loc, leaf) for loc, leaf in alone.walk()] == [(("stale",), alone)]


@pytest.mark.parametrize(
    "tree",
    [{}, {"max_messages": 1, "text": "x"}, {"any": []}, {"all": [{}]}, {"any": [A], "all": [B]},
     {"max_messages": 0}, {"stale": 1}, {"cost_usd": 0}, {"seconds": 0.5}, {"text": ""},
     {"words": 3}, {"any": [A] * 21}],
)  # fmt: skip
def test_a_tree_that_says_nothing_or_two_things_is_refused(tree: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Termination.model_validate(tree)


CONTEXT = {"name": "mood", "op": "==", "value": "good"}


@pytest.mark.parametrize(
    "body",
    [{}, {"contains": "x", "model": "y"}, {"contains": ""}, {"context": CONTEXT, "model": "y"},
     {"context": {**CONTEXT, "op": "~"}}, {"context": {**CONTEXT, "name": "a b"}},
     {"context": {**CONTEXT, "value": []}}],
)  # fmt: skip
def test_a_condition_says_exactly_one_thing(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Condition.model_validate(body)
    assert Condition.model_validate({"context": CONTEXT}).context is not None


@pytest.mark.parametrize("name", [n for n in Termination.model_fields if n not in ("any", "all")])
def test_what_is_read_aloud_is_what_the_engine_has(name: str) -> None:
    """Every condition that can be written down is one that the engine can watch for."""
    value = "a1" if name in ("source", "handoff", "text") else 3
    tree = Termination.model_validate({"all": [{name: value}, {"any": [{name: value}]}]})
    built = stop_condition(tree, lambda one: NAMES.get(one, one))
    first, second = built.leaves()
    assert first == second
    assert ("Editor" if name in ("source", "handoff") else value) in vars(first).values()
