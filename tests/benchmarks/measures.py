"""What the benchmark measures of one studio. Every measure is a number; smaller or larger is better
as BUDGETS says."""

from __future__ import annotations

import asyncio
import gzip
import re
import shutil
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import aiohttp

from .studios import Heard, Studio

AGENTS, TURNS = 4, 20
SESSIONS, STREAMS, LENGTHS = (1, 10, 50, 100), (1, 10, 50), (50, 200, 1000)
CRUD_SECONDS = 2.0
Figures = dict[str, float]


def client() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=600)
    )


def middle(values: list[float]) -> float:
    return share(values, 0.5)


def share(values: list[float], part: float) -> float:
    """The value that `part` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


async def cold_start(studio: Studio, times: int) -> Figures:
    """The first start makes the database; the others find it. The middle of the later ones."""
    shutil.rmtree(studio.folder, ignore_errors=True)
    first, page, memory = 0.0, [], []
    for i in range(times + 1):
        studio.start()
        async with client() as http:
            seconds = await studio.ready(http, "/")
        await asyncio.sleep(1.5)  # what is loaded behind the first answer counts as idle too
        if i == 0:
            first = seconds
        else:
            page.append(seconds)
            memory.append(studio.megabytes())
        studio.stop()
    return {
        "first start, s": first, "start, s": middle(page), "idle memory, MB": middle(memory),
    }  # fmt: skip


@dataclass
class _Run:
    """What one session looked like from outside."""

    turns: list[float]
    tokens: list[tuple[float, str]]
    ended: float = 0.0
    status: str = ""


async def _one(studio: Studio, http: aiohttp.ClientSession, team: Any) -> _Run:
    run = _Run([], [])
    begun = await studio.begin(http, team)
    async for heard in studio.listen(http, team, begun):
        _note(run, heard)
    return run


def _note(run: _Run, heard: Heard) -> None:
    match heard.kind:
        case "turn":
            run.turns.append(heard.at)
        case "token":
            run.tokens.append((heard.at, heard.text))
        case "end":
            run.ended, run.status = heard.at, heard.text


async def _together(
    studio: Studio, sessions: int, turns: int, model: str
) -> tuple[list[_Run], float, float, float]:
    """Runs, wall seconds, CPU seconds and the peak of memory in MB. All must finish whole."""
    async with client() as http:
        team = await studio.make_team(http, model, AGENTS, turns)
        peak = [studio.megabytes()]
        watching = asyncio.ensure_future(_watch(studio, peak))
        cpu, began = studio.cpu_seconds(), time.perf_counter()
        runs = await asyncio.gather(*(_one(studio, http, team) for _ in range(sessions)))
        cpu = studio.cpu_seconds() - cpu
        watching.cancel()
    for run in runs:
        if (run.status, len(run.turns)) != ("finished", turns):
            raise RuntimeError(
                f"{studio.name}: {run.status!r} after {len(run.turns)} of {turns} turns"
            )
    return runs, max(r.ended for r in runs) - began, cpu, max(peak)


async def _watch(studio: Studio, peak: list[float]) -> None:
    while True:
        await asyncio.sleep(0.1)
        peak.append(studio.megabytes())


async def throughput(studio: Studio, model: str) -> Figures:
    """Sessions of 4 agents and 20 turns on a model that answers at once."""
    figures: Figures = {}
    await _together(studio, 1, TURNS, f"{model}/v1")  # what is imported on first use
    for n in SESSIONS:
        _, wall, cpu, peak = await _together(studio, n, TURNS, f"{model}/v1")
        figures[f"{n} sessions, turns/s"] = n * TURNS / wall
        figures[f"{n} sessions, CPU ms a turn"] = cpu * 1000 / (n * TURNS)
    figures[f"{SESSIONS[-1]} sessions, peak MB"] = peak
    return figures


async def token_delay(studio: Studio, model: str) -> Figures:
    """From the moment a token leaves the model's server until a follower has it, at 20 ms each."""
    figures: Figures = {}
    for n in STREAMS:
        runs, _, _, _ = await _together(studio, n, 4, f"{model}/tokens=50,delay=0.02,stamp=1/v1")
        delays = [
            (at - float(stamp)) * 1000 for run in runs for at, text in run.tokens
            for stamp in text.split()[:1]
        ]  # fmt: skip
        figures[f"{n} streams, token delay p50 ms"] = share(delays, 0.5)
        figures[f"{n} streams, token delay p99 ms"] = share(delays, 0.99)
    return figures


async def long_transcripts(studio: Studio, model: str) -> Figures:
    figures: Figures = {}
    for n in LENGTHS:
        _, wall, _, _ = await _together(studio, 1, n, f"{model}/v1")
        figures[f"{n} turns, ms a turn"] = wall * 1000 / n
    first, last = (figures[f"{n} turns, ms a turn"] for n in (LENGTHS[0], LENGTHS[-1]))
    figures[f"growth from {LENGTHS[0]} to {LENGTHS[-1]} turns"] = last / first
    return figures


async def crud(studio: Studio, model: str) -> Figures:
    figures: Figures = {}
    async with client() as http:
        team = await studio.make_team(http, f"{model}/v1", AGENTS, TURNS)
        for what, request in studio.crud(http, team).items():
            took: list[float] = []
            began = time.perf_counter()
            while time.perf_counter() < began + CRUD_SECONDS and len(took) < 500:
                start = time.perf_counter()
                await request()
                took.append((time.perf_counter() - start) * 1000)
            figures[f"{what}, ms"] = middle(took)
    return figures


async def page_weight(studio: Studio, path: str) -> Figures:
    """The page and the scripts and styles it names, compressed, in kB."""
    async with client() as http:
        page = await _fetched(studio, http, studio.url + path)
        text = page.decode()
        named = re.findall(r'(?:src|href)="([^"]+\.(?:js|css))[^"]*"', text)
        sizes = {".js": 0.0, ".css": 0.0}
        for name in sorted(set(named)):
            file = await _fetched(studio, http, urljoin(studio.url + path, name))
            sizes[name[name.rindex(".") :]] += _kilobytes(file)
    return {"page, kB gz": _kilobytes(page), "scripts, kB gz": sizes[".js"],
            "styles, kB gz": sizes[".css"]}  # fmt: skip


async def _fetched(studio: Studio, http: aiohttp.ClientSession, url: str) -> bytes:
    async with http.get(url, headers=studio.headers) as answer:
        answer.raise_for_status()
        return await answer.read()


def _kilobytes(data: bytes) -> float:
    return len(gzip.compress(data, 6)) / 1000
