"""The little picture of a card, 240 by 116: agents around a table, a chain of steps, or a graph."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..formats import hue_of, initials
from ..graph_body import edges_of, nodes_of
from ..graph_layout import Box, Drawing, layout

WIDTH, HEIGHT = 240.0, 116.0
RADIUS = 14.0
MOST_STEPS = 6


@dataclass(frozen=True, slots=True)
class Seat:
    """A circle, or for a workflow a rounded square; one without a hue says how many more."""

    x: float
    y: float
    r: float
    letters: str
    hue: int | None
    is_team: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    seats: list[Seat]
    links: list[str]
    is_table: bool = False


def of_team(members: list[dict[str, Any]]) -> Picture:
    """Two who answer each other, or several around a table."""
    if len(members) == 2:
        links = ["M92 52Q120 40 148 52M148 64Q120 76 92 64"]
        places = [(76.0, 58.0), (164.0, 58.0)]
    else:
        links = []
        turns = [2 * math.pi * i / len(members) - math.pi / 2 for i in range(len(members))]
        places = [(120 + 66 * math.cos(a), 58 + 36 * math.sin(a)) for a in turns]
    seats = [
        Seat(round(x, 1), round(y, 1), RADIUS, initials(m["name"]), m["hue"])
        for m, (x, y) in zip(members, places, strict=True)
    ]
    return Picture(seats, links, is_table=len(members) > 2)


def of_steps(names: list[str]) -> Picture:
    """A chain from left to right; many steps end in a number."""
    shown = names if len(names) <= MOST_STEPS else names[: MOST_STEPS - 1]
    more = len(names) - len(shown)
    number = len(shown) + (more > 0)
    apart = min(54.0, 200 / max(1, number - 1))
    xs = [round(WIDTH / 2 + apart * (i - (number - 1) / 2), 1) for i in range(number)]
    seats = [
        Seat(x, 58.0, RADIUS, initials(name), hue_of(name), is_team=True)
        for x, name in zip(xs, shown, strict=False)
    ]
    if more:
        seats.append(Seat(xs[-1], 58.0, RADIUS, f"+{more}", None))
    links = [
        f"M{a + RADIUS + 3:.1f} 58H{b - RADIUS - 3:.1f}M{b - RADIUS - 7:.1f} 54.5l4 3.5-4 3.5"
        for a, b in pairwise(xs)
    ]
    return Picture(seats, links)


def of_graph(
    body: dict[str, Any],
    agents: Mapping[str, str],
    workflows: Mapping[str, str],
    hues: Mapping[str, int],
) -> Picture:
    """The graph's own drawing, laid on its side and made small."""
    drawing = layout(nodes_of(body, agents, workflows, hues), edges_of(body))
    if not drawing.boxes:
        return Picture([], [])
    places, r = _on_its_side(drawing)
    seats = [
        Seat(x, y, r, initials(box.note), hue_of(box.note) if box.hue is None else box.hue,
             is_team=box.hue is None)
        for box, (x, y) in zip(drawing.boxes, places.values(), strict=True)
    ]  # fmt: skip
    links = [
        _link(places[a.source], places[a.target], r, is_back=a.is_back) for a in drawing.arrows
    ]
    return Picture(seats, links)


def _on_its_side(drawing: Drawing) -> tuple[dict[str, tuple[float, float]], float]:
    """The middle of each box with the layers from left to right, and how large a seat may be."""
    layers = sorted({box.y for box in drawing.boxes})
    columns: dict[float, list[Box]] = {}
    for box in sorted(drawing.boxes, key=lambda b: (b.y, b.x)):
        columns.setdefault(box.y, []).append(box)
    across = min(58.0, 192 / max(1, len(layers) - 1))
    tallest = max(len(column) for column in columns.values())
    down = min(36.0, 84 / max(1, tallest - 1))
    r = max(2.5, min(RADIUS, across * 0.36, down * 0.4))
    found = {}
    for n, layer in enumerate(layers):
        x = WIDTH / 2 + across * (n - (len(layers) - 1) / 2)
        for m, box in enumerate(columns[layer]):
            y = HEIGHT / 2 + down * (m - (len(columns[layer]) - 1) / 2)
            found[box.id] = (round(x, 1), round(y, 1))
    return {box.id: found[box.id] for box in drawing.boxes}, round(r, 1)


def _link(a: tuple[float, float], b: tuple[float, float], r: float, *, is_back: bool) -> str:
    (ax, ay), (bx, by) = a, b
    if is_back:
        low, foot = max(ay, by) + r + 16, r + 2
        return (
            f"M{ax:.1f} {ay + foot:.1f}C{ax:.1f} {low:.1f} {bx:.1f} {low:.1f} "
            f"{bx:.1f} {by + foot:.1f}"
        )
    middle = (ax + bx) / 2
    return (
        f"M{ax + r + 2:.1f} {ay:.1f}C{middle:.1f} {ay:.1f} {middle:.1f} {by:.1f} "
        f"{bx - r - 2:.1f} {by:.1f}"
    )
