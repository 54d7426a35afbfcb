"""JSON schemas of tools from elsewhere, put right: what we read of them is of the type we expect.

A server may say anything. What a word of the schema cannot hold is left out; words that we do not
know stay as they are, for the model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

MAX_SCHEMA = 50_000  # characters of one tool's schema


def as_bytes(value: Any) -> bytes:
    """A JSON value, the same for equal ones. ValueError for what is nested without end or holds a
    number beyond 64 bits."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise ValueError(f"this is not a JSON schema: {error}") from None


def put_right(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema of arguments: an object with properties. Doing it again changes nothing.

    Raises ValueError when it is too large.
    """
    if len(as_bytes(schema)) > MAX_SCHEMA:
        raise ValueError(f"a tool's schema has at most {MAX_SCHEMA:,} characters")
    if not schema:
        return {}
    found = _schema(schema)
    if "properties" not in found:
        found.setdefault("additionalProperties", True)
    return {"properties": {}, **found, "type": "object"}


def _schema(schema: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for word, value in schema.items():
        right = _WORDS.get(word, _anything)(value)
        if right is not None:
            found[word] = right
    return found


def _anything(value: Any) -> Any:
    return value


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _list(value: Any) -> list[Any] | None:
    return value if isinstance(value, list) and value else None


def _texts(value: Any) -> list[str] | None:
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else None


def _type(value: Any) -> str | list[str] | None:
    return _text(value) or _texts(value) or None


def _inner(value: Any) -> dict[str, Any] | bool | None:
    if isinstance(value, bool):
        return value
    return _schema(value) if isinstance(value, dict) else None


def _items(value: Any) -> dict[str, Any] | None:
    return _schema(value) if isinstance(value, dict) else None


def _several(value: Any) -> list[dict[str, Any]] | None:
    """`true` and `false` are schemas too: any value, and none."""
    if not isinstance(value, list):
        return None
    return [_schema(v) if isinstance(v, dict) else {} for v in value if v is not False] or None


def _named(value: Any) -> dict[str, dict[str, Any]] | None:
    if not isinstance(value, dict):
        return None
    return {name: _schema(v) if isinstance(v, dict) else {} for name, v in value.items()}


_WORDS: dict[str, Callable[[Any], Any]] = {
    "type": _type,
    "title": _text,
    "description": _text,
    "format": _text,
    "pattern": _text,
    "enum": _list,
    "required": _texts,
    "minimum": _number,
    "maximum": _number,
    "properties": _named,
    "$defs": _named,
    "items": _items,
    "additionalProperties": _inner,
    "anyOf": _several,
    "oneOf": _several,
    "allOf": _several,
}
