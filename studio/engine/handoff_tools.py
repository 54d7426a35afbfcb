"""The tools of a group that follows handoffs: one hidden member runs them for all others.

A tool may read and change the context variables that it is given, and say who speaks next.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from . import tools
from .agents import ConversableAgent
from .boxed import BoxedTool
from .context_variables import ContextVariables
from .handoff_plans import Transfer
from .handoffs import ReplyResult
from .messages import Message
from .targets import Target, announcement

EXECUTOR = "_Group_Tool_Executor"
INJECTED = "context_variables"
Function = Callable[..., Any]


class GroupTools:
    """Runs the calls of a group's members, one after the other: each sees what the last changed.

    What a tool changes beside its text is kept in memory only: a replay that answers its call from
    a record does not change it again. Handoffs by a model are replayed, as their names say them.
    """

    def __init__(self, agents: Sequence[ConversableAgent], variables: ContextVariables) -> None:
        self.variables = variables
        self.executor = ConversableAgent(EXECUTOR, "", human_input_mode="NEVER")
        self._own = {agent: self._prepared(agent.function_map) for agent in agents}
        self._all = {name: f for own in self._own.values() for name, f in own.items()}
        self._returned: ReplyResult | None = None

    def _prepared(self, functions: Mapping[str, Function]) -> dict[str, Function]:
        return {
            name: function if isinstance(function, BoxedTool) else self._injected(function)
            for name, function in functions.items()
        }

    async def run(
        self,
        caller: ConversableAgent | None,
        transfers: Sequence[Transfer],
        message: Message,
        sender: Any,
    ) -> tuple[Message, Target | None]:
        """The answer to a message with tool calls, and who speaks next if a tool said so.

        Of two members' tools with the same name, the caller's own is run.
        """
        known = {transfer.name: transfer.on.target for transfer in transfers}
        self.executor.function_map = {
            **self._all,
            **(self._own.get(caller, {}) if caller else {}),
            **{name: _announcing(target) for name, target in known.items()},
        }
        target: Target | None = None
        answers: list[Message] = []
        for call in message["tool_calls"]:
            self._returned = None
            one = {**message, "tool_calls": [call]}
            _, reply = await tools.tool_calls(self.executor, [one], sender, None)
            answers += reply["tool_responses"] if isinstance(reply, dict) else []
            target = known.get(str(call["function"]["name"])) or target
            target = self._took_over() or target
        content = "\n".join(str(answer["content"]) for answer in answers)
        return {"role": "tool", "tool_responses": answers, "content": content}, target

    def _took_over(self) -> Target | None:
        """Applies what the last tool returned beside its text."""
        if self._returned is None:
            return None
        self.variables.update(self._returned.context_variables or {})
        return self._returned.target

    def _injected(self, function: Function) -> Function:
        """The function, given the context variables, which no model can give in their place."""
        extra = {INJECTED: self.variables} if _takes_variables(function) else {}

        if inspect.iscoroutinefunction(function):

            async def later(**given: Any) -> Any:
                return self._noted(await function(**{**given, **extra}))

            return later

        def now(**given: Any) -> Any:
            value = function(**{**given, **extra})
            return self._waited(value) if inspect.isawaitable(value) else self._noted(value)

        return now

    async def _waited(self, value: Any) -> Any:
        return self._noted(await value)

    def _noted(self, value: Any) -> Any:
        """The text of a result; the rest of it is kept until the call is over."""
        if isinstance(value, get_args(Target)):
            value = ReplyResult(announcement(value), value)
        if not isinstance(value, ReplyResult):
            return value
        self._returned = value
        return value.message


def _announcing(target: Target) -> Function:
    return lambda: announcement(target)


def _takes_variables(function: Function) -> bool:
    try:
        return INJECTED in inspect.signature(function).parameters
    except ValueError:  # a built-in function says nothing about itself
        return False


def without_variables(schema: Message) -> Message:
    """A tool's schema without the parameter that the group fills in; the same if it has none."""
    function = schema["function"]
    given = function["parameters"]
    if INJECTED not in given.get("properties", {}):
        return schema
    left = {
        **given,
        "properties": {k: v for k, v in given["properties"].items() if k != INJECTED},
        "required": [name for name in given.get("required", ()) if name != INJECTED],
    }
    return {**schema, "function": {**function, "parameters": left}}


def without_transit(messages: list[Message], names: frozenset[str]) -> list[Message]:
    """Messages without the calls of these tools, and without their answers."""
    gone: set[str] = set()
    kept: list[Message] = []
    for message in messages:
        calls, answers = message.get("tool_calls"), message.get("tool_responses")
        if calls:
            others = [call for call in calls if call["function"]["name"] not in names]
            gone |= {str(call.get("id")) for call in calls if call not in others}
            if others:
                kept.append({**message, "tool_calls": others})
            elif message.get("content"):
                kept.append({k: v for k, v in message.items() if k != "tool_calls"})
        elif answers:
            left = [a for a in answers if str(a.get("tool_call_id")) not in gone]
            if left:
                kept.append({**message, "tool_responses": left})
        else:
            kept.append(message)
    return kept
