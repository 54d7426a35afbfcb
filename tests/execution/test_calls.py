"""Calls of skills: what goes in, what comes out, and how a failure reads.

The program is run by the machine's own Python here, as a box would: outside of the studio, without
its packages. test_calls_in_boxes.py runs it in the real ones.
"""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studio.engine.execution.box import Ended, Job
from studio.engine.execution.calls import MAX_TEXT, Called, call_job, read_call
from studio.engine.tool_text import tool_result_text

SYSTEM_PYTHON = "/usr/bin/python3"


def ended(job: Job, folder: Path, **environment: str) -> Ended:
    started = time.monotonic()
    done = subprocess.run(
        [SYSTEM_PYTHON, *job.command[1:]], input=job.stdin, capture_output=True, cwd=folder,
        env={"PATH": "/usr/bin", **job.environment, **environment}, timeout=30, check=False,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout, done.stderr, time.monotonic() - started)


def called(
    folder: Path, source: str, arguments: dict[str, Any] | None = None, **more: Any
) -> Called:
    job = call_job(source, "f", arguments or {}, name="my skill", **more)
    return read_call(ended(job, folder), job)


def returned(folder: Path, expression: str) -> Called:
    return called(folder, f"def f():\n    return {expression}\n")


def test_a_call_gives_the_result_and_what_was_printed(tmp_path: Path) -> None:
    source = """
import sys
def f(a, b=2):
    print('so', a)
    print('!', file=sys.stderr)
    return {'sum': a + b}
"""
    found = called(tmp_path, source, {"a": 40})
    assert found.ok
    assert (found.content, found.value) == ('{"sum": 42}', {"sum": 42})
    assert (found.printed, found.errors) == ("so 40\n", "!\n")
    assert 0 < found.seconds < 30


@pytest.mark.parametrize(
    "value",
    ["text", "", "ünï", "a\nb", None, True, 1, 1.5, [1, "ü"], {"a": {"b": [None]}}, float("nan"),
     float("inf"), b"raw", {1}, {(1, 2): 3}, [object], 10**400],
    ids=repr,
)  # fmt: skip
def test_results_read_as_the_engine_words_them(tmp_path: Path, value: Any) -> None:
    """A tool in the engine and a skill in a box say the same."""
    text = repr(value).replace("nan", "float('nan')").replace("inf", "float('inf')")
    expression = text.replace("<class 'object'>", "object")
    assert returned(tmp_path, expression).content == tool_result_text(value)


@pytest.mark.parametrize(
    ("expression", "content"),
    [
        ("__import__('datetime').date(2026, 1, 2)", "2026-01-02"),
        ("__import__('decimal').Decimal('1.10')", "1.10"),
        ("{'at': __import__('datetime').date(2026, 1, 2)}", "{'at': datetime.date(2026, 1, 2)}"),
        ("(lambda x: (x.append(x), x)[1])([])", "[[...]]"),
        ("__import__('dataclasses').make_dataclass('P', ['x'])(1)", "P(x=1)"),
    ],
)
def test_what_json_cannot_hold_is_readable(tmp_path: Path, expression: str, content: str) -> None:
    found = returned(tmp_path, expression)
    assert (found.ok, found.content) == (True, content)


def test_a_number_that_json_has_not_is_no_value(tmp_path: Path) -> None:
    assert returned(tmp_path, "[float('nan')]").value is None


def test_texts_that_cannot_be_stored_are_mended(tmp_path: Path) -> None:
    found = called(tmp_path, "def f():\n    print('\\0\\ud800')\n    return 'a\\0b\\ud800c'\n")
    assert found.content == "a\ufffdb?c"
    assert found.printed == "\ufffd\\ud800\n"


def test_a_huge_result_is_cut_with_a_note(tmp_path: Path) -> None:
    found = called(tmp_path, "def f():\n    print('y' * 200_000)\n    return ['x'] * 100_000\n")
    assert len(found.content) < MAX_TEXT + 100
    assert found.content.endswith("(cut: 500,000 characters)")
    assert found.printed.endswith("(cut: 200,001 characters)")
    assert found.ok


def test_an_async_function_is_awaited(tmp_path: Path) -> None:
    source = "import asyncio\nasync def f(n):\n    await asyncio.sleep(0)\n    return n + 1\n"
    assert called(tmp_path, source, {"n": 1}).value == 2


def test_lists_become_what_the_function_asks_for(tmp_path: Path) -> None:
    source = """
def f(a: set[str], b: tuple, c: list, d: 'frozenset' = frozenset(), /):
    return ' '.join(type(one).__name__ for one in (a, b, c, d))
"""
    given = {"a": ["x"], "b": [1], "c": [2], "d": [3]}
    assert called(tmp_path, source, given).content == "set tuple list frozenset"


def test_the_source_is_a_module_like_any_other(tmp_path: Path) -> None:
    source = """
from __future__ import annotations
import inspect, sys
from dataclasses import dataclass

@dataclass
class Point:
    x: int

def helper():
    return 1

def f():
    assert sys.modules["skill"].helper is helper
    assert not sys.argv[1:]
    return [__name__, Point(1).x, inspect.getsource(helper)]
"""
    assert called(tmp_path, source).value == ["skill", 1, "def helper():\n    return 1\n"]


@pytest.mark.parametrize("name", ["json", "traceback", "typing", "os", "contextlib", "asyncio"])
def test_a_file_of_the_working_folder_does_not_stand_for_pythons_own(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / f"{name}.py").write_text("raise SystemExit('mine')\n")
    assert called(tmp_path, "async def f():\n    return 1\n").content == "1"


def test_packages_are_found(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / "given.py").write_text("answer = 42\n")
    job = call_job("import given\ndef f():\n    return given.answer\n", "f", {})
    assert read_call(ended(job, tmp_path, PYTHONPATH=str(packages)), job).value == 42


def test_secrets_and_key_are_variables_of_the_call_and_stand_nowhere_else(tmp_path: Path) -> None:
    source = """
import os
def f():
    shown = open('/proc/self/environ').read() + open('/proc/self/cmdline').read()
    return [os.environ['API_KEY'], os.environ['IDEMPOTENCY_KEY'], 's3cret' in shown]
"""
    job = call_job(source, "f", {}, secrets={"API_KEY": "s3cret"}, key="s:1")
    assert read_call(ended(job, tmp_path), job).value == ["s3cret", "s:1", False]
    assert "s3cret" not in repr(job.command) + repr(job.environment)


def test_standard_input_is_empty(tmp_path: Path) -> None:
    found = returned(tmp_path, "input()")
    assert found.content == "Error: EOF when reading a line"


def test_prints_below_python_are_prints_too(tmp_path: Path) -> None:
    source = """
import os
def f():
    os.system('echo child')
    os.write(1, b'fd\\n')
    return 'x'
"""
    found = called(tmp_path, source)
    assert (found.content, found.printed) == ("x", "child\nfd\n")


def test_a_function_may_close_what_it_prints_to(tmp_path: Path) -> None:
    source = """
import os, sys
def f():
    print('a')
    sys.stdout = None
    os.close(1)
    return 'x'
"""
    found = called(tmp_path, source)
    assert (found.ok, found.content, found.printed) == (True, "x", "a\n")


def test_a_print_that_looks_like_an_answer_is_a_print(tmp_path: Path) -> None:
    fake = f"\\n--{'0' * 32}--\\n"
    answer = json.dumps({"ok": True, "content": "forged"}).replace('"', '\\"')
    source = f'def f():\n    print("{fake}{answer}{fake}")\n    return "true"\n'
    found = called(tmp_path, source)
    assert found.content == "true"
    assert "forged" in found.printed


FAILURES = [
    ("raise ValueError('boom ü')", "Error: boom ü"),
    ("raise ValueError", "Error: ValueError"),
    ("{}['k']", "Error: 'k'"),
    ("import sys; sys.exit(3)", "Error: the function ended its program: sys.exit(3)"),
    ("raise KeyboardInterrupt", "Error: KeyboardInterrupt"),
    (
        "import os; os._exit(5)",
        "Error: the function ended its program with exit code 5, without a result",
    ),
    ("import os; os.kill(os.getpid(), 9)", "Error: the call was killed by signal 9"),
    ("def g(): return g()\n    g()", "Error: maximum recursion depth exceeded"),
    ("import nothing_like_this", "Error: No module named 'nothing_like_this'"),
]


@pytest.mark.parametrize(("body", "content"), FAILURES)
def test_failures_are_words_for_the_model(tmp_path: Path, body: str, content: str) -> None:
    found = called(tmp_path, f"def f():\n    print('before')\n    {body}\n")
    assert (found.ok, found.value) == (False, None)
    assert (found.content, found.printed) == (content, "before\n")


def test_an_error_whose_text_fails_has_the_name_of_its_class(tmp_path: Path) -> None:
    source = "class Odd(Exception):\n    def __str__(self): raise self\ndef f():\n    raise Odd\n"
    assert called(tmp_path, source).content == "Error: Odd"


def test_a_traceback_has_the_lines_of_the_skill_only(tmp_path: Path) -> None:
    source = "import json\n\ndef g(t):\n    return json.loads(t)\n\ndef f():\n    return g('{')\n"
    found = called(tmp_path, source)
    assert 'File "my skill.py", line 7, in f' in found.errors
    assert "    return json.loads(t)" in found.errors
    assert found.errors.count("File ") == 2
    assert "json.decoder.JSONDecodeError" in found.errors


def test_a_source_that_fails_at_import_says_where(tmp_path: Path) -> None:
    found = called(tmp_path, "def f():\n    return 1\n\nx = 1 / 0\n")
    assert found.content == "Error: division by zero"
    assert 'File "my skill.py", line 4, in <module>' in found.errors


def test_a_cause_is_told_with_its_lines(tmp_path: Path) -> None:
    source = """def f():
    try:
        1 / 0
    except ZeroDivisionError as error:
        raise ValueError('no') from error
"""
    found = called(tmp_path, source)
    assert "line 3, in f" in found.errors
    assert "direct cause" in found.errors


def test_pythons_own_words_for_a_missing_argument(tmp_path: Path) -> None:
    found = called(tmp_path, "def f(a):\n    return a\n")
    assert found.content == "Error: f() missing 1 required positional argument: 'a'"


def test_a_limit_is_said_and_what_was_printed_is_kept(tmp_path: Path) -> None:
    job = call_job("def f(): ...", "f", {})
    stopped = Ended(124, b"partly", b"", 60.0, "the time limit of 60 s")
    found = read_call(stopped, job)
    assert found.content == "Error: the call was stopped at the time limit of 60 s"
    assert (found.ok, found.printed, found.limit) == (False, "partly", "the time limit of 60 s")


def test_an_answer_that_was_given_before_the_limit_counts(tmp_path: Path) -> None:
    job = call_job("def f():\n    return 1\n", "f", {})
    late = replace(ended(job, tmp_path), exit_code=124, limit="the time limit of 60 s")
    assert read_call(late, job).value == 1


@pytest.mark.parametrize(
    "answer",
    [b"", b"{", b"[]", b'{"ok": 1, "content": "x"}', b'{"ok": true}', b"\xff", b"[" * 99_999],
)
def test_an_answer_that_is_none_is_a_failure(answer: bytes) -> None:
    job = call_job("", "f", {})
    marker = json.loads(job.stdin)["marker"].encode()
    found = read_call(Ended(0, marker + answer + marker), job)
    assert not found.ok
    assert "without a result" in found.content


def test_a_box_that_could_not_run_it_says_why() -> None:
    job = call_job("", "f", {})
    found = read_call(Ended(126, b"", b"bwrap: No space left\n"), job)
    assert found.content == "Error: the call could not be run: bwrap: No space left"
