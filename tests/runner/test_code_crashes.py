"""kill -9 while code or a call is under way: nothing is left behind, and nothing is run twice
unless a person or the skill says that it may."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from studio.engine.execution.box import Kind

from ..boxes import KINDS, needed
from ..builders import Json, check_log, unique, until
from ..conftest import StudioProcess

SLOW = "import time\nopen('marks', 'a').write('x')\nprint('begun', flush=True)\ntime.sleep({0})"
RESTART_SECONDS = 30.0


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return needed(request.param)


def code_pair(studio: StudioProcess, kind: str, code: str) -> str:
    model = studio.scripted(f"```python\n{code}\n```", "TERMINATE")
    runner = studio.stand_in(
        default_auto_reply="", code_execution_config={"executor": kind, "timeout": 600}
    )
    given = {"kind": "two_agent", "initiator": runner, "recipient": studio.assistant(model)}
    return str(studio.create("workflows", **given)["id"])


def skill_pair(studio: StudioProcess, code: str, **rules: Any) -> str:
    lines = "\n".join(f"    {line}" for line in code.splitlines())
    source = f'def slow() -> str:\n    """Be slow."""\n{lines}\n    return open("marks").read()\n'
    skill = studio.create("skills", name=unique("Slow"), source=source, approval="never", **rules)
    replies = [{"tool_calls": [{"name": "slow", "arguments": {}}]}, "TERMINATE"]
    model = studio.create("models", provider="scripted", replies=replies)
    agent = studio.assistant(model["id"], skills=[skill["id"]])
    return studio.pair_of(agent, 3)


def marks(studio: StudioProcess, one: str) -> str:
    """What the code left in the working folder: one letter for each time that it ran."""
    file = studio.home / "work" / one / "files" / "marks"
    return file.read_text() if file.exists() else ""


def processes(home: Path) -> list[int]:
    """Processes that see a working folder of this data folder as theirs."""
    found = []
    for pid in psutil.pids():
        with suppress(OSError):
            if f"{home}/work/" in Path(f"/proc/{pid}/mountinfo").read_text():
                found.append(pid)
    return found


def containers(home: Path) -> list[str]:
    """Containers that have a folder of this data folder bound."""
    listed = subprocess.run(
        ["docker", "ps", "--all", "--quiet", "--filter", "label=roundtable"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    if not listed:
        return []
    asked = subprocess.run(
        ["docker", "inspect", "--format", "{{.Id}} {{json .Mounts}}", *listed],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return [line for line in asked.stdout.splitlines() if str(home) in line]


def left_over(kind: str, home: Path) -> list[Any]:
    return [*processes(home), *(containers(home) if kind == "docker" else [])]


def cut(
    launch: Callable[..., StudioProcess], make: Callable[[StudioProcess], str]
) -> tuple[StudioProcess, str]:
    """A studio that was killed while code ran, started again on its folder."""
    studio = launch()
    one = studio.start(make(studio))
    until(lambda: marks(studio, one), seconds=60)
    studio.kill()
    return launch(home=studio.home), one


def questions(studio: StudioProcess, one: str) -> list[Json]:
    found: list[Json] = studio.wait(one, "waiting", seconds=60)["questions"]
    return found


@pytest.mark.parametrize("again", [True, False])
def test_code_that_was_cut_is_asked_about(
    launch: Callable[..., StudioProcess], kind: Kind, *, again: bool
) -> None:
    studio, one = cut(launch, lambda s: code_pair(s, kind, SLOW.format(60)))
    [question] = questions(studio, one)
    assert question["payload"]["kind"] == "repeat"
    assert question["payload"]["blocks"][0][0] == "python"
    until(lambda: left_over(kind, studio.home), lambda left: not left, RESTART_SECONDS)
    assert marks(studio, one) == "x"
    studio.verb(one, "answer", {"question": question["id"], "approve": again, "reason": "no"})
    if again:
        until(lambda: marks(studio, one), lambda found: found == "xx", 30)
        studio.verb(one, "stop")
    session = studio.wait(one, seconds=60)
    check_log(session, studio.events(one))
    if not again:
        [event] = [e for e in studio.events(one) if e["kind"] == "code_executed"]
        assert event["exit_code"] == 125
        assert "whether it was done is unknown (no)" in event["output"]
        assert session["status"] == "finished"
        assert marks(studio, one) == "x"
    until(lambda: left_over(kind, studio.home), lambda left: not left, 10)


def test_a_call_that_may_be_repeated_is_made_again(
    launch: Callable[..., StudioProcess],
) -> None:
    needed("sandbox")
    slow_at_first = "import os\n" + SLOW.format("0 if len(open('marks').read()) > 1 else 60")
    studio, one = cut(launch, lambda s: skill_pair(s, slow_at_first, idempotent=True))
    session = studio.wait(one, seconds=60)
    assert session["status"] == "finished", session["reason"]
    [event] = [e for e in studio.events(one) if e["kind"] == "tool_returned"]
    assert event["content"] == "xx"


def test_a_call_that_may_not_be_repeated_is_asked_about_once(
    launch: Callable[..., StudioProcess],
) -> None:
    """The question outlives another crash; its answer is not asked for again."""
    needed("sandbox")
    studio, one = cut(launch, lambda s: skill_pair(s, SLOW.format(60)))
    [question] = questions(studio, one)
    studio.kill()
    studio = launch(home=studio.home)
    [still] = questions(studio, one)
    assert still["id"] == question["id"]
    studio.verb(one, "answer", {"question": question["id"], "approve": False})
    session = studio.wait(one, seconds=60)
    assert session["status"] == "finished", session["reason"]
    [event] = [e for e in studio.events(one) if e["kind"] == "tool_returned"]
    assert event["content"].startswith("Error: The studio stopped while this was running")
    assert marks(studio, one) == "x"


def test_the_end_of_the_studio_and_of_the_session_leave_nothing(
    launch: Callable[..., StudioProcess], kind: Kind
) -> None:
    studio = launch()
    daemon = (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(600)\n"
        "open('marks', 'a').write('x')\n"
    )
    first = studio.start(code_pair(studio, kind, daemon))
    assert studio.wait(first, seconds=60)["status"] == "finished"
    until(lambda: left_over(kind, studio.home), lambda left: not left, 10)
    second = studio.start(code_pair(studio, kind, SLOW.format(600)))
    until(lambda: marks(studio, second), seconds=60)
    assert left_over(kind, studio.home)
    assert studio.call("DELETE", f"sessions/{second}").status_code == 204
    assert not (studio.home / "work" / second).exists()
    until(lambda: left_over(kind, studio.home), lambda left: not left, 10)
    third = studio.start(code_pair(studio, kind, SLOW.format(600)))
    until(lambda: marks(studio, third), seconds=60)
    studio.kill(signal.SIGTERM)
    until(lambda: left_over(kind, studio.home), lambda left: not left, 10)
