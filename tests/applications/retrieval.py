"""A2, question answering with retrieval: an assistant that may say UPDATE CONTEXT.

The paper: on 6775 questions of Natural Questions, F1 and recall are 25.88 % and 66.65 % with
interactive retrieval, 22.79 % and 62.59 % without, 15.12 % and 58.56 % for DPR. About 19.4 % of the
questions made the assistant ask for another context.

Reproduced here is the structure: the proxy sends the paragraphs that a lexical retriever finds; the
assistant answers when a sentence of its context does, and says UPDATE CONTEXT when none does and
its prompt allows it. Then the proxy sends the next paragraphs, four times at most. Where the prompt
does not allow it, the assistant answers with the sentence that comes nearest. Recall and F1 compare
words, so whole sentences have a lower F1, as in the paper.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from studio.engine import AssistantAgent, ConversableAgent
from studio.engine.messages import Message

from .retriever import Retriever, words
from .rule_models import RULE_CONFIG, Held, following, hold
from .table import Row, percent
from .town_guide import PARAGRAPHS, QUESTIONS, Question

UPDATE = "UPDATE CONTEXT"
AT_ONCE = 2  # paragraphs of one context
MOST_CONTEXTS = 5  # the first one, and four wider ones
RULES = f"Answer from the context. If it does not hold the answer, say {UPDATE} and nothing else."
RULES_OF_ONE_CONTEXT = "Answer from the context, as well as you can."
UNDERSTOOD = {question.text: question.notions for question in QUESTIONS}


@dataclass(frozen=True)
class RetrievalFigures:
    """Means over all questions, from 0 to 1; `updated` is the share that asked for more."""

    asked: int
    recall: float
    f1: float
    updated: float
    recall_at_once: float
    f1_at_once: float


class RetrievingProxy(ConversableAgent):
    """Sends contexts for one question: the best paragraphs first, the next when it is asked."""

    def __init__(self, retriever: Retriever, question: str, rules: str) -> None:
        super().__init__("retriever", human_input_mode="NEVER")
        self._rules, self._question = rules, question
        self._ranked = retriever.ranked(question)
        self.contexts = 0
        self.register_reply(ConversableAgent, RetrievingProxy.update_context, position=2)

    def next_context(self) -> str:
        start = self.contexts * AT_ONCE
        self.contexts += 1
        context = "\n".join(self._ranked[start : start + AT_ONCE])
        return f"{self._rules}\nQuestion: {self._question}\nContext:\n{context}"

    def update_context(
        self, messages: list[Message], sender: Any, config: Any
    ) -> tuple[bool, str | None]:
        """The next context; silence, which ends the chat, after an answer or the last context."""
        is_wish = messages[-1]["content"].strip().upper() == UPDATE
        is_over = not is_wish or self.contexts == MOST_CONTEXTS
        return True, None if is_over else self.next_context()


def reader(messages: list[Message]) -> str:
    """The sentence of the last context that has every notion of the question, or the nearest."""
    told = messages[-1]["content"]
    rules, asked, context = re.split(r"\nQuestion: |\nContext:\n", told)
    notions = UNDERSTOOD[asked]
    sentences = re.split(r"(?<=\.)\s+", context)
    found = {s: sum(bool(re.search(n, s, re.IGNORECASE)) for n in notions) for s in sentences}
    best = max(sentences, key=lambda sentence: found[sentence])
    return UPDATE if found[best] < len(notions) and UPDATE in rules else best


def ask(retriever: Retriever, question: Question, rules: str = RULES) -> Held:
    proxy = RetrievingProxy(retriever, question.text, rules)
    assistant = AssistantAgent("assistant", llm_config=RULE_CONFIG)
    return hold(proxy, following(assistant, reader), proxy.next_context())


def score(answer: str, gold: str) -> tuple[float, float]:
    """(recall, F1) of the words of an answer."""
    said, wanted = Counter(words(answer)), Counter(words(gold))
    common = sum((said & wanted).values())
    recall, precision = common / wanted.total(), common / said.total()
    return recall, 2 * recall * precision / (recall + precision) if common else 0.0


def _means(chats: Sequence[tuple[Question, Held]]) -> tuple[float, float]:
    scores = [score(held.last_words, question.answer) for question, held in chats]
    recalls, f1s = zip(*scores, strict=True)
    return sum(recalls) / len(scores), sum(f1s) / len(scores)


def run() -> RetrievalFigures:
    """Every question twice: with contexts on demand, and with the first context alone."""
    retriever = Retriever(PARAGRAPHS)
    interactive = [(question, ask(retriever, question)) for question in QUESTIONS]
    at_once = [(question, ask(retriever, question, RULES_OF_ONE_CONTEXT)) for question in QUESTIONS]
    recall, f1 = _means(interactive)
    recall_at_once, f1_at_once = _means(at_once)
    updated = sum(("assistant", UPDATE) in held.log.said for _, held in interactive)
    asked = len(QUESTIONS)
    return RetrievalFigures(asked, recall, f1, updated / asked, recall_at_once, f1_at_once)


def rows(figures: RetrievalFigures) -> list[Row]:
    return [
        Row(
            "interactive, F1 and recall",
            f"{percent(figures.f1)}, {percent(figures.recall)}",
            "25.88 %, 66.65 %",
        ),
        Row(
            "one context, F1 and recall",
            f"{percent(figures.f1_at_once)}, {percent(figures.recall_at_once)}",
            "22.79 %, 62.59 %",
        ),
        Row("questions that updated the context", percent(figures.updated), "19.4 %"),
    ]
