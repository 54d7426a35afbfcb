"""Calls of skills in real boxes: what a call is given, what it cannot reach, how it is stopped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from studio.engine.execution.box import BoxLimits
from studio.engine.execution.calls import Called, call_job, read_call

from .conftest import Boxes


def called(boxes: Boxes, source: str, limits: BoxLimits | None = None, **more: Any) -> Called:
    job = call_job(source, "f", more.pop("arguments", {}), limits=limits, **more)
    # the nonce by which the test finds its processes; the program does not look at its arguments
    return read_call(boxes.run(replace(job, command=(*job.command, boxes.nonce))), job)


def test_a_call_gives_its_result(boxes: Boxes) -> None:
    source = "async def f(a: list[int]):\n    print('so')\n    return {'sum': sum(a)}\n"
    found = called(boxes, source, arguments={"a": [1, 2]})
    assert (found.ok, found.value, found.printed) == (True, {"sum": 3}, "so\n")


def test_a_file_json_in_the_folder_is_for_the_skill_and_not_for_us(boxes: Boxes) -> None:
    (boxes.work_dir() / "json.py").write_text("raise SystemExit('mine')")
    (boxes.work_dir() / "mine.py").write_text("x = 5")
    assert called(boxes, "import mine\ndef f():\n    return mine.x\n").value == 5


def test_files_stay_in_the_working_folder(boxes: Boxes) -> None:
    source = (
        "def f():\n    open('out.txt', 'w').write('ü')\n    return open('/work/out.txt').read()\n"
    )
    assert called(boxes, source).value == "ü"
    assert (boxes.work_dir() / "out.txt").read_text() == "ü"


def test_secrets_are_seen_by_the_call_alone(boxes: Boxes) -> None:
    source = """
import os, pathlib
def f():
    shown = ""
    for one in pathlib.Path("/proc").glob("[0-9]*"):
        for name in ("environ", "cmdline"):
            try:
                shown += (one / name).read_text()
            except OSError:
                pass
    return [os.environ["API_KEY"], "s3cret" in shown]
"""
    assert called(boxes, source, secrets={"API_KEY": "s3cret"}).value == ["s3cret", False]


def test_it_runs_as_nobody_who_can_do_anything(boxes: Boxes) -> None:
    """SECURITY R25, for calls of skills."""
    source = """
def f():
    return dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
"""
    status = {key: text.strip() for key, text in called(boxes, source).value.items()}
    assert int(status["CapEff"], 16) == 0
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


def test_a_call_is_stopped_at_its_time(boxes: Boxes) -> None:
    source = "import time\ndef f():\n    print('before', end='')\n    time.sleep(1000)\n"
    found = called(boxes, source, BoxLimits(seconds=5))
    assert not found.ok
    assert found.content == f"Error: the call was stopped at {found.limit}"
    assert found.limit == "the time limit of 5 s"
    assert found.printed == "before"


def test_a_call_that_prints_without_end_is_stopped(boxes: Boxes) -> None:
    source = "def f():\n    while True:\n        print('x' * 1000)\n"
    found = called(boxes, source, BoxLimits(seconds=20, output=100_000))
    assert not found.ok
    assert "output" in found.limit
    assert found.printed.startswith("xxx")


def test_an_error_is_told_with_the_lines_of_the_skill(boxes: Boxes) -> None:
    found = called(boxes, "def f(a: int):\n    return 1 // a\n", arguments={"a": 0}, name="maths")
    assert found.content.startswith("Error: ")
    assert 'File "maths.py", line 2, in f' in found.errors
