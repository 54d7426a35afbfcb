"""The table of all applications: our figure beside the published one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Row(NamedTuple):
    """One line: what was measured, here and in the paper (arXiv 2308.08155v2)."""

    measure: str
    ours: str
    published: str


def percent(part: float, whole: float = 1.0) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def printed(applications: Iterable[tuple[str, list[Row]]]) -> str:
    """The rows of each application under its name, in columns."""
    lines: list[str] = []
    for name, rows in applications:
        widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
        lines.append(name)
        lines += [
            "  " + "   ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        lines.append("")
    return "\n".join(lines)
