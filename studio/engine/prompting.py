"""What a model is sent for one turn: few-shot pairs, a chosen part of the history, and an `ask`.

These are what make small models behave, and they help large ones. Placeholders are filled by one
pass of plain substitution; nothing here is a template language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from .messages import text_of

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_ITEM = re.compile(r"^[^\S\n]*(?:\d{1,3}[.)]|[-*•])[^\S\n]+(\S.*)$", re.MULTILINE)
_CONTROL = re.compile(r"<\|(?:im_start|im_end|endoftext)\|>")


@dataclass(frozen=True, slots=True)
class Example:
    user: str
    assistant: str


@dataclass(frozen=True, slots=True)
class ReplyRule:
    """The form an answer must have.

    starts_with  allowed openings; {list} in one stands for any one item of the latest list
    kind         text (free), sentence, list (of `count` items), choice (one of the list), json
    min_words, max_words   of a sentence behind its opening, or of an item of a list
    commas       False forbids commas in a sentence: small models ramble behind them
    capitals     items of a list are names: capitalised words without an article
    """

    starts_with: tuple[str, ...] = ()
    kind: Literal["text", "sentence", "list", "choice", "json"] = "text"
    count: int = 3
    min_words: int = 1
    max_words: int | None = None
    commas: bool = True
    capitals: bool = False
    schema: dict[str, Any] | None = None

    @property
    def is_free(self) -> bool:
        return self.kind == "text" and not self.starts_with and self.max_words is None


@dataclass(frozen=True, slots=True)
class PromptRules:
    """How an agent is prompted. `history` is "all", "none" or a number of last messages."""

    examples: tuple[Example, ...] = ()
    history: Literal["all", "none"] | int = "all"
    ask: str = ""
    reply: ReplyRule = ReplyRule()

    @property
    def needs_facts(self) -> bool:
        """Reading them off a long history costs time, and most agents use none."""
        r = self.reply
        return bool(self.ask or r.starts_with or r.kind == "choice" or self.history == "none")


@dataclass(frozen=True, slots=True)
class Facts:
    """What placeholders stand for, read off the messages an agent has seen, and the context
    variables; other words in braces stay as they are."""

    task: str
    last: str
    items: tuple[str, ...]
    choice: str
    variables: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def fill(self, template: str) -> str:
        values = {
            **{name: str(value) for name, value in self.variables.items()},
            "task": self.task,
            "last": self.last,
            "list": ", ".join(self.items) or self.last,
            "choice": self.choice,
        }
        return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), template)


def facts(
    messages: list[dict[str, Any]], task: str, variables: Mapping[str, Any] | None = None
) -> Facts:
    """Reads task, last message, latest list (two items or more) and the item chosen since."""
    texts = [text_of(m.get("content")) for m in messages]
    items: tuple[str, ...] = ()
    since = 0
    for i in range(len(texts) - 1, -1, -1):
        found = _items(texts[i])
        if len(found) >= 2:
            items, since = found, i + 1
            break
    last = texts[-1].strip() if texts else task
    return Facts(
        task=in_a_sentence(task),
        last=last,
        items=items,
        choice=_chosen(texts[since:], items),
        variables=dict(variables or {}),
    )


@lru_cache(maxsize=8192)
def _items(text: str) -> tuple[str, ...]:
    """The list items of one message; asked for at every turn that hears it."""
    return tuple(plain(item) for item in _ITEM.findall(text))


def _chosen(texts: list[str], items: tuple[str, ...]) -> str:
    if not items:
        return texts[-1].strip() if texts else ""
    for text in texts:
        lowered = text.lower()
        places = [(lowered.find(item.lower()), item) for item in items]
        mentioned = [(at, item) for at, item in places if at >= 0]
        if mentioned:
            return min(mentioned)[1]
        digits = re.fullmatch(r"\s*#?(\d{1,2})\.?\s*", text)
        if digits and 1 <= int(digits[1]) <= len(items):
            return items[int(digits[1]) - 1]
    return items[0]


def in_a_sentence(task: str) -> str:
    """A task as it stands inside a sentence: "A bakery for dogs." becomes "a bakery for dogs"."""
    task = task.strip().rstrip(".!?").rstrip()
    first = task.split(" ", 1)[0]
    is_common = first in ("A", "An", "The", "My", "Our", "Some") or first.endswith("ing")
    return task[:1].lower() + task[1:] if is_common else task


def plain(item: str) -> str:
    """A list item without the marks of markdown around it."""
    return item.strip().rstrip(".").strip("*_`\"'").strip().rstrip(".")


def clean(text: str) -> str:
    """Text without the control tokens that some chat templates would obey."""
    for _ in range(3):
        stripped = _CONTROL.sub("", text)
        if stripped == text:
            return text
        text = stripped
    return text.replace("<|", "").replace("|>", "")  # nested on purpose: not worth more passes


def prompt_messages(
    system: list[dict[str, Any]], history: list[dict[str, Any]], rules: PromptRules, found: Facts
) -> list[dict[str, Any]]:
    """System message, examples, the chosen history, and the ask as the last word."""
    messages = list(system)
    for example in rules.examples:
        messages.append({"role": "user", "content": example.user})
        messages.append({"role": "assistant", "content": example.assistant})
    if rules.history == "all":
        messages += history
    elif isinstance(rules.history, int):
        messages += history[-rules.history :] if rules.history else []
    ask = rules.ask or ("{last}" if rules.history == "none" else "")
    if ask:
        messages.append({"role": "user", "content": found.fill(ask)})
    return messages
