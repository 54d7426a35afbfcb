"""What does the engine add to the bare model calls of a chat, in CPU a turn?

    python -m tests.benchmarks.engine_overhead [--beside PYTHON] [--beside-ag2 PYTHON]

A round robin of four agents and a chat of two, on a model that answers at once from a process of
its own. Each engine runs in a child process, silent; its bare calls are the same requests, sent one
after the other by the client that it uses, without an engine. Ours streams, as always; the others
ask for whole answers, as they do when not told otherwise. The environments of the others, whose
Python is given to --beside and --beside-ag2, come from

    python3 -m venv PEER && PEER/bin/pip install 'autogen-agentchat==0.7.5' 'autogen-ext[openai]==0.7.5'
    python3 -m venv AG2 && AG2/bin/pip install 'ag2[openai]==0.14.*'

Figures of one machine mean little by themselves, so the last lines are ratios; above 1 is better
than our budget. A chat of 1,000 turns takes the others minutes.
"""  # noqa: E501 - commands to copy

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .engine_peers import NAMES, Measured

ROOT = Path(__file__).parents[2]
TURNS = (50, 200, 1000)
BUDGET = 0.3  # ms of overhead a turn at 50 turns
GROWTH, GROWTH_MS = 2.0, 0.15  # from 50 to 1,000 turns: at most this factor, or this much more


@contextmanager
def fake_model() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.benchmarks.fake_model"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as fake:
        assert fake.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(fake.stdout.readline())}/v1"
        finally:
            fake.terminate()


def measured(python: str, engine: str, model: str, turns: str) -> Iterator[Measured]:
    """Each chat as soon as it is done. AG2 prints a line even when silent: only JSON is read."""
    module = "tests.benchmarks.engine_peers"
    command = [python, "-W", "ignore", "-m", module, engine, model, turns]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith("{"):
                yield Measured(**json.loads(line))
    if child.returncode:
        raise RuntimeError(f"{engine} could not be measured by {python}")


def row(engine: str, one: Measured) -> str:
    return (
        f"{one.chat:12} {one.turns:5} {engine:14} {one.gross:9.2f} {one.bare:9.2f}"
        f" {one.overhead:9.2f} {one.outside:9.2f}"
    )


def kept(ours: list[Measured], chat: str) -> tuple[str, bool]:
    """Our budget for one kind of chat, as ratios, and whether both parts are kept.

    The growth is that of `outside`: in long chats `adds` is a small difference of large figures.
    """
    of_chat = sorted((one for one in ours if one.chat == chat), key=lambda one: one.turns)
    short, long = of_chat[0], of_chat[-1]
    adds = max(short.overhead, short.outside)
    allowed = max(GROWTH * short.outside, short.outside + GROWTH_MS)
    words = (
        f"{chat}: budget {BUDGET:.2f} ms / {adds:.2f} ms at {short.turns} turns = "
        f"{BUDGET / adds:.1f}; growth to {allowed:.2f} ms allowed / {long.outside:.2f} ms outside "
        f"at {long.turns} turns = {allowed / long.outside:.1f}"
    )
    return words, adds <= BUDGET and long.outside <= allowed


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--beside", help="the Python of an environment with AutoGen 0.7.5")
    parser.add_argument("--beside-ag2", help="the Python of an environment with AG2 0.14")
    parser.add_argument("--turns", default=",".join(map(str, TURNS)), help="lengths of the chats")
    given = parser.parse_args()
    engines = {"ours": ("ours", sys.executable), "AutoGen 0.7.5": ("autogen", given.beside),
               "AG2 0.14": ("ag2", given.beside_ag2)}  # fmt: skip
    print("CPU of a turn in ms: of the whole chat, of its bare calls, what the chat adds to them;")
    print("outside: what it spends outside its own calls, steadier where bare calls are dear\n")
    print(f"{'chat':12} turns {'engine':14}     gross      bare      adds   outside")
    ours: list[Measured] = []
    with fake_model() as model:
        for name, (engine, python) in engines.items():
            for one in measured(python, engine, model, given.turns) if python else ():
                print(row(name, one), flush=True)
                if engine == "ours":
                    ours.append(one)
    verdicts = [kept(ours, chat) for chat in NAMES]
    print()
    print("\n".join(words for words, _ in verdicts))
    return 0 if all(is_kept for _, is_kept in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
