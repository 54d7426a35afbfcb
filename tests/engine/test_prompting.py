"""What a model is sent for a turn: facts, the history, examples, and plain substitution."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.engine.prompting import (
    Example,
    Facts,
    PromptRules,
    clean,
    facts,
    in_a_sentence,
    plain,
    prompt_messages,
)

LIST = "Here you are:\n1. Red Fox\n2. Blue Whale\n3) Old Owl\nDone."


def _said(*texts: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text} for text in texts]


@pytest.mark.parametrize(
    ("texts", "items"),
    [
        ([LIST], ("Red Fox", "Blue Whale", "Old Owl")),
        (["- one\n- two"], ("one", "two")),
        (["* **one**\n* _two_."], ("one", "two")),
        (["• one\n• two"], ("one", "two")),
        (["1. only one"], ()),
        (["no list"], ()),
        ([LIST, "- new\n- list"], ("new", "list")),
        ([LIST, "1. only one"], ("Red Fox", "Blue Whale", "Old Owl")),
        (["2024. was a year\n1999. too"], ()),
        (["-one\n-two"], ()),
    ],
)
def test_the_latest_list_of_two_or_more(texts: list[str], items: tuple[str, ...]) -> None:
    assert facts(_said(*texts), "task").items == items


@pytest.mark.parametrize(
    ("answer", "choice"),
    [
        ("2", "Blue Whale"),
        (" 3. ", "Old Owl"),
        ("#1", "Red Fox"),
        ("I like the blue whale best", "Blue Whale"),
        ("old owl, then red fox", "Old Owl"),
        ("4", "Red Fox"),
        ("0", "Red Fox"),
        ("no idea", "Red Fox"),
    ],
)
def test_the_choice_made_since_the_list(answer: str, choice: str) -> None:
    """A person may answer by number; without a choice the first item stands."""
    assert facts(_said(LIST, answer), "task").choice == choice


def test_an_earlier_choice_stands_against_later_words() -> None:
    assert facts(_said(LIST, "2", "Good. Red Fox is out then."), "t").choice == "Blue Whale"


def test_without_a_list_the_choice_is_the_last_message() -> None:
    assert facts(_said("a", " the end "), "task").choice == "the end"


def test_task_last_and_list_are_filled() -> None:
    found = facts(_said(LIST, "2"), "A bakery for dogs.")
    text = found.fill("{task}|{last}|{list}|{choice}")
    assert text == "a bakery for dogs|2|Red Fox, Blue Whale, Old Owl|Blue Whale"


def test_without_messages_the_task_is_last() -> None:
    assert facts([], "Say hi").fill("{last}/{list}/{choice}") == "Say hi/Say hi/"


@pytest.mark.parametrize(
    "template",
    [
        "{{7*7}}", "{0.__class__}", "{task!r}", "{task.__init__}", "{}", "{unknown}", "{TASK}",
        "{ task}", "}{", "%(task)s", "$task",
    ],
)  # fmt: skip
def test_other_braces_stay_as_they_are(template: str) -> None:
    assert Facts("T", "L", ("I",), "C").fill(template) == template


def test_what_was_filled_in_is_not_filled_again() -> None:
    found = Facts("{last}", "{choice}", ("{task}",), "C")
    assert found.fill("{task}{last}{list}") == "{last}{choice}{task}"


@settings(deadline=None)
@given(st.text(), st.text())
def test_filling_never_fails(template: str, last: str) -> None:
    found = facts(_said(last), "task")
    assert isinstance(found.fill(template), str)


@pytest.mark.parametrize(
    ("task", "inside"),
    [
        ("A bakery for dogs.", "a bakery for dogs"),
        ("The best tea!?", "the best tea"),
        ("Planning a trip", "planning a trip"),
        ("NASA rockets.", "NASA rockets"),
        ("Berlin", "Berlin"),
        ("", ""),
        ("...", ""),
    ],
)
def test_a_task_inside_a_sentence(task: str, inside: str) -> None:
    assert in_a_sentence(task) == inside


def test_an_item_loses_its_markup() -> None:
    assert plain(' **"Moss & Co."** ') == "Moss & Co"


SYSTEM = [{"role": "system", "content": "You are a poet."}]
HISTORY = _said("one", "two", "three")
FOUND = facts(HISTORY, "A poem")


def _contents(rules: PromptRules) -> list[str]:
    return [m["content"] for m in prompt_messages(SYSTEM, HISTORY, rules, FOUND)]


@pytest.mark.parametrize(
    ("history", "kept"),
    [
        ("all", ["one", "two", "three"]),
        (2, ["two", "three"]),
        (1, ["three"]),
        (99, ["one", "two", "three"]),
        (0, []),
    ],
)
def test_history(history: Any, kept: list[str]) -> None:
    assert _contents(PromptRules(history=history)) == ["You are a poet.", *kept]


def test_without_history_the_last_message_is_the_question() -> None:
    assert _contents(PromptRules(history="none")) == ["You are a poet.", "three"]


def test_an_ask_is_the_last_word() -> None:
    assert _contents(PromptRules(history="none", ask="Now {task}: {last}")) == [
        "You are a poet.",
        "Now a poem: three",
    ]
    assert _contents(PromptRules(ask="Rhyme!"))[-2:] == ["three", "Rhyme!"]


def test_examples_stand_between_system_message_and_history() -> None:
    rules = PromptRules(examples=(Example("Sun", "Fun"), Example("{task}", "literal")), history=1)
    messages = prompt_messages(SYSTEM, HISTORY, rules, FOUND)
    assert [(m["role"], m["content"]) for m in messages] == [
        ("system", "You are a poet."),
        ("user", "Sun"), ("assistant", "Fun"),
        ("user", "{task}"), ("assistant", "literal"),
        ("user", "three"),
    ]  # fmt: skip


def test_the_history_itself_is_not_changed() -> None:
    before = [dict(m) for m in HISTORY]
    prompt_messages(SYSTEM, HISTORY, PromptRules(ask="x"), FOUND).append({"role": "x"})
    assert before == HISTORY


@pytest.mark.parametrize("token", ["<|im_start|>", "<|im_end|>", "<|endoftext|>"])
def test_control_tokens_are_removed(token: str) -> None:
    assert clean(f"a{token}b{token}") == "ab"


@pytest.mark.parametrize(
    "text",
    ["<|im_<|im_start|>start|>system", "<|im_end<|endoftext|>|>", "<<|im_end|>|im_start|>"],
)
def test_removing_a_control_token_leaves_none_behind(text: str) -> None:
    """A token inside a token must not come together when the inner one is taken out."""
    assert clean(clean(text)) == clean(text)
    assert "<|im_start|>" not in clean(text)


@pytest.mark.parametrize(
    "text",
    ["\n" * 12_000, "- a" + " " * 30_000 + "b", "1. a\n" + "\t" * 12_000 + "x"],
    ids=["newlines", "spaces", "tabs"],
)
def test_odd_white_space_costs_no_time(text: str) -> None:
    """A model's answer may hold 2 million characters; reading it must not stop the studio."""
    started = time.thread_time()
    facts(_said(text), "task")
    assert time.thread_time() - started < 0.5
