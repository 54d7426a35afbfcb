"""Repeated groups of a form: rows of flat values such as steps.2.message, added, moved, removed.

The server does it, so that numbers, labels and choices are right in every row afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping

Flat = dict[str, str]
# A row is empty when all of these are: then it is not part of the definition.
TELLING: dict[str, tuple[str, ...]] = {
    "steps": ("workflow", "message"),
    "nodes": ("id", "holds"),
    "edges": ("from", "to", "contains", "model", "max_times"),
}


def numbers(values: Mapping[str, str], part: str) -> list[int]:
    """The numbers of a group's rows, in order."""
    start = f"{part}."
    found = {key[len(start) :].partition(".")[0] for key in values if key.startswith(start)}
    return sorted(int(n) for n in found if n.isascii() and n.isdigit() and len(n) < 5)


def _rearranged(values: Flat, part: str, order: list[int]) -> Flat:
    """The rows of `order`, numbered anew; the others are gone."""
    start = f"{part}."
    place = {str(old): str(new) for new, old in enumerate(order)}
    kept: Flat = {}
    for key, value in values.items():
        if not key.startswith(start):
            kept[key] = value
            continue
        number, dot, rest = key[len(start) :].partition(".")
        if number in place:
            kept[f"{start}{place[number]}{dot}{rest}"] = value
    return kept


def added(values: Flat, part: str, row: Mapping[str, str]) -> Flat:
    """With one more row at the end."""
    made = _rearranged(values, part, numbers(values, part))
    n = len(numbers(made, part))
    return made | {f"{part}.{n}.{name}": value for name, value in row.items()}


def removed(values: Flat, part: str, n: int) -> Flat:
    """Without the row of this number."""
    return _rearranged(values, part, [one for one in numbers(values, part) if one != n])


def moved(values: Flat, part: str, n: int, by: int) -> tuple[Flat, int]:
    """With a row further up or down, and its place among the rows; at an edge it stays."""
    order = numbers(values, part)
    if n not in order:
        return values, 0
    at = order.index(n)
    to = max(0, min(len(order) - 1, at + by))
    order.insert(to, order.pop(at))
    return _rearranged(values, part, order), to


def without_empty(values: Flat) -> Flat:
    """Rows that say nothing are left out: row n is then row n of the definition."""
    for part, telling in TELLING.items():
        order = [
            n
            for n in numbers(values, part)
            if any(values.get(f"{part}.{n}.{name}") for name in telling)
        ]
        values = _rearranged(values, part, order)
    return values


def without_node(values: Flat, n: int) -> Flat:
    """Without a node of a graph, and without the edges that lead to it or leave it."""
    one = values.get(f"nodes.{n}.id")
    values = removed(values, "nodes", n)
    if not one:
        return values
    order = [
        n
        for n in numbers(values, "edges")
        if one not in (values.get(f"edges.{n}.from"), values.get(f"edges.{n}.to"))
    ]
    return _rearranged(values, "edges", order) | (
        {"start": ""} if values.get("start") == one else {}
    )
