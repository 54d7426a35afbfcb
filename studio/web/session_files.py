"""Files on the page of a session: those that turns made, and those that came with a task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .formats import IMAGES

if TYPE_CHECKING:
    from .session_blocks import Turn


@dataclass(frozen=True, slots=True)
class Made:
    """One version of a file that a turn made, or that came with a task (then `turn` is None).

    number  of the version, from 1
    """

    id: str
    name: str
    media_type: str
    size: int
    at: str
    sha256: str = ""
    number: int = 1
    turn: Turn | None = None

    @property
    def is_image(self) -> bool:
        return self.media_type in IMAGES

    @property
    def short(self) -> str:
        return self.name.rpartition("/")[2]
