"""What an agent offers as tools to its model, and what it runs for others."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from . import tools
from .errors import DefinitionError
from .library import in_context
from .llm.call import LLM
from .llm.custom_client import register_client
from .messages import Message
from .signature import function_schema, with_models
from .sync import run
from .tool_text import assert_valid_name

if TYPE_CHECKING:
    from .agents import ConversableAgent

F = TypeVar("F", bound=Callable[..., Any])
ApiStyle = Literal["tool", "function"]


class Tooling:
    """The part of an agent that knows functions (ENGINE section 4)."""

    name: str
    llm: LLM
    llm_config: Any
    tools: list[Message]
    functions: list[Message]
    function_map: dict[str, Callable[..., Any]]

    def register_for_llm(
        self,
        *,
        name: str | None = None,
        description: str | None = None,
        api_style: ApiStyle = "tool",
    ) -> Callable[[F], F]:
        """A decorator: the function's schema is offered to this agent's model.

        The first decorator of a function must bring the description; later ones take it over.
        Raises DefinitionError without a description or a model.
        """

        def offer(function: F) -> F:
            told = description or getattr(function, "_description", None)
            if told is None:
                raise DefinitionError("Function description is required, none found.")
            called = name or getattr(function, "_name", None) or function.__name__
            schema = function_schema(function, name=called, description=told)
            if api_style == "function":
                self.update_function_signature(schema["function"], is_remove=False)
            elif api_style == "tool":
                self.update_tool_signature(schema, is_remove=False)
            else:
                raise DefinitionError(f"Unsupported API style: {api_style}")
            _remember(function, _name=called, _description=told)
            return function

        return offer

    def register_for_execution(self, name: str | None = None) -> Callable[[F], F]:
        """A decorator: this agent runs the function when a message calls it."""

        def keep(function: F) -> F:
            called = name or getattr(function, "_name", None) or function.__name__
            self.register_function({called: with_models(function)})
            _remember(function, _name=called)
            return function

        return keep

    def register_function(self, function_map: Mapping[str, Callable[..., Any] | None]) -> None:
        """Adds functions by name; None takes one away."""
        for called, function in function_map.items():
            assert_valid_name(called)
            if function is not None:
                if self.function_map.get(called, function) is not function:
                    _warn_of_override(called)
                self.function_map[called] = function
            elif self.function_map.pop(called, None) is None:
                raise DefinitionError(f"{self.name} has no function {called}")

    def update_tool_signature(self, tool_sig: str | Message, is_remove: bool) -> None:
        """Adds or replaces the schema of a tool, or takes it away (by schema or by name)."""
        self._check_model()
        _update(self.tools, tool_sig, is_remove, lambda schema: schema["function"]["name"])
        if self.llm_config:
            self.llm_config["tools"] = self.tools

    def update_function_signature(self, func_sig: str | Message, is_remove: bool) -> None:
        """The same for the legacy form without "type"."""
        self._check_model()
        _update(self.functions, func_sig, is_remove, lambda schema: schema["name"])
        if self.llm_config:
            self.llm_config["functions"] = self.functions

    def can_execute_function(self, name: str | list[str]) -> bool:
        names = [name] if isinstance(name, str) else name
        return all(one in self.function_map for one in names)

    async def a_execute_function(
        self: ConversableAgent, func_call: Message, verbose: bool = False
    ) -> tuple[bool, Message]:
        """(whether it went well, {role: function, name, content})."""
        with in_context():
            [result] = await tools.results_of(self, [{"function": func_call}])
        answer = {"name": func_call.get("name", ""), "role": "function"}
        return bool(result["ok"]), {**answer, "content": result["content"]}

    def execute_function(
        self: ConversableAgent, func_call: Message, verbose: bool = False
    ) -> tuple[bool, Message]:
        return run(self.a_execute_function(func_call, verbose))

    def register_model_client(self, model_client_cls: type[Any], **kwargs: Any) -> None:
        """Makes the client of the first configuration that names this class as model_client_cls
        and has none: `model_client_cls(config, **kwargs)`. Once for each such configuration.

        Raises DefinitionError when none names it.
        """
        register_client(self.llm, model_client_cls, kwargs)

    def _check_model(self) -> None:
        if not self.llm:
            raise DefinitionError(
                "To update a tool signature, agent must have an llm_config: "
                f"{self.name} has no model"
            )


def _remember(function: Callable[..., Any], **told: str) -> None:
    """For the next decorator; a bound method keeps nothing, and goes by its own name."""
    with suppress(AttributeError):
        for name, value in told.items():
            setattr(function, name, value)


def _warn_of_override(name: str) -> None:
    warnings.warn(f"Function '{name}' is being overridden.", UserWarning, stacklevel=4)


def _update(
    schemas: list[Message], given: str | Message, is_remove: bool, name_of: Callable[[Message], str]
) -> None:
    called = given if isinstance(given, str) else name_of(given)
    kept = [schema for schema in schemas if name_of(schema) != called]
    if is_remove and len(kept) == len(schemas):
        raise DefinitionError(f"There is no tool {called}")
    if not is_remove:
        if isinstance(given, str):
            raise DefinitionError("The function signature must be of the type dict")
        assert_valid_name(called)
        if len(kept) < len(schemas):
            _warn_of_override(called)
        kept.append(given)
    schemas[:] = kept


def register_function(
    f: Callable[..., Any],
    *,
    caller: ConversableAgent,
    executor: ConversableAgent,
    name: str | None = None,
    description: str,
) -> None:
    """Offers a function to one agent's model and has another agent run it."""
    offered = caller.register_for_llm(name=name, description=description)(f)
    executor.register_for_execution(name=name)(offered)
