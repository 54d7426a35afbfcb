"""The form of a workflow and the definition it describes: pure functions, for all four kinds.

The form has controls of its own where a definition has no flat name for what people choose:

  rows.X         how many rows of X it shows, so that the last one can be removed too
  nodes.N.holds  "agent:ID" or "workflow:ID"; nodes.N.end is the tick "its answer is a result"
  edges.N.kind   what decides; contains, model and context.* beside it are what each kind says
  ends.*         the tree of conditions that end it; variables.* are the context variables
  kept.X         JSON: a graph too large for rows, a table of transitions as it was, who may repeat
"""

from __future__ import annotations

from typing import Any

import orjson

from ..context_rows import FIELD, GROUP, from_rows, rows_of, shown, to_rows, typed
from ..forms import part, texts, words
from . import workflow_ends
from .workflow_rows import TELLING, Flat

NEW: dict[str, Any] = {
    "name": "",
    "description": "",
    "kind": "group_chat",
    "speaker_selection_method": "round_robin",
    "max_round": 10,
    "summary_method": "last_msg",
}
FOLLOW = "allowed_or_disallowed_speaker_transitions"
KIND_OF_TABLE = "speaker_transitions_type"
OF_KIND: dict[str, frozenset[str]] = {
    "two_agent": frozenset({"initiator", "recipient", "max_turns"}),
    "group_chat": frozenset({
        "initiator", "agents", "speaker_selection_method", "max_round", "allow_repeat_speaker",
        FOLLOW, KIND_OF_TABLE, "send_introductions",
        "max_retries_for_selecting_speaker", "select_speaker_message_template",
        "select_speaker_prompt_template", "restricted", "follow", "repeat",
    }),
    "sequential": frozenset({"steps"}),
    "graph": frozenset({"nodes", "edges", "start", "end", "end_was", "graph"}),
}  # fmt: skip
STANDS_FOR = {
    "restricted": FOLLOW, "compat_on": "compat", "models.0": "models", "agents.0": "agents",
    "rows.steps": "steps", "rows.nodes": "nodes", "rows.edges": "edges", "end_was": "end",
    f"{GROUP}.0.name": FIELD, "ends.top": "termination",
}  # fmt: skip
SOME = "some"  # may speak twice in a row: the form keeps who, and does not show it
MOST_FIELDS = 600  # of nodes and edges in a form: a request may have 1,000 fields


def leftovers(values: Flat) -> Flat:
    """What was typed for other kinds than the one that is chosen."""
    own = OF_KIND.get(values.get("kind", ""), frozenset()) | {"send_introductions"}
    others = frozenset().union(*OF_KIND.values()) - own
    return {k: v for k, v in values.items() if v and _head(k) in others}


def _head(name: str) -> str:
    """The field that a control belongs to."""
    first, _, rest = name.partition(".")
    return rest.partition(".")[0] if first in ("rows", "kept") else first


# -- from a form to a definition


def from_form(raw: dict[str, Any]) -> dict[str, Any]:
    """Fields of other kinds are dropped; what the form says in its own way becomes the body."""
    body = dict(raw)
    kind = str(body.get("kind", "group_chat"))
    rows = part(body, "rows")
    body = {k: v for k, v in body.items() if k not in ("rows", "kept", "ends", GROUP)}
    others = frozenset().union(*OF_KIND.values()) - OF_KIND.get(kind, frozenset())
    body = {k: v for k, v in body.items() if k not in others}
    if kind == "group_chat":
        body = _with_transitions(body, raw)
    elif kind == "sequential" and ("steps" in rows or "steps" in raw):
        body["steps"] = _rows(raw, "steps")
    elif kind == "graph":
        body = _with_graph(body, raw, rows)
    if body.pop("compat_on", "false") == "true":
        body["compat"] = "autogen-0.2"
    if not part(body, "is_termination_msg").get("kind"):
        body["is_termination_msg"] = None
    if "ends" in raw:
        body["termination"] = workflow_ends.from_rows(part(raw, "ends"))
    if GROUP in raw:
        body[FIELD] = from_rows(raw[GROUP])
    return body


def _rows(raw: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The rows of a group that say something."""
    return [row for row in rows_of(raw.get(name)) if any(row.get(key) for key in TELLING[name])]


def _loaded(text: Any) -> Any:
    try:
        return orjson.loads(text) if isinstance(text, str) else None
    except orjson.JSONDecodeError:
        return None


def _with_transitions(body: dict[str, Any], raw: dict[str, Any]) -> dict[str, Any]:
    """The table of who may follow whom becomes transitions by agent; unchanged, it stays."""
    if body.get("allow_repeat_speaker") == SOME:
        body["allow_repeat_speaker"] = _loaded(part(raw, "kept").get("repeat"))
    restricted = body.pop("restricted", "false") == "true"
    pairs, team = set(texts(body.pop("follow", []))), texts(body.get("agents"))
    body = {k: v for k, v in body.items() if k not in (FOLLOW, KIND_OF_TABLE)}
    if not restricted:
        return body
    if "follow" not in part(raw, "rows"):  # there was no table yet: everyone may follow everyone
        pairs = {f"{a}>{b}" for a in team for b in team}
    was = _loaded(part(raw, "kept").get("follow"))
    if isinstance(was, dict) and set(allowed(was, team)) == pairs:
        table = was
    else:
        rows = {a: [b for b in team if f"{a}>{b}" in pairs] for a in team}
        table = {FOLLOW: rows, KIND_OF_TABLE: "allowed"}
    body.pop("allow_repeat_speaker", None)
    return body | {name: table.get(name) for name in (FOLLOW, KIND_OF_TABLE)}


def allowed(body: dict[str, Any], team: list[str]) -> list[str]:
    """Who may follow whom, as "a>b", of a table of what is allowed or of what is not."""
    table = part(body, FOLLOW)
    is_listed = body.get(KIND_OF_TABLE) != "disallowed"
    return [f"{a}>{b}" for a in team for b in team if (b in texts(table.get(a))) is is_listed]


def _with_graph(body: dict[str, Any], raw: dict[str, Any], rows: dict[str, Any]) -> dict[str, Any]:
    graph = _loaded(part(raw, "kept").get("graph"))
    if isinstance(graph, dict):
        return body | {k: graph.get(k) for k in ("nodes", "edges", "start", "end")}
    nodes = _rows(raw, "nodes")
    if nodes or "nodes" in rows:
        body["nodes"] = [_node(row) for row in nodes]
        body.setdefault("start", None)
    if "edges" in raw or "edges" in rows:
        body["edges"] = [_edge(row) for row in _rows(raw, "edges")]
    if "end_was" in body:
        ticked = [str(row.get("id", "")) for row in nodes if row.get("end") == "true"]
        body["end"] = _ends(ticked, _loaded(body.pop("end_was")))
    return body


def _node(row: dict[str, Any]) -> dict[str, Any]:
    noun, _, one = str(row.get("holds", "")).partition(":")
    node = {k: v for k, v in row.items() if k not in ("holds", "end")}
    return node | ({noun: one} if noun in ("agent", "workflow") else {})


def _edge(row: dict[str, Any]) -> dict[str, Any]:
    """An edge as it is defined; of its controls only those of its kind of condition count."""
    edge = {k: v for k, v in row.items() if k in ("from", "to", "max_times")}
    when: Any
    match row.get("kind"):
        case "contains" | "model" as kind:
            when = {kind: words(row.get(kind))}
        case "context":
            test = part(row, "context")
            name, op = words(test.get("name")), words(test.get("op")) or "=="
            when = {"context": {"name": name, "op": op, "value": typed(test)}}
        case kind:
            when = kind or "always"
    return edge | {"when": when}


def _ends(ticked: list[str], was: Any) -> Any:
    """One end as it is, several as a list, in the order that they had."""
    if isinstance(was, list):
        before = texts(was)
        if set(ticked) == set(before):
            return before
        return sorted(ticked, key=lambda one: before.index(one) if one in before else len(before))
    return ticked if len(ticked) > 1 else ticked[0] if ticked else None


# -- from a definition to a form


def to_form(body: dict[str, Any]) -> Flat:
    repeat = body.get("allow_repeat_speaker")
    return {
        "send_introductions": str(body.get("send_introductions", False)).lower(),
        "compat_on": "true" if body.get("compat") else "false",
        "allow_repeat_speaker": (
            SOME if isinstance(repeat, list) else "" if repeat is None else str(repeat).lower()
        ),
        "kept.repeat": orjson.dumps(repeat).decode() if isinstance(repeat, list) else "",
        **_as_table(body),
        **_as_rows(body),
        **workflow_ends.to_rows(body.get("termination")),
        **to_rows(body.get(FIELD)),
    }


def _as_table(body: dict[str, Any]) -> Flat:
    if not isinstance(body.get(FOLLOW), dict):
        return {"restricted": "false"}
    team = list(dict.fromkeys(texts(body.get("agents"))))
    pairs = {f"follow.{i}": pair for i, pair in enumerate(allowed(body, team))}
    was = {name: body.get(name) for name in (FOLLOW, KIND_OF_TABLE)}
    kept = orjson.dumps(was).decode()
    return {"restricted": "true", "rows.follow": "1", "kept.follow": kept, **pairs}


def _as_rows(body: dict[str, Any]) -> Flat:
    if body.get("kind") == "sequential":
        return {"rows.steps": str(len(rows_of(body.get("steps"))))}
    if body.get("kind") != "graph":
        return {}
    nodes, edges, end = rows_of(body.get("nodes")), rows_of(body.get("edges")), body.get("end")
    if fields(len(nodes), len(edges)) > MOST_FIELDS:
        graph = {k: body.get(k) for k in ("nodes", "edges", "start", "end")}
        return {"kept.graph": orjson.dumps(graph).decode()}
    flat = {"rows.nodes": str(len(nodes)), "rows.edges": str(len(edges))}
    flat["end_was"] = orjson.dumps(end).decode()
    ends = end if isinstance(end, list) else [end]
    for n, node in enumerate(nodes):
        held = next((f"{k}:{node[k]}" for k in ("agent", "workflow") if node.get(k)), "")
        flat |= {f"nodes.{n}.holds": held, f"nodes.{n}.join": str(node.get("join", "all"))}
        flat[f"nodes.{n}.end"] = str(node.get("id") in ends).lower()
    for n, edge in enumerate(edges):
        flat |= {f"edges.{n}.{k}": v for k, v in _as_condition(edge.get("when")).items()}
    return flat


def fields(nodes: int, edges: int) -> int:
    """How many controls a form needs for a graph."""
    return 5 * nodes + 11 * edges


def _as_condition(when: Any) -> Flat:
    if not isinstance(when, dict):
        return {"kind": "" if when == "always" else words(when)}
    kind = next((k for k in ("contains", "model", "context") if when.get(k) is not None), "")
    if kind in ("contains", "model"):
        return {"kind": kind, kind: words(when[kind])}
    test = part(when, "context")
    controls = {"name": words(test.get("name")), "op": words(test.get("op")).replace("==", "")}
    controls |= shown(test.get("value")) if test else {}
    return {"kind": kind} | {f"context.{name}": text for name, text in controls.items()}
