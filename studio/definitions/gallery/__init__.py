"""The shipped examples, one bundle a file; and what their cards say."""

from __future__ import annotations

from importlib.resources import files

MODELS = "_models"
MADE_FOR_BUILT_IN = frozenset(
    {
        "Name Studio", "Name Studio with you", "Names side by side", "Pros and Cons", "Weigh it up",
    }
)  # fmt: skip
PAPER = frozenset(
    {
        "Mathematics with code", "Answers from documents", "Text world with grounding",
        "Commander writer and safeguard", "Dynamic group chat", "Conversational chess",
    }
)  # fmt: skip
SCRIPTED = "Meet a team"
SCRIPTED_TASK = "Plan a street party for our block"
EXAMPLES = {
    "Name Studio": "a coffee shop on a boat",
    "Name Studio with you": "a bakery for dogs",
    "Pros and Cons": "working from home",
    "Names side by side": "a garden on a roof",
    "Weigh it up": "learning the piano",
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
    "Report in three steps": "How do honey bees tell each other where to find flowers?",
    "Two reviews and a rewrite": "Explain to a ten-year-old why the sky is blue.",
    "Writer with an inner critic": "A story about a lighthouse keeper who is afraid of the dark.",
    "Support desk": "I was charged twice in March, and nobody has answered my letter.",
    "A committee that speaks as one": "Should the old car park become a playground?",
    "Approve before it goes out": "Invite the members to the summer fair on Saturday at three.",
    "Mathematics with code": (
        "What is the sum of all natural numbers below 1000 that are multiples of 3 or 5?"
    ),
    "Answers from documents": "Who drew the plans of the lighthouse of Halmstow?",
    "Text world with grounding": "Your task is to put a clean mug on the desk.",
    "Commander writer and safeguard": (
        "What does the cheapest supply cost when west needs ten sacks more?"
    ),
    "Dynamic group chat": "Which numbers below 10,000 are prime when read forwards and backwards?",
    "Conversational chess": "Let us play a game of chess. You are white.",
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
