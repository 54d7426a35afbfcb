"""Conversations as wholes: a chat of two, a group, a sequence. `graph.py` has the fourth.

Each takes an opening and comes to a summary, so that one can be a step, a node or a nested chat of
another, to any depth. Each has agents of its own: two conversations that run side by side share
nothing but their models.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from .agents import ConversableAgent
from .carryover import with_carryover
from .chats import ChatRequest, converse
from .context import RunContext, current_context, entered, watched
from .events import ChatEnded, ChatStarted
from .handoff_group import HandoffGroup
from .llm.call import LLM
from .manager import GroupChatManager
from .messages import Message, text_of
from .stopping import StopCondition
from .summaries import SUMMARY_PROMPT, reflection
from .termination import TERMINATE

SummaryMethod = Literal["last_msg", "reflection_with_llm", "none"]


@dataclass(frozen=True)
class Held:
    """What a conversation came to, what was said in it, and why it ended."""

    summary: str
    messages: list[Message]
    ended_by: str


@dataclass(kw_only=True)
class Conversation(ABC):
    """summary_method  last_msg, reflection_with_llm or none
    llm             what reflects; a chat of agents also knows their own models
    termination     ends it, chats inside it included
    """

    name: str
    summary_method: SummaryMethod = "last_msg"
    summary_prompt: str | None = None
    llm: LLM | None = None
    termination: StopCondition | None = None

    async def hold(
        self, opening: str, *, clear: bool = True, method: SummaryMethod | None = None
    ) -> Held:
        """Holds it in the running context. `clear` forgets what its agents said before; `method`
        stands for the summary_method."""
        context = current_context()
        context.ended_by, context.task = "", opening
        with watched(self.termination):
            held = await self._held(opening, clear, method or self.summary_method)
        context.ended_by = held.ended_by
        return held

    @abstractmethod
    async def _held(self, opening: str, clear: bool, method: SummaryMethod) -> Held: ...

    def recall(self, messages: Sequence[Message]) -> bool:
        """Tells the agents what was said outside before; False where that is not possible."""
        return False

    async def _summed_up(self, messages: list[Message], result: str, method: SummaryMethod) -> str:
        if method == "last_msg":
            return result
        if method == "none" or not self.llm:
            return ""
        return await reflection(
            self.llm, self.name, messages, self.summary_prompt or SUMMARY_PROMPT
        )


@dataclass(kw_only=True)
class Pair(Conversation):
    """Two agents, or an agent and the manager of a group."""

    initiator: ConversableAgent
    recipient: ConversableAgent
    max_turns: int | None = None

    async def _held(self, opening: str, clear: bool, method: SummaryMethod) -> Held:
        arguments: dict[str, Any] = {"summary_prompt": self.summary_prompt}
        if self.llm:
            arguments["llm"] = self.llm
        request = ChatRequest(
            opening, clear_history=clear, max_turns=self.max_turns, summary_method=method,
            summary_args=arguments,
        )  # fmt: skip
        result = await converse(self.initiator, self.recipient, request)
        group = getattr(self.recipient, "groupchat", None)
        messages = list(group.messages if group else result.chat_history)
        return Held(result.summary, messages, current_context().ended_by)


@dataclass(kw_only=True)
class Group(Pair):
    """A group chat; `recipient` is its manager. It can be told what was said before it."""

    recipient: GroupChatManager

    def recall(self, messages: Sequence[Message]) -> bool:
        group = self.recipient.groupchat
        self.initiator.reset()
        for member in group.agents:
            member.reset()
        self.recipient.reset()
        for message in messages:
            said = {"role": "user", "name": message.get("name") or self.initiator.name,
                    "content": text_of(message.get("content"))}  # fmt: skip
            group.messages.append(said)
            for member in group.agents:
                self.recipient.deliver(said, member, silent=True)
        return True


@dataclass(kw_only=True)
class HandoffTeam(Conversation):
    """A group whose agents hand over to each other; the pattern's user_agent opens it."""

    group: HandoffGroup

    async def _held(self, opening: str, clear: bool, method: SummaryMethod) -> Held:
        group = self.group
        group.begins(anew=clear)
        with group.attached():
            pair = Pair(
                name=self.name, initiator=group.user, recipient=group.manager, llm=self.llm,
                summary_prompt=self.summary_prompt,
            )  # fmt: skip
            return await pair._held(opening, clear, method)


@dataclass(frozen=True)
class SequenceStep:
    """{task} in `message` stands for the task of the whole; without a message the task opens."""

    conversation: Conversation
    message: str = ""
    summary_method: SummaryMethod = "last_msg"

    def opening(self, task: str, found: list[str]) -> str:
        """A message that does not name the task has it carried over, before what was found."""
        if not self.message:
            opened = with_carryover(task, found)
        elif "{task}" in self.message:
            opened = with_carryover(self.message.replace("{task}", task), found)
        else:
            opened = with_carryover(self.message, [task, *found])
        assert isinstance(opened, str)
        return opened


@dataclass(kw_only=True)
class Steps(Conversation):
    """Conversations one after the other; each is told what those before came to."""

    steps: list[SequenceStep] = field(default_factory=list)

    async def _held(self, opening: str, clear: bool, method: SummaryMethod) -> Held:
        context = current_context()
        found: list[str] = []
        messages: list[Message] = []
        for number, step in enumerate(self.steps, 1):
            started = ChatStarted("step", step.conversation.name, of=str(number))
            held = await held_inside(
                context.inside(f"step:{number}"), started, step.conversation,
                step.opening(opening, found), clear=clear, method=step.summary_method,
            )  # fmt: skip
            messages += held.messages
            found += [held.summary] if held.summary else []
            if reason := context.strand.stop_reason:
                context.ended_by = reason
                break
        last = found[-1] if found else ""
        summary = await self._summed_up(messages, last, method)
        return Held(summary, messages, context.ended_by or "All steps are done")


async def held_inside(
    context: RunContext,
    started: ChatStarted,
    conversation: Conversation,
    opening: str,
    *,
    clear: bool = True,
    method: SummaryMethod | None = None,
) -> Held:
    """Holds a conversation inside another one, as the chat of `context`."""
    with entered(context):
        context.emit(started)
        held = await conversation.hold(opening, clear=clear, method=method)
        context.emit(ChatEnded(held.ended_by))
    return held


Lazy = Callable[[], Conversation]
"""Makes a conversation when it is first needed: an agent's nested chat may hold that agent."""


@dataclass(kw_only=True)
class Later(Conversation):
    """A conversation that is made when it is first held: most steps and nodes of a deep one never
    are, and many deep ones in each other would be too many to make."""

    make: Lazy

    @cached_property
    def inner(self) -> Conversation:
        return self.make()

    async def _held(self, opening: str, clear: bool, method: SummaryMethod) -> Held:
        return await self.inner.hold(opening, clear=clear, method=method)


def without_end(text: str) -> str:
    """Text without the word that ends chats, as summaries have it."""
    return text.replace(TERMINATE, "").strip()
