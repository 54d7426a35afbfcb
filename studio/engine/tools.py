"""Replies that call functions: the receiver of a message with calls runs them and answers."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import TYPE_CHECKING, Any

from .context import current_context
from .effects import Effect, Perform
from .events import ToolCalled, ToolReturned
from .messages import Message
from .sync import call_plain, is_sync
from .tool_text import read_arguments, tool_result_text

if TYPE_CHECKING:
    from .agents import ConversableAgent

Reply = tuple[bool, str | Message | None]


async def function_call(
    agent: ConversableAgent, messages: list[Message], sender: Any, config: Any = None
) -> Reply:
    """Answers a legacy function_call: {role: function, name, content}."""
    call = messages[-1].get("function_call")
    if not call:
        return False, None
    [content] = await run_calls(agent, [{"function": call}])
    return True, {"name": call["name"], "role": "function", "content": content}


async def tool_calls(
    agent: ConversableAgent, messages: list[Message], sender: Any, config: Any = None
) -> Reply:
    """Answers tool calls, in a sync chat one after the other, in an async one together.

    One message holds all answers in the order of the calls; its content joins them by blank lines.
    """
    calls = messages[-1].get("tool_calls")
    if not calls:
        return False, None
    contents = await run_calls(agent, calls)
    answers = []
    for call, content in zip(calls, contents, strict=True):
        answer: Message = {"role": "tool", "content": content}
        if call.get("id") is not None:
            answer = {"tool_call_id": call["id"], **answer}
        answers.append(answer)
    joined = "\n\n".join(contents)
    return True, {"role": "tool", "tool_responses": answers, "content": joined}


async def run_calls(agent: ConversableAgent, calls: list[dict[str, Any]]) -> list[str]:
    """What the functions returned, or how they failed, as texts for the model."""
    return [str(result["content"]) for result in await results_of(agent, calls)]


async def results_of(agent: ConversableAgent, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """{"content": text, "ok": whether it went well, "seconds"} of each call."""
    context = current_context()
    turn = context.begin_turn(agent.name)
    asked = []
    for call in calls:  # keys are taken here: the order of the calls decides them, not who is fast
        function = call.get("function") or {}
        name, arguments = str(function.get("name") or ""), function.get("arguments")
        text = arguments if isinstance(arguments, str) else "{}"
        one = str(call.get("id") or "")
        context.emit(ToolCalled(turn=turn, call_id=one, name=name, arguments=text))
        request = {"name": name, "arguments": text, "call_id": one}
        effect = Effect(context.next_key(), "tool", turn, agent.name, request)
        asked.append((effect, _performed(agent, name, text)))
    if is_sync():
        outcomes = [await context.effects.do(*one) for one in asked]
    else:
        outcomes = list(await asyncio.gather(*(context.effects.do(*one) for one in asked)))
    for call, outcome in zip(calls, outcomes, strict=True):
        context.used(outcome.result)
        context.emit(ToolReturned(turn, str(call.get("id") or ""), **outcome.result))
    return [outcome.result for outcome in outcomes]


def _performed(agent: ConversableAgent, name: str, text: str) -> Perform:
    async def perform(_: int) -> dict[str, Any]:
        started = time.monotonic()
        ok, content = await _called(agent, name, text)
        return {"content": content, "ok": ok, "seconds": round(time.monotonic() - started, 3)}

    return perform


async def _called(agent: ConversableAgent, name: str, arguments: str) -> tuple[bool, str]:
    """Whether it went well, and the text (ENGINE section 4: the texts of errors)."""
    function = agent.function_map.get(name)
    if function is None:
        return False, f"Error: Function {name} not found."
    given = read_arguments(arguments)
    if isinstance(given, str):
        return False, given
    try:
        if inspect.iscoroutinefunction(function):
            value = await function(**given)
        else:
            value = await call_plain(function, **given)
            if inspect.isawaitable(value):
                value = await value
    except Exception as error:  # noqa: BLE001 - whatever it is, the model shall read it
        return False, f"Error: {error}"
    return True, tool_result_text(value)
