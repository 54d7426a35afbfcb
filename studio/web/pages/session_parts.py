"""The parts of a session's page that change, as htmx partials."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

from ...definitions.models import FREE
from ...engine.events import Delta
from ...store.events import Row
from ..graph import edges, seats
from ..session_blocks import Block, Thread, Turn, turn_id
from ..session_progress import Picture, parts, picture, root_cast
from ..session_view import SessionView
from ..sse import sse
from ..templating import render

Part = tuple[str, str, str]  # the element's id, its template, how it is swapped
_BAR = ("bar", "sessions/_bar.html", "innerHTML")
_BUDGET = ("budget", "sessions/_budget.html", "innerHTML")
_PHONE = ("budget-phone", "sessions/_budget.html", "innerHTML")
_FOOT = ("foot", "sessions/_foot.html", "innerHTML")
_PICTURE = ("graph-picture", "sessions/_picture.html", "innerMorph")
_FACTS = ("graph-facts", "sessions/_facts.html", "innerMorph")
_GRAPH = (_PICTURE, _FACTS)
_TIMELINE = ("pane-timeline", "sessions/_timeline.html", "innerMorph")
_COST = ("pane-cost", "sessions/_cost.html", "innerMorph")
_ARTIFACTS = ("pane-artifacts", "sessions/_artifacts.html", "innerMorph")
_FILES = ("files-count", "sessions/_files_count.html", "innerHTML")
# Grow with the session and are sent whole: once a second is enough while it runs fast.
SLOW, SLOW_SECONDS = (_TIMELINE, _COST, _ARTIFACTS), 1.0
MANY_NODES = 40  # from which the picture of a graph is slow too
REST = ("status_changed", "session_finished", "input_requested")
AFFECTED: dict[str, tuple[Part, ...]] = {
    "status_changed": (_BAR, _FOOT, *_GRAPH),
    "session_finished": (_BAR, _FOOT, *_GRAPH),
    "speaker_selected": (_FOOT, *_GRAPH),
    "turn_started": (_FOOT, *_GRAPH),
    "message": (_BUDGET, _PHONE, _FOOT, *_GRAPH, _TIMELINE),
    "model_called": (_COST,),
    "artifact_saved": (_FILES, _ARTIFACTS),
    "input_requested": (_FOOT, *_GRAPH),
    "input_received": (_FOOT, *_GRAPH),
    "chat_started": (_FOOT, *_GRAPH),
    "chat_ended": (_FOOT, *_GRAPH),
    "edge_taken": (_PICTURE,),
    "context_changed": (_FACTS,),
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
        self.snapshot = snapshot
        is_large = len(snapshot["workflow"].get("nodes", ())) > MANY_NODES
        self._slow = (*SLOW, _PICTURE) if is_large else SLOW
        self._shown: Picture | None = None
        models = snapshot["models"].values()
        self.fixed = {
            "view": view,
            "kind": snapshot["workflow"]["kind"],
            "max_round": snapshot["workflow"].get("max_round"),
            "free": all(m["provider"] in FREE for m in models),
            "tiny": any(m["provider"] == "local" for m in models),
            "scripted": any(m["provider"] == "scripted" for m in models),
        }

    def values(self) -> dict[str, Any]:
        view, root = self.view, self.view.root
        speaker = "" if view.is_over else root.speaker
        cast = root_cast(view)
        places = seats(cast, speaker)
        found = parts(view, self.snapshot)
        hot = (root.last_speaker, speaker) if speaker and root.last_speaker else None
        return {
            **self.fixed,
            "graph_seats": places,
            "graph_edges": edges(places, root.edges, hot),
            "parts": found,
            "picture": picture(view, self.snapshot, found),
        }

    def ticks(self) -> list[dict[str, Any]]:
        """One segment of the scrubber per turn, as wide as the turn took, in the log's order."""
        return [
            {
                "number": turn.place,
                "agent": turn.hands_from or turn.who,
                "hue": self.view.member(turn.hands_from or turn.agent)["hue"],
                "width": round(min(12.0, max(1.0, (turn.latency_ms or 1000) / 1000)), 1),
            }
            for turn in self.view.turn_list
        ]

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
            told.insert(0, ("".join(self._drawn_parts(affected)), None))
        return b"".join(sse(html, number=number) for html, number in told if html or number)

    def _drawn_parts(self, affected: Iterable[Part]) -> Iterator[str]:
        """The picture of a graph is large: it is sent when it has changed."""
        values = self.values()
        for part in affected:
            if part == _PICTURE and values["picture"] is not None:
                if values["picture"] == self._shown:
                    continue
                self._shown = values["picture"]
            target, name, swap = part
            yield _partial(f"#{target}", swap, render(name, values))

    def _due(self, affected: dict[Part, None], *, rests: bool) -> dict[Part, None]:
        """The parts to send now; slow ones wait for their second, but not beyond a rest."""
        self._owed |= {part: None for part in affected if part in self._slow}
        found = {part: None for part in affected if part not in self._slow}
        now = time.monotonic()
        if self._owed and (rests or now - self._slow_at >= SLOW_SECONDS):
            found |= self._owed
            self._owed, self._slow_at = {}, now
        return found

    def _blocks(self, row: Row) -> Iterator[str]:
        """The blocks of the transcript that a row makes or changes.

        A new thread brings with it what it holds; of one that is there only the head is renewed.
        """
        changes = self.view.apply(row)
        brought = {block.id for block, is_new in changes if is_new and isinstance(block, Thread)}
        for block, is_new in changes:
            holder = _holder(block)
            if holder.id in brought:
                continue
            if is_new:
                yield _partial(f"#{holder.list_id}", "beforeend", self._drawn("_block", block))
            elif not isinstance(block, Thread):
                yield _partial(f"#{block.id}", "outerHTML", self._drawn("_block", block))
            elif not block.is_plain:
                yield _partial(f"#{block.id}-head", "innerHTML", self._drawn("_thread_head", block))

    def _drawn(self, template: str, block: Block) -> str:
        return render(f"sessions/{template}.html", {**self.fixed, "block": block})

    def _delta(self, delta: Delta) -> str:
        """Live text; from offset 0 it replaces what stands there, as after a reconnect."""
        thread = self.view.thread_at(delta.chat)
        if thread is None:
            return ""
        turn = turn_id(self.view.run, thread, delta.turn)
        block = self.view.all.get(turn)
        if not isinstance(block, Turn) or block.state != "live":
            return ""
        swap = "innerHTML" if delta.offset == 0 else "beforeend"
        return _partial(f"#{turn}-text", swap, escape(delta.text))

    def done(self) -> bytes:
        return sse("", "done")


def _holder(block: Block) -> Thread:
    holder = block.parent if isinstance(block, Thread) else block.thread
    assert holder is not None  # the root is never told of
    return holder


def _partial(target: str, swap: str, html: str) -> str:
    return f'<hx-partial hx-target="{target}" hx-swap="{swap}">{html}</hx-partial>'
