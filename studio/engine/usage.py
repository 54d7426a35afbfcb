"""What models cost: tokens and USD by model, with cached replies and without."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

NANO = 1_000_000_000
Summary = dict[str, Any]
"""{"total_cost": USD, "<model>": {"cost", "prompt_tokens", "completion_tokens", "total_tokens"}}"""


@dataclass
class Usage:
    """The calls of one agent. `total` counts cached replies too, `actual` does not."""

    total: Summary = field(default_factory=dict)
    actual: Summary = field(default_factory=dict)

    def add(self, result: dict[str, Any]) -> None:
        """Counts one answered call (the result of `call_model`)."""
        _add(self.total, result)
        if not result.get("cached"):
            _add(self.actual, result)


def _add(summary: Summary, result: dict[str, Any]) -> None:
    cost = result["cost_nano"] / NANO
    sent, written = result["prompt_tokens"], result["completion_tokens"]
    _merge(summary, result.get("served") or result["model"], cost, sent, written)


def _merge(summary: Summary, model: str, cost: float, sent: int, written: int) -> None:
    summary["total_cost"] = summary.get("total_cost", 0) + cost
    one = summary.setdefault(
        model, {"cost": 0, "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    )
    one["cost"] += cost
    one["prompt_tokens"] += sent
    one["completion_tokens"] += written
    one["total_tokens"] += sent + written


def gather_usage_summary(agents: Iterable[Any]) -> dict[str, Summary]:
    """The usage of several agents together.

    Returns {"usage_including_cached_inference": ..., "usage_excluding_cached_inference": ...}; the
    shapes are `Summary`.
    """
    including: Summary = {"total_cost": 0}
    excluding: Summary = {"total_cost": 0}
    for agent in agents:
        for summary, of_agent in ((including, agent.usage.total), (excluding, agent.usage.actual)):
            for model, one in of_agent.items():
                if model != "total_cost":
                    _merge(
                        summary, model, one["cost"], one["prompt_tokens"], one["completion_tokens"]
                    )
    return {
        "usage_including_cached_inference": including,
        "usage_excluding_cached_inference": excluding,
    }
