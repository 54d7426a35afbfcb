"""The reply pipeline: an ordered list of reply functions, each with a trigger."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import code_replies, model_replies, replies, tools
from .errors import DefinitionError
from .messages import Message
from .sync import call_plain, is_sync

if TYPE_CHECKING:
    from .agents import ConversableAgent

ReplyFunction = Callable[..., Any]
"""(agent, messages, sender, config) -> (final, reply), awaitable or not."""
Trigger = Any
"""A class, an agent, an agent's name, a predicate of the sender, None, or a list of these."""

HOOKS = (
    "process_last_received_message",
    "a_process_last_received_message",
    "process_all_messages_before_reply",
    "a_process_all_messages_before_reply",
    "process_message_before_send",
    "a_process_message_before_send",
)


def matches(trigger: Trigger, sender: ConversableAgent | None) -> bool:
    """Whether a trigger fires for a sender (ENGINE 1.2).

    Raises DefinitionError for a trigger that is of no known kind, and for a name without a sender.
    """
    if trigger is None:
        return sender is None
    if isinstance(trigger, str):
        if sender is None:
            raise DefinitionError("A trigger that is a name needs a sender")
        return trigger == sender.name
    if isinstance(trigger, type):
        return isinstance(sender, trigger)
    if isinstance(trigger, list | tuple):
        return any(matches(one, sender) for one in trigger)
    if hasattr(trigger, "chat_messages"):
        return trigger is sender
    if callable(trigger):
        fires = trigger(sender)
        if fires not in (True, False):
            raise DefinitionError(f"The trigger {trigger!r} must return True or False")
        return bool(fires)
    raise DefinitionError(f"{trigger!r} cannot trigger a reply function")


@dataclass
class Entry:
    """A reply function in its place. `width` is how many places AutoGen 0.2 would count for it,
    `anywhere` says that it is a coroutine of ours, fit for sync chats too."""

    function: ReplyFunction
    trigger: Trigger = None
    config: Any = None
    initial: Any = None
    reset_config: Callable[[Any], Any] | None = None
    ignore_async: bool = False
    built_in: bool = False
    width: int = 1
    anywhere: bool = False

    @property
    def is_async(self) -> bool:
        """Whether it belongs to async chats only: a sync chat passes over it."""
        is_theirs = not (self.built_in or self.anywhere)
        return is_theirs and inspect.iscoroutinefunction(self.function)

    def fires(self, sender: ConversableAgent | None) -> bool:
        if self.is_async and is_sync():
            return False
        return self.built_in or matches(self.trigger, sender)

    async def called(
        self, agent: ConversableAgent, messages: list[Message], sender: Any
    ) -> replies.Reply:
        given = {"messages": messages, "sender": sender, "config": self.config}
        if inspect.iscoroutinefunction(self.function):
            reply = await self.function(agent, **given)
        else:
            reply = await call_plain(self.function, agent, **given)
            if inspect.isawaitable(reply):
                reply = await reply
        answered: replies.Reply = reply
        return answered

    def reset(self) -> None:
        if self.reset_config is not None:
            self.reset_config(self.config)
        elif not self.built_in:
            self.config = copy.copy(self.initial)


@dataclass
class Pipeline:
    """Asked in order; the first that calls itself final gives the reply."""

    entries: list[Entry] = field(default_factory=list)

    @classmethod
    def standard(cls, *, runs_code: bool) -> Pipeline:
        """Termination and people, functions, tools, code, model (ENGINE 1.2)."""
        functions: list[tuple[ReplyFunction, int]] = [
            (replies.termination_and_human, 2), (tools.function_call, 2), (tools.tool_calls, 2),
            (code_replies.code_execution, 1), (model_replies.model, 2),
        ]  # fmt: skip
        if not runs_code:
            del functions[3]
        return cls([Entry(f, built_in=True, width=width) for f, width in functions])

    def insert(self, entry: Entry, position: int = 0) -> None:
        """Before what stands at `position`, counted as AutoGen 0.2 counts: built-ins twice."""
        counted = 0
        for index, other in enumerate(self.entries):
            counted += other.width
            if counted > position:
                self.entries.insert(index, entry)
                return
        self.entries.append(entry)

    def remove_all(self) -> None:
        self.entries.clear()

    def reset(self) -> None:
        for entry in self.entries:
            entry.reset()

    def check_sync(self) -> None:
        """RuntimeError when a sync chat would skip a reply function that is a coroutine."""
        if not is_sync():
            return
        bad = [e for e in self.entries if e.is_async and not e.ignore_async]
        if bad:
            names = ", ".join(e.function.__name__ for e in bad)
            raise RuntimeError(
                f"Async reply functions can only be used in async chats (a_initiate_chat): {names}"
            )
