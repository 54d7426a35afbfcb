"""The states of a session and every move between them, in one table."""

from __future__ import annotations

from typing import Literal

from ..errors import ConflictError

Status = Literal["queued", "running", "waiting", "paused", "finished", "failed", "stopped"]

MOVES: dict[str, frozenset[str]] = {
    "queued": frozenset({"running", "paused", "stopped"}),
    "running": frozenset({"waiting", "paused", "queued", "finished", "failed", "stopped"}),
    "waiting": frozenset({"queued", "paused", "failed", "stopped"}),
    "paused": frozenset({"queued", "stopped"}),
    "finished": frozenset({"queued"}),
    "failed": frozenset({"queued"}),
    "stopped": frozenset({"queued"}),
}


def check_move(now: str, to: Status) -> None:
    """Raises ConflictError when a session that is `now` cannot become `to`."""
    if to not in MOVES[now]:
        raise ConflictError(f"The session is {now}; it cannot be {to} from there")
