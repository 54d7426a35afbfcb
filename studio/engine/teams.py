"""Conversations inside an agent: nested ones that a sender triggers, and a team as one agent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .agents import ConversableAgent
from .carryover import with_carryover
from .context import current_context
from .conversations import Conversation, Held, Lazy, SummaryMethod, held_inside, without_end
from .conversing import NESTED_POSITION
from .events import ChatStarted
from .llm.call import Call, call_model
from .messages import Message, text_of
from .pipeline import Entry
from .society import LEAD_IN, PREPARE, as_user, system

LAST = "{last}"


@dataclass
class Nested:
    """A conversation that runs inside an agent when `trigger` (a name; None: anyone) speaks."""

    make: Lazy
    trigger: str | None = None
    message: str = ""
    summary_method: SummaryMethod = "last_msg"

    @cached_property
    def conversation(self) -> Conversation:
        return self.make()

    def fires(self, message: Message, sender: Any) -> bool:
        """In a group the manager speaks for whoever the message is of."""
        names = {message.get("name"), getattr(sender, "name", None)}
        return self.trigger is None or self.trigger in names

    def opening(self, heard: str, found: list[str]) -> str | None:
        """None for one that has nothing to begin with."""
        if not self.message:
            return None if found else heard
        if LAST in self.message:
            opened = with_carryover(self.message.replace(LAST, heard), found)
        else:
            opened = with_carryover(self.message, found or [heard])
        assert isinstance(opened, str)
        return opened


def nest(agent: ConversableAgent, nested: Sequence[Nested]) -> None:
    """Has an agent answer with what its nested conversations come to (ENGINE section 6)."""

    async def reply(
        agent: ConversableAgent, messages: list[Message], sender: Any, config: Any
    ) -> tuple[bool, str | None]:
        chosen = [one for one in nested if one.fires(messages[-1], sender)]
        if not chosen:
            return False, None
        heard = text_of(messages[-1].get("content"))
        found: list[str] = []
        for one in chosen:
            opening = one.opening(heard, found)
            if opening is None:
                continue
            held = await _held_in(agent, "nested", one.conversation, opening, one.summary_method)
            found.append(held.summary)
            if current_context().strand.stop_reason:
                break
        return True, found[-1] if found else None

    agent.pipeline.insert(Entry(reply, anywhere=True, built_in=True), NESTED_POSITION)


async def _held_in(
    agent: ConversableAgent,
    form: Any,
    conversation: Conversation,
    opening: str,
    method: SummaryMethod | None = None,
    *,
    clear: bool = True,
) -> Held:
    context = current_context().child(form)
    started = ChatStarted(form, conversation.name, agent=agent.name)
    return await held_inside(context, started, conversation, opening, clear=clear, method=method)


class TeamAgent(ConversableAgent):
    """A whole conversation that speaks as one agent.

    With a model the answer is made of what was said inside, asked as `response_preparer` says;
    without, it is what the conversation came to. Unlike AutoGen 0.2's SocietyOfMindAgent it does
    not swallow what fails inside: a session can then be resumed there.
    """

    default_human_input_mode = "NEVER"

    def __init__(
        self, name: str, make: Lazy, response_preparer: str = "", **arguments: Any
    ) -> None:
        super().__init__(name, **{"system_message": "", **arguments})
        self._make = make
        self.response_preparer = response_preparer or PREPARE
        del self.pipeline.entries[1:]
        self.pipeline.insert(Entry(team_reply, anywhere=True, built_in=True), NESTED_POSITION)

    @cached_property
    def conversation(self) -> Conversation:
        return self._make()


async def team_reply(
    agent: TeamAgent, messages: list[Message], sender: Any, config: Any
) -> tuple[bool, str | None]:
    """The inner conversation about the last message, in one voice."""
    inner = agent.conversation
    knows = inner.recall(messages[:-1])
    opening = text_of(messages[-1].get("content"))
    held = await _held_in(agent, "team", inner, opening, clear=not knows)
    said = held.messages[len(messages) - 1 :] if knows else held.messages
    if not agent.llm:
        return True, without_end(held.summary)
    heard = [as_user(message) for message in said]
    asked = [system(LEAD_IN), *(m for m in heard if m), system(agent.response_preparer)]
    result = await call_model(agent.llm, Call(agent.name, "turn", asked))
    agent.usage.add(result)
    return True, str(result["content"] or "")
