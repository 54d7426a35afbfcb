"""What a box adds to running code: `print(1)` in each kind that this machine has, and without."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from studio.engine.execution.box import PYTHON, Box, Job, Probe
from studio.engine.execution.docker import remove_labelled
from studio.engine.execution.docker_box import DockerBox
from studio.engine.execution.docker_probe import probe_docker
from studio.engine.execution.sandbox import SandboxBox, probe_sandbox

from .measures import Figures, middle

ROUNDS, WARM = 40, 3
PROGRAM = ("-I", "-c", "print(1)")
BARE = ("/usr/bin/python3", *PROGRAM)
LABEL = "benchmark"
Run = Callable[[], Awaitable[bytes]]


async def boxed_code() -> Figures:
    """Medians of runs that take turns, so that all of them see the same noise; ms and ratios."""
    with tempfile.TemporaryDirectory() as folder:
        boxes = await _boxes(Path(folder))
        runs: dict[str, Run] = {"bare": _bare, **{box.kind: _in(box) for box in boxes}}
        try:
            took = await _taken_in_turns(runs)
        finally:
            for box in boxes:
                await box.close()
            if any(box.kind == "docker" for box in boxes):
                await remove_labelled(LABEL)
    middles = {name: middle(times) for name, times in took.items()}
    figures = {f"print(1), {name}, ms": value for name, value in middles.items()}
    ratios = {
        f"print(1), {name} / bare": value / middles["bare"]
        for name, value in middles.items() if name != "bare"
    }  # fmt: skip
    return figures | ratios


async def _boxes(folder: Path) -> list[Box]:
    """Those that are ready; for the others it is said why they are left out."""
    kinds: list[tuple[Probe, Callable[[Path], Box]]] = [
        (await probe_sandbox(folder), SandboxBox),
        (await probe_docker(folder), lambda work: DockerBox(work, label=LABEL)),
    ]
    boxes = []
    for probe, make in kinds:
        if probe.ready:
            (work := folder / probe.kind).mkdir()
            boxes.append(make(work))
        else:
            print(f"print(1), {probe.kind}: skipped, {probe.why}", flush=True)
    return boxes


async def _taken_in_turns(runs: dict[str, Run]) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(WARM + ROUNDS):
        for name, run in runs.items():
            began = time.perf_counter()
            printed = await run()
            milliseconds = (time.perf_counter() - began) * 1000
            if printed != b"1\n":
                raise RuntimeError(f"{name} printed {printed!r}")
            if number >= WARM:
                took[name].append(milliseconds)
    return took


async def _bare() -> bytes:
    """The quickest that Python can start a program."""
    return subprocess.run(BARE, capture_output=True, check=True).stdout  # noqa: ASYNC221 - alone


def _in(box: Box) -> Run:
    async def run() -> bytes:
        return (await box.run(Job((PYTHON, *PROGRAM)))).stdout

    return run


if __name__ == "__main__":
    for what, value in asyncio.run(boxed_code()).items():
        print(f"{what:40} {value:10.2f}")
