"""The shipped examples, one bundle a file; and what their cards say."""

from __future__ import annotations

from importlib.resources import files

MODELS = "_models"
MADE_FOR_BUILT_IN = frozenset({"Name Studio", "Name Studio with you", "Pros and Cons"})
SCRIPTED = "Meet a team"
SCRIPTED_TASK = "Plan a street party for our block"
EXAMPLES = {
    "Name Studio": "a coffee shop on a boat",
    "Name Studio with you": "a bakery for dogs",
    "Pros and Cons": "working from home",
    SCRIPTED: SCRIPTED_TASK,
    "Research team": (
        "Write a 4 paragraph research report about how to use LLMs to enhance personal "
        "productivity?"
    ),
    "Assistant and executor": (
        "What date is today? Compare the year-to-date gain for META and TESLA."
    ),
    "Travel planning": "Plan three days in Nepal in October.",
    "Debate": "Should cities ban private cars from their centres?",
    "Selector team": "Write a short announcement for a library's new opening hours.",
}


def bundles() -> dict[str, str]:
    """The text of every shipped bundle by its slug, the models first."""
    folder = files(__package__)
    found = {
        entry.name.removesuffix(".yaml"): entry.read_text(encoding="utf-8")
        for entry in folder.iterdir()
        if entry.name.endswith(".yaml")
    }
    return {slug: found[slug] for slug in sorted(found, key=lambda s: (s != MODELS, s))}
