"""What a session has used so far, for its limits."""

from __future__ import annotations

from dataclasses import dataclass

from ..definitions.common import Limits
from ..engine.events import LimitReached
from ..store.events import NANO, NewRow


@dataclass
class Totals:
    messages: int
    tokens: int
    cost_nano: int
    active_ms: int

    def add(self, rows: list[NewRow]) -> None:
        for row in rows:
            self.messages += row.turns
            self.tokens += row.prompt_tokens + row.completion_tokens
            self.cost_nano += row.cost_nano

    def exceeded(self, limits: Limits) -> LimitReached | None:
        used = {
            "max_messages": self.messages,
            "max_tokens": self.tokens,
            "max_cost_usd": self.cost_nano / NANO,
            "max_seconds": self.active_ms / 1000,
        }
        for name, value in used.items():
            most = getattr(limits, name)
            if most is not None and value >= most:
                return LimitReached(limit=name, value=value, max=most)
        return None
