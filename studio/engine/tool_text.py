"""What tools and models say to each other in text: names, arguments, results.

The behaviour is AutoGen 0.2.40's, recorded in tests/data/autogen_0_2_units.json, unless said
otherwise. The texts of errors go to a model, which repairs its call by them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from .messages import text_of

MAX_NAME = 64
_STRING_OR_NEWLINE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|\n', re.DOTALL)
_RAW = str.maketrans({"\n": "\\n", "\t": "\\t", "\r": "\\r"})
_NOT_IN_NAME = re.compile(r"[^a-zA-Z0-9_-]")


def format_json_str(text: str) -> str:
    """JSON as models write it, made readable: newlines between tokens are dropped, raw newlines,
    tabs and carriage returns inside strings are escaped."""
    return _STRING_OR_NEWLINE.sub(
        lambda found: "" if found[0] == "\n" else found[0].translate(_RAW), text
    )


def read_arguments(text: str) -> dict[str, Any] | str:
    """The arguments of a tool call, or the text of the error for the model, `Error: ...`.

    JSON that is no object is an error too (AutoGen would fail inside the call).
    """
    try:
        found = json.loads(format_json_str(text))
    except (ValueError, RecursionError) as error:
        return _not_json(str(error))
    if not isinstance(found, dict):
        return _not_json(f"the arguments are not an object: {text[:80]}")
    return found


def _not_json(why: str) -> str:
    return f"Error: {why}\n The argument must be in JSON format."


def tool_result_text(value: Any) -> str:
    """A tool's result as the text of its message.

    Text stays as it is, a pydantic model and everything else becomes JSON with its own letters,
    and what JSON cannot hold becomes its `str()` (AutoGen would answer with an error).
    """
    if isinstance(value, str):
        return value
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    try:
        return json.dumps(value, ensure_ascii=False, default=_model_as_json)
    except (TypeError, ValueError, RecursionError):
        return str(value)


def _model_as_json(value: object) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} is not JSON")


def normalize_name(name: str) -> str:
    """A name as function calls allow it: other characters become "_", 64 characters at most."""
    return _NOT_IN_NAME.sub("_", name)[:MAX_NAME]


def assert_valid_name(name: str) -> str:
    """The name, if function calls allow it. Raises ValueError otherwise."""
    if not name or _NOT_IN_NAME.search(name):
        raise ValueError(f"Invalid name: {name}. Only letters, numbers, '_' and '-' are allowed.")
    if len(name) > MAX_NAME:
        raise ValueError(f"Invalid name: {name}. Name must be less than 64 characters.")
    return name


def content_str(content: Any) -> str:
    """`text_of` for content from outside: what is neither text nor an image is refused.

    Raises TypeError for what is not text, a list of mappings or None, ValueError for a part of
    another type.
    """
    if content is not None and not isinstance(content, str | list):
        raise TypeError(f"content must be None, str, or list, but got {type(content)}")
    for part in content if isinstance(content, list) else []:
        if not isinstance(part, Mapping):
            raise TypeError(
                "Wrong content format: every element should be dict if the content is a list."
            )
        if part.get("type") not in ("text", "image_url"):
            raise ValueError(
                f"Wrong content format: unknown type {part.get('type')} within the content"
            )
    return text_of(content)
