"""SocietyOfMindAgent: a whole group chat that speaks as one agent."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from typing import Any

from .agents import ConversableAgent
from .chats import ChatRequest, converse
from .library import in_context
from .llm.call import Call, call_model
from .manager import GroupChatManager
from .messages import Message
from .sync import call_plain
from .termination import TERMINATE

LEAD_IN = (
    "Earlier you were asked to fulfill a request. You and your team worked diligently to address "
    "that request. Here is a transcript of that conversation:"
)
PREPARE = (
    "Output a standalone response to the original request, without mentioning any of the "
    "intermediate discussion."
)
Preparer = str | Callable[["SocietyOfMindAgent", list[Message]], str] | None


class SocietyOfMindAgent(ConversableAgent):
    """Holds its inner group chat about what it heard, then answers in one voice.

    chat_manager       the manager of the inner group
    response_preparer  what its own model is asked at the end, or a function (agent, inner messages)
                       -> reply; without either and without a model the last inner message is said
    """

    default_human_input_mode = "TERMINATE"

    def __init__(
        self,
        name: str,
        chat_manager: GroupChatManager,
        response_preparer: Preparer = None,
        **arguments: Any,
    ) -> None:
        super().__init__(name, **{"system_message": "", **arguments})
        self.chat_manager = chat_manager
        has_model = response_preparer is None and bool(self.llm)
        self.response_preparer: Preparer = PREPARE if has_model else response_preparer
        del self.pipeline.entries[1:]
        self.register_reply(ConversableAgent, inner_monologue, position=2)
        self.pipeline.entries[-1].built_in = True

    async def a_response(self, messages: list[Message]) -> str | Message | None:
        """The one reply that stands for the inner messages."""
        if callable(self.response_preparer):
            made = await call_plain(self.response_preparer, self, messages)
            prepared: str | Message | None = await made if inspect.isawaitable(made) else made
            return prepared
        if self.response_preparer is None or not self.llm:
            last = messages[-1] if messages else {}
            return str(last.get("content") or "").replace(TERMINATE, "").strip()
        heard = [as_user(message) for message in messages]
        asked = [system(LEAD_IN), *(m for m in heard if m), system(self.response_preparer)]
        result = await call_model(self.llm, Call(self.name, "turn", asked))
        self.usage.add(result)
        content: str | None = result["content"]
        return content


def system(content: str) -> Message:
    return {"role": "system", "content": content}


def as_user(message: Message) -> Message | None:
    """What was said, without calls and their plumbing; None for what has no words."""
    if not message.get("content"):
        return None
    dropped = ("tool_calls", "tool_responses", "function_call", "tool_call_id")
    kept = {k: v for k, v in message.items() if k not in dropped}
    return {**kept, "role": "user"}


async def inner_monologue(
    agent: SocietyOfMindAgent, messages: list[Message], sender: Any, config: Any
) -> tuple[bool, str | Message | None]:
    """The inner group hears what was said before, discusses the last message, and is summed up.

    What fails inside is printed and swallowed, as AutoGen 0.2 does: the answer is then made of
    what was said until there.
    """
    manager = agent.chat_manager
    group = manager.groupchat
    external = messages[:-1]
    agent.reset_consecutive_auto_reply_counter(manager)
    for member in group.agents:
        member.reset()
    manager.reset()
    for message in external:
        said = {"role": "user", "name": message.get("name", sender.name if sender else "user"),
                "content": message.get("content") or ""}  # fmt: skip
        group.messages.append(said)
        for member in group.agents:
            manager.deliver(said, member, silent=True)
    opening = messages[-1].get("content") or ""
    try:
        with in_context(kind="society"):
            request = ChatRequest(message=opening, clear_history=False, summary_method=None)
            await converse(agent, manager, request)
    except Exception:  # noqa: BLE001
        traceback.print_exc()
    return True, await agent.a_response(group.messages[len(external) :])
