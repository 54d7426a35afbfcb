"""Reads typed Python functions and gives their JSON schemas: parsed as text, never run."""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass
from typing import Any

_SIMPLE: dict[str, dict[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "dict": {"type": "object"},
    "list": {"type": "array"},
    "tuple": {"type": "array"},
    "set": {"type": "array"},
    "None": {"type": "null"},
    "Any": {},
    "object": {},
}
MAX_SOURCE = 200_000
_MAX_DEPTH = 12


class SchemaError(ValueError):
    """The source cannot be offered to a model; `line` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class FunctionSchema:
    name: str
    description: str
    parameters: dict[str, Any]
    is_async: bool

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
        }


def functions(source: str) -> list[FunctionSchema]:
    """The public top-level functions of a module, in order.

    Raises SchemaError with the line for a syntax error, an untyped required parameter, or none at
    all. Names that begin with an underscore are helpers and not offered.
    """
    if len(source) > MAX_SOURCE:
        raise SchemaError(f"The source is longer than {MAX_SOURCE:,} characters", 1)
    try:
        module = ast.parse(source)
    except SyntaxError as error:
        raise SchemaError(f"Line {error.lineno}: {error.msg}", error.lineno or 1) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise SchemaError(f"This cannot be read as Python: {error}", 1) from None
    found = [
        _function(node)
        for node in module.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
    ]
    if not found:
        raise SchemaError("There is no function to call: define one with typed parameters", 1)
    return found


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef) -> FunctionSchema:
    arguments = node.args
    if arguments.vararg or arguments.kwarg:
        raise SchemaError(
            f"Line {node.lineno}: {node.name} takes *args or **kwargs, which a model cannot fill",
            node.lineno,
        )
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    defaults += arguments.defaults
    pairs = [
        *zip(positional, defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    properties: dict[str, Any] = {}
    required = []
    for parameter, default in pairs:
        properties[parameter.arg] = _parameter(node.name, parameter, default)
        if default is None:
            required.append(parameter.arg)
    return FunctionSchema(
        name=node.name,
        description=(ast.get_docstring(node) or "").strip().encode(errors="replace").decode(),
        parameters={"type": "object", "properties": properties, "required": required},
        is_async=isinstance(node, ast.AsyncFunctionDef),
    )


def _parameter(function: str, parameter: ast.arg, default: ast.expr | None) -> dict[str, Any]:
    if parameter.annotation is None:
        if default is None:
            raise SchemaError(
                f"Line {parameter.lineno}: parameter {parameter.arg} of {function} has no type",
                parameter.lineno,
            )
        schema: dict[str, Any] = {}
    else:
        schema = _annotation(parameter.annotation)
    schema.setdefault("description", parameter.arg)
    if default is not None:
        try:
            value = ast.literal_eval(default)
        except (ValueError, TypeError, MemoryError, RecursionError):
            return schema
        if _is_json(value):
            schema["default"] = value
    return schema


def _is_json(value: Any) -> bool:
    """Whether a constant can stand in a schema that is sent as JSON."""
    match value:
        case None | bool():
            return True
        case int():
            return -(2**63) <= value < 2**63
        case float():
            return math.isfinite(value)
        case str():
            return _is_text(value)
        case list():
            return all(_is_json(item) for item in value)
        case dict():
            return all(isinstance(k, str) and _is_json([k, v]) for k, v in value.items())
    return False


def _is_text(text: str) -> bool:
    """No lone surrogates: they cannot be written as UTF-8."""
    return not any("\ud800" <= c <= "\udfff" for c in text)


def _annotation(node: ast.expr, depth: int = 0) -> dict[str, Any]:
    """JSON schema of a type annotation; an unknown type accepts anything."""
    if depth > _MAX_DEPTH:
        return {}
    match node:
        case ast.Constant(value=None):
            return {"type": "null"}
        case ast.Constant(value=str() as text):
            try:
                return _annotation(ast.parse(text, mode="eval").body, depth + 1)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return {}
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return dict(_SIMPLE.get(name, {}))
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _any_of([_annotation(left, depth + 1), _annotation(right, depth + 1)])
        case ast.Subscript(value=value, slice=inner):
            return _generic(value, inner, depth)
    return {}


def _generic(value: ast.expr, inner: ast.expr, depth: int) -> dict[str, Any]:
    name = value.id if isinstance(value, ast.Name) else getattr(value, "attr", "")
    items = list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]
    match name.lower():
        case "list" | "set" | "sequence" | "iterable" | "tuple" | "frozenset":
            return {"type": "array", "items": _annotation(items[0], depth + 1)}
        case "dict" | "mapping":
            schema: dict[str, Any] = {"type": "object"}
            if len(items) == 2:
                schema["additionalProperties"] = _annotation(items[1], depth + 1)
            return schema
        case "optional":
            return _any_of([_annotation(items[0], depth + 1), {"type": "null"}])
        case "union":
            return _any_of([_annotation(item, depth + 1) for item in items])
        case "literal":
            constants = [i.value for i in items if isinstance(i, ast.Constant)]
            return {"enum": [value for value in constants if _is_json(value)]}
        case "annotated":
            schema = _annotation(items[0], depth + 1)
            text = next(
                (i.value for i in items[1:]
                 if isinstance(i, ast.Constant) and isinstance(i.value, str)), None
            )  # fmt: skip
            return {**schema, "description": text} if text and _is_text(text) else schema
    return {}


def _any_of(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    flat: list[dict[str, Any]] = []
    for schema in schemas:
        flat += schema["anyOf"] if list(schema) == ["anyOf"] else [schema]
    return {"anyOf": flat}
