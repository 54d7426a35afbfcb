"""The secrets that this process can read: opened once, used by model calls, masked elsewhere."""

from __future__ import annotations

import base64
import html
import time
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

import orjson

from . import secrets
from .database import Database
from .secrets import OpenSecret, Vault

MASK = "[secret]"
SHORTEST = 8  # a shorter value would also hide ordinary words
FRESH_SECONDS = 5.0  # another process on the same database may have changed one


class Mask:
    """Replaces known values, also when they were escaped or encoded on their way."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        found: set[str] = set()
        for value in values:
            if len(value) >= SHORTEST:
                found |= _forms(value)
        self.forms = sorted(found, key=len, reverse=True)

    def text(self, text: str) -> str:
        for form in self.forms:
            if form in text:
                text = text.replace(form, MASK)
        return text

    def open_end(self, text: str) -> int:
        """How many characters at the end of a text may be the beginning of a known value."""
        longest = 0
        for form in self.forms:
            for length in range(min(len(text), len(form) - 1), longest, -1):
                if text.endswith(form[:length]):
                    longest = length
                    break
        return longest


def _forms(value: str) -> set[str]:
    """A value as it stands in plain text, JSON, HTML, a URL and a Basic header."""
    data = value.encode()
    return {
        value,
        orjson.dumps(value).decode()[1:-1],
        html.escape(value),
        quote(value, safe=""),
        base64.b64encode(data).decode().rstrip("="),
        base64.urlsafe_b64encode(data).decode().rstrip("="),
    }


@dataclass(frozen=True, slots=True)
class _Opened:
    changes: int
    until: float
    secrets: dict[str, OpenSecret]
    mask: Mask


class KnownSecrets:
    """Opens an owner's secrets when first asked, and again after one has changed.

    `always` are values that are no rows, like the token of the settings.
    """

    def __init__(self, database: Database, vault: Vault, always: Iterable[str] = ()) -> None:
        self.database, self.vault, self.always = database, vault, tuple(always)
        self._opened: dict[str, _Opened] = {}

    async def key(self, owner: str, name: str, destination: str) -> str | None:
        """The value, only for the destination it was entered for."""
        found = (await self._of(owner)).secrets.get(name)
        if found is None or found.destination not in ("", destination):
            return None
        return found.value

    async def mask(self, owner: str) -> Mask:
        return (await self._of(owner)).mask

    def mask_now(self, text: str) -> str:
        """Masks what is known at this moment, for places that cannot wait, like the log."""
        opened = list(self._opened.values())
        for mask in [o.mask for o in opened] or [Mask(self.always)]:
            text = mask.text(text)
        return text

    async def _of(self, owner: str) -> _Opened:
        opened = self._opened.get(owner)
        changes, now = self.vault.changes, time.monotonic()
        if opened is None or opened.changes != changes or opened.until < now:
            found = await self.database.read(lambda c: secrets.opened(c, self.vault, owner))
            mask = Mask([*self.always, *(s.value for s in found.values())])
            opened = self._opened[owner] = _Opened(changes, now + FRESH_SECONDS, found, mask)
        return opened
