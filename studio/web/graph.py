"""Geometry of the graph beside a session: agents around a table, edges with counts."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 384, 288
CENTER = (192.0, 146.0)
RADIUS = (106.0, 102.0)
SEAT = 18.0


@dataclass(frozen=True, slots=True)
class Seat:
    name: str
    hue: int
    x: float
    y: float
    label_x: float
    label_y: float
    anchor: str
    live: bool


@dataclass(frozen=True, slots=True)
class Edge:
    path: str
    hot: bool
    count: int
    count_x: float
    count_y: float


def seats(cast: list[dict[str, Any]], speaker: str) -> list[Seat]:
    """Agents in their fixed order, clockwise from the top."""
    found = []
    crowded = len(cast) > 6
    for i, member in enumerate(cast):
        angle = 2 * math.pi * i / max(1, len(cast)) - math.pi / 2
        x = CENTER[0] + RADIUS[0] * math.cos(angle)
        y = CENTER[1] + RADIUS[1] * math.sin(angle)
        side = math.cos(angle)
        if crowded and abs(side) > 0.3:  # beside the seat, away from the table
            label_x, label_y = x + math.copysign(24, side), y + 4
            anchor = "start" if side > 0 else "end"
        else:
            label_x, label_y = x, y - 26 if math.sin(angle) < 0.1 else y + 34
            anchor = "middle"
        found.append(
            Seat(
                member["name"], member["hue"], round(x, 1), round(y, 1), round(label_x, 1),
                round(label_y, 1), anchor, member["name"] == speaker,
            )
        )  # fmt: skip
    return found


def edges(
    places: list[Seat], counts: Counter[tuple[str, str]], hot: tuple[str, str] | None
) -> list[Edge]:
    """Curves that bend away from each other, so that two directions stay apart."""
    at = {seat.name: seat for seat in places}
    wanted = Counter(counts)
    if hot is not None:
        wanted.setdefault(hot, 0)
    found = []
    for (a, b), number in wanted.items():
        if a in at and b in at:
            found.append(_edge(at[a], at[b], number, is_hot=(a, b) == hot))
    return found


def _edge(a: Seat, b: Seat, number: int, *, is_hot: bool) -> Edge:
    if a is b:
        out = math.atan2(a.y - CENTER[1], a.x - CENTER[0])
        cx, cy = a.x + 46 * math.cos(out), a.y + 46 * math.sin(out)
        left, right = out - 0.7, out + 0.7
        x1, y1 = a.x + 20 * math.cos(left), a.y + 20 * math.sin(left)
        x2, y2 = a.x + 24 * math.cos(right), a.y + 24 * math.sin(right)
        path = f"M{x1:.1f} {y1:.1f}C{cx:.1f} {cy:.1f} {cx:.1f} {cy:.1f} {x2:.1f} {y2:.1f}"
        return Edge(path, is_hot, number, round(cx, 1), round(cy, 1))
    dx, dy = b.x - a.x, b.y - a.y
    length = math.hypot(dx, dy) or 1.0
    bend = 0.16 * length
    cx = (a.x + b.x) / 2 - dy / length * bend
    cy = (a.y + b.y) / 2 + dx / length * bend
    x1, y1 = _toward(a.x, a.y, cx, cy, SEAT + 3)
    x2, y2 = _toward(b.x, b.y, cx, cy, SEAT + 6)
    path = f"M{x1:.1f} {y1:.1f}Q{cx:.1f} {cy:.1f} {x2:.1f} {y2:.1f}"
    mid_x, mid_y = (x1 + 2 * cx + x2) / 4, (y1 + 2 * cy + y2) / 4
    return Edge(path, is_hot, number, round(mid_x, 1), round(mid_y, 1))


def _toward(x: float, y: float, to_x: float, to_y: float, distance: float) -> tuple[float, float]:
    length = math.hypot(to_x - x, to_y - y) or 1.0
    return x + (to_x - x) / length * distance, y + (to_y - y) / length * distance
