"""A pydantic model as the response_format of a chat completion, in OpenAI's strict form."""

from __future__ import annotations

from typing import Any


def response_format(model: type[Any]) -> dict[str, Any]:
    """{"type": "json_schema", ...}: every property required, no others allowed.

    Strict servers refuse a schema that says less, so a default only tells a reader what is usual.
    """
    schema = _strict(model.model_json_schema())
    told = {"name": model.__name__, "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": told}


def _strict(schema: Any, *, are_names: bool = False) -> Any:
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if are_names:
        return {name: _strict(one) for name, one in schema.items()}
    found = {
        key: value
        if key in ("enum", "const", "required")
        else _strict(value, are_names=key in ("properties", "$defs"))
        for key, value in schema.items()
        if key != "default"
    }
    if found.get("type") == "object" and "properties" in found:
        found |= {"required": list(found["properties"]), "additionalProperties": False}
    if "$ref" in found:
        return {"$ref": found["$ref"]}
    return found
