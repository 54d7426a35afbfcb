"""Programs that take all they can get, as whole sessions with the limits that are shipped: each is
stopped at its limit, the session says at which, and another session runs on meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psutil
import pytest

from studio.engine.execution.box import GB, MB, Kind
from studio.runner.wheels import size_of

from ..boxes import KINDS, needed
from ..builders import Json, check_log, until
from ..conftest import InProcess, serving
from .test_code_crashes import processes
from .test_code_sessions import block, pair, ran

TIMEOUT, ENOUGH = 8, 30  # seconds: to be reached, and for what reaches another limit
BOMBS: dict[str, tuple[str, str]] = {
    "fork bomb": ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
                  "the limit of 128 processes"),
    "4 GB in one": ("held = []\nwhile True: held.append(b'x' * 10_000_000)", "memory"),
    "8 x 4 GB": (
        "import os, time\nfor _ in range(8):\n    if os.fork() == 0:\n        held = []\n"
        "        try:\n            while len(held) < 400: held.append(b'x' * 10_000_000)\n"
        "        except MemoryError: pass\n        time.sleep(600)\ntime.sleep(600)",
        "the memory limit of 1 GB"),
    "5 GB of files": (
        "for i in range(50):\n    with open(f'{i}', 'wb') as file:\n"
        "        for _ in range(10): file.write(b'x' * 10_000_000)", "the disk limit of 1 GB"),
    "busy loop": ("while True: pass", f"the time limit of {TIMEOUT} s"),
    "sleep": ("import time\ntime.sleep(1e6)", f"the time limit of {TIMEOUT} s"),
    "1 GB of output": ("import sys\nfor _ in range(1000): sys.stdout.write('x' * 1_000_000)",
                       "the output limit of 10 MB"),
}  # fmt: skip


@pytest.fixture(scope="module", params=KINDS)
def studio(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[InProcess]:
    kind: Kind = needed(request.param)
    with serving(tmp_path_factory.mktemp("bombs") / "home", boxes=kind) as api:
        yield api


@pytest.fixture(scope="module")
def harmless(studio: InProcess) -> str:
    return pair(studio, "auto", block("print(6 * 7)"))


def held(studio: InProcess) -> tuple[int, int]:
    """Bytes in the data folder and in the studio's memory: others use disk and memory as well."""
    return size_of(studio.home), psutil.Process().memory_info().rss


def finished(studio: InProcess, one: str) -> list[Json]:
    session = studio.wait(one, "finished", "failed", "waiting", "paused", seconds=60)
    events = studio.events(one)
    check_log(session, events)
    assert session["status"] == "finished", session["reason"]
    return events


@pytest.mark.parametrize("bomb", BOMBS)
def test_it_is_stopped_at_its_limit(studio: InProcess, harmless: str, bomb: str) -> None:
    code, limit = BOMBS[bomb]
    timeout = TIMEOUT if "time" in limit else ENOUGH
    disk, memory = held(studio)
    began = time.monotonic()
    one = studio.start(pair(studio, "auto", block(code), timeout=timeout))
    other = studio.start(harmless)
    assert ran(finished(studio, other))[0]["output"] == "42\n"
    [event] = ran(finished(studio, one))
    assert time.monotonic() - began < timeout + 5 + 5  # the studio's own start of a box included
    assert event["exit_code"] != 0
    if bomb == "4 GB in one" and "limit" not in event:
        assert "MemoryError" in event["output"]  # the program itself was refused more
    else:
        assert limit in event["limit"]
        assert event["limit"] in event["output"]
    assert len(event["output"]) < 40_000
    until(lambda: processes(studio.home), lambda left: not left, 10)
    until(lambda: held(studio)[0], lambda now: now < disk + 100 * MB, 10)
    until(lambda: held(studio)[1], lambda now: now < memory + GB / 2, 10)
