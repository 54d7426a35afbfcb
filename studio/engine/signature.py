"""What a live function looks like to a model, and how a model's arguments become its own types.

`schema.py` reads source text and never runs it; this reads a function that its author hands over.
The form is AutoGen 0.2.40's, recorded in the scenario tool_schema_rich.
"""

from __future__ import annotations

import functools
import inspect
import typing
import warnings
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, TypeAdapter
from pydantic.errors import PydanticUserError
from pydantic_core import to_jsonable_python

Function = Callable[..., Any]
_REF = "#/$defs/"
_NAMES_TO_SCHEMAS = frozenset({"properties", "$defs", "patternProperties", "dependentSchemas"})
_DATA = frozenset({"default", "const", "enum", "examples", "required", "discriminator"})


def function_schema(
    function: Function, *, name: str | None = None, description: str
) -> dict[str, Any]:
    """{"type": "function", "function": {"description", "name", "parameters"}} for a tool.

    A parameter is the JSON schema of its annotation, its default, and as description the first text
    of its Annotated, a pydantic Field's description, or its own name. Required is what has no
    default. Models are written out where they stand, and inside them as "$defs" of the parameters
    (AutoGen leaves these where no reference finds them). There are no titles. *args and **kwargs
    are not offered; a parameter with a default and without annotation is neither, with a warning.

    Raises TypeError naming all parameters without annotation and default, and for a type that has
    no JSON schema. A missing return annotation is a warning.
    """
    own_name = _name_of(function)
    parameters, hints = _parameters(function), _hints(function)
    silent = {n: p.default is p.empty for n, p in parameters.items() if n not in hints}
    if missing := [n for n, is_required in silent.items() if is_required]:
        raise TypeError(
            f"{own_name} cannot be offered to a model: annotate the types of "
            f"{', '.join(missing)}, which have no defaults"
        )
    if silent:
        _warn(f"{own_name} does not offer {', '.join(silent)}: there is no annotation")
    if "return" not in hints:
        _warn(f"{own_name} has no return annotation: a tool should return text or a pydantic model")
    properties, definitions = _schemas(own_name, {n: hints[n] for n in parameters if n in hints})
    for key, schema in properties.items():
        if parameters[key].default is not inspect.Parameter.empty:
            schema["default"] = to_jsonable_python(parameters[key].default, fallback=str)
        schema["description"] = _description(hints[key]) or key
    offered: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "required": [n for n, p in parameters.items() if p.default is p.empty],
    }
    if definitions:
        offered["$defs"] = definitions
    told = {"description": description, "name": name or own_name, "parameters": offered}
    return {"type": "function", "function": told}


def with_models(function: Function) -> Function:
    """The function, given pydantic models where its annotations say so and a model sent dicts.

    Also models inside lists, unions and the like; models that are given as such are passed on. A
    function without them is returned as it is; an async one stays async.
    The result raises pydantic's ValidationError for arguments that do not fit.
    """
    parameters, hints = _parameters(function), _hints(function)
    adapters: dict[str, TypeAdapter[Any]] = {
        n: TypeAdapter(hints[n]) for n in parameters if n in hints and _holds_model(hints[n])
    }
    if not adapters:
        return function
    names = list(parameters)

    def loaded(name: str, value: Any) -> Any:
        return adapters[name].validate_python(value) if name in adapters else value

    def load(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        known = zip(names, args, strict=False)
        positional = [loaded(name, value) for name, value in known]
        return [*positional, *args[len(names) :]], {n: loaded(n, v) for n, v in kwargs.items()}

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def later(*args: Any, **kwargs: Any) -> Any:
            args_, kwargs_ = load(args, kwargs)
            return await function(*args_, **kwargs_)

        return later

    @functools.wraps(function)
    def now(*args: Any, **kwargs: Any) -> Any:
        args_, kwargs_ = load(args, kwargs)
        return function(*args_, **kwargs_)

    return now


def _name_of(function: Function) -> str:
    return str(getattr(_innermost(function), "__name__", type(function).__name__))


def _innermost(function: Function) -> Function:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _parameters(function: Function) -> dict[str, inspect.Parameter]:
    """The parameters that a call by name can fill, in order."""
    found = inspect.signature(function).parameters
    if unnamed := [n for n, p in found.items() if p.kind is p.POSITIONAL_ONLY]:
        raise TypeError(
            f"{_name_of(function)} cannot be a tool: "
            f"a model names its arguments, but {', '.join(unnamed)} are positional only"
        )
    return {n: p for n, p in found.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}


def _hints(function: Function) -> dict[str, Any]:
    inner = _innermost(function)
    try:
        return typing.get_type_hints(
            inner if inspect.isroutine(inner) else type(inner).__call__, include_extras=True
        )
    except NameError as error:
        raise TypeError(f"an annotation of {_name_of(function)} is unknown: {error}") from error


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=3)


def _description(annotation: Any) -> str:
    for extra in getattr(annotation, "__metadata__", ()):
        text = extra if isinstance(extra, str) else getattr(extra, "description", None)
        if isinstance(text, str) and text:
            return text
    return ""


def _holds_model(annotation: Any) -> bool:
    if get_origin(annotation) is None and isinstance(annotation, type):
        return issubclass(annotation, BaseModel)
    return any(_holds_model(inner) for inner in get_args(annotation))


def _schemas(
    function: str, annotations: Mapping[str, Any]
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """The schemas of the parameters, and the definitions that they refer to."""
    adapters: list[tuple[str, typing.Literal["validation"], TypeAdapter[Any]]] = []
    for name, annotation in annotations.items():
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(annotation)
            adapter.json_schema()
        except PydanticUserError as error:
            raise TypeError(
                f"{function} cannot be offered to a model: "
                f"the type of {name} has no JSON schema ({error.message.splitlines()[0]})"
            ) from error
        adapters.append((name, "validation", adapter))
    if not adapters:
        return {}, {}
    # Together, so that two models of one name get definitions of different names.
    found, rest = TypeAdapter.json_schemas(adapters, ref_template=_REF + "{model}")
    definitions = _plain(rest.get("$defs", {}), are_names=True)
    properties = {
        name: _inlined(_plain(found[name, "validation"]), definitions) for name in annotations
    }
    return properties, _reachable(list(properties.values()), definitions)


def _plain(schema: Any, *, are_names: bool = False) -> Any:
    """Without titles, which cost tokens and tell a model nothing; keywords in pydantic's order."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value
        if key in _DATA and not are_names
        else _plain(value, are_names=key in _NAMES_TO_SCHEMAS and not are_names)
        for key, value in (schema if are_names else dict(sorted(schema.items()))).items()
        if are_names or key != "title"
    }


def _inlined(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref", "")
    if not reference:
        return schema
    rest = {key: value for key, value in schema.items() if key != "$ref"}
    return {**definitions[reference.removeprefix(_REF)], **rest}


def _reachable(schemas: list[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    waiting: list[Any] = list(schemas)
    while waiting:
        schema = waiting.pop()
        if isinstance(schema, list):
            waiting += schema
        elif isinstance(schema, dict):
            waiting += schema.values()
            name = str(schema.get("$ref", "")).removeprefix(_REF)
            if name in definitions and name not in found:
                found[name] = definitions[name]
                waiting.append(definitions[name])
    return {name: definitions[name] for name in definitions if name in found}
