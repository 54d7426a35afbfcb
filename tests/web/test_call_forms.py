"""The form of a call is made from the function's schema, and reads back what was typed."""

from __future__ import annotations

from typing import Any

import pytest

from studio.definitions.skills import read_source
from studio.errors import Problem
from studio.web.call_forms import parameters, read_arguments, read_typed

SOURCE = '''
from typing import Annotated, Literal
def f(
    text: str, count: int, share: float = 0.5, really: bool = True,
    rows: list[int] = [], table: dict[str, int] = {}, colour: Literal["red", 2] = "red",
    other: str | None = None, both: int | str = 1, anything=None,
    said: Annotated[str, "what is said"] = "hello",
) -> str:
    """Do it.

    text: the text to read
    - count (int): how often
    :param share: of all
    """
'''
FUNCTION: dict[str, Any] = read_source(SOURCE)[0][0].as_json()
GIVEN = {"text": "a", "count": "1"}


def test_every_type_has_its_control_and_says_what_it_wants() -> None:
    found = {p.name: p for p in parameters(FUNCTION, {})}
    assert {name: p.control for name, p in found.items()} == {
        "text": "text", "count": "number", "share": "number", "really": "truth", "rows": "json",
        "table": "json", "colour": "choice", "other": "text", "both": "json", "anything": "json",
        "said": "text",
    }  # fmt: skip
    assert {name: p.note for name, p in found.items()} == {
        "text": "text", "count": "whole number", "share": "number, 0.5 if left out",
        "really": "yes or no, true if left out", "rows": "list of whole numbers, [] if left out",
        "table": "object, {} if left out", "colour": 'one of these, "red" if left out',
        "other": "text, null if left out", "both": "whole number or text, 1 if left out",
        "anything": "anything, null if left out", "said": 'text, "hello" if left out',
    }  # fmt: skip
    assert found["colour"].options == ("red", "2")
    assert (found["really"].value, found["share"].value) == ("true", "")
    assert found["said"].default == "hello"
    helped = {name: p.help for name, p in found.items() if p.help}
    assert helped == {
        "text": "the text to read", "count": "how often", "share": "of all", "said": "what is said",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ({}, {"text": "a", "count": 1}),
        ({"text": ""}, {"text": "", "count": 1}),
        ({"share": "2", "really": "false"}, {"share": 2.0, "really": False}),
        ({"rows": "[1, 2]", "table": '{"a": 1}'}, {"rows": [1, 2], "table": {"a": 1}}),
        ({"colour": "2", "other": "x"}, {"colour": 2, "other": "x"}),
        ({"both": "12", "anything": "twelve"}, {"both": 12, "anything": "twelve"}),
        ({"both": "twelve"}, {"both": "twelve"}),
        ({"colour": "blue"}, {"colour": "blue"}),
        ({"count": "9" * 400}, {"count": int("9" * 400)}),
    ],
)
def test_what_was_typed_is_read_by_type(typed: dict[str, str], read: dict[str, Any]) -> None:
    arguments, problems = read_arguments(FUNCTION, GIVEN | typed)
    assert problems == []
    assert arguments == {"text": "a", "count": 1} | read


@pytest.mark.parametrize(
    ("typed", "name", "msg"),
    [
        ({"count": "one"}, "count", "Must be a whole number, not 'one'"),
        ({"count": "1.5"}, "count", "Must be a whole number, not '1.5'"),
        ({"share": "half"}, "share", "Must be a number, not 'half'"),
        ({"share": "nan"}, "share", "Must be a number, not 'nan'"),
        ({"count": "9" * 5000}, "count", "Must be a whole number, not '999"),
        ({"rows": "[1"}, "rows", "This is not JSON"),
    ],
)
def test_what_cannot_be_read_is_said_at_its_control(
    typed: dict[str, str], name: str, msg: str
) -> None:
    arguments, problems = read_arguments(FUNCTION, GIVEN | typed)
    assert name not in arguments
    [problem] = problems
    assert problem.loc == ["arguments", name]
    assert problem.msg.startswith(msg)
    [shown] = [p for p in parameters(FUNCTION, GIVEN | typed, problems) if p.problem]
    assert (shown.name, shown.value) == (name, typed[name])


def test_a_problem_inside_a_list_says_where() -> None:
    problem = Problem(["arguments", "rows", 1], "Must be a whole number, not 'x'", "type")
    shown = {p.name: p.problem for p in parameters(FUNCTION, {}, [problem])}
    assert shown["rows"] == "At [1]: must be a whole number, not 'x'"


def test_a_form_gives_its_controls_and_boxes_that_are_off() -> None:
    form = [
        ("name", "x"), ("_args.text", "a\r\nb\0"), ("_typed.really", "1"), ("_typed.sure", "1"),
        ("_args.sure", "true"),
    ]  # fmt: skip
    assert read_typed(form) == {"text": "a\nb", "really": "false", "sure": "true"}


def test_what_may_be_null_and_is_needed_is_null_when_it_is_empty() -> None:
    function = read_source("def f(a: int | None, b: str | None):\n    ...\n")[0][0].as_json()
    assert read_arguments(function, {"a": "", "b": ""}) == ({"a": None, "b": ""}, [])
