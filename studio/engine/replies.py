"""Replies: what an agent hears, whether it stops or asks its person, what its model says."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .asking import EXIT, ask_person
from .boxed import runs_for_itself
from .context import current_context
from .messages import Message
from .sync import call_plain, is_sync
from .termination import holds

if TYPE_CHECKING:
    from .agents import ConversableAgent

Reply = tuple[bool, str | Message | None]
INTERRUPTED = "USER INTERRUPTED"
PROMPT_EACH_TURN = (
    "Replying as {agent}. Provide feedback to {peer}. Press enter to skip and use auto-reply, "
    "or type 'exit' to end the conversation: "
)
PROMPT_AT_LIMIT = (
    "Please give feedback to {peer}. Press enter to skip and use auto-reply, "
    "or type 'exit' to stop the conversation: "
)
PROMPT_AT_END = (
    "Please give feedback to {peer}. Press enter or type 'exit' to stop the conversation: "
)


async def reply_of(agent: ConversableAgent, sender: ConversableAgent) -> str | Message | None:
    """The agent's reply to `sender`, by a subclass's own generate_reply where there is one."""
    from .conversing import is_overridden

    heard = agent.chat_messages[sender]
    is_plain = is_overridden(agent, "generate_reply")
    if is_plain and (is_sync() or not is_overridden(agent, "a_generate_reply")):
        return await call_plain(agent.generate_reply, messages=heard, sender=sender)
    return await agent.a_generate_reply(messages=heard, sender=sender)


async def heard(agent: ConversableAgent, messages: list[Message]) -> list[Message]:
    """The messages as hooks change them; what is stored stays as it is (ENGINE 1.9).

    In a sync chat the last message is changed first, in an async one all messages are.
    """
    steps = (_last_changed, _all_changed)
    for step in steps if is_sync() else reversed(steps):
        messages = await step(agent.hook_lists, messages)
    return messages


Hooks = Mapping[str, list[Any]]


async def _last_changed(hooks: Hooks, messages: list[Message]) -> list[Message]:
    last = (*hooks["process_last_received_message"], *hooks["a_process_last_received_message"])
    if last and messages and _may_change(messages[-1]):
        content = messages[-1]["content"]
        for hook in last:
            content = await _hooked(hook, content)
        messages = [*messages[:-1], {**messages[-1], "content": content}]
    return messages


async def _all_changed(hooks: Hooks, messages: list[Message]) -> list[Message]:
    for name in ("process_all_messages_before_reply", "a_process_all_messages_before_reply"):
        for hook in hooks[name]:
            messages = await _hooked(hook, messages)
    return messages


def _may_change(message: Message) -> bool:
    is_plain = not {"function_call", "context"} & set(message)
    return is_plain and message.get("content") not in (None, EXIT)


async def _hooked(hook: Any, *given: Any, **named: Any) -> Any:
    made = await call_plain(hook, *given, **named)
    return await made if inspect.isawaitable(made) else made


async def say(
    agent: ConversableAgent,
    message: str | Mapping[str, Any],
    recipient: ConversableAgent,
    *,
    silent: bool = False,
) -> None:
    """Delivers a message as the hooks of its sender change it."""
    for name in ("process_message_before_send", "a_process_message_before_send"):
        for hook in agent.hook_lists[name]:
            named = {"message": message, "recipient": recipient, "silent": silent}
            message = await _hooked(hook, sender=agent, **named)
    agent.deliver(message, recipient, silent=silent)


async def termination_and_human(
    agent: ConversableAgent, messages: list[Message], sender: Any, config: Any = None
) -> Reply:
    """Stops, asks the person, or lets the auto reply go on (ENGINE 1.4, the whole table)."""
    if not messages:
        return False, None
    last = messages[-1]
    if runs_for_itself(agent, last):  # whether a person is asked is the functions' own rule
        return False, None
    ends = await holds(agent.is_termination_msg, last)
    at_limit = _counted(agent, sender) >= agent.max_consecutive_auto_reply(sender)
    answer = await _answer(agent, sender, ends=ends, at_limit=at_limit)
    if answer == EXIT:
        _count_anew(agent, sender)
        _note_end(agent, sender, ends=ends, at_limit=at_limit)
        return True, None
    if answer or (answer is not None and agent.max_consecutive_auto_reply(sender) == 0):
        _count_anew(agent, sender)
        return True, _human_reply(answer, last)
    if sender is not None:
        agent.count_auto_reply(sender)
    return False, None


def _counted(agent: ConversableAgent, sender: ConversableAgent | None) -> int:
    """Replies to messages of nobody in particular are not counted."""
    return 0 if sender is None else agent.auto_replies(sender)


def _count_anew(agent: ConversableAgent, sender: ConversableAgent | None) -> None:
    if sender is not None:
        agent.reset_consecutive_auto_reply_counter(sender)


async def _answer(
    agent: ConversableAgent, sender: ConversableAgent | None, *, ends: bool, at_limit: bool
) -> str | None:
    """What is to be said: text, "exit" to stop, "" or None to let the auto reply go on."""
    match agent.human_input_mode:
        case "ALWAYS":
            answer = await ask_person(agent, sender, PROMPT_EACH_TURN, may_skip=not ends)
            return EXIT if not answer and ends else answer
        case "NEVER":
            return EXIT if at_limit or ends else None
        case "TERMINATE":
            if not at_limit and not ends:
                return None
            prompt = PROMPT_AT_END if ends else PROMPT_AT_LIMIT
            answer = await ask_person(agent, sender, prompt, may_skip=not ends)
            return EXIT if not answer and ends else answer


def _note_end(
    agent: ConversableAgent, sender: ConversableAgent | None, *, ends: bool, at_limit: bool
) -> None:
    if agent.human_input_mode == "ALWAYS":
        reason = f"{agent.name} ended the conversation"
    elif ends:
        reason = f"{agent.name} recognised the end of the task"
    elif at_limit:
        reason = f"{agent.name} reached its {agent.max_consecutive_auto_reply(sender)} auto replies"
    else:
        reason = f"{agent.name} ended the conversation"
    current_context().ended_by = reason


def _human_reply(answer: str, last: Message) -> Message:
    """A person's words; calls that were pending are answered as interrupted."""
    reply: Message = {"role": "user", "content": answer}
    answers = [
        {"tool_call_id": call.get("id", ""), "role": "tool", "content": INTERRUPTED}
        for call in last.get("tool_calls") or []
    ]
    if function := last.get("function_call"):
        name = function.get("name", "")
        answers.insert(0, {"name": name, "role": "function", "content": INTERRUPTED})
    if answers:
        reply["tool_responses"] = answers
    return reply
