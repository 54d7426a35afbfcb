"""Arguments are checked against the schema before anything runs."""

from __future__ import annotations

from typing import Any

import pytest

from studio.engine.execution.arguments import argument_error, argument_problems
from studio.engine.schema import functions

SOURCE = '''
from typing import Literal
def f(
    name: str, count: int, share: float = 0.5, really: bool = False,
    rows: list[dict[str, int]] = [], colour: Literal["red", "green"] = "red",
    other: str | None = "x", plain: str = None, anything=None,
) -> str:
    """Do it."""
'''
SCHEMA = functions(SOURCE)[0].parameters
GOOD = {"name": "n", "count": 1}


@pytest.mark.parametrize(
    "more",
    [
        {}, {"share": 1}, {"rows": [{"a": 1}]}, {"rows": []}, {"colour": "green"}, {"other": None},
        {"plain": None}, {"anything": [1, {"x": None}]}, {"really": True},
    ],
)  # fmt: skip
def test_arguments_that_fit(more: dict[str, Any]) -> None:
    assert argument_problems(SCHEMA, GOOD | more) == []


@pytest.mark.parametrize(
    ("more", "place", "msg"),
    [
        ({"count": "1"}, ("count",), "Must be a whole number, not '1'"),
        ({"count": True}, ("count",), "Must be a whole number, not True"),
        ({"count": 1.5}, ("count",), "Must be a whole number, not 1.5"),
        ({"count": None}, ("count",), "Must be a whole number, not None"),
        ({"share": "0.5"}, ("share",), "Must be a number, not '0.5'"),
        ({"really": 1}, ("really",), "Must be true or false, not 1"),
        ({"name": ["n"]}, ("name",), "Must be text, not ['n']"),
        ({"rows": {}}, ("rows",), "Must be a list, not {}"),
        ({"rows": [{"a": 1}, 2]}, ("rows", 1), "Must be an object, not 2"),
        ({"rows": [{"a": "1"}]}, ("rows", 0, "a"), "Must be a whole number, not '1'"),
        ({"colour": "blue"}, ("colour",), "Must be one of 'red', 'green', not 'blue'"),
        ({"other": 1}, ("other",), "Must be text or null, not 1"),
    ],
)
def test_arguments_that_do_not_fit(more: Any, place: tuple[Any, ...], msg: str) -> None:
    [problem] = argument_problems(SCHEMA, GOOD | more)
    assert (problem.place, problem.msg) == (place, msg)


def test_missing_and_unknown_arguments_read_as_python_words_them() -> None:
    assert argument_error("f", SCHEMA, GOOD) == ""
    assert argument_error("f", SCHEMA, {"name": "n"}) == (
        "Error: f() missing 1 required positional argument: 'count'"
    )
    assert argument_error("f", SCHEMA, {}) == (
        "Error: f() missing 2 required positional arguments: 'name' and 'count'"
    )
    assert argument_error("f", SCHEMA, GOOD | {"x": 1}) == (
        "Error: f() got an unexpected keyword argument 'x'"
    )
    assert argument_error("f", SCHEMA, GOOD | {"rows": [1]}) == (
        "Error: argument rows[0]: must be an object, not 1"
    )


def test_a_schema_from_elsewhere_is_looked_at_as_far_as_it_is_known() -> None:
    schema: dict[str, Any] = {
        "properties": {
            "both": {"type": ["string", "null"]}, "odd": {"type": "date"},
            "list": {"type": "array"}, "any": True,
            "object": {"type": "object", "additionalProperties": False},
        },
        "additionalProperties": True,
    }  # fmt: skip
    given = {"both": None, "odd": 1, "list": [1], "any": 1, "object": {"a": 1}, "more": 1}
    assert argument_problems(schema, given) == []
    [problem] = argument_problems(schema, {"both": 1})
    assert problem.msg == "Must be text or null, not 1"
