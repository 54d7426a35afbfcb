"""When each agent was at work: lanes of spans, as percentages of the whole time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .formats import parse_time
from .session_blocks import Turn

NARROWEST = 0.8  # per cent of the timeline


def seconds(turns: Sequence[Turn], since: str) -> float:
    """From the start of the session to the last thing that is known of a turn."""
    if not turns:
        return 0.0
    return _between(since, _last(turns))


def lanes(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """A lane for each agent. Agents that work side by side have spans side by side.

    Spans of one agent that touch are one, so there are never more than can be told apart: this is
    sent again at every turn.
    """
    made = [turn for turn in turns if not turn.hands_to]
    if not made:
        return []
    start = made[0].at
    total = max(0.001, _between(start, _last(made)))
    found: dict[str, list[dict[str, float]]] = {}
    for turn in made:
        left = 100 * _between(start, turn.at) / total
        taken = 100 * _between(turn.at, turn.ended_at or turn.at) / total
        end = left + max(NARROWEST, taken)
        lane = found.setdefault(turn.agent, [])
        if lane and left <= lane[-1]["left"] + lane[-1]["width"]:
            before = lane[-1]
            before["width"] = round(max(end, before["left"] + before["width"]) - before["left"], 2)
        else:
            lane.append({"left": round(left, 2), "width": round(end - left, 2)})
    return [{"agent": name, "spans": spans} for name, spans in found.items()]


def _last(turns: Sequence[Turn]) -> str:
    return max(turn.ended_at or turn.at for turn in turns)


def _between(start: str, end: str) -> float:
    return (parse_time(end) - parse_time(start)).total_seconds()
