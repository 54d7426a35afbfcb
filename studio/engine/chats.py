"""Two-agent chats, with a manager or without: the loop, and the summary at its end."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .context import RunContext, current_context, entered, has_context
from .effects import Effect
from .errors import DefinitionError, ModelError
from .events import InputRequested
from .llm.call import Call, call_model
from .messages import Message, as_message, text_of
from .termination import TERMINATE

if TYPE_CHECKING:
    from .agents import ConversableAgent

SUMMARY_PROMPT = (
    "Summarize the takeaway from the conversation. Do not add any introductory phrases."
)


@dataclass(frozen=True, slots=True)
class ChatResult:
    """chat_history is the initiator's list with the recipient."""

    chat_history: list[Message]
    summary: str
    human_input: list[str] = field(default_factory=list)


async def a_initiate_chat(
    initiator: ConversableAgent,
    recipient: ConversableAgent,
    *,
    message: str | Mapping[str, Any] | None = None,
    clear_history: bool = True,
    max_turns: int | None = None,
    summary_method: str | None = "last_msg",
    summary_prompt: str | None = None,
    context: RunContext | None = None,
) -> ChatResult:
    """Opens a chat with `message` and holds it until someone is silent.

    Without max_turns both sides answer what they receive. With max_turns N the initiator speaks N
    times at most, so there are 2N messages at most. A missing message is asked of the person.
    Raises ModelError, DefinitionError; `Suspend` passes through when the chat cannot go on now.
    """
    if context is None and not has_context():
        context = RunContext()
    if context is not None:
        with entered(context):
            return await _held(
                initiator, recipient, message, clear_history, max_turns, summary_method,
                summary_prompt,
            )  # fmt: skip
    return await _held(
        initiator, recipient, message, clear_history, max_turns, summary_method, summary_prompt
    )


async def _held(
    initiator: ConversableAgent,
    recipient: ConversableAgent,
    message: str | Mapping[str, Any] | None,
    clear_history: bool,
    max_turns: int | None,
    summary_method: str | None,
    summary_prompt: str | None,
) -> ChatResult:
    prepare(initiator, recipient, clear_history=clear_history)
    opening = await _asked_opening(initiator) if message is None else message
    current_context().task = text_of(as_message(opening).get("content"))
    if max_turns is None:
        await _converse(initiator, recipient, opening)
    else:
        await _converse_for(initiator, recipient, opening, max_turns)
    return ChatResult(
        chat_history=initiator.chat_messages[recipient],
        summary=await summarize(initiator, recipient, summary_method, summary_prompt),
        human_input=list(initiator.human_input),
    )


def prepare(a: ConversableAgent, b: ConversableAgent, *, clear_history: bool) -> None:
    """Resets the counters of both sides and, when asked, their memory of each other."""
    for agent, peer in ((a, b), (b, a)):
        agent.reset_auto_replies(peer)
        if clear_history:
            agent.clear_history(peer)


async def _asked_opening(initiator: ConversableAgent) -> str:
    context = current_context()
    key = context.next_key()
    question = InputRequested(context.identifier(key), "text", ">", initiator.name, [])
    context.emit(question)

    async def ask(_: int) -> dict[str, Any]:
        return {"text": await context.ask(question)}

    effect = Effect(
        key, "input", 1, initiator.name, {"question": question.question, "form": question.form}
    )
    answer = str((await context.effects.do(effect, ask)).result.get("text") or "")
    initiator.human_input.append(answer)
    return answer


async def _converse(
    sender: ConversableAgent, receiver: ConversableAgent, opening: str | Mapping[str, Any]
) -> None:
    """Both sides answer what they receive until one is silent."""
    message: str | Mapping[str, Any] | None = opening
    empty = 0
    while message is not None:
        empty = 0 if text_of(as_message(message).get("content")) else empty + 1
        if empty == 2 and not current_context().compat:
            current_context().ended_by = "two empty messages in a row"
            return
        sender.deliver(message, receiver)
        message = await receiver.a_generate_reply(sender)
        sender, receiver = receiver, sender


async def _converse_for(
    initiator: ConversableAgent,
    recipient: ConversableAgent,
    opening: str | Mapping[str, Any],
    max_turns: int,
) -> None:
    """The initiator speaks `max_turns` times at most and asks for one reply each time."""
    message: str | Mapping[str, Any] | None = opening
    for i in range(max_turns):
        if i > 0:
            message = await initiator.a_generate_reply(recipient)
        if message is None:
            return
        initiator.deliver(message, recipient)
        reply = await recipient.a_generate_reply(initiator)
        if reply is not None:
            recipient.deliver(reply, initiator)
    context = current_context()
    context.ended_by = context.ended_by or f"{max_turns} turns, the most allowed"


async def summarize(
    initiator: ConversableAgent,
    recipient: ConversableAgent,
    method: str | None,
    prompt: str | None = None,
) -> str:
    """last_msg: the last message without TERMINATE; reflection_with_llm: a model's words."""
    match method:
        case None | "none":
            return ""
        case "last_msg":
            return _last_message_summary(initiator, recipient)
        case "reflection_with_llm":
            return await _reflection(initiator, recipient, prompt or SUMMARY_PROMPT)
        case _:
            raise DefinitionError(
                f"summary_method {method!r} is not last_msg, reflection_with_llm or none"
            )


def _last_message_summary(initiator: ConversableAgent, recipient: ConversableAgent) -> str:
    message = recipient.last_message(initiator)
    group = getattr(recipient, "groupchat", None)
    if group is not None and group.messages and not current_context().compat:
        message = group.messages[-1]
    if message is None:
        return ""
    return text_of(message.get("content")).replace(TERMINATE, "")


async def _reflection(initiator: ConversableAgent, recipient: ConversableAgent, prompt: str) -> str:
    llm = recipient.llm or initiator.llm
    if not llm:
        raise DefinitionError("summary_method reflection_with_llm needs a model on either side")
    group = getattr(recipient, "groupchat", None)
    said = group.messages if group is not None else recipient.chat_messages[initiator]
    call = Call(recipient.name, "summary", [*said, {"role": "system", "content": prompt}])
    try:
        return str((await call_model(llm, call))["content"] or "")
    except ModelError as error:
        if error.status != 400:
            raise
        warnings.warn(f"no summary: {error}", stacklevel=2)
        return ""
