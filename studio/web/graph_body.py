"""A graph's definition as a picture takes it: nodes, edges, and their conditions in words.

Bodies may be half typed: what does not fit is left out or shown as it is, never an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..runner.cast import hue_of
from .graph_layout import Edge, Node

NAMELESS = "not chosen yet"
SIGNS = {"==": "=", "!=": "≠", "<=": "≤", ">=": "≥"}


def nodes_of(
    body: dict[str, Any],
    agents: Mapping[str, str],
    workflows: Mapping[str, str],
    hues: Mapping[str, int] | None = None,
) -> list[Node]:
    """The boxes of a graph. `agents` and `workflows` are names by id, `hues` those of agents;
    without them every agent gets a hue in the order of the nodes."""
    rows = [row for row in _rows(body, "nodes") if row.get("id")]
    given = dict(hues) if hues is not None else hues_of(body)
    edges = edges_of(body)
    led_to, left = {e.target for e in edges}, {e.source for e in edges}
    start, ends = body.get("start"), body.get("end")
    ends = ends if isinstance(ends, list) else [ends] if ends else []
    nodes = []
    for row in rows:
        one, agent, workflow = str(row["id"]), row.get("agent"), row.get("workflow")
        held = agents.get(str(agent)) if agent else workflows.get(str(workflow))
        nodes.append(
            Node(
                id=one,
                label=one,
                note=held or NAMELESS,
                hue=given.get(str(agent)) if agent else None,
                is_start=one == start if start else one not in led_to,
                is_end=one in ends if ends else one not in left,
            )
        )
    return nodes


def hues_of(body: dict[str, Any]) -> dict[str, int]:
    """A hue for every agent of a graph, in the order of its nodes."""
    found = dict.fromkeys(str(row["agent"]) for row in _rows(body, "nodes") if row.get("agent"))
    return {one: hue_of(i) for i, one in enumerate(found)}


def edges_of(body: dict[str, Any]) -> list[Edge]:
    """The arrows of a graph, with their conditions in words."""
    return [
        Edge(str(row["from"]), str(row["to"]), words_of(row))
        for row in _rows(body, "edges")
        if row.get("from") and row.get("to")
    ]


def words_of(row: dict[str, Any]) -> str:
    """When an edge is taken: "contains “DONE”, at most 3 times"; empty for always."""
    when, most = row.get("when") or "always", row.get("max_times")
    words = "" if when == "always" else "otherwise" if when == "else" else _condition(when)
    if most:
        times = "once" if str(most) == "1" else f"{most} times"
        words = f"{words}, at most {times}" if words else f"at most {times}"
    return words


def _condition(when: Any) -> str:
    if not isinstance(when, dict):
        return str(when)
    if when.get("contains"):
        return f"contains “{when['contains']}”"
    if when.get("model"):
        return f"yes to “{when['model']}”"
    context = when.get("context")
    if isinstance(context, dict):
        op = SIGNS.get(str(context.get("op")), context.get("op"))
        return f"{context.get('name', '')} {op} {_value(context.get('value'))}"
    return ""


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "nothing"
    return f"“{value}”" if isinstance(value, str) else str(value)


def _rows(body: dict[str, Any], name: str) -> list[dict[str, Any]]:
    rows = body.get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
