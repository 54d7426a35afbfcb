"""Slows down who guesses login tokens: after some wrong ones an address must wait."""

from __future__ import annotations

import time
from collections import OrderedDict, deque

TRIES, SECONDS = 10, 300.0
MOST_ADDRESSES = 10_000


class LoginLimit:
    """Counts wrong tokens by the peer's own address, never by a header that it sends."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, address: str) -> int:
        """Seconds that this address must wait; 0 when it may try."""
        tries = self._wrong.get(address)
        if not tries or len(tries) < TRIES:
            return 0
        return max(0, int(tries[0] + SECONDS - time.monotonic()) + 1)

    def wrong(self, address: str) -> None:
        tries = self._wrong.setdefault(address, deque(maxlen=TRIES))
        tries.append(time.monotonic())
        self._wrong.move_to_end(address)
        while len(self._wrong) > MOST_ADDRESSES:
            self._wrong.popitem(last=False)

    def right(self, address: str) -> None:
        self._wrong.pop(address, None)
