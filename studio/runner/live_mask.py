"""Masks text while it is streamed: a known value may come in pieces."""

from __future__ import annotations

from dataclasses import replace

from ..engine.events import Delta
from ..store.known_secrets import Mask


class LiveMask:
    """One open turn. The end of the text waits while it may be the beginning of a secret."""

    def __init__(self, mask: Mask, first: Delta) -> None:
        self._mask = mask
        self._turn = (first.turn, first.attempt)
        self._heard = first.offset
        self._said = first.offset
        self._waiting = ""

    def continues(self, delta: Delta) -> bool:
        return (delta.turn, delta.attempt, delta.offset) == (*self._turn, self._heard)

    def shown(self, delta: Delta) -> Delta | None:
        """What may be shown now, with offsets of the shown text; None when all of it waits."""
        self._heard += len(delta.text)
        text = self._mask.text(self._waiting + delta.text)
        end = len(text) - self._mask.open_end(text)
        self._waiting = text[end:]
        if not end:
            return None
        shown = replace(delta, offset=self._said, text=text[:end])
        self._said += end
        return shown
