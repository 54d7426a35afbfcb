"""Pictures of graphs: no box on another, no arrow through a box, and always the same."""

from __future__ import annotations

import re
import time
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.web.graph_body import edges_of, nodes_of
from studio.web.graph_layout import Arrow, Box, Drawing, Edge, Node, layout

LABELS = ["", "", "otherwise", "contains “APPROVED”", "x" * 80]


@st.composite
def graphs(draw: st.DrawFn, most: int = 24) -> tuple[list[Node], list[Edge]]:
    number = draw(st.integers(1, most))
    ids = st.integers(0, number - 1).map(str)
    nodes = [Node(str(i), f"node {i}", is_start=draw(st.booleans())) for i in range(number)]
    edges = draw(st.lists(st.builds(Edge, ids, ids, st.sampled_from(LABELS)), max_size=2 * most))
    return nodes, edges


def overlaps(drawing: Drawing) -> list[tuple[str, str]]:
    """Boxes and labels that lie on each other."""
    rooms = [(b.id, b.x, b.y, b.x + b.w, b.y + b.h) for b in drawing.boxes]
    rooms += [
        (f"label {i}", a.label_x - a.label_w / 2, a.label_y - 9, a.label_x + a.label_w / 2,
         a.label_y + 9)
        for i, a in enumerate(drawing.arrows) if a.label and a.source != a.target
    ]  # fmt: skip
    return [
        (a[0], b[0])
        for a, b in combinations(rooms, 2)
        if a[1] < b[3] and b[1] < a[3] and a[2] < b[4] and b[2] < a[4]
    ]


def points(path: str) -> list[tuple[float, float]]:
    """Points along a path of our kind: M, C and V."""
    found: list[tuple[float, float]] = []
    for letter, rest in re.findall(r"([MCV])([^MCV]*)", path):
        numbers = [float(n) for n in rest.split()]
        if letter == "M":
            found.append((numbers[0], numbers[1]))
        elif letter == "V":
            (x, y), end = found[-1], numbers[0]
            found += [(x, y + (end - y) * t / 20) for t in range(1, 21)]
        else:
            (x0, y0), (x1, y1, x2, y2, x3, y3) = found[-1], numbers
            for t in (n / 20 for n in range(1, 21)):
                a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
                found.append((a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3))
    return found


def runs_through(arrow: Arrow, box: Box) -> bool:
    return any(
        box.x + 1 < x < box.x + box.w - 1 and box.y + 1 < y < box.y + box.h - 1
        for x, y in points(arrow.path)
    )


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_nothing_lies_on_anything(graph: tuple[list[Node], list[Edge]]) -> None:
    nodes, edges = graph
    drawing = layout(nodes, edges)
    assert [b.id for b in drawing.boxes] == [n.id for n in nodes]
    assert [(a.source, a.target) for a in drawing.arrows] == [(e.source, e.target) for e in edges]
    assert overlaps(drawing) == []
    for arrow in drawing.arrows:
        assert [b.id for b in drawing.boxes if runs_through(arrow, b)] == []
    inside = [(x, y) for a in drawing.arrows for x, y in points(a.path)]
    inside += [p for b in drawing.boxes for p in ((b.x, b.y), (b.x + b.w, b.y + b.h))]
    assert all(0 <= x <= drawing.width and 0 <= y <= drawing.height for x, y in inside)


@settings(max_examples=40, deadline=None)
@given(graphs())
def test_the_same_graph_gives_the_same_picture(graph: tuple[list[Node], list[Edge]]) -> None:
    assert layout(*graph) == layout(*graph)


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_arrows_lead_down_but_where_they_close_a_loop(
    graph: tuple[list[Node], list[Edge]],
) -> None:
    drawing = layout(*graph)
    y = {b.id: b.y for b in drawing.boxes}
    for arrow in drawing.arrows:
        assert (y[arrow.source] < y[arrow.target]) is not arrow.is_back
        begin, end = points(arrow.path)[0], points(arrow.path)[-1]
        assert y[arrow.source] - 4 <= begin[1] <= y[arrow.source] + 50
        assert y[arrow.target] - 4 <= end[1] <= y[arrow.target] + 50


SHAPES: dict[str, list[Edge]] = {
    "a chain": [Edge(str(i), str(i + 1), "otherwise") for i in range(199)],
    "a fan": [Edge("0", str(i)) for i in range(1, 200)],
    "a fan and back": [Edge(str(a), str(b)) for i in range(1, 200) for a, b in ((0, i), (i, 0))],
    "dense": [Edge(str(i * 7 % 200), str(i * i % 200), "x" * (i % 30)) for i in range(1000)],
    "nothing": [],
    "long edges": [Edge(str(i), str(j)) for i in range(40) for j in range(i + 1, 40)],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_two_hundred_nodes_are_drawn_quickly_and_apart(shape: str) -> None:
    nodes = [Node(str(i), f"node {i}") for i in range(200)]
    began = time.thread_time()
    drawing = layout(nodes, SHAPES[shape])
    assert time.thread_time() - began < 4
    boxes = Drawing(drawing.width, drawing.height, drawing.boxes, ())
    assert overlaps(boxes) == []
    assert len(drawing.arrows) == len(SHAPES[shape])


def test_a_diamond_with_a_loop_looks_as_it_is_meant() -> None:
    nodes = [Node(n, n, is_start=n == "plan") for n in ("plan", "a", "b", "critic")]
    edges = [Edge("plan", "a"), Edge("plan", "b", "score > 3"), Edge("a", "critic"),
             Edge("b", "critic"), Edge("critic", "plan", "otherwise")]  # fmt: skip
    drawing = layout(nodes, edges)
    at = {b.id: b for b in drawing.boxes}
    assert at["plan"].y < at["a"].y == at["b"].y < at["critic"].y
    assert at["a"].x + at["a"].w < at["b"].x
    assert [a.is_back for a in drawing.arrows] == [False] * 4 + [True]
    middle = (at["a"].x + at["b"].x) / 2
    assert abs(at["plan"].x - middle) < 60
    assert drawing.width < 600


def test_what_is_half_typed_is_drawn_as_far_as_it_goes() -> None:
    assert layout([], [Edge("a", "b")]) == Drawing(0.0, 0.0, (), ())
    body = {
        "nodes": [{"id": "a", "agent": "1"}, {"id": "a", "agent": "2"}, {"id": ""}, 5, {"id": "b"}],
        "edges": [{"from": "a", "to": "b", "when": {"model": "q" * 90}}, {"from": "a"}, 5,
                  {"from": "a", "to": "gone"}],
        "end": "b",
    }  # fmt: skip
    drawing = layout(nodes_of(body, {"1": "Ann"}, {}), edges_of(body))
    assert [(b.id, b.note, b.is_start, b.is_end) for b in drawing.boxes] == [
        ("a", "Ann", True, False), ("b", "not chosen yet", False, True)
    ]  # fmt: skip
    assert len(drawing.arrows) == 1
    assert len(drawing.arrows[0].label) == 26
    assert drawing.arrows[0].title == f"yes to “{'q' * 90}”"


CONDITIONS = [
    ({}, ""),
    ({"when": "else", "max_times": 1}, "otherwise, at most once"),
    ({"when": "always", "max_times": "3"}, "at most 3 times"),
    ({"when": {"contains": "OK", "model": None}}, "contains “OK”"),
    ({"when": {"context": {"name": "n", "op": "<", "value": 0.5}}}, "n < 0.5"),
    ({"when": {"context": {"name": "n", "op": "==", "value": True}}}, "n = yes"),
    ({"when": {"context": {"name": "n", "op": "!=", "value": None}}}, "n ≠ nothing"),
    ({"when": {"context": {"name": "n", "op": "contains", "value": "x"}}}, "n contains “x”"),
    ({"when": {}}, ""),
    ({"when": 5}, "5"),
]


@pytest.mark.parametrize(("edge", "words"), CONDITIONS, ids=str)
def test_conditions_are_said_in_words(edge: dict[str, object], words: str) -> None:
    assert edges_of({"edges": [{"from": "a", "to": "b", **edge}]})[0].label == words
