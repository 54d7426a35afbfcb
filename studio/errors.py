"""What can go wrong in the studio, split by who must act. HTTP is added at the edge only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong at one place. `loc` is the path to the field in the definition.

    `blocking` problems prevent a session; `fix` is a value for the field that would mend it.
    """

    loc: list[str | int]
    msg: str
    code: str
    blocking: bool = True
    fix: Any = None

    def as_json(self) -> dict[str, Any]:
        row: dict[str, Any] = {
            "loc": self.loc,
            "msg": self.msg,
            "code": self.code,
            "blocking": self.blocking,
        }
        if self.fix is not None:
            row["fix"] = self.fix
        return row


class StudioError(Exception):
    """Base of all expected errors; `str(error)` is fit for the person who caused it."""

    code = "error"


@dataclass
class InvalidError(StudioError):
    """The caller sent something that cannot be accepted, field by field."""

    problems: list[Problem]
    code = "invalid"

    def __str__(self) -> str:
        return "; ".join(p.msg for p in self.problems)


class NotFoundError(StudioError):
    """There is no such object, or not for this owner."""

    code = "not_found"


class ConflictError(StudioError):
    """The object is not in a state that allows this."""

    code = "conflict"


@dataclass
class InUseError(ConflictError):
    """Others refer to the object; `users` says which."""

    what: str
    users: list[dict[str, str]] = field(default_factory=list)
    code = "in_use"

    def __str__(self) -> str:
        names = ", ".join(f"{u['noun'].rstrip('s')} {u['name']}" for u in self.users)
        return f"{self.what} is used by {names}"


@dataclass
class StaleError(StudioError):
    """Somebody else saved in between; `current` is the newer definition."""

    current: dict[str, Any]
    code = "stale"

    def __str__(self) -> str:
        return f"This was saved as revision {self.current.get('revision')} in the meantime"


class ForbiddenError(StudioError):
    """The credentials are good, but not for this."""

    code = "forbidden"


class UnavailableError(StudioError):
    """A part of the studio cannot do this now: disk full, no model, shutting down."""

    code = "unavailable"


class SettingsError(StudioError):
    """The studio refuses to start with these settings."""

    code = "settings"
