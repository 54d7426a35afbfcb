"""Two-agent chats, with a manager or without: the opening, the loop, the summary at its end."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import replies
from .asking import ask_opening
from .carryover import with_carryover
from .compat import Compat, CompatName
from .context import RunContext, current_context, watched
from .library import in_context
from .messages import Message, as_message, has_calls, text_of, told
from .stopping import StopCondition
from .summaries import check_method, summarize
from .sync import call_plain
from .usage import gather_usage_summary

if TYPE_CHECKING:
    from .agents import ConversableAgent
    from .llm.cache import Cache

Words = str | Mapping[str, Any]


@dataclass
class ChatResult:
    """What a chat came to. `chat_history` is the initiator's list with the recipient.

    cost  {"usage_including_cached_inference", "usage_excluding_cached_inference"} of both agents
    """

    chat_id: int | None = None
    chat_history: list[Message] = field(default_factory=list)
    summary: str = ""
    cost: dict[str, Any] = field(default_factory=dict)
    human_input: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ChatRequest:
    """How a chat is to be held.

    message        the opening: text, a dict, or a function (sender, recipient, context) -> either;
                   None asks the person behind the initiator
    clear_history  forget what both said to each other before
    max_turns      how often the initiator speaks; None: until someone is silent
    summary_method last_msg, reflection_with_llm, None, or (sender, recipient, args) -> text
    silent         prints nothing
    cache          where model replies are kept
    termination    ends the chat, the chats inside it included (see stopping.py)
    context        `carryover`, and whatever a function reads that makes the message
    """

    message: Any = None
    clear_history: bool = True
    max_turns: int | None = None
    summary_method: Any = "last_msg"
    summary_args: dict[str, Any] = field(default_factory=dict)
    silent: bool = False
    cache: Cache | None = None
    compat: Compat | CompatName | None = None
    chat_id: int | None = None
    termination: StopCondition | None = None
    context: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, info: Mapping[str, Any], **context: Any) -> ChatRequest:
        """From one entry of a queue of chats; what is no field goes into the context."""
        own = {k: v for k, v in info.items() if k in cls.__dataclass_fields__ and k != "context"}
        other = {k: v for k, v in info.items() if k not in own}
        return cls(**own, context=other | context)


async def hold(
    initiator: ConversableAgent,
    recipient: ConversableAgent,
    request: ChatRequest,
    context: RunContext | None = None,
) -> ChatResult:
    """Holds a chat in a context of its own: the one given, a child of the running one, or a new
    one that prints and asks at the terminal.

    Raises ModelError, DefinitionError; `Suspend` passes through when the chat cannot go on now.
    """
    with in_context(
        context, compat=request.compat, silent=request.silent, cache=request.cache, kind="chat"
    ):
        return await converse(initiator, recipient, request)


async def a_initiate_chat(
    initiator: ConversableAgent,
    recipient: ConversableAgent,
    *,
    message: Words | None = None,
    context: RunContext | None = None,
    summary_prompt: str | None = None,
    **request: Any,
) -> ChatResult:
    """`hold`, with the fields of a ChatRequest as arguments."""
    if summary_prompt is not None:
        request["summary_args"] = {"summary_prompt": summary_prompt}
    return await hold(initiator, recipient, ChatRequest(message=message, **request), context)


async def converse(
    initiator: ConversableAgent, recipient: ConversableAgent, request: ChatRequest
) -> ChatResult:
    """Holds a chat in the running context."""
    check_method(initiator, recipient, request.summary_method, request.summary_args)
    for agent in (initiator, recipient):
        agent.pipeline.check_sync()
    prepare(
        initiator, recipient,
        clear_history=request.clear_history, go_on=request.max_turns is None,
    )  # fmt: skip
    opening = await _opening(initiator, recipient, request)
    current_context().task = text_of(told(as_message(opening)))
    with watched(request.termination):
        if request.max_turns is None:
            await exchange(initiator, opening, recipient, stops_when_empty=True)
        else:
            await _for_turns(initiator, recipient, opening, request.max_turns)
    return ChatResult(
        chat_id=request.chat_id,
        chat_history=initiator.chat_messages[recipient],
        summary=await summarize(initiator, recipient, request.summary_method, request.summary_args),
        cost=gather_usage_summary([initiator, recipient]),
        human_input=list(initiator.human_input),
    )


def prepare(
    a: ConversableAgent, b: ConversableAgent, *, clear_history: bool, go_on: bool = True
) -> None:
    """Resets the counters of both sides and, when asked, their memory of each other."""
    for agent, peer in ((a, b), (b, a)):
        agent.reset_consecutive_auto_reply_counter(peer)
        agent.reply_at_receive[peer] = go_on
        if clear_history:
            agent.clear_history(peer)
            agent.human_input.clear()


async def _opening(
    initiator: ConversableAgent, recipient: ConversableAgent, request: ChatRequest
) -> Words:
    message = request.message
    if callable(message):
        made = await call_plain(message, initiator, recipient, request.context)
        words: Words = await made if inspect.isawaitable(made) else made
        return words
    if message is None:
        message = await ask_opening(initiator)
    return with_carryover(message, request.context.get("carryover"))


async def send(
    sender: ConversableAgent,
    message: Words,
    recipient: ConversableAgent,
    request_reply: bool | None,
    silent: bool,
) -> None:
    """One message; the answers go on as long as each receiver is in a chat with the other."""
    with in_context():
        await exchange(sender, message, recipient, request_reply=request_reply, silent=silent)


async def exchange(
    sender: ConversableAgent,
    message: Words | None,
    receiver: ConversableAgent,
    *,
    request_reply: bool | None = None,
    silent: bool = False,
    stops_when_empty: bool = False,
) -> None:
    """Both sides answer what they receive until one is silent or need not answer."""
    empty = 0
    while message is not None:
        empty = 0 if _says_something(message) else empty + 1
        if empty == 2 and stops_when_empty and not current_context().compat.empty_messages_go_on:
            current_context().ended_by = "two empty messages in a row"
            return
        await replies.say(sender, message, receiver, silent=silent)
        if ended_by_condition():
            return
        if not (receiver.reply_at_receive[sender] if request_reply is None else request_reply):
            return
        message = await replies.reply_of(receiver, sender)
        sender, receiver, request_reply = receiver, sender, None


def ended_by_condition() -> bool:
    """Whether a stop condition of this conversation, or of one around it, holds now."""
    context = current_context()
    reason = context.strand.stop_reason
    context.ended_by = reason or context.ended_by
    return bool(reason)


def _says_something(message: Words) -> bool:
    given = as_message(message)
    if has_calls(given) or given.get("tool_responses") or callable(given.get("content")):
        return True
    return bool(text_of(given.get("content")))


def counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


async def _for_turns(
    initiator: ConversableAgent, recipient: ConversableAgent, opening: Words, max_turns: int
) -> None:
    """The initiator speaks `max_turns` times at most and asks for one reply each time."""
    message: Words | None = opening
    for i in range(max_turns):
        if i > 0:
            message = await replies.reply_of(initiator, recipient)
        if message is None:
            return
        await exchange(initiator, message, recipient, request_reply=True)
        if ended_by_condition():
            return
        await asyncio.sleep(0)  # agents without models would never let others run
    context = current_context()
    context.ended_by = context.ended_by or f"{counted(max_turns, 'turn')}, the most allowed"
