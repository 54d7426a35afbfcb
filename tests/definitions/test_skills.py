"""A skill is read, never run: saving, reading, checking and restoring execute nothing of it."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from ..builders import unique
from ..conftest import InProcess

TRAPS = {
    "at import": "MARK.touch()\ndef f(a: int) -> int:\n    return a\n",
    "in a decorator": (
        "def trap(g):\n    MARK.touch()\n    return g\n@trap\ndef f(a: int) -> int:\n    return a\n"
    ),
    "in a default": "def f(a: int = MARK.touch() or 1) -> int:\n    return a\n",
    "in an annotation": "def f(a: (MARK.touch() or int)) -> int:\n    return a\n",
    "in a class body": "class C:\n    MARK.touch()\ndef f(a: int) -> int:\n    return a\n",
    "in an f-string": 'X = f"{MARK.touch()}"\ndef f(a: int) -> int:\n    return a\n',
}


@pytest.mark.parametrize("place", TRAPS)
def test_nothing_of_a_skill_runs_when_it_is_kept(
    studio: InProcess, tmp_path: Path, place: str
) -> None:
    mark = tmp_path / "mark"
    source = f"import pathlib\nMARK = pathlib.Path({str(mark)!r})\n{TRAPS[place]}"
    children = psutil.Process().children(recursive=True)
    answer = studio.call("POST", "skills", {"name": unique("trap"), "source": source})
    assert answer.status_code in (201, 422)
    if answer.status_code == 201:
        path = f"skills/{answer.json()['id']}"
        studio.get(path)
        studio.put(f"{path}/draft", {"source": source})
        studio.put(path, {"name": unique("trap"), "source": source + "\n# changed\n"})
        studio.post(f"{path}/revisions/1/restore", status=200)
    assert not mark.exists()
    assert psutil.Process().children(recursive=True) == children


def test_the_traps_do_spring_when_they_are_run(tmp_path: Path) -> None:
    """Guards the test above: each of its sources leaves the mark when it is executed."""
    for place, trap in TRAPS.items():
        mark = tmp_path / place
        source = f"import pathlib\nMARK = pathlib.Path({str(mark)!r})\n{trap}"
        exec(compile(source, place, "exec", dont_inherit=True), {})
        assert mark.exists(), place


@pytest.mark.parametrize(
    "source", ["", "def f(:\n", "x = 1\n", "def f(a):\n    pass\n", "\x00", "import os\n"]
)
def test_a_source_without_a_typed_function_is_refused(studio: InProcess, source: str) -> None:
    problem = studio.refused("POST", "skills", {"name": unique("s"), "source": source})
    assert [e["loc"] for e in problem["errors"]] == [["source"]]


@pytest.mark.parametrize(
    "source",
    ["(" * 100_000, "def f(a: int) -> int:\n    return " + "-" * 100_000 + "1\n",
     "x = " + "[" * 5_000 + "]" * 5_000 + "\n"],
)  # fmt: skip
def test_a_source_that_overwhelms_the_parser_is_refused(studio: InProcess, source: str) -> None:
    problem = studio.refused("POST", "skills", {"name": unique("s"), "source": source})
    assert ["source"] in [e["loc"] for e in problem["errors"]]


def test_the_schema_follows_the_types_and_the_docstring(studio: InProcess) -> None:
    source = (
        "from typing import Literal\n"
        "def find(words: list[str], many: int = 3, kind: Literal['a', 'b'] = 'a',"
        " where: str | None = None) -> dict:\n"
        '    """Find words."""\n    return {}\n'
        "def _helper(x): return x\n"
    )
    shown = studio.create("skills", source=source)
    (find,) = shown["functions"]
    properties = find["parameters"]["properties"]
    assert find["parameters"]["required"] == ["words"]
    assert properties["words"]["items"] == {"type": "string"}
    assert properties["many"]["default"] == 3
    assert properties["kind"]["enum"] == ["a", "b"]
