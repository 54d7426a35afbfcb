"""When a workflow ends: the tree of a definition as rows of a form, and the rows read aloud.

A form shows a list of conditions, and groups of conditions inside it. A deeper tree is shown as a
sentence and goes through the form as JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from pydantic import ValidationError

from ...definitions.conditions import Termination, aloud
from .workflow_rows import Flat, numbers

Path = tuple[str | int, ...]
GROUPS = ("any", "all")
NUMBERS = ("max_messages", "tokens", "cost_usd", "seconds", "stale")
AGENTS = ("source", "handoff")
LEAVES = ("text", *NUMBERS, *AGENTS)
MOST_ROWS = 40  # of a form: more are shown as a sentence
ROWS = "ends.rows"


# -- from a definition to a form


def to_rows(tree: Any) -> Flat:
    """Flat values for ends.top and ends.rows, or ends.tree for what rows cannot say."""
    if tree is None:
        return {"ends.top": "any"}
    name, value = _rule(tree)
    if name in LEAVES and _fits(value):
        return {"ends.top": "one", **_row(f"{ROWS}.0", name, value)}
    made = _group(name, value) if name in GROUPS else None
    return made if made is not None else {"ends.top": "tree", "ends.tree": _json(tree)}


def _rule(tree: Any) -> tuple[str, Any]:
    """The one thing that a node of a tree says; ("", None) for what is no node."""
    if not isinstance(tree, dict):
        return "", None
    given = [(k, v) for k, v in tree.items() if v is not None]
    return given[0] if len(given) == 1 else ("", None)


def _group(top: str, rows: Any) -> Flat | None:
    if not isinstance(rows, list) or not rows:
        return None
    flat: Flat = {"ends.top": top}
    count = 0
    for n, row in enumerate(rows):
        name, value = _rule(row)
        inner = value if name in GROUPS and isinstance(value, list) else []
        rules = [_rule(one) for one in inner]
        leaves = rules if inner else [(name, value)]
        if not all(rule in LEAVES and _fits(said) for rule, said in leaves):
            return None
        flat |= _row(f"{ROWS}.{n}", name, "" if inner else value)
        for m, (rule, inside) in enumerate(rules):
            flat |= _row(f"{ROWS}.{n}.rows.{m}", rule, inside)
        count += 1 + len(inner)
    return flat if count <= MOST_ROWS else None


def _fits(value: Any) -> bool:
    """Whether a field of one line can hold it."""
    return isinstance(value, str | int | float) and "\n" not in str(value)


def _row(path: str, kind: str, value: Any) -> Flat:
    if kind in GROUPS:
        return {f"{path}.kind": kind}
    name = "agent" if kind in AGENTS else "value"
    return {f"{path}.kind": kind, f"{path}.{name}": str(value)}


def _json(tree: Any) -> str:
    try:
        return orjson.dumps(tree).decode()
    except (TypeError, RecursionError):  # nested too deeply: only a draft may be
        return "{}"


# -- from a form to a definition


def from_rows(ends: Mapping[str, Any]) -> Any:
    """The tree that the fields below "ends" describe; None when there is no condition."""
    if ends.get("top") == "tree":
        return _loaded(ends.get("tree"))
    made = [node for node in map(_node, _dicts(ends.get("rows"))) if node is not None]
    if not made:
        return None
    top = ends.get("top")
    if top == "one" and len(made) == 1:
        return made[0]
    return {top if top in GROUPS else "any": made}


def _loaded(text: Any) -> Any:
    try:
        return orjson.loads(text) if isinstance(text, str) else None
    except orjson.JSONDecodeError:
        return {}


def _node(row: dict[str, Any]) -> dict[str, Any] | None:
    kind = row.get("kind")
    if not isinstance(kind, str):
        return None
    if kind in GROUPS:
        return {kind: [one for one in map(_node, _dicts(row.get("rows"))) if one is not None]}
    return {kind: row.get("agent" if kind in AGENTS else "value", "")}


def _dicts(rows: Any) -> list[dict[str, Any]]:
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


# -- what a form says about it


def sentence(ends: Mapping[str, Any], name_of: Callable[[str], str]) -> tuple[str, int]:
    """What the conditions come to, and how many of them are not complete yet."""
    try:
        tree, gaps = _complete(from_rows(ends))
        return ("" if tree is None else aloud(Termination.model_validate(tree), name_of)), gaps
    except (ValidationError, RecursionError):
        return "", 1


def _complete(tree: Any) -> tuple[Any, int]:
    """The tree without what is only half typed."""
    if tree is None:
        return None, 0
    name, value = _rule(tree)
    if name in GROUPS and isinstance(value, list):
        inner = [_complete(one) for one in value]
        kept = [one for one, _ in inner if one is not None]
        return ({name: kept} if kept else None), sum(gaps for _, gaps in inner) + (not value)
    try:
        Termination.model_validate(tree)
    except ValidationError:
        return None, 1
    return tree, 0


def field_of(loc: Path, ends: Mapping[str, str]) -> str:
    """The control that shows what is at a path below "termination"."""
    path = ROWS
    rest: list[str | int] = list(loc)
    if ends.get("ends.top") == "tree":
        return "ends.tree"
    if rest and rest[0] in GROUPS and _is_list(ends):
        rest.pop(0)
    elif rest:
        rest.insert(0, 0)
    while rest:
        shown = [n for n in numbers(ends, path) if ends.get(f"{path}.{n}.kind")]
        n = rest[0]
        if not isinstance(n, int) or n >= len(shown):
            break
        rest.pop(0)
        path = f"{path}.{shown[n]}"
        if len(rest) > 1 and rest[0] in GROUPS:
            rest.pop(0)
            path = f"{path}.rows"
    if path.endswith("rows"):
        return "ends.top"
    if not rest or rest[0] in GROUPS:
        return f"{path}.kind"
    return f"{path}.{'agent' if rest[0] in AGENTS else 'value'}"


def _is_list(ends: Mapping[str, str]) -> bool:
    """Whether the form makes a group of its rows, or only one condition."""
    kinds = [ends.get(f"{ROWS}.{n}.kind") for n in numbers(ends, ROWS)]
    return ends.get("ends.top") != "one" or len([k for k in kinds if k]) != 1
