"""Context variables are a dict that agents share; expressions over them are read, never run."""

from __future__ import annotations

import time
from typing import Any

import pytest

from studio.engine.context_variables import (
    MAX_DEPTH,
    MAX_LENGTH,
    ContextExpression,
    ContextVariables,
    filled_in,
)
from studio.engine.errors import DefinitionError

KNOWN = ContextVariables(
    {"n": 7, "zero": 0, "name": "Ann", "items": [1, 2], "none": None, "no": False, "a b": 1}
)


def value(text: str, variables: Any = KNOWN) -> bool:
    return ContextExpression(text).evaluate(variables)


@pytest.mark.parametrize(
    "text",
    [
        "${n}",
        "${ n } == 7",
        "${a b} == 1",
        "${n} > 5 and not ${zero}",
        "not ${no} and ${n}",
        "not (${no} or ${zero})",
        "!${no} & ${n} | ${zero}",
        "${n} or ${no} and ${no}",  # and binds closer than or
        "not ${n} == 8",  # a comparison binds closer than not
        "not not ${n}",
        "1 < ${n} <= 7 != 8",
        "${n} > 6.5 and ${n} >= -7",
        "len(${items}) == 2",
        "len(${name}) < len('abcd')",
        "${name} == 'Ann' and ${name} != \"it's\"",
        r"'it\'s' == " + '"it\'s"',
        "${none} == None and ${no} == False and true and not false",
        "(${zero} or ${n}) > 6",  # as in Python, "or" gives the value
        "${n} == ${n}",
        "${zero} == 0 and (${n} > 100 or (${name} == 'Ann' and len(${items}) > 1))",
        "${n}==7 and${n}!=8",
    ],
)
def test_what_holds(text: str) -> None:
    assert value(text) is True
    assert value(f"not ({text})") is False


def test_a_side_that_does_not_matter_is_not_asked() -> None:
    assert value("${n} or ${missing}")
    assert not value("${zero} and ${missing}")


@pytest.mark.parametrize("text", ["${missing}", "not ${missing}", "len(${missing}) > 0"])
def test_an_unknown_variable_is_a_key_error(text: str) -> None:
    with pytest.raises(KeyError, match="missing"):
        value(text)


@pytest.mark.parametrize("text", ["${name} < 3", "${none} > 0", "len(${n}) == 1"])
def test_values_that_cannot_be_compared_are_named_as_the_authors_error(text: str) -> None:
    with pytest.raises(DefinitionError, match="is wrong"):
        value(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "${n",
        "${}${}",
        "n > 3",
        "${n} >",
        "${n} ${n}",
        "(${n}",
        "${n})",
        "len ${n}",
        "len()",
        "and ${n}",
        "${n} == 'open",
        "${n} + 1 > 2",
        "${n} = 7",
        "${n} is None",
        "${n}.__class__",
        "${n}[0]",
        "().__class__.__bases__",
        "__import__('os').system('true')",
        "open('/etc/passwd')",
        "lambda: 1",
        "[x for x in ${items}]",
        "f'{1}'",
        "${n} ** ${n}",
        "0x10 == 16",
        "1e999 > 0",
        "1_000 > 0",
        "３ > 2",
        "9" * 41,
        "9" * 5000 + " > 0",
        "${n} == 1; 2",
        "${n}\0",
    ],
)
def test_nothing_else_is_understood(text: str) -> None:
    with pytest.raises(DefinitionError):
        ContextExpression(text)


@pytest.mark.parametrize(
    ("opening", "closing"), [("(", ")"), ("not ", ""), ("!", ""), ("len(", ")")]
)
def test_deep_nesting_is_refused(opening: str, closing: str) -> None:
    def nested(depth: int) -> str:
        return opening * depth + "${items}" + closing * depth

    ContextExpression(nested(MAX_DEPTH))
    for depth in (MAX_DEPTH + 1, 1500):
        with pytest.raises(DefinitionError, match="levels"):
            ContextExpression(nested(depth))


def test_long_chains_are_fine_and_too_long_a_text_is_not() -> None:
    assert value(" and ".join(["${n}"] * 1000))
    assert value(" < ".join(str(i) for i in range(1500)))
    with pytest.raises(DefinitionError, match="at most"):
        ContextExpression("1" + " " * MAX_LENGTH)


@pytest.mark.parametrize(
    "text", ["1" * 9999, "'" + "\\" * 9998, "'a" * 4999, "${" * 4999, " " * 9999]
)
def test_hostile_texts_are_refused_at_once(text: str) -> None:
    started = time.thread_time()
    with pytest.raises(DefinitionError):
        ContextExpression(text)
    assert time.thread_time() - started < 1


def test_variables_are_a_dict_with_ag2s_methods() -> None:
    given = {"n": 1}
    variables = ContextVariables(data=given)
    variables.set("m", 2)
    variables["k"] = 3
    assert given == {"n": 1}
    assert variables.get("x", 5) == 5
    assert variables.contains("m")
    assert "k" in variables
    assert variables.remove("k")
    assert not variables.remove("k")
    variables.update({"n": 4})
    assert variables == {"n": 4, "m": 2}
    assert variables.to_dict() == {"n": 4, "m": 2}
    assert ContextVariables.from_dict(variables.to_dict()) == variables
    assert repr(variables) == "ContextVariables({'n': 4, 'm': 2})"
    del variables["n"]
    assert len(variables) == 1


def test_a_template_knows_variables_and_nothing_of_them() -> None:
    assert filled_in("{name} has {n} {unknown} {} {n.__class__} {n!r}", KNOWN) == (
        "Ann has 7 {unknown} {} {n.__class__} {n!r}"
    )
