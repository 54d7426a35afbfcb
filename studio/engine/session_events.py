"""Events of a session as a whole, beside those of its chats (see events.py)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """First row of each run: the task, who gave it, and the files that came with it: each an id,
    the name in the working folder, a media_type and bytes."""

    workflow: str
    revision: int
    message: str
    by: str
    attachments: list[dict[str, Any]] | None = None
    kind: Literal["session_started"] = field(default="session_started", init=False)


@dataclass(frozen=True, slots=True)
class InputReceived:
    question: str
    by: str
    text: str | None = None
    approve: bool | None = None
    values: dict[str, Any] | None = None
    edited: str | None = None
    reason: str | None = None
    kind: Literal["input_received"] = field(default="input_received", init=False)


@dataclass(frozen=True, slots=True)
class SavedFile:
    """One version of a file that a run made or changed; `name` is its path in the working folder,
    with "/"."""

    id: str
    name: str
    media_type: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ArtifactSaved:
    id: str
    name: str
    turn: int
    media_type: str
    bytes: int
    sha256: str
    kind: Literal["artifact_saved"] = field(default="artifact_saved", init=False)


@dataclass(frozen=True, slots=True)
class NetworkUsed:
    """Code or a skill asked for a host; `reason` says why it was refused, "" when it was not.

    method  as in HTTP; CONNECT for a tunnel, inside of which nothing can be seen
    """

    turn: int
    agent: str
    host: str
    port: int
    method: str
    allowed: bool
    reason: str
    kind: Literal["network_used"] = field(default="network_used", init=False)


@dataclass(frozen=True, slots=True)
class LimitReached:
    limit: str
    value: float
    max: float
    kind: Literal["limit_reached"] = field(default="limit_reached", init=False)


@dataclass(frozen=True, slots=True)
class StatusChanged:
    from_: str
    to: str
    reason: str
    by: str | None = None
    kind: Literal["status_changed"] = field(default="status_changed", init=False)


@dataclass(frozen=True, slots=True)
class SessionFinished:
    """Last row of each run. `status` is finished, failed or stopped."""

    run: int
    status: str
    reason: str
    summary: str
    by: str | None = None
    kind: Literal["session_finished"] = field(default="session_finished", init=False)
