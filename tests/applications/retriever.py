"""A retriever that compares words: TF-IDF vectors, cosine, no stems and no synonyms."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

Vector = dict[str, float]


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


class Retriever:
    """Ranks paragraphs by their likeness to a question; equal ones keep their order."""

    def __init__(self, paragraphs: Sequence[str]) -> None:
        self.paragraphs = paragraphs
        self._found_in = Counter(w for p in paragraphs for w in set(words(p)))
        self._vectors = [self._vector(p) for p in paragraphs]

    def ranked(self, question: str) -> list[str]:
        """All paragraphs, the most similar first."""
        asked = self._vector(question)
        likeness = [sum(asked.get(w, 0) * x for w, x in v.items()) for v in self._vectors]
        order = sorted(range(len(self.paragraphs)), key=lambda i: -likeness[i])
        return [self.paragraphs[i] for i in order]

    def _vector(self, text: str) -> Vector:
        """Of length 1; words of no paragraph weigh nothing."""
        known = Counter(w for w in words(text) if w in self._found_in)
        total = len(self.paragraphs)
        weights = {w: n * math.log(total / self._found_in[w]) for w, n in known.items()}
        length = math.sqrt(sum(x * x for x in weights.values())) or 1
        return {w: x / length for w, x in weights.items()}
