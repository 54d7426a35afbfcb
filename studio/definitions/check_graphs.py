"""What is missing or unwise in the shape of a graph: starts, dead ends, loops without end."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Problem
from .conditions import Condition
from .workflows import Edge, GraphDefinition


def check_shape(graph: GraphDefinition, variables: set[str]) -> Iterator[Problem]:
    if not graph.nodes:
        yield Problem(["nodes"], "Add a node: an agent or a workflow", "nodes_missing")
        return
    reached = {edge.to for edge in graph.edges}
    ends = graph.end if isinstance(graph.end, list) else [graph.end] if graph.end else []
    taken = [edge for edge in graph.edges if edge.from_ not in ends]
    if graph.start is None and all(node.id in reached for node in graph.nodes):
        words = "Say where it starts: an edge leads to every node"
        yield Problem(["start"], words, "start_missing", fix=graph.nodes[0].id)
    else:
        yield from _unreached(graph, reached, taken)
    for i, edge in enumerate(graph.edges):
        if edge.from_ in ends:
            words = f"{edge.from_} is an end: this edge is never taken"
            yield Problem(["edges", i, "from"], words, "edge_of_end", blocking=False)
        if isinstance(edge.when, Condition):
            yield from _check_condition(i, edge.when, graph, variables)
    yield from _loops(graph, taken)


def _check_condition(
    i: int, when: Condition, graph: GraphDefinition, variables: set[str]
) -> Iterator[Problem]:
    if when.model is not None and not graph.models:
        words = f"Choose a model for the workflow: it is to answer “{when.model}”"
        yield Problem(["models"], words, "model_missing")
    if when.context is not None and when.context.name not in variables:
        yield Problem(
            ["edges", i, "when", "context", "name"],
            f"There is no context variable {when.context.name}: give it a first value",
            "unknown_variable",
            blocking=False,
        )


def _unreached(graph: GraphDefinition, reached: set[str], taken: list[Edge]) -> Iterator[Problem]:
    first = {graph.start} if graph.start else {n.id for n in graph.nodes if n.id not in reached}
    found: set[str] = set()
    todo = [one for one in first if one]
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo += [edge.to for edge in taken if edge.from_ == one]
    for i, node in enumerate(graph.nodes):
        if node.id not in found:
            words = f"Nothing leads from the start to {node.id}: it never runs"
            yield Problem(["nodes", i], words, "unreachable", blocking=False)


def _loops(graph: GraphDefinition, taken: list[Edge]) -> Iterator[Problem]:
    """A loop needs a way out: a cap, a condition, or an end to the whole."""
    if graph.termination is not None or graph.limits.max_messages is not None:
        return
    endless = _round([e for e in taken if e.when == "always" and not e.max_times])
    if endless:
        i = graph.edges.index(endless)
        words = f"The loop over {endless.from_} never ends: give an edge of it a number of times"
        yield Problem(["edges", i, "max_times"], words, "endless_loop")
        return
    long = _round([e for e in taken if not e.max_times])
    if long:
        i = graph.edges.index(long)
        words = f"The loop over {long.from_} ends only by its conditions; a number of times caps it"
        yield Problem(["edges", i, "max_times"], words, "uncapped_loop", blocking=False)


def _round(edges: list[Edge]) -> Edge | None:
    """An edge that closes a circle of these edges."""
    after: dict[str, list[Edge]] = {}
    for edge in edges:
        after.setdefault(edge.from_, []).append(edge)
    for edge in edges:
        seen: set[str] = set()
        todo = [edge.to]
        while todo:
            one = todo.pop()
            if one == edge.from_:
                return edge
            if one not in seen:
                seen.add(one)
                todo += [e.to for e in after.get(one, [])]
    return None
