"""A layered picture of a graph: where its boxes stand and how its arrows run between them.

Sugiyama's scheme: the edges that close a loop are turned round, every node stands one layer below
the last of those before it, an edge that passes a layer keeps a place of its own there, and places
are ordered so that few edges cross. So no box lies on another and no arrow runs through a box. The
same graph gives the same picture, to the tenth of a pixel. Plain geometry: no markup, no colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from .graph_layers import closing, layers
from .graph_places import Place, arranged

BOX_W, BOX_H, LABEL_H = 164.0, 46.0, 20.0
GAP = 20.0  # between a layer and the one below
MARGIN = 18.0
LABEL_LETTERS, LETTER = 26, 6.3  # a longer label is cut; the width of a letter of 11 px
MOST_PLACES = 3_000  # beyond, the longest edges are drawn straight: a second is too long to wait
TIP = 3.0  # arrows end this far from a box
MOST_LEAN = 1.3  # of an arrow beside a label: as much aside as down


class Stop(NamedTuple):
    """A point on an arrow's way: upright from `enter` to `leave`, or leaning through the middle."""

    x: float
    enter: float
    leave: float
    may_lean: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """`hue` is that of an agent; a node without one holds a workflow, or nothing yet."""

    id: str
    label: str
    note: str = ""
    hue: int | None = None
    is_start: bool = False
    is_end: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """`source` and `target` are ids of nodes; an edge to a node that there is not is left out."""

    source: str
    target: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """A node in its place; x and y are its upper left corner."""

    id: str
    label: str
    note: str
    hue: int | None
    is_start: bool
    is_end: bool
    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True, slots=True)
class Arrow:
    """An SVG path with its label, which is centred at label_x, label_y and `label_w` wide.

    `label` is as long as there is room for, `title` is all of it; `is_back` closes a loop.
    """

    source: str
    target: str
    path: str
    label: str
    title: str
    label_x: float
    label_y: float
    label_w: float
    is_back: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    width: float
    height: float
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def layout(nodes: Sequence[Node], edges: Sequence[Edge]) -> Drawing:
    """The picture of a graph; a second node of the same id is left out."""
    found = list({n.id: n for n in reversed(nodes)}.values())[::-1]
    if not found:
        return Drawing(0.0, 0.0, (), ())
    at = {n.id: i for i, n in enumerate(found)}
    known = [e for e in edges if e.source in at and e.target in at]
    return _Picture(found, known, at).drawing()


def shortened(label: str) -> str:
    return label if len(label) <= LABEL_LETTERS else f"{label[: LABEL_LETTERS - 1].rstrip()}…"


def _label_width(label: str) -> float:
    return round(len(shortened(label)) * LETTER + 16, 1) if label else 0.0


class _Picture:
    """One graph while it is laid out. Layer 2n holds boxes, layer 2n+1 the labels below them."""

    def __init__(self, nodes: list[Node], edges: list[Edge], at: dict[str, int]) -> None:
        self.nodes, self.edges = nodes, edges
        self.ends = [(at[e.source], at[e.target]) for e in edges]
        self.back = closing([n.is_start for n in nodes], self.ends)
        self.down = [
            (b, a) if i in self.back else (a, b) for i, (a, b) in enumerate(self.ends) if a != b
        ]
        self.layer = layers(len(nodes), self.down)
        self.places = [Place(2 * self.layer[i], BOX_W / 2, BOX_W / 2) for i in range(len(nodes))]
        self.ways: dict[int, list[int]] = {}  # an edge's places, from the upper to the lower box
        self._lay_ways()
        self._make_room_for_own_loops()
        arranged(self.places)
        left = min(p.x - p.left for p in self.places)
        for place in self.places:
            place.x = round(place.x - left + MARGIN, 1)
        self.tops = self._tops()

    def _lay_ways(self) -> None:
        spans = {i: abs(self.layer[a] - self.layer[b]) for i, (a, b) in enumerate(self.ends)}
        for i in sorted(spans, key=lambda i: (spans[i], i)):
            a, b = sorted(self.ends[i], key=lambda n: self.layer[n])
            if a == b or len(self.places) + 2 * spans[i] > MOST_PLACES + len(self.nodes):
                continue
            layers = range(2 * self.layer[a] + 1, 2 * self.layer[b])
            labelled = layers[-1] if i in self.back else layers[0]
            half = _label_width(self.edges[i].label) / 2
            way = []
            for layer in layers:
                room = half if layer == labelled else 0.0
                way.append(len(self.places))
                self.places.append(Place(layer, room, room, is_way=True))
            for upper, lower in zip([a, *way], [*way, b], strict=True):
                self.places[upper].below.append(lower)
                self.places[lower].above.append(upper)
            self.ways[i] = way

    def _make_room_for_own_loops(self) -> None:
        for i, (a, b) in enumerate(self.ends):
            if a == b:
                reach = 34 + _label_width(self.edges[i].label)
                self.places[a].right = max(self.places[a].right, BOX_W / 2 + reach)

    def _tops(self) -> list[float]:
        """Where each layer begins, and where the last one ends."""
        tops, y = [], MARGIN
        last = 2 * max(self.layer)
        has_labels = {p.layer for p in self.places if p.is_way and p.left}
        for layer in range(last + 1):
            tops.append(y)
            y += (LABEL_H if layer in has_labels else 0.0) if layer % 2 else BOX_H
            y += GAP
        return [*tops, y]

    def _height(self, layer: int) -> float:
        return self.tops[layer + 1] - self.tops[layer] - GAP

    def drawing(self) -> Drawing:
        boxes = tuple(
            Box(n.id, n.label, n.note, n.hue, n.is_start, n.is_end,
                round(p.x - BOX_W / 2, 1), self.tops[p.layer], BOX_W, BOX_H)
            for n, p in zip(self.nodes, self.places, strict=False)
        )  # fmt: skip
        ports = _Ports(self.places, self.ends, self.ways, self.layer)
        loops: dict[int, int] = {}
        arrows = []
        for i, (a, b) in enumerate(self.ends):
            if a == b:
                loops[a] = loops.get(a, -1) + 1
                arrows.append(self._own_loop(self.edges[i], boxes[a], loops[a]))
            else:
                arrows.append(self._arrow(i, ports))
        right = max(p.x + p.right for p in self.places)
        return Drawing(
            round(right + MARGIN, 1), round(self.tops[-1] - GAP + MARGIN, 1), boxes, tuple(arrows)
        )

    def _arrow(self, i: int, ports: _Ports) -> Arrow:
        edge, way = self.edges[i], [self.places[p] for p in self.ways.get(i, [])]
        upper, lower = sorted(self.ends[i], key=lambda n: self.layer[n])
        is_back = i in self.back
        floor = self.tops[2 * self.layer[upper]] + BOX_H
        ceiling = self.tops[2 * self.layer[lower]]
        out, into = ports.below[i], ports.above[i]
        stops = [Stop(out, floor + TIP * is_back, floor + TIP * is_back)]
        stops += [self._stop(place) for place in way]
        stops.append(Stop(into, ceiling - TIP * (not is_back), ceiling - TIP * (not is_back)))
        if is_back:
            stops = [s._replace(enter=s.leave, leave=s.enter) for s in reversed(stops)]
        label_x, label_y = (out + into) / 2, (floor + ceiling) / 2
        labelled = [p for p in way if p.left]
        if labelled:
            label_x, label_y = labelled[0].x, self.tops[labelled[0].layer] + LABEL_H / 2
        return _named(edge, _through(stops), label_x, label_y, is_back=is_back)

    def _stop(self, place: Place) -> Stop:
        top = self.tops[place.layer]
        return Stop(place.x, top, top + self._height(place.layer), may_lean=place.layer % 2 == 1)

    def _own_loop(self, edge: Edge, box: Box, nth: int) -> Arrow:
        """An edge of a node to itself hangs at the right side of its box."""
        x, reach = box.x + box.w, 30 + 8 * nth
        high, low = box.y + box.h * 0.3, box.y + box.h * 0.7
        path = (
            f"M{x:.1f} {high:.1f}C{x + reach:.1f} {high - 8:.1f} {x + reach:.1f} {low + 8:.1f} "
            f"{x + TIP:.1f} {low:.1f}"
        )
        label_x = x + 28 + 8 * nth + _label_width(edge.label) / 2
        return _named(edge, path, label_x, box.y + box.h / 2 + 22 * nth, is_back=True)


def _named(edge: Edge, path: str, x: float, y: float, *, is_back: bool) -> Arrow:
    return Arrow(
        edge.source, edge.target, path, shortened(edge.label), edge.label, round(x, 1),
        round(y, 1), _label_width(edge.label), is_back,
    )  # fmt: skip


def _through(stops: list[Stop]) -> str:
    """A smooth path, upright beside boxes and where it turns back. On its way aside it leans, but
    not so much that it would run through the label beside it."""
    leans = [0.0] * len(stops)
    for i in range(1, len(stops) - 1):
        before, stop, after = stops[i - 1 : i + 2]
        if stop.may_lean and (stop.x - before.x) * (after.x - stop.x) > 0:
            lean = (after.x - before.x) / (after.enter - before.leave)
            leans[i] = max(-MOST_LEAN, min(MOST_LEAN, lean))
            middle = (stop.enter + stop.leave) / 2
            stops[i] = Stop(stop.x, middle, middle)
    x, y = stops[0].x, stops[0].leave
    path = f"M{x:.1f} {y:.1f}"
    for stop, (lean, next_lean) in zip(stops[1:], pairwise(leans), strict=True):
        if abs(stop.x - x) < 0.05 and not lean and not next_lean:
            path += f"V{stop.leave:.1f}"
        else:
            bend = (stop.enter - y) * 0.42
            path += (
                f"C{x + lean * bend:.1f} {y + bend:.1f} {stop.x - next_lean * bend:.1f} "
                f"{stop.enter - bend:.1f} {stop.x:.1f} {stop.enter:.1f}"
            )
            path += f"V{stop.leave:.1f}" if stop.leave != stop.enter else ""
        x, y = stop.x, stop.leave
    return path


class _Ports:
    """Where edges touch a box: beside each other, in the order of where they come from."""

    def __init__(
        self,
        places: list[Place],
        ends: list[tuple[int, int]],
        ways: dict[int, list[int]],
        layer: list[int],
    ) -> None:
        self.below: dict[int, float] = {}  # x where an edge touches its upper box
        self.above: dict[int, float] = {}  # ... and its lower box
        at_floor: dict[int, list[tuple[float, int]]] = {}
        at_ceiling: dict[int, list[tuple[float, int]]] = {}
        for i, (a, b) in enumerate(ends):
            if a != b:
                upper, lower = sorted((a, b), key=lambda n: layer[n])
                way = [upper, *ways.get(i, []), lower]
                at_floor.setdefault(upper, []).append((places[way[1]].x, i))
                at_ceiling.setdefault(lower, []).append((places[way[-2]].x, i))
        for touched, ports in ((at_floor, self.below), (at_ceiling, self.above)):
            for node, edges in touched.items():
                step = min(20.0, (BOX_W - 28) / max(1, len(edges) - 1))
                for n, (_, i) in enumerate(sorted(edges)):
                    ports[i] = round(places[node].x + step * (n - (len(edges) - 1) / 2), 1)
