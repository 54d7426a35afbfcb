"""What an agent remembers: the messages of each chat, and how often it answered by itself."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from .context import current_context
from .errors import DefinitionError
from .events import MessageSent
from .messages import KEPT_KEYS, Message, Plain, as_message, has_calls, told
from .usage import Usage

if TYPE_CHECKING:
    from .agents import ConversableAgent

MAX_CONSECUTIVE_AUTO_REPLY = 100


class Memory:
    """The part of an agent that stores and forgets."""

    name: str
    chat_messages: dict[ConversableAgent, list[Message]]
    human_input: list[str]
    reply_at_receive: dict[ConversableAgent, bool]
    plain = Plain()  # of the chat that the models were last asked about
    usage: Usage
    _limit: int
    _limits: dict[ConversableAgent, int]
    _auto_replies: dict[ConversableAgent, int]

    def begin_memory(
        self, chat_messages: Mapping[ConversableAgent, list[Message]], limit: int | None
    ) -> None:
        """Starts with what was said before; `limit` counts auto replies per sender."""
        self.chat_messages = defaultdict(list, chat_messages)
        self.human_input = []
        self.reply_at_receive = defaultdict(bool)
        self._limit = MAX_CONSECUTIVE_AUTO_REPLY if limit is None else limit
        self._limits = {}
        self._auto_replies = defaultdict(int)

    # -- sending and storing

    def store(self, message: str | Mapping[str, Any], peer: ConversableAgent, *, own: bool) -> None:
        """Keeps a message of the chat with `peer`: our own words, or theirs."""
        given = as_message(message)
        kept = {k: given[k] for k in KEPT_KEYS if given.get(k) is not None}
        if "content" not in kept:
            if not has_calls(kept) and given.get("content") is None:
                raise DefinitionError(f"{self.name} has a message with neither content nor calls")
            kept["content"] = None
        role = given.get("role")
        if role in ("tool", "function"):
            kept["role"] = role
            if role == "tool" and "name" not in given:
                kept.pop("name", None)
        else:
            kept["role"] = given.get("override_role") or ("assistant" if own else "user")
            if has_calls(kept):
                kept["role"] = "assistant"
            else:
                kept.setdefault("name", self.name if own else peer.name)
        self.chat_messages[peer].append(kept)

    def deliver(
        self, message: str | Mapping[str, Any], recipient: ConversableAgent, *, silent: bool = False
    ) -> None:
        """Stores a message on both sides; unless silent, it is a turn that everybody sees."""
        self.store(message, recipient, own=True)
        recipient.store(message, cast("ConversableAgent", self), own=False)
        if silent:
            return
        given = as_message(message)
        context = current_context()
        turn, attempt = context.finish_turn()
        context.heard(self.name, told(given))
        role = given.get("role")
        context.emit(
            MessageSent(
                turn=turn,
                attempt=attempt,
                agent=self.name,
                to=recipient.name,
                content=told(given),
                tool_calls=given.get("tool_calls"),
                tool_responses=given.get("tool_responses"),
                function_call=given.get("function_call"),
                role=role if role in ("tool", "function") else None,
            )
        )

    def last_message(self, peer: ConversableAgent | None = None) -> Message | None:
        """The last message of the chat with `peer`; of the only chat there is when it is None.

        Raises DefinitionError when there are several chats, or none with this peer.
        """
        if peer is None:
            if len(self.chat_messages) > 1:
                raise DefinitionError(
                    f"{self.name} has spoken with several agents; say whose last message is meant"
                )
            return next((m[-1] for m in self.chat_messages.values() if m), None)
        messages = self.chat_messages.get(peer)
        return messages[-1] if messages else None

    # -- counting replies

    def auto_replies(self, sender: ConversableAgent) -> int:
        """How many auto replies this sender has had in a row."""
        return self._auto_replies[sender]

    def count_auto_reply(self, sender: ConversableAgent) -> None:
        self._auto_replies[sender] += 1

    def reset_consecutive_auto_reply_counter(self, sender: ConversableAgent | None = None) -> None:
        """For one sender, or for all."""
        if sender is None:
            self._auto_replies.clear()
        else:
            self._auto_replies[sender] = 0

    def max_consecutive_auto_reply(self, sender: ConversableAgent | None = None) -> int:
        return self._limit if sender is None else self._limits.get(sender, self._limit)

    def update_max_consecutive_auto_reply(
        self, value: int, sender: ConversableAgent | None = None
    ) -> None:
        if sender is None:
            self._limit = value
            self._limits.clear()
        else:
            self._limits[sender] = value

    # -- memory

    def clear_history(
        self,
        recipient: ConversableAgent | None = None,
        nr_messages_to_preserve: int | None = None,
    ) -> None:
        """Forgets the chat with one agent, or all chats but their last messages (ENGINE 1.7).

        A tool's answer that would come first keeps the call before it.
        """
        if recipient is not None:
            if nr_messages_to_preserve:
                warnings.warn(
                    "A chat with one agent is forgotten whole: nr_messages_to_preserve is ignored",
                    stacklevel=2,
                )
            self.chat_messages[recipient].clear()
            return
        for messages in self.chat_messages.values():
            keep = nr_messages_to_preserve or 0
            if keep and len(messages) > keep and "tool_responses" in messages[-keep]:
                keep += 1
            del messages[: len(messages) - keep if keep else None]

    def reset(self) -> None:
        """Forgets all chats, counters and what people answered."""
        self.clear_history()
        self.human_input.clear()
        self.reset_consecutive_auto_reply_counter()
        self.reply_at_receive.clear()
        self.usage = Usage()
