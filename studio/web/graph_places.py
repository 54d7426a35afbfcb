"""The order of places within the layers of a picture, and how far to the right each one stands."""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass, field

BETWEEN_BOXES, BESIDE_WAY = 28.0, 14.0
SWEEPS = 8


@dataclass(slots=True)
class Place:
    """Room for a box, or for an edge that passes: `left` and `right` of its middle `x`."""

    layer: int
    left: float
    right: float
    is_way: bool = False
    x: float = 0.0
    above: list[int] = field(default_factory=list)
    below: list[int] = field(default_factory=list)


def arranged(places: list[Place]) -> None:
    """Sets every `x`, so that few edges cross, most run straight and no place covers another."""
    rows = _ordered(places)
    for row in rows:
        x = 0.0
        for before, one in zip([None, *row], row, strict=False):
            x += _apart(places[before], places[one]) if before is not None else 0.0
            places[one].x = x
    quick = len(places) > 1_000
    for look in ("above", "below") * (2 if quick else 4) + ("both",) * (3 if quick else 10):
        for row in rows if look != "below" else reversed(rows):
            _settle(places, row, look)


def _ordered(places: list[Place]) -> list[list[int]]:
    """The layers, each from left to right: the order with the fewest crossings that was met."""
    rows: list[list[int]] = [[] for _ in range(max(p.layer for p in places) + 1)]
    for i, place in enumerate(places):
        rows[place.layer].append(i)
    at = [0] * len(places)
    for row in rows:
        _number(row, at)
    best, fewest = [list(row) for row in rows], _crossings(places, rows, at)
    for sweep in range(SWEEPS):
        is_down = sweep % 2 == 0
        for row in rows if is_down else reversed(rows):
            _sort(places, row, at, is_down=is_down)
        crossings = _crossings(places, rows, at)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
        if not fewest:
            break
    return best


def _number(row: list[int], at: list[int]) -> None:
    for n, one in enumerate(row):
        at[one] = n


def _sort(places: list[Place], row: list[int], at: list[int], *, is_down: bool) -> None:
    """By the mean position of the neighbours in the layer before; who has none stays."""

    def wish(one: int) -> tuple[float, int]:
        near = places[one].above if is_down else places[one].below
        return (sum(at[n] for n in near) / len(near) if near else float(at[one]), at[one])

    row.sort(key=wish)
    _number(row, at)


def _crossings(places: list[Place], rows: list[list[int]], at: list[int]) -> int:
    total = 0
    for row in rows:
        seen: list[int] = []
        for one in row:
            for lower in sorted(at[n] for n in places[one].below):
                total += len(seen) - bisect_right(seen, lower)
            for lower in places[one].below:
                insort(seen, at[lower])
    return total


def _apart(a: Place, b: Place) -> float:
    """How far the middles of two neighbours must be from each other."""
    return a.right + b.left + (BESIDE_WAY if a.is_way or b.is_way else BETWEEN_BOXES)


def _settle(places: list[Place], row: list[int], look: str) -> None:
    """Puts a layer as near to its neighbours' middles as the distances allow.

    Least squares under "at least so far apart": pooled adjacent violators, on positions from which
    the least distances are taken off.
    """
    blocks: list[tuple[float, float, int]] = []  # mean, weight, how many
    offset, offsets = 0.0, []
    for n, one in enumerate(row):
        place = places[one]
        if n:
            offset += _apart(places[row[n - 1]], place)
        offsets.append(offset)
        near = {"above": place.above, "below": place.below}.get(look, place.above + place.below)
        # an edge pulls more on its own places than on the boxes at its ends: long ones run straight
        weights = [4.0 if places[m].is_way and place.is_way else 1.0 for m in near]
        wish = place.x
        if near:
            pulls = zip(weights, near, strict=True)
            wish = sum(w * places[m].x for w, m in pulls) / sum(weights)
        mean, weight, number = wish - offset, 2.0 if near else 0.01, 1
        while blocks and blocks[-1][0] > mean:
            other, its_weight, its_number = blocks.pop()
            mean = (mean * weight + other * its_weight) / (weight + its_weight)
            weight, number = weight + its_weight, number + its_number
        blocks.append((mean, weight, number))
    settled = [mean for mean, _, number in blocks for _ in range(number)]
    for one, mean, offset in zip(row, settled, offsets, strict=True):
        places[one].x = mean + offset
