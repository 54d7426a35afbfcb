"""`make bench`: measures this studio, and AutoGen Studio beside it when its program is given.

    python -m tests.benchmarks [--beside PATH-TO-autogenstudio] [--only start,crud] [--json FILE]

Figures of one machine mean little by themselves: the last lines are ratios of one run. A ratio says
how many times better ours is; below 1 it is worse.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import measures
from .boxed_code import boxed_code
from .measures import Figures, middle
from .studios import AutoGenStudio, Ours, Studio

STUDIO_PARTS = ("start", "sessions", "streams", "long", "crud", "pages")
PARTS = (*STUDIO_PARTS, "code")
# What we promised ourselves; larger is better for turns/s only.
BUDGETS = {
    "studio --help, s": 0.3,
    "start, s": 1.0,
    "idle memory, MB": 110.0,
    "100 sessions, turns/s": 450.0,
    "100 sessions, CPU ms a turn": 2.0,
    "growth from 50 to 1000 turns": 2.0,
    "50 streams, token delay p99 ms": 60.0,
    "scripts, kB gz": 60.0,
    "print(1), sandbox / bare": 3.0,
    "print(1), docker / bare": 15.0,
}


def better(what: str, ours: float, other: float) -> float:
    return ours / other if what.endswith("turns/s") else other / ours


async def measure(studio: Studio, model: str, parts: list[str], page: str) -> Figures:
    """`page` is the path of a session's page; "" begins one of ours and takes that."""
    figures: Figures = {}
    if "start" in parts:
        figures |= _say(studio, await measures.cold_start(studio, 3))
    studio.start()
    try:
        async with measures.client() as http:
            await studio.ready(http, "/")
            await studio.ready(http, studio.api)
        if "sessions" in parts:
            figures |= _say(studio, await measures.throughput(studio, model))
        if "streams" in parts:
            figures |= _say(studio, await measures.token_delay(studio, model))
        if "long" in parts:
            figures |= _say(studio, await measures.long_transcripts(studio, model))
        if "crud" in parts:
            figures |= _say(studio, await measures.crud(studio, model))
        if "pages" in parts:
            figures |= _say(
                studio, await measures.page_weight(studio, page or await _page(studio, model))
            )
    finally:
        studio.stop()
    return figures


async def _page(studio: Studio, model: str) -> str:
    async with measures.client() as http:
        team = await studio.make_team(http, f"{model}/v1", 4, 20)
        run = await studio.begin(http, team)
        async for _ in studio.listen(http, team, run):
            pass
    return f"/sessions/{run}"


def _say(studio: Studio, figures: Figures) -> Figures:
    return _said(studio.name, figures)


def _said(whose: str, figures: Figures) -> Figures:
    for what, value in figures.items():
        print(f"{whose:15} {what:40} {value:10.2f}", flush=True)
    return figures


def _help_seconds() -> float:
    took = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "studio", "--help"], check=True, capture_output=True)
        took.append(time.perf_counter() - began)
    return middle(took)


def table(ours: Figures, other: Figures) -> list[str]:
    lines = [f"{'':40} {'ours':>10} {'budget':>10} {'x':>6} {'AutoGen S.':>11} {'x':>7}"]
    for what, value in ours.items():
        budget, beside = BUDGETS.get(what), other.get(what)
        cells = [f"{what:40} {value:10.2f}"]
        cells.append(f"{budget:10.2f} {better(what, value, budget):6.2f}" if budget else " " * 17)
        if beside is not None:
            cells.append(f"{beside:11.2f} {better(what, value, beside):7.1f}")
        lines.append(" ".join(cells).rstrip())
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beside", help="the program autogenstudio, to measure it as well")
    parser.add_argument("--only", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    given = parser.parse_args()
    parts = given.only.split(",")
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.fake_model"], stdout=subprocess.PIPE, text=True
        ) as fake,
    ):
        try:
            assert fake.stdout is not None
            model = f"http://127.0.0.1:{int(fake.stdout.readline())}"
            ours: Figures = {}
            other: Figures = {}
            if "start" in parts:
                ours["studio --help, s"] = _help_seconds()
            of_studios = not {*STUDIO_PARTS}.isdisjoint(parts)
            if of_studios:
                ours |= asyncio.run(measure(Ours(Path(folder) / "ours"), model, parts, ""))
            if "code" in parts:
                ours |= _said("boxes", asyncio.run(boxed_code()))
            if given.beside and of_studios:
                beside = AutoGenStudio(Path(folder) / "beside", given.beside)
                other = asyncio.run(measure(beside, model, parts, "/"))
        finally:
            fake.terminate()
    if given.json:
        given.json.write_text(json.dumps({"ours": ours, "AutoGen Studio": other}, indent=1))
    print("\nx: how many times better ours is, in this run")
    print("\n".join(table(ours, other)))


if __name__ == "__main__":
    main()
