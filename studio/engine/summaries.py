"""What a chat came to, in words: its last message, a model's summary, or a function's."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .context import current_context
from .errors import DefinitionError, ModelError
from .llm.call import LLM, Call, call_model
from .messages import Message, text_of, told
from .model_replies import on_wire
from .sync import call_plain
from .termination import TERMINATE
from .usage import Usage

if TYPE_CHECKING:
    from .agents import ConversableAgent

SUMMARY_PROMPT = (
    "Summarize the takeaway from the conversation. Do not add any introductory phrases."
)


def check_method(
    initiator: ConversableAgent,
    recipient: ConversableAgent,
    method: Any,
    arguments: Mapping[str, Any] | None = None,
) -> None:
    """Raises DefinitionError for a method that cannot work, before a chat is paid for."""
    if callable(method) or method in (None, "none", "last_msg"):
        return
    if method != "reflection_with_llm":
        raise DefinitionError(
            f"summary_method {method!r} is not last_msg, reflection_with_llm or none"
        )
    if not ((arguments or {}).get("llm") or recipient.llm or initiator.llm):
        raise DefinitionError("summary_method reflection_with_llm needs a model on either side")


async def summarize(
    initiator: ConversableAgent,
    recipient: ConversableAgent,
    method: Any,
    arguments: dict[str, Any] | None = None,
) -> str:
    """last_msg: the last message without TERMINATE; reflection_with_llm: a model's words.

    A function gets (initiator, recipient, arguments); None is "". `arguments` may hold
    summary_prompt, summary_role, and the `llm` to ask in place of the agents' own.
    """
    given = arguments or {}
    if callable(method):
        made = await call_plain(method, initiator, recipient, given)
        words = await made if inspect.isawaitable(made) else made
        return "" if words is None else str(words)
    check_method(initiator, recipient, method, given)
    if method == "last_msg":
        return _last_message(initiator, recipient)
    if method == "reflection_with_llm":
        return await _reflection(initiator, recipient, given)
    return ""


def _last_message(initiator: ConversableAgent, recipient: ConversableAgent) -> str:
    message = recipient.last_message(initiator)
    group = getattr(recipient, "groupchat", None)
    if group is not None and group.messages and not current_context().compat.summary_of_opening:
        message = group.messages[-1]
    if message is None:
        warnings.warn(f"no summary: {recipient.name} has no message", stacklevel=2)
        return ""
    content = told(message)
    if isinstance(content, list):
        content = "\n".join(p["text"] for p in content if p.get("type") == "text")
    return text_of(content).replace(TERMINATE, "")


async def _reflection(
    initiator: ConversableAgent, recipient: ConversableAgent, arguments: dict[str, Any]
) -> str:
    asked = recipient if recipient.llm else initiator
    prompt = arguments.get("summary_prompt") or SUMMARY_PROMPT
    if not isinstance(prompt, str):
        raise DefinitionError("The summary_prompt must be a string.")
    role = arguments.get("summary_role") or "system"
    group = getattr(recipient, "groupchat", None)
    said = group.messages if group is not None else recipient.chat_messages[initiator]
    llm = arguments.get("llm") or asked.llm
    return await reflection(llm, recipient.name, said, prompt, role, asked.usage)


async def reflection(
    llm: LLM,
    name: str,
    said: list[Message],
    prompt: str,
    role: str = "system",
    usage: Usage | None = None,
) -> str:
    """What a model makes of a conversation; "" with a warning when it refuses the request."""
    call = Call(name, "summary", [*on_wire(said), {"role": role, "content": prompt}])
    try:
        result = await call_model(llm, call)
    except ModelError as error:
        if error.status != 400:
            raise
        warnings.warn(f"no summary: {error}", stacklevel=2)
        return ""
    if usage is not None:
        usage.add(result)
    return str(result["content"] or "")
