"""tool_text.py: names, arguments and results as text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from studio.engine.tool_text import (
    assert_valid_name,
    content_str,
    format_json_str,
    normalize_name,
    read_arguments,
    tool_result_text,
)

DATA = Path(__file__).parent.parent / "data"
UNITS = json.loads((DATA / "autogen_0_2_units.json").read_text())
SCENARIOS = {s["name"]: s for s in json.loads((DATA / "autogen_0_2.json").read_text())}
FUNCTIONS = {
    "format_json_str": format_json_str,
    "normalize_name": normalize_name,
    "assert_valid_name": assert_valid_name,
    "content_str": content_str,
}
ROWS = [(table, row) for table in FUNCTIONS for row in UNITS[table]]


@pytest.mark.parametrize(("table", "row"), ROWS, ids=lambda value: json.dumps(value)[:50])
def test_like_the_reference(table: str, row: dict[str, Any]) -> None:
    given_, out = row["content" if table == "content_str" else "in"], row["out"]
    if isinstance(out, dict):
        kind, _, text = out["error"].partition(": ")
        with pytest.raises({"ValueError": ValueError, "TypeError": TypeError}[kind]) as caught:
            FUNCTIONS[table](given_)
        assert str(caught.value) == text
    else:
        assert FUNCTIONS[table](given_) == out


class TestArguments:
    def test_the_recorded_error_for_bad_json(self) -> None:
        expected = SCENARIOS["tool_bad_json"]["expected"]
        arguments = expected[1]["tool_calls"][0]["function"]["arguments"]
        assert read_arguments(arguments) == expected[2]["content"]

    @pytest.mark.parametrize("text", ["[1]", "null", "5", '"a"'])
    def test_json_that_is_no_object(self, text: str) -> None:
        told = read_arguments(text)
        assert isinstance(told, str)
        assert told.startswith("Error: the arguments are not an object")
        assert told.endswith("\n The argument must be in JSON format.")

    @pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"a": ' + "9" * 5000 + "}"])
    def test_whatever_a_model_sends_is_told_and_never_raised(self, text: str) -> None:
        assert str(read_arguments(text)).startswith("Error: ")

    def test_raw_newlines_as_models_write_them(self) -> None:
        code = 'def f():\n\treturn "a\\n"\r\n'
        sent = '{\n  "code": "' + code.replace("\\", "\\\\").replace('"', '\\"') + '"\n}'
        assert read_arguments(sent) == {"code": code}

    def test_a_string_that_ends_in_a_backslash(self) -> None:
        assert read_arguments('{"a": "c:\\\\",\n"b": "x\ny"}') == {"a": "c:\\", "b": "x\ny"}

    @settings(deadline=None)
    @given(st.recursive(st.text() | st.integers() | st.none(), st.lists, max_leaves=5))
    def test_good_json_keeps_its_meaning(self, value: Any) -> None:
        asked = {"value": value}
        for text in (json.dumps(asked), json.dumps(asked, indent=1, ensure_ascii=False)):
            assert read_arguments(text) == asked

    @settings(deadline=None)
    @given(st.text(alphabet='"\\{}\n\ta:,'))
    def test_no_text_takes_long_or_raises(self, text: str) -> None:
        assert isinstance(read_arguments(text), dict | str)

    def test_a_long_broken_string_is_read_in_one_pass(self) -> None:
        assert str(read_arguments('{"a": "' + "\\\n" * 200_000)).startswith("Error: ")


class Point(BaseModel):
    x: int
    label: str = "é"


class TestResult:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("as it is\n", "as it is\n"),
            ("", ""),
            (None, "null"),
            (5, "5"),
            (True, "true"),
            ([1, "é"], '[1, "é"]'),
            (Point(x=1), '{"x":1,"label":"é"}'),
            ([Point(x=1)], '[{"x": 1, "label": "é"}]'),
            ({1}, "{1}"),
            (b"raw", "b'raw'"),
            ({(1, 2): 3}, "{(1, 2): 3}"),
        ],
    )
    def test_every_kind_of_value(self, value: Any, text: str) -> None:
        assert tool_result_text(value) == text

    def test_the_recorded_result_of_a_dict(self) -> None:
        recorded = SCENARIOS["tool_returns_dict"]["expected"][2]["content"]
        assert tool_result_text({"k": [1, None, "é"]}) == recorded

    def test_a_value_that_holds_itself(self) -> None:
        loop: list[Any] = []
        loop.append(loop)
        assert tool_result_text(loop) == "[[...]]"


class TestNames:
    def test_a_newline_at_the_end_is_no_valid_name(self) -> None:
        with pytest.raises(ValueError, match="Only letters"):
            assert_valid_name("name\n")

    def test_the_longest_valid_name(self) -> None:
        assert assert_valid_name("x" * 64) == "x" * 64

    @settings(deadline=None)
    @given(st.text(min_size=1))
    def test_a_normalised_name_is_valid(self, name: str) -> None:
        assert assert_valid_name(normalize_name(name))
