"""What buttons of the workflow form do to its rows; what is drawn and said as it is typed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Literal

from fastapi import Request

from ...errors import InvalidError, Problem
from ..forms import FormState, part, unflatten
from ..graph_body import edges_of, nodes_of
from ..graph_layout import Drawing, layout
from . import workflow_ends
from .workflow_forms import MOST_FIELDS, fields, from_form
from .workflow_rows import Flat, added, moved, numbers, removed, without_node

Do = Literal["add", "group", "remove", "move", "clear"]
AT = r"^(steps|nodes|edges|ends\.rows(\.\d{1,4}\.rows)?)$"
MOST_STEPS = 50
FIRST: dict[str, Flat] = {
    "steps": {"workflow": "", "message": "", "summary_method": "last_msg"},
    "edges": {"from": "", "to": "", "kind": ""},
    "ends": {"kind": "text", "value": ""},
}
FOCUS = {"steps": "workflow", "nodes": "id", "edges": "to"}


async def as_sent(request: Request) -> tuple[FormState, Flat]:
    """The form as it is on the page, empty rows included, and its controls that are no field."""
    values, asides, gathered = Flat(), Flat(), Counter[str]()
    for name, value in (await request.form()).multi_items():
        if not isinstance(value, str):
            continue
        value = value.replace("\r\n", "\n").replace("\x00", "")
        if name.startswith("_"):
            asides[name] = value
        elif name.endswith("[]"):
            values[f"{name[:-2]}.{gathered[name]}"] = value
            gathered[name] += 1
        else:
            values[name] = value
    return FormState(values), asides


def operated(
    values: Flat, do: Do, at: str, n: int, by: int, held: tuple[str, str]
) -> tuple[Flat, str]:
    """The values after a button was pressed, and the id of the control that gets the focus.

    `held` is what a new node holds, and its name.
    """
    if do == "clear":
        return _cleared(values, at), f"{at}.add"
    if do == "remove":
        values = without_node(values, n) if at == "nodes" else removed(values, at, n)
        left = len(numbers(values, at))
        return values, f"{at}.{min(n, left - 1)}.remove" if left else f"{at}.add"
    if do == "move":
        values, to = moved(values, at, n, by)
        return values, f"{at}.{to}.{'up' if by < 0 else 'down'}"
    _check_room(values, at)
    number = len(numbers(values, at))
    values = added(values, at, _first(values, do, at, held))
    focus = FOCUS.get(at, "rows.0.kind" if do == "group" else "kind")
    return values, f"{at}.{number}.{focus}"


def _cleared(values: Flat, at: str) -> Flat:
    head = at.partition(".")[0]
    return {k: v for k, v in values.items() if k.partition(".")[0] != head}


def _first(values: Flat, do: Do, at: str, held: tuple[str, str]) -> Flat:
    """What a new row says before anybody typed."""
    if do == "group":
        return {"kind": "all", "rows.0.kind": "text", "rows.0.value": ""}
    if at == "nodes":
        one = _free_id(values, held[1]) if held[0] else ""
        return {"id": one, "holds": held[0], "join": "all", "end": "false"}
    row = FIRST[at.partition(".")[0]]
    if at == "edges":
        return row | {"from": _open_node(values)}
    return row


def _free_id(values: Flat, name: str) -> str:
    """An id made of a name, that no other node has."""
    taken = {values.get(f"nodes.{n}.id") for n in numbers(values, "nodes")}
    one = re.sub(r"[^\w-]+", "-", name).strip("-").lower()[:60] or "node"
    return next(c for c in (one, *(f"{one}-{i}" for i in range(2, 999))) if c not in taken)


def _open_node(values: Flat) -> str:
    """The first node that no edge leaves yet."""
    left = {values.get(f"edges.{n}.from") for n in numbers(values, "edges")}
    ids = [values.get(f"nodes.{n}.id", "") for n in numbers(values, "nodes")]
    return next((one for one in ids if one not in left), ids[-1] if ids else "")


def _check_room(values: Flat, at: str) -> None:
    count = {part: len(numbers(values, part)) for part in ("steps", "nodes", "edges")}
    inside = sum(key.startswith("ends.rows.") and key.endswith(".kind") for key in values)
    is_full = {
        "steps": count["steps"] >= MOST_STEPS,
        "nodes": fields(count["nodes"] + 1, count["edges"]) > MOST_FIELDS,
        "edges": fields(count["nodes"], count["edges"] + 1) > MOST_FIELDS,
        "ends": inside >= workflow_ends.MOST_ROWS,
    }
    if is_full[at.partition(".")[0]]:
        words = "The form has no room for more: save it, and add the rest as YAML"
        raise InvalidError([Problem([at], words, "too_many")])


def picture(values: Mapping[str, str], agents: Flat, workflows: Flat) -> Drawing:
    """The graph that the form describes, as far as it is typed."""
    wanted = {
        k: v
        for k, v in values.items()
        if k in ("kept.graph", "start", "end_was")
        or (k.startswith(("nodes.", "edges.", "rows.")) and ".when" not in k)
    }
    body = from_form(unflatten([("kind", "graph"), *wanted.items()]))
    return layout(nodes_of(body, agents, workflows), edges_of(body))


def ending(values: Mapping[str, str], names: Flat) -> tuple[str, int]:
    """When it ends, as a sentence, and how many conditions are not complete."""
    wanted = [(k, v) for k, v in values.items() if k.startswith("ends.")]
    ends = part(unflatten(wanted), "ends")
    return workflow_ends.sentence(ends, lambda one: names.get(one, "somebody"))
