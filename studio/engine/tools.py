"""Replies that call functions: the receiver of a message with calls runs them and answers."""

from __future__ import annotations

import asyncio
import inspect
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .approvals import approve, refused_network
from .boxed import BoxedTool, ToolResult
from .context import current_context
from .effects import Effect, Outcome, Perform
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
    """Answers tool calls: in a sync chat and in boxes one after the other, else together.

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


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of a message, as it will be made, or why a person does not want it made."""

    id: str
    name: str
    arguments: str
    refusal: str = ""
    is_edited: bool = False


async def results_of(agent: ConversableAgent, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """{"content": text, "ok": whether it went well, "seconds"} of each call."""
    context = current_context()
    turn = context.begin_turn(agent.name)
    asked = []
    one_by_one = is_sync()
    # keys are taken here: the order of the calls decides them, not who is fast
    for one in [await _judged(agent, turn, call) for call in calls]:
        key = context.next_key()
        request: dict[str, Any] = {
            "name": one.name, "arguments": one.arguments, "call_id": one.id,
        }  # fmt: skip
        function = agent.function_map.get(one.name)
        if isinstance(function, BoxedTool):
            one_by_one = True  # they share a folder, and one that was cut may be asked about
            if not function.repeatable and not one.refusal:
                request["repeatable"] = False
        effect = Effect(key, "tool", turn, agent.name, request)
        asked.append((effect, _performed(agent, one, context.identifier(key))))
    do = context.effects.do
    outcomes = [await do(*each) for each in asked] if one_by_one else await _together(asked)
    for call, outcome in zip(calls, outcomes, strict=True):
        context.used(outcome.result)
        told = {k: v for k, v in outcome.result.items() if k != "artifacts"}
        context.emit(ToolReturned(turn, str(call.get("id") or ""), **told))
        context.saved(turn, outcome.result.get("artifacts", ()))
    return [outcome.result for outcome in outcomes]


async def _together(asked: list[tuple[Effect, Perform]]) -> list[Outcome]:
    """A call that must rest does not leave the others running alone: they end first."""
    if not asked:
        return []
    do = current_context().effects.do
    tasks = [asyncio.ensure_future(do(*one)) for one in asked]
    try:
        await asyncio.wait(tasks)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        raise
    errors = [error for task in tasks if (error := task.exception()) is not None]
    if errors:
        raise errors[0]
    return [task.result() for task in tasks]


async def _judged(agent: ConversableAgent, turn: int, call: dict[str, Any]) -> _Call:
    """Says what is called, and asks for approval where the function wants it."""
    function = call.get("function") or {}
    name, arguments = str(function.get("name") or ""), function.get("arguments")
    one = _Call(str(call.get("id") or ""), name, arguments if isinstance(arguments, str) else "{}")
    current_context().emit(ToolCalled(turn, one.id, one.name, one.arguments))
    tool = agent.function_map.get(name)
    if not isinstance(tool, BoxedTool):
        return one
    if refusal := await refused_network(agent, f"the skill {tool.of}", tool.hosts):
        return replace(one, refusal=refusal)
    if tool.approval == "never":
        return one
    verdict = await approve(
        agent, tool.payload(one.arguments), f"{name} is about to run",
        remember=tool.approval == "once",
    )  # fmt: skip
    if not verdict.approved:
        return replace(one, refusal=f"{name} was {verdict.refusal}")
    if verdict.edited is None:
        return one
    return replace(one, arguments=verdict.edited, is_edited=True)


def _performed(agent: ConversableAgent, call: _Call, key: str) -> Perform:
    async def perform(_: int) -> dict[str, Any]:
        started = time.monotonic()
        tool = agent.function_map.get(call.name)
        if call.refusal:
            result = ToolResult(ok=False, content=f"Error: {call.refusal}")
        elif isinstance(tool, BoxedTool):
            result = await _boxed(tool, call, key)
        else:
            result = ToolResult(*await _called(agent, call.name, call.arguments))
        seconds = result.seconds or round(time.monotonic() - started, 3)
        return replace(result, seconds=seconds).as_json()

    return perform


async def _boxed(tool: BoxedTool, call: _Call, key: str) -> ToolResult:
    given = read_arguments(call.arguments)
    if isinstance(given, str):
        return ToolResult(ok=False, content=given)
    result = await tool.run(given, key)
    if call.is_edited:
        told = f"(A person changed the arguments to {call.arguments})\n{result.content}"
        return replace(result, content=told)
    return result


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
