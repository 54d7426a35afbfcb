"""The parts of a session's page that change, as htmx partials."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from ...definitions.models import FREE
from ...engine.events import Delta
from ...store.events import Row
from ..graph import edges, seats
from ..session_view import SessionView, Turn, turn_id
from ..sse import sse
from ..templating import render

_BAR = ("bar", "sessions/_bar.html", "innerHTML")
_BUDGET = ("budget", "sessions/_budget.html", "innerHTML")
_PHONE = ("budget-phone", "sessions/_budget.html", "innerHTML")
_FOOT = ("foot", "sessions/_foot.html", "innerHTML")
_GRAPH = ("pane-graph", "sessions/_graph.html", "innerMorph")
_TIMELINE = ("pane-timeline", "sessions/_timeline.html", "innerMorph")
_COST = ("pane-cost", "sessions/_cost.html", "innerMorph")
AFFECTED: dict[str, tuple[tuple[str, str, str], ...]] = {
    "status_changed": (_BAR, _FOOT),
    "session_finished": (_BAR, _FOOT, _GRAPH),
    "speaker_selected": (_FOOT, _GRAPH),
    "turn_started": (_FOOT, _GRAPH),
    "message": (_BUDGET, _PHONE, _FOOT, _GRAPH, _TIMELINE),
    "model_called": (_COST,),
    "input_requested": (_FOOT, _GRAPH),
    "input_received": (_FOOT, _GRAPH),
}


class Parts:
    """Renders the parts of one session for one reader."""

    def __init__(
        self, view: SessionView, snapshot: dict[str, Any], *, only_turns: bool = False
    ) -> None:
        self.view = view
        self.only_turns = only_turns
        models = snapshot["models"].values()
        self.fixed = {
            "view": view,
            "max_round": snapshot["workflow"].get("max_round"),
            "free": all(m["provider"] in FREE for m in models),
            "tiny": any(m["provider"] == "local" for m in models),
            "scripted": any(m["provider"] == "scripted" for m in models),
        }

    def values(self) -> dict[str, Any]:
        view = self.view
        places = seats(view.session.agents, view.speaker)
        hot = (view.last_speaker, view.speaker) if view.speaker and view.last_speaker else None
        return {
            **self.fixed,
            "graph_seats": places,
            "graph_edges": edges(places, view.edges, hot),
        }

    def ticks(self) -> list[dict[str, Any]]:
        """One segment of the scrubber per turn, as wide as the turn took."""
        found = []
        for turn in self.view.turn_list:
            seconds = (turn.latency_ms or 1000) / 1000
            found.append(
                {
                    "number": turn.number,
                    "agent": turn.agent,
                    "hue": self.view.member(turn.agent)["hue"],
                    "width": round(min(12.0, max(1.0, seconds)), 1),
                }
            )
        return found

    def row(self, row: Row) -> str:
        """Everything that a row changes on the page."""
        changed = self.view.apply(row)
        values = self.values()
        pieces = []
        for block, is_new in changed:
            fragment = render("sessions/_block.html", {**values, "block": block})
            if is_new:
                pieces.append(_partial("#turns", "beforeend", fragment))
            else:
                pieces.append(_partial(f"#{block.id}", "outerHTML", fragment))
        affected = () if self.only_turns else AFFECTED.get(row.kind, ())
        for target, template, swap in affected:
            pieces.append(_partial(f"#{target}", swap, render(template, values)))
        return "".join(pieces)

    def delta(self, delta: Delta) -> str:
        """Live text; from offset 0 it replaces what stands there, as after a reconnect."""
        turn = turn_id(self.view.run, delta.chat, delta.turn)
        block = self.view.blocks.get(turn)
        if not isinstance(block, Turn) or block.state != "live":
            return ""
        swap = "innerHTML" if delta.offset == 0 else "beforeend"
        return _partial(f"#{turn}-text", swap, escape(delta.text))

    def done(self) -> bytes:
        return sse("", "done")


def partials(parts: Parts, item: Row | Delta) -> Iterator[bytes]:
    """The server-sent messages for one item of the log's stream."""
    if isinstance(item, Delta):
        if html := parts.delta(item):
            yield sse(html)
    else:
        yield sse(parts.row(item), number=item.seq)


def _partial(target: str, swap: str, html: str) -> str:
    return f'<hx-partial hx-target="{target}" hx-swap="{swap}">{html}</hx-partial>'
