"""Handoffs: to whom an agent passes a conversation on, and when. AG2's names (ENGINE section 6).

These are plain descriptions. `patterns.py` opens a group that follows them, `handoff_group.py`
does what they say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, assert_never

from .context_variables import ContextExpression, ContextTest, ContextVariables, filled_in
from .errors import DefinitionError
from .targets import Target

if TYPE_CHECKING:
    from .guardrails import Guardrail


@dataclass(frozen=True)
class StringLLMCondition:
    """What a model reads to decide whether to hand off."""

    prompt: str


@dataclass(frozen=True)
class ContextStr:
    """Text in which `{name}` stands for a context variable."""

    template: str

    def format(self, context_variables: Mapping[str, Any]) -> str:
        return filled_in(self.template, context_variables)


@dataclass(frozen=True)
class ContextStrLLMCondition:
    """The same, with context variables filled in at each turn."""

    context_str: ContextStr


@dataclass(frozen=True)
class StringContextCondition:
    """Holds when the variable does; a variable that there is not does not."""

    variable_name: str


@dataclass(frozen=True)
class ExpressionContextCondition:
    """Holds when the expression does; a variable that there is not is a KeyError."""

    expression: ContextExpression


@dataclass(frozen=True)
class TestContextCondition:
    """Holds when the test does; a variable that there is not is no error."""

    test: ContextTest


@dataclass(frozen=True)
class MessageContextCondition:
    """Holds when the last message contains the text: of what was heard, or after work of what was
    said."""

    text: str


@dataclass(frozen=True)
class StringAvailableCondition:
    context_variable: str


@dataclass(frozen=True)
class ExpressionAvailableCondition:
    expression: ContextExpression


LLMCondition = StringLLMCondition | ContextStrLLMCondition
ContextCondition = (
    StringContextCondition | ExpressionContextCondition
    | StringAvailableCondition | ExpressionAvailableCondition
    | TestContextCondition | MessageContextCondition
)  # fmt: skip


@dataclass(frozen=True)
class OnCondition:
    """Becomes a tool of the agent; its model hands off by calling it."""

    target: Target
    condition: LLMCondition
    available: ContextCondition | None = None


@dataclass(frozen=True)
class OnContextCondition:
    """Hands off without a model. No condition: always."""

    target: Target
    condition: ContextCondition | None = None
    available: ContextCondition | None = None

    @property
    def is_unconditional(self) -> bool:
        return self.condition is None and self.available is None


@dataclass(frozen=True)
class ReplyResult:
    """What a tool may return: the text, who speaks next, and changes of context variables."""

    message: Any
    target: Target | None = None
    context_variables: ContextVariables | Mapping[str, Any] | None = None


One = TypeVar("One", OnCondition, OnContextCondition)


@dataclass
class Handoffs:
    """The handoffs of one agent; each method returns the handoffs themselves.

    llm_conditions      tools of its model, asked at each turn
    context_conditions  checked in order before the agent replies
    after_works         checked in order after it spoke; an unconditional one is always the last
    """

    llm_conditions: list[OnCondition] = field(default_factory=list)
    context_conditions: list[OnContextCondition] = field(default_factory=list)
    after_works: list[OnContextCondition] = field(default_factory=list)

    def add_llm_condition(self, condition: OnCondition) -> Handoffs:
        self.llm_conditions.append(_checked(condition, OnCondition))
        return self

    def add_llm_conditions(self, conditions: Sequence[OnCondition]) -> Handoffs:
        self.llm_conditions += [_checked(one, OnCondition) for one in conditions]
        return self

    def add_context_condition(self, condition: OnContextCondition) -> Handoffs:
        self.context_conditions.append(_checked(condition, OnContextCondition))
        return self

    def add_context_conditions(self, conditions: Sequence[OnContextCondition]) -> Handoffs:
        self.context_conditions += [_checked(one, OnContextCondition) for one in conditions]
        return self

    def set_after_work(self, target: Target) -> Handoffs:
        """Forgets all earlier after works."""
        self.after_works = [OnContextCondition(target)]
        return self

    def add_after_work(self, condition: OnContextCondition) -> Handoffs:
        """Before the unconditional one, whose place another unconditional one takes."""
        new = _checked(condition, OnContextCondition)
        conditional = [one for one in self.after_works if not one.is_unconditional]
        always = [one for one in self.after_works if one.is_unconditional]
        self.after_works = [*conditional, new, *([] if new.is_unconditional else always)]
        return self

    def add_after_works(self, conditions: Sequence[OnContextCondition]) -> Handoffs:
        for one in conditions:
            self.add_after_work(one)
        return self

    def add(self, condition: OnCondition | OnContextCondition) -> Handoffs:
        if isinstance(condition, OnCondition):
            return self.add_llm_condition(condition)
        return self.add_context_condition(condition)

    def add_many(self, conditions: Sequence[OnCondition | OnContextCondition]) -> Handoffs:
        for one in conditions:
            self.add(one)
        return self

    def clear(self) -> Handoffs:
        self.llm_conditions, self.context_conditions, self.after_works = [], [], []
        return self


class HandsOver:
    """The part of an agent that knows handoffs; it matters in groups that a pattern opens."""

    @cached_property
    def handoffs(self) -> Handoffs:
        return Handoffs()

    @cached_property
    def input_guardrails(self) -> list[Guardrail]:
        return []

    @cached_property
    def output_guardrails(self) -> list[Guardrail]:
        return []

    def register_input_guardrail(self, guardrail: Guardrail) -> None:
        """Checked against what the agent hears, before it replies."""
        self.input_guardrails.append(guardrail)

    def register_output_guardrail(self, guardrail: Guardrail) -> None:
        """Checked against the agent's reply, before anybody hears it."""
        self.output_guardrails.append(guardrail)


def holds(
    condition: ContextCondition | None, variables: Mapping[str, Any], message: str = ""
) -> bool:
    match condition:
        case None:
            return True
        case StringContextCondition(variable_name=name):
            return bool(variables.get(name))
        case StringAvailableCondition(context_variable=name):
            return bool(variables.get(name))
        case ExpressionContextCondition(expression=expression):
            return expression.evaluate(variables)
        case ExpressionAvailableCondition(expression=expression):
            return expression.evaluate(variables)
        case TestContextCondition(test=test):
            return test.holds(variables)
        case MessageContextCondition(text=text):
            return text in message
        case _:
            assert_never(condition)


def prompt_of(condition: LLMCondition, variables: Mapping[str, Any]) -> str:
    match condition:
        case StringLLMCondition(prompt=prompt):
            return prompt
        case ContextStrLLMCondition(context_str=text):
            return text.format(variables)
        case _:
            assert_never(condition)


def _checked(condition: Any, kind: type[One]) -> One:
    if not isinstance(condition, kind):
        raise DefinitionError(f"{condition!r} is not an {kind.__name__}")
    return condition
