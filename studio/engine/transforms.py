"""Changes to the history just before a model sees it; what is stored stays as it is.

    TransformMessages([MessageHistoryLimiter(max_messages=10)]).add_to_agent(agent)

The names are those of AutoGen 0.2's capability. Tokens are estimates of four characters a token
unless a `count` is given. No transform changes the messages it is given.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Protocol

from .llm.config_list import filter_config
from .llm.models import estimate_tokens
from .messages import Message

HOOK = "process_all_messages_before_reply"


class MessageTransform(Protocol):
    """One change. `get_logs` tells in words what it did, and whether it did anything."""

    def apply_transform(self, messages: list[Message]) -> list[Message]: ...

    def get_logs(
        self, pre_transform_messages: list[Message], post_transform_messages: list[Message]
    ) -> tuple[str, bool]: ...


class Hookable(Protocol):
    """What a capability needs of an agent."""

    def register_hook(
        self, hookable_method: str, hook: Callable[[list[Message]], list[Message]]
    ) -> Any: ...


class TransformMessages:
    """The transforms of an agent, one after the other.

    A system message at the start is exempt. `verbose` tells one line for each transform that
    changed something, to `say`.
    """

    def __init__(
        self,
        transforms: Iterable[MessageTransform] = (),
        verbose: bool = True,
        *,
        say: Callable[[str], object] = print,
    ) -> None:
        self._transforms = list(transforms)
        self._verbose = verbose
        self._say = say

    def add_to_agent(self, agent: Hookable) -> None:
        agent.register_hook(hookable_method=HOOK, hook=self.transform)

    def transform(self, messages: list[Message]) -> list[Message]:
        """The messages as the model shall see them, as copies all the way down."""
        exempt = 1 if messages and messages[0].get("role") == "system" else 0
        system, now = messages[:exempt], copy.deepcopy(messages[exempt:])
        for transform in self._transforms:
            # The copy is for transforms of others, which may change what they get.
            before = copy.deepcopy(now) if self._verbose else now
            now = transform.apply_transform(now)
            if self._verbose:
                text, changed = transform.get_logs(before, now)
                if changed:
                    self._say(text)
        return copy.deepcopy(system) + now


class MessageHistoryLimiter:
    """Keeps the last `max_messages` (None: all), and of these the first when asked to.

    What is kept of the end never begins with a tool's result, whose call would be missing; so it
    may be fewer, and none at all when one message is allowed and a result is the last.
    Raises ValueError for a limit below 1.
    """

    def __init__(self, max_messages: int | None = None, keep_first_message: bool = False) -> None:
        if max_messages is not None and max_messages < 1:
            raise ValueError("max_messages must be None or at least 1")
        self._max_messages = max_messages
        self._keep_first = keep_first_message

    def apply_transform(self, messages: list[Message]) -> list[Message]:
        limit = self._max_messages
        if limit is None or len(messages) <= limit:
            return messages
        first = messages[:1] if self._keep_first else []
        return first + _without_orphans(messages[len(messages) - limit + len(first) :])

    def get_logs(
        self, pre_transform_messages: list[Message], post_transform_messages: list[Message]
    ) -> tuple[str, bool]:
        before, after = len(pre_transform_messages), len(post_transform_messages)
        return f"History limited: {before} messages became {after}", after < before


class MessageTokenLimiter:
    """Shortens each message to `max_tokens_per_message` and all of them to `max_tokens`.

    Messages are taken newest first; the one that does not fit into what is left of `max_tokens` is
    cut to it and older ones are dropped. Nothing is done below `min_tokens` in all. Cutting keeps
    the beginning; images of a list are kept and cost nothing; messages without content are kept as
    long as newer ones fit. `filter_dict` names messages that are counted, but not cut (those that
    do not match with `exclude_filter=False`).

    AutoGen 0.2 reserves `max_tokens_per_message` for every message, so that without it only the
    newest one survives a `max_tokens`; here a message costs what it holds. `model` is accepted for
    its sake: without a tokenizer there is no limit to look up.
    `count` gives the tokens of a text. Raises ValueError for limits that contradict each other.
    """

    def __init__(
        self,
        max_tokens_per_message: int | None = None,
        max_tokens: int | None = None,
        min_tokens: int | None = None,
        model: str = "gpt-3.5-turbo-0613",
        filter_dict: Mapping[str, Any] | None = None,
        exclude_filter: bool = True,
        *,
        count: Callable[[str], int] | None = None,
    ) -> None:
        for name, limit in (
            ("max_tokens_per_message", max_tokens_per_message),
            ("max_tokens", max_tokens),
            ("min_tokens", min_tokens),
        ):
            if limit is not None and limit < 0:
                raise ValueError(f"{name} must be None or at least 0")
        if max_tokens is not None and (min_tokens or 0) > max_tokens:
            raise ValueError("min_tokens must not be more than max_tokens")
        self.model = model
        self._each = math.inf if max_tokens_per_message is None else max_tokens_per_message
        self._all = math.inf if max_tokens is None else max_tokens
        self._min_tokens = min_tokens or 0
        self._filter = (filter_dict, exclude_filter)
        self._count = count or _estimate

    def apply_transform(self, messages: list[Message]) -> list[Message]:
        if self._tokens(messages) < self._min_tokens:
            return messages
        kept: list[Message] = []
        left = self._all
        for message in reversed(messages):
            content = message.get("content")
            if not isinstance(content, str | list):
                kept.insert(0, message)
                continue
            tokens: float = self._cost(content)
            if _is_chosen(message, *self._filter):
                if tokens and left <= 0:
                    break
                wanted = min(tokens, self._each)
                if tokens > min(wanted, left):
                    content = self._cut(content, int(min(wanted, left)))
                    message, tokens = {**message, "content": content}, self._cost(content)
                if wanted > left:
                    kept.insert(0, message)
                    break
            kept.insert(0, message)
            left -= tokens
        return kept if len(kept) == len(messages) else _without_orphans(kept)

    def get_logs(
        self, pre_transform_messages: list[Message], post_transform_messages: list[Message]
    ) -> tuple[str, bool]:
        before, after = self._tokens(pre_transform_messages), self._tokens(post_transform_messages)
        return f"Tokens limited: {before} became {after}", after < before

    def _tokens(self, messages: list[Message]) -> int:
        return sum(self._cost(message.get("content")) for message in messages)

    def _cost(self, content: Any) -> int:
        return sum(self._count(text) for text in _texts(content))

    def _cut(self, content: str | list[Any], tokens: int) -> str | list[Any]:
        """The beginning of the content that has so many tokens: the parts of a list share them."""
        if isinstance(content, str):
            return self._beginning(content, tokens)
        parts = []
        for part in content:
            if _is_text(part):
                text = self._beginning(part["text"], tokens)
                tokens -= self._count(text)
                if text:  # servers refuse empty parts
                    parts.append({**part, "text": text})
            else:
                parts.append(part)
        return parts

    def _beginning(self, text: str, tokens: int) -> str:
        if tokens <= 0 or self._count(text) <= tokens:
            return text if tokens > 0 else ""
        fits, exceeds = 0, len(text)
        while exceeds - fits > 1:
            middle = (fits + exceeds) // 2
            if self._count(text[:middle]) <= tokens:
                fits = middle
            else:
                exceeds = middle
        return text[:fits]


class TextMessageContentName:
    """Writes the author's name into the text, for models and servers that drop `name`.

    `format_string` holds {name}; it goes before (`position` "start") or behind ("end") the text, in
    a list to the first or last text part. `deduplicate` leaves text alone that has it already.
    Messages without content or name are left as they are; `filter_dict` as in
    `MessageTokenLimiter`. Raises ValueError for another position or format.
    """

    def __init__(
        self,
        position: Literal["start", "end"] = "start",
        format_string: str = "{name}:\n",
        deduplicate: bool = True,
        filter_dict: Mapping[str, Any] | None = None,
        exclude_filter: bool = True,
    ) -> None:
        if position not in ("start", "end"):
            raise ValueError(f'position must be "start" or "end", not {position!r}')
        try:
            named = "a name" in format_string.format(name="a name")
        except (LookupError, ValueError) as error:
            raise ValueError(f"format_string cannot be filled: {error!r}") from None
        if not named:
            raise ValueError("format_string must hold {name}")
        self._position = position
        self._format = format_string
        self._deduplicate = deduplicate
        self._filter = (filter_dict, exclude_filter)

    def apply_transform(self, messages: list[Message]) -> list[Message]:
        return [self._with_name(message) for message in messages]

    def get_logs(
        self, pre_transform_messages: list[Message], post_transform_messages: list[Message]
    ) -> tuple[str, bool]:
        pairs = zip(pre_transform_messages, post_transform_messages, strict=False)
        changed = sum(before != after for before, after in pairs)
        return f"Names added: {changed} messages changed", changed > 0

    def _with_name(self, message: Message) -> Message:
        content, name = message.get("content"), message.get("name")
        if not any(_texts(content)) or not name or not _is_chosen(message, *self._filter):
            return message
        label = self._format.format(name=name)
        if isinstance(content, str):
            return {**message, "content": self._labelled(content, label)}
        parts = list(content or [])
        places = [index for index, part in enumerate(parts) if _is_text(part)]
        at = places[0] if self._position == "start" else places[-1]
        parts[at] = {**parts[at], "text": self._labelled(parts[at]["text"], label)}
        return {**message, "content": parts}

    def _labelled(self, text: str, label: str) -> str:
        if self._position == "start":
            return text if self._deduplicate and text.startswith(label) else label + text
        return text if self._deduplicate and text.endswith(label) else text + label


def _estimate(text: str) -> int:
    return estimate_tokens(text) if text else 0


def _is_text(part: Any) -> bool:
    return isinstance(part, Mapping) and isinstance(part.get("text"), str)


def _texts(content: Any) -> list[str]:
    if isinstance(content, list):
        return [part["text"] for part in content if _is_text(part)]
    return [content] if isinstance(content, str) else []


def _is_chosen(message: Message, criteria: Mapping[str, Any] | None, exclude: bool) -> bool:
    return bool(filter_config([message], criteria, exclude))


def _without_orphans(messages: list[Message]) -> list[Message]:
    """Without the tools' results at the start: servers refuse a result without its call."""
    start = 0
    while start < len(messages) and messages[start].get("role") == "tool":
        start += 1
    return messages[start:]
