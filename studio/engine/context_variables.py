"""Context variables: what the agents of a group know together, and expressions over them.

AG2's ContextVariables and ContextExpression (ENGINE section 6). Tools may read and change the
variables; handoffs ask about them. No model ever sees them unless a tool says them.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import CoreSchema, core_schema

from .errors import DefinitionError

MAX_LENGTH = 10_000
MAX_DEPTH = 32
MAX_NUMBER = 40
"""Characters of an expression, parentheses and negations inside each other, digits of a number."""

Value = Callable[[Mapping[str, Any]], Any]
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<variable>\$\{[^{}$]*\})
    |(?P<number>-?[0-9]+(?:\.[0-9]+)?(?![\w.]))
    |(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    |(?P<sign><=|>=|==|!=|<|>|\(|\)|!|&|\|)
    |(?P<word>[A-Za-z]+(?!\w))
    )""",
    re.VERBOSE | re.DOTALL,
)
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
_CONSTANTS = {"True": True, "true": True, "False": False, "false": False, "None": None}
_SIGNS = {"!": "not", "&": "and", "|": "or"}


class ContextVariables(MutableMapping[str, Any]):
    """A dict that all agents of a group share. `data` is copied."""

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        self.data: dict[str, Any] = dict(data or {})

    def __getitem__(self, key: str) -> Any:
        return self.data[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.data[key] = value

    def __delitem__(self, key: str) -> None:
        del self.data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        return f"ContextVariables({self.data!r})"

    def set(self, key: str, value: Any) -> None:
        self[key] = value

    def remove(self, key: str) -> bool:
        """Whether there was such a variable."""
        return self.pop(key, self) is not self

    def contains(self, key: str) -> bool:
        return key in self.data

    def to_dict(self) -> dict[str, Any]:
        return dict(self.data)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ContextVariables:
        return cls(data)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> CoreSchema:
        """So that a function with such a parameter can be offered as a tool; groups hide it."""
        return core_schema.any_schema()


@dataclass(frozen=True)
class ContextTest:
    """One variable compared with a value; `op` is a comparison, or "contains".

    A variable that there is not, or one that cannot be compared, fails every test but !=.
    """

    name: str
    op: str
    value: Any

    def holds(self, variables: Mapping[str, Any]) -> bool:
        if self.name not in variables:
            return self.op == "!="
        known = variables[self.name]
        try:
            if self.op == "contains":
                return str(self.value).lower() in str(known).lower()
            return bool(_COMPARE[self.op](known, self.value))
        except TypeError:
            return self.op == "!="

    def __str__(self) -> str:
        return f"{self.name} {self.op} {self.value}"


@dataclass(frozen=True)
class ContextExpression:
    """A condition over context variables: `${age} >= 18 and not ${blocked}`.

    `${name}` is a variable, or its len() as `len(${name})`; compared (< <= > >= == !=, also in
    chains) with numbers, 'texts', True, False, None and each other; joined by not, and, or (! & |),
    which bind as in Python. Nothing else is understood: no attributes, indexes, calls, arithmetic.
    Raises DefinitionError for anything else when it is made, and when values cannot be compared.
    """

    expression: str
    _value: Value = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.expression, str) or len(self.expression) > MAX_LENGTH:
            raise DefinitionError(f"An expression is a text of at most {MAX_LENGTH} characters")
        object.__setattr__(self, "_value", _Parser(self.expression).parsed())

    def evaluate(self, context_variables: Mapping[str, Any]) -> bool:
        """Raises KeyError for a variable that there is not."""
        return bool(self._value(context_variables))


@dataclass
class _Parser:
    """Recursive descent into functions of the variables. Chains are loops: they cost no depth."""

    source: str
    tokens: list[tuple[str, str]] = field(default_factory=list)
    at: int = 0
    depth: int = 0

    def parsed(self) -> Value:
        place, source = 0, self.source.rstrip()
        while place < len(source):
            found = _TOKEN.match(source, place)
            if found is None:
                raise self._error(f"not understood from {source[place : place + 20]!r}")
            kind, text = found.lastgroup or "", found[found.lastgroup or 0]
            self.tokens.append((kind, _SIGNS.get(text, text) if kind == "sign" else text))
            place = found.end()
        value = self._either()
        if self.at < len(self.tokens):
            raise self._error(f"{self.tokens[self.at][1]!r} is too much")
        return value

    def _error(self, why: str) -> DefinitionError:
        return DefinitionError(f"The expression {self.source[:80]!r} is wrong: {why}")

    def _next_is(self, *texts: str) -> str:
        """Takes the next word or sign if it is one of these."""
        if self.at < len(self.tokens):
            kind, text = self.tokens[self.at]
            if kind in ("word", "sign") and text in texts:
                self.at += 1
                return text
        return ""

    def _expect(self, sign: str) -> None:
        if not self._next_is(sign):
            raise self._error(f"{sign!r} is missing")

    def _either(self) -> Value:
        parts = [self._both()]
        while self._next_is("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda known: _until(parts, known, is_true=True)

    def _both(self) -> Value:
        parts = [self._negation()]
        while self._next_is("and"):
            parts.append(self._negation())
        return parts[0] if len(parts) == 1 else lambda known: _until(parts, known, is_true=False)

    def _negation(self) -> Value:
        if not self._next_is("not"):
            return self._comparison()
        inner = self._deeper(self._negation)
        return lambda known: not inner(known)

    def _deeper(self, parse: Callable[[], Value]) -> Value:
        if self.depth == MAX_DEPTH:
            raise self._error(f"more than {MAX_DEPTH} levels inside each other")
        self.depth += 1
        value = parse()
        self.depth -= 1
        return value

    def _comparison(self) -> Value:
        parts = [("", self._operand())]
        while sign := self._next_is(*_COMPARE):
            parts.append((sign, self._operand()))
        return parts[0][1] if len(parts) == 1 else lambda known: self._compared(parts, known)

    def _compared(self, parts: list[tuple[str, Value]], known: Mapping[str, Any]) -> bool:
        left = parts[0][1](known)
        for sign, value in parts[1:]:
            right = value(known)
            try:
                holds = bool(_COMPARE[sign](left, right))
            except TypeError as error:
                raise self._error(str(error)) from None
            if not holds:
                return False
            left = right
        return True

    def _operand(self) -> Value:
        if self._next_is("("):
            inner = self._deeper(self._either)
            self._expect(")")
            return inner
        if self._next_is("len"):
            self._expect("(")
            measured = self._deeper(self._either)
            self._expect(")")
            return lambda known: self._length(measured(known))
        if self.at == len(self.tokens):
            raise self._error("it ends too early")
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "variable":
            name = text[2:-1].strip()
            return lambda known: known[name]
        constant = self._constant(kind, text)
        return lambda _: constant

    def _constant(self, kind: str, text: str) -> Any:
        if kind == "number":
            if len(text) > MAX_NUMBER:
                raise self._error(f"a number has more than {MAX_NUMBER} digits")
            return float(text) if "." in text else int(text)
        if kind == "text":
            return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
        if kind == "word" and text in _CONSTANTS:
            return _CONSTANTS[text]
        raise self._error(f"{text!r} is no value")

    def _length(self, value: Any) -> int:
        try:
            return len(value)
        except TypeError as error:
            raise self._error(str(error)) from None


def _until(parts: list[Value], known: Mapping[str, Any], *, is_true: bool) -> Any:
    """The first value that is true (or false), or the last: what Python's or and and give."""
    value = None
    for part in parts:
        value = part(known)
        if bool(value) is is_true:
            break
    return value


def filled_in(template: str, variables: Mapping[str, Any]) -> str:
    """`{name}` becomes the variable's value; braces around anything else stay as they are."""
    return re.sub(
        r"\{(\w+)\}", lambda m: str(variables[m[1]]) if m[1] in variables else m[0], template
    )
