"""How the built-in cards do on the built-in model: 12 tasks x 3 seeds for each.

    python -m tests.benchmarks.gallery_cards [--tasks 12] [--seeds 3] [--transcripts FILE]

Counts turns that are cut, empty or repeating; the aim is at most 5 %. Runs the studio's own parts
in this process, with the gallery's own definitions and the real model; takes some minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

from studio.app import make_services
from studio.config import load_settings
from studio.definitions.models import ModelInput
from studio.runner.local_model import BuiltInModel
from studio.runner.runner import Start
from studio.store import events
from studio.store.samples import install_samples, sample_ids
from studio.store.tables import OWNER
from studio.streaming.follow import follow
from tests.conftest import ROOT

TASKS = {
    "Name Studio": [
        "a coffee shop on a boat", "a bakery for dogs", "a bookshop in a train station",
        "a gym for grandmothers", "a hotel for cats", "a school for magicians",
        "an ice cream truck", "a repair shop for old radios", "a garden on a roof",
        "a cinema under the stars", "a bar on the moon", "a museum of buttons",
    ],
    "Pros and Cons": [
        "working from home", "owning a cat", "living by the sea", "learning the piano",
        "eating late", "riding a bicycle to work", "school uniforms", "getting up early",
        "moving to a small town", "reading on a screen", "camping in winter", "keeping bees",
    ],
}  # fmt: skip


def faults(text: str, earlier: list[str]) -> set[str]:
    """What is wrong with one turn: cut, empty, repeating."""
    stripped = text.strip()
    if not stripped:
        return {"empty"}
    items = re.findall(r"^\d+\. (.+)$", stripped, re.MULTILINE)
    found = set()
    if items:
        if len(items) != 3:
            found.add("cut")
        if len({i.lower() for i in items}) < len(items):
            found.add("repeating")
    elif stripped[-1] not in ".!?":
        found.add("cut")
    words = re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", stripped.lower())
    triples = Counter(zip(words, words[1:], words[2:], strict=False))
    twice = any(a == b for a, b in pairwise(words))
    if stripped in earlier or twice or any(n > 1 for n in triples.values()):
        found.add("repeating")
    return found


async def run(options: argparse.Namespace) -> None:
    home = Path(tempfile.mkdtemp())
    weights = BuiltInModel(ROOT / ".cache")
    if not weights.is_fetched:
        await weights.fetch()
    (home / "models").mkdir(parents=True)
    (home / "models" / weights.path.name).symlink_to(weights.path)
    services = make_services(load_settings(home=home))
    await install_samples(services.catalog, OWNER)
    ids = await sample_ids(services.catalog, OWNER)
    base = await services.catalog.get(OWNER, "models", ids["models/SmolLM2"])
    written: list[str] = []
    for card, tasks in TASKS.items():
        counts: Counter[str] = Counter()
        for seed in range(1, options.seeds + 1):
            body = base | {"name": f"{card} seed {seed}",
                           "parameters": base["parameters"] | {"seed": seed}}  # fmt: skip
            given = ModelInput.model_validate(body)
            model = await services.catalog.create(OWNER, "lab", "models", given)
            exchange = {ids["models/SmolLM2"]: str(model["id"])}
            for task in tasks[: options.tasks]:
                start = Start(ids[f"workflows/{card}"], task, models=exchange)
                said = await _conversation(services, start)
                counts.update(_count(said))
                if seed == 2 and len(written) < 5 * len(TASKS) and task in tasks[:5]:
                    written.append(_transcript(card, task, said))
        turns = counts.pop("turns")
        bad = counts.pop("bad")
        print(f"{card}: {bad} of {turns} turns with a fault ({100 * bad / turns:.1f} %) "
              f"{dict(counts)}", flush=True)  # fmt: skip
    if options.transcripts:
        options.transcripts.write_text("\n".join(written))
    await services.runner.close()
    services.database.close()


async def _conversation(services: Any, start: Start) -> list[dict[str, Any]]:
    session = await services.runner.start(OWNER, "lab", start)
    async for _ in follow(services.database, services.bus, session.id):
        pass
    rows = await services.database.read(lambda c: events.after(c, session.id, 0))
    return [row.data() for row in rows if row.kind == "message"]


def _count(said: list[dict[str, Any]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    earlier: list[str] = []
    for message in said[1:]:
        found = faults(message["content"], earlier)
        earlier.append(message["content"].strip())
        counts.update(found)
        counts["turns"] += 1
        counts["bad"] += bool(found)
    return counts


def _transcript(card: str, task: str, said: list[dict[str, Any]]) -> str:
    lines = [f"### {card}: {task}", ""]
    for message in said[1:]:
        content = message["content"].replace("\n", "; ")
        lines.append(f"- **{message['agent']}**: {content}")
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--transcripts", type=Path)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
