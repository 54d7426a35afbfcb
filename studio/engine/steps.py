"""The steps of a reply under AutoGen 0.2's names, for programs that call, exclude or reorder them.

Each is `(messages, sender, config) -> (final, reply)` and asks the very function that stands in the
pipeline. The names with a_ are coroutines, the others wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from . import code_replies, model_replies, replies, tools
from .library import in_context
from .sync import run

if TYPE_CHECKING:
    from .agents import ConversableAgent
    from .messages import Message

Reply = replies.Reply
Step = Callable[..., Any]


def _pair(step: Step, title: str) -> tuple[Step, Step]:
    """The sync and the async method for a step."""

    async def a_method(
        self: ConversableAgent,
        messages: list[Message] | None = None,
        sender: Any = None,
        config: Any = None,
    ) -> Reply:
        given = self.chat_messages[sender] if messages is None else messages
        with in_context():
            reply: Reply = await step(self, given, sender, config)
        return reply

    def method(
        self: ConversableAgent,
        messages: list[Message] | None = None,
        sender: Any = None,
        config: Any = None,
    ) -> Reply:
        return run(a_method(self, messages, sender, config))

    for one in (method, a_method):
        one.__doc__ = title
        one.step = step  # type: ignore[union-attr]
    return method, a_method


def functions_of(given: Iterable[Step]) -> list[Step]:
    """Reply functions, with what stands in the pipeline for the methods of `Steps`."""
    return [getattr(one, "step", one) for one in given]


class Steps:
    """The part of an agent that names the steps of its reply."""

    check_termination_and_human_reply, a_check_termination_and_human_reply = _pair(
        replies.termination_and_human, "Stops, asks the person, or lets the auto reply go on."
    )
    generate_function_call_reply, a_generate_function_call_reply = _pair(
        tools.function_call, "Answers a legacy function call."
    )
    generate_tool_calls_reply, a_generate_tool_calls_reply = _pair(
        tools.tool_calls, "Answers tool calls."
    )
    generate_code_execution_reply, a_generate_code_execution_reply = _pair(
        code_replies.code_execution, "Runs code blocks."
    )
    generate_oai_reply, a_generate_oai_reply = _pair(
        model_replies.model, "Asks the agent's models."
    )
