"""How far a workflow of several parts is: the nodes of a graph, the steps of a sequence."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import orjson

from ..store.sessions import Session
from .graph_body import edges_of, nodes_of
from .graph_layout import LETTER, Arrow, Drawing, layout
from .session_blocks import Thread
from .session_view import SessionView

WORDS = {"waiting": "To come", "running": "At work", "asked": "Asks you", "paused": "Paused",
         "done": "Done", "cut": "Cut off", "unused": "Not reached"}  # fmt: skip
DRAWN = ("waiting", "running", "asked", "done")  # the states that a picture can show
LOOK = {"running": "running", "asked": "waiting", "done": "done"}


@dataclass
class Part:
    """A node or a step. `state` is a key of WORDS; `visits` counts how often it has begun."""

    id: str
    title: str
    kind: str
    state: str = "waiting"
    visits: int = 0
    turns: int = 0
    threads: list[Thread] = field(default_factory=list)

    @property
    def word(self) -> str:
        return WORDS[self.state]

    @property
    def look(self) -> str:
        return LOOK.get(self.state, "")


def parts(view: SessionView, snapshot: dict[str, Any]) -> list[Part]:
    """The nodes or steps of the session's workflow, with what the present run made of them."""
    workflow = snapshot["workflow"]
    if workflow["kind"] == "graph":
        found = [
            Part(node["id"], _title(snapshot, node), "agent" if node.get("agent") else "workflow")
            for node in workflow["nodes"]
        ]
    elif workflow["kind"] == "sequential":
        found = [
            Part(str(number), _title(snapshot, step), "workflow")
            for number, step in enumerate(workflow["steps"], 1)
        ]
    else:
        return []
    by_id = {part.id: part for part in found}
    for (run, _), thread in view.threads.items():
        if run == view.run and thread.parent is view.root and thread.of in by_id:
            part = by_id[thread.of]
            part.threads.append(thread)
            part.visits += 1
            part.turns += thread.turns
    for part in found:
        part.state = _state(part, is_over=view.is_over)
    return found


def _state(part: Part, *, is_over: bool) -> str:
    if not part.threads:
        return "unused" if is_over else "waiting"
    if any(thread.asks for thread in part.threads):
        return "asked"
    states = {thread.state for thread in part.threads}
    for state, word in (("live", "running"), ("held", "paused"), ("cut", "cut")):
        if state in states:
            return word
    return "done"


def _title(snapshot: dict[str, Any], holder: dict[str, Any]) -> str:
    """The name of the agent or workflow that a node or step holds."""
    noun, one = (
        ("agents", holder["agent"]) if holder.get("agent") else ("workflows", holder["workflow"])
    )
    return str(snapshot.get(noun, {}).get(one, {}).get("name", ""))


@dataclass(frozen=True)
class Picture:
    """A graph and its state, as `graph_svg` in workflows/_graph_svg.html takes them."""

    drawing: Drawing
    states: dict[str, str]
    counts: dict[str, int]
    taken: dict[tuple[str, str], int]
    hot: list[tuple[str, str]]


def picture(view: SessionView, snapshot: dict[str, Any], found: list[Part]) -> Picture | None:
    """The graph of the session with what the present run has done; None for other workflows."""
    if snapshot["workflow"]["kind"] != "graph":
        return None
    states = {part.id: part.state for part in found if part.state in DRAWN}
    taken = dict(view.root.taken)
    hot = [pair for pair in taken if states.get(pair[1]) == "running"]
    counts = {part.id: part.visits for part in found}
    drawing = drawing_of(view.session, snapshot)
    drawing = replace(drawing, arrows=tuple(_counted(one, taken) for one in drawing.arrows))
    return Picture(drawing, states, counts, taken, hot)


def _counted(arrow: Arrow, taken: dict[tuple[str, str], int]) -> Arrow:
    """A link that was taken more than once says so behind its condition."""
    times = taken.get((arrow.source, arrow.target), 0)
    if times < 2:
        return arrow
    words = f"{arrow.label} {times}×".strip()
    width = arrow.label_w + LETTER * (len(words) - len(arrow.label)) + (0 if arrow.label else 10)
    return replace(arrow, label=words, label_w=round(width, 1))


def drawing_of(session: Session, snapshot: dict[str, Any]) -> Drawing:
    """The graph of a session as it is defined; agents have the hues that they have in it."""
    hues = {member["id"]: member["hue"] for member in session.agents}
    names = [
        {one: body.get("name", "") for one, body in snapshot.get(noun, {}).items()}
        for noun in ("agents", "workflows")
    ]
    return _laid_out(orjson.dumps([snapshot["workflow"], *names, hues]))


@lru_cache(maxsize=32)
def _laid_out(told: bytes) -> Drawing:
    """A large graph takes a fifth of a second, and the graph of a session never changes."""
    body, agents, workflows, hues = orjson.loads(told)
    return layout(nodes_of(body, agents, workflows, hues), edges_of(body))


def root_cast(view: SessionView) -> list[dict[str, Any]]:
    """The agents of the outermost conversation; the others speak in conversations inside."""
    return [member for member in view.session.agents if not member.get("inner")]
