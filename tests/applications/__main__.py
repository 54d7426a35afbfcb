"""The six applications of the AutoGen paper on this engine: our figures beside the published ones.

    python -m tests.applications

Models are rules, so no accuracy here says anything about a model; what can be compared is which way
of working together does better, and what it costs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from . import chess, dynamic_group_chat, math_with_code, retrieval, safeguard, text_world
from .table import Row, printed

APPLICATIONS: dict[str, Callable[[Path], list[Row]]] = {
    "A1 mathematics with code": lambda d: math_with_code.rows(math_with_code.run(d)),
    "A2 retrieval": lambda _: retrieval.rows(retrieval.run()),
    "A3 a world in words": lambda _: text_world.rows(text_world.run()),
    "A4 commander, writer, safeguard": lambda _: safeguard.rows(safeguard.run()),
    "A5 dynamic group chat": lambda d: dynamic_group_chat.rows(dynamic_group_chat.run(d)),
    "A6 conversational chess": lambda _: chess.rows(chess.run()),
}


def main() -> None:
    head = Row("", "here, with rules as models", "published (arXiv 2308.08155v2)")
    with tempfile.TemporaryDirectory() as folder:
        for name, rows in APPLICATIONS.items():
            work_dir = Path(folder) / name.split()[0]
            print(printed([(name, [head, *rows(work_dir)])]), flush=True)


if __name__ == "__main__":
    main()
