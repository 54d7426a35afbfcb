"""The versions of files that a session's log tells of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from ..errors import NotFoundError
from .events import of_kind


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a file. `number` counts the versions of its name from 1. What a person gave
    has `turn` 0 and no `agent`."""

    id: str
    name: str
    turn: int
    agent: str
    media_type: str
    size: int
    sha256: str
    created_at: str
    number: int

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "turn": self.turn,
            "agent": self.agent or None,
            "media_type": self.media_type,
            "bytes": self.size,
            "sha256": self.sha256,
            "created_at": self.created_at,
            "version": self.number,
        }


def versions(connection: Connection, session_id: str) -> list[Version]:
    """Every version that was made in a session, oldest first."""
    saved = [row.data() for row in of_kind(connection, session_id, "artifact_saved")]
    if not saved:
        return []
    agents = {
        (one["run"], one["chat"], one["turn"]): str(one["agent"])
        for one in (row.data() for row in of_kind(connection, session_id, "turn_started"))
    }
    numbers: Counter[str] = Counter()
    found = []
    for one in saved:
        numbers[one["name"]] += 1
        agent = agents.get((one["run"], one["chat"], one["turn"]), "")
        found.append(
            Version(
                one["id"],
                one["name"],
                one["turn"],
                agent,
                one["media_type"],
                one["bytes"],
                one["sha256"],
                one["at"],
                numbers[one["name"]],
            )
        )
    return found


def latest(found: list[Version]) -> list[Version]:
    """The last version of every name, in the order in which the names came up."""
    return [*{one.name: one for one in found}.values()]


def get(connection: Connection, session_id: str, one: str) -> Version:
    """A version that was made, or a file that was given. Raises NotFoundError."""
    for version in (*versions(connection, session_id), *_given(connection, session_id)):
        if version.id == one:
            return version
    raise NotFoundError("There is no such file")


def _given(connection: Connection, session_id: str) -> Iterator[Version]:
    for row in of_kind(connection, session_id, "session_started"):
        data = row.data()
        for one in data.get("attachments", ()):
            yield Version(
                one["id"], one["name"], 0, "", one["media_type"], one["bytes"], "", data["at"], 1
            )
