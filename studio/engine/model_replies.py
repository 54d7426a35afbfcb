"""Replies that a model makes: what it is sent, and what becomes of its answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .context import current_context
from .llm.call import Call, call_model
from .llm.constrain import NO_FACTS
from .messages import Message, is_plain
from .prompting import clean, facts, prompt_messages
from .tool_text import normalize_name

if TYPE_CHECKING:
    from .agents import ConversableAgent

Reply = tuple[bool, str | Message | None]


async def model(
    agent: ConversableAgent, messages: list[Message], sender: Any, config: Any = None
) -> Reply:
    """Asks the agent's models. No content and no calls means: not final."""
    if not agent.llm:
        return False, None
    context = current_context()
    known = context.strand.variables
    found = facts(messages, context.task, known) if agent.prompt.needs_facts else NO_FACTS
    call = Call(
        agent=agent.name,
        purpose="turn",
        messages=prompt_messages(
            system_of(agent), _on_wire(agent, messages, sender), agent.prompt, found
        ),
        rule=agent.prompt.reply,
        found=found,
        tools=agent.tools or None,
        functions=agent.functions or None,
    )
    result = await call_model(agent.llm, call)
    agent.usage.add(result)
    content = result["content"]
    calls, function = result["tool_calls"], result.get("function_call")
    if calls or function:
        return True, _with_calls(content, calls, function)
    if content and agent.prompt.reply.kind == "json":
        context.set_variables(_values(content), agent.name)
    return (True, clean(content)) if content is not None else (False, None)


def _values(content: str) -> dict[str, Any]:
    """The plain values of a JSON answer: they set the context variables of their names."""
    try:
        said = json.loads(content)
    except ValueError:  # nothing holds every model to its form
        return {}
    if not isinstance(said, dict):
        return {}
    return {k: v for k, v in said.items() if isinstance(v, str | int | float | bool)}


def system_of(agent: ConversableAgent) -> list[Message]:
    """The system message; an empty one is left out, which AutoGen 0.2 does not."""
    if agent.system_message or current_context().compat.sends_empty_system:
        return [{"role": "system", "content": agent.system_message}]
    return []


def _with_calls(
    content: str | None, calls: list[Message] | None, function: Message | None
) -> Message:
    """Names that a model made up are made valid, so that the next request is accepted."""
    reply: Message = {"role": "assistant", "content": content}
    if calls:
        reply["tool_calls"] = [{**c, "function": _named(c["function"])} for c in calls]
    if function:
        reply["function_call"] = _named(function)
    return reply


def _named(function: Message) -> Message:
    return {**function, "name": normalize_name(function["name"])}


def _on_wire(agent: ConversableAgent, messages: list[Message], sender: Any) -> list[Message]:
    """`on_wire`, which looks at the agent's own memory of a chat only where it is new."""
    if messages is agent.chat_messages.get(sender):
        agent.plain = agent.plain.on(messages)
        if agent.plain.count == len(messages):
            return messages
    return on_wire(messages, agent.llm.formats_text)


def on_wire(messages: list[Message], formats_text: bool = False) -> list[Message]:
    """Stored messages as a model gets them.

    Tool responses become messages of their own; the `context` of the last message fills functions,
    and where `formats_text` says so {names}, in the contents of all, and is not sent.
    """
    if all(map(is_plain, messages)):
        return messages
    context = messages[-1].get("context") or {}
    wire: list[Message] = []
    for message in messages:
        wire += [{k: v for k, v in r.items() if v is not None}
                 for r in message.get("tool_responses") or []]  # fmt: skip
        if "tool_responses" not in message or message.get("role") != "tool":
            own = {k: v for k, v in message.items() if k not in ("tool_responses", "context")}
            wire.append({**own, "content": _filled(own.get("content"), context, formats_text)})
    return wire


def _filled(content: Any, context: Mapping[str, Any], formats_text: bool) -> Any:
    if callable(content):
        return content(context)
    if formats_text and context and isinstance(content, str):
        return content.format(**context)
    return content
