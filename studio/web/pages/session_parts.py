"""The parts of a session's page that change, as htmx partials."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from ...definitions.models import FREE
from ...engine.events import Delta
from ...store.events import Row
from ..graph import edges, seats
from ..session_view import SessionView, Turn, turn_id
from ..sse import sse
from ..templating import render

Part = tuple[str, str, str]  # the element's id, its template, how it is swapped
_BAR = ("bar", "sessions/_bar.html", "innerHTML")
_BUDGET = ("budget", "sessions/_budget.html", "innerHTML")
_PHONE = ("budget-phone", "sessions/_budget.html", "innerHTML")
_FOOT = ("foot", "sessions/_foot.html", "innerHTML")
_GRAPH = ("pane-graph", "sessions/_graph.html", "innerMorph")
_TIMELINE = ("pane-timeline", "sessions/_timeline.html", "innerMorph")
_COST = ("pane-cost", "sessions/_cost.html", "innerMorph")
# Grow with the session and are sent whole: once a second is enough while it runs fast.
SLOW, SLOW_SECONDS = (_TIMELINE, _COST), 1.0
REST = ("status_changed", "session_finished", "input_requested")
AFFECTED: dict[str, tuple[Part, ...]] = {
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
        self._owed: dict[Part, None] = {}
        self._slow_at = 0.0
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

    def messages(self, items: Sequence[Row | Delta]) -> bytes:
        """Server-sent messages for all that has happened: one a row, as htmx finds all targets of
        a message before it swaps any, and a turn must be there before its text.

        What is drawn from the whole, like the graph, is drawn once and goes first: who loses the
        connection in between and comes back after some row has it.
        """
        told: list[tuple[str, int | None]] = []
        affected: dict[Part, None] = {}
        rests = False
        for item in items:
            if isinstance(item, Delta):
                told.append((self._delta(item), None))
                continue
            told.append(("".join(self._blocks(item)), item.seq))
            rests = rests or item.kind in REST
            if not self.only_turns:
                affected |= dict.fromkeys(AFFECTED.get(item.kind, ()))
        affected = self._due(affected, rests=rests)
        if affected:
            values = self.values()
            parts = [_partial(f"#{t}", swap, render(name, values)) for t, name, swap in affected]
            told.insert(0, ("".join(parts), None))
        return b"".join(sse(html, number=number) for html, number in told if html or number)

    def _due(self, affected: dict[Part, None], *, rests: bool) -> dict[Part, None]:
        """The parts to send now; slow ones wait for their second, but not beyond a rest."""
        self._owed |= {part: None for part in affected if part in SLOW}
        found = {part: None for part in affected if part not in SLOW}
        now = time.monotonic()
        if self._owed and (rests or now - self._slow_at >= SLOW_SECONDS):
            found |= self._owed
            self._owed, self._slow_at = {}, now
        return found

    def _blocks(self, row: Row) -> Iterator[str]:
        """The blocks of the transcript that a row makes or changes."""
        for block, is_new in self.view.apply(row):
            fragment = render("sessions/_block.html", {**self.fixed, "block": block})
            if is_new:
                yield _partial("#turns", "beforeend", fragment)
            else:
                yield _partial(f"#{block.id}", "outerHTML", fragment)

    def _delta(self, delta: Delta) -> str:
        """Live text; from offset 0 it replaces what stands there, as after a reconnect."""
        turn = turn_id(self.view.run, delta.chat, delta.turn)
        block = self.view.blocks.get(turn)
        if not isinstance(block, Turn) or block.state != "live":
            return ""
        swap = "innerHTML" if delta.offset == 0 else "beforeend"
        return _partial(f"#{turn}-text", swap, escape(delta.text))

    def done(self) -> bytes:
        return sse("", "done")


def _partial(target: str, swap: str, html: str) -> str:
    return f'<hx-partial hx-target="{target}" hx-swap="{swap}">{html}</hx-partial>'
