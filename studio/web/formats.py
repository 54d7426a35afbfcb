"""How numbers, times and names read on a page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

STATUS_WORDS = {
    "queued": "Queued",
    "running": "Running",
    "waiting": "Waiting for you",
    "paused": "Paused",
    "finished": "Finished",
    "failed": "Failed",
    "stopped": "Stopped",
}
STATUS_LOOK = {"running": "running", "waiting": "waiting", "finished": "done", "failed": "failed"}
KIND_WORDS = {
    "two_agent": "Two agents",
    "group_chat": "Group chat",
    "sequential": "Sequential",
    "graph": "Graph",
    "assistant": "Assistant",
    "user_proxy": "Person",
    "workflow": "Team",
}
SELECTION_WORDS = {
    "round_robin": "Round robin",
    "random": "Random",
    "manual": "You choose",
    "auto": "A model chooses",
    "handoff": "Handoffs",
}


# Kinds of pictures that pages show, SVG among them: only ever as <img>.
IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml"})


def parse_time(at: str) -> datetime:
    return datetime.fromisoformat(at)


def relative(at: str, now: datetime | None = None) -> str:
    """Relative up to a day, then the weekday, then the date."""
    then, now = parse_time(at), now or datetime.now(UTC)
    seconds = (now - then).total_seconds()
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{int(seconds // 60)} min ago"
    if seconds < 86_400:
        return f"{int(seconds // 3600)} h ago"
    if seconds < 7 * 86_400:
        return then.strftime("%A")
    return f"{then.day} {then.strftime('%b' if then.year == now.year else '%b %Y')}"


def clock(at: str) -> str:
    """Wall time in UTC; the page's script shows it in the reader's own zone."""
    return parse_time(at).strftime("%H:%M:%S")


def count(value: int) -> str:
    return f"{value:,}"


def cost(usd: float, *, free: bool = False) -> str:
    if not usd:
        return "free" if free else "–"
    return f"${usd:.4f}" if usd < 1 else f"${usd:,.2f}"


def seconds(value: float) -> str:
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(int(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def initials(name: str) -> str:
    """Two letters: the capitals of a compound name, else its first two."""
    capitals = [c for c in name if c.isupper()]
    if len(capitals) >= 2:
        return "".join(capitals[:2])
    digits = [c for c in name if c.isdigit()]
    if digits and name:
        return f"{name[0].upper()}{digits[-1]}"
    return name[:2].capitalize()


def hue_of(name: str) -> int:
    """A steady hue for a name, where there is no team that gives one."""
    from ..runner.cast import HUES

    return HUES[sum(name.encode()) % len(HUES)]


def plural(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size(number: float) -> str:
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.2f} GB"


def field_name(loc: list[str | int]) -> str:
    """The path to a field as a form names it."""
    return ".".join(str(part) for part in loc)


FILTERS: dict[str, Any] = {
    "relative": relative,
    "clock": clock,
    "count": count,
    "cost": cost,
    "seconds": seconds,
    "initials": initials,
    "hue_of": hue_of,
    "plural": plural,
    "size": size,
    "status_word": lambda s: STATUS_WORDS.get(s, s),
    "status_look": lambda s: STATUS_LOOK.get(s, ""),
    "kind_word": lambda s: KIND_WORDS.get(s, s),
    "selection_word": lambda s: SELECTION_WORDS.get(s, s),
}
