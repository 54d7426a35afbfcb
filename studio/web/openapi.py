"""What /api/openapi.json says beyond the routes: how to come in, and how errors look."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from .credentials import COOKIE, PUBLIC

PROBLEM = {
    "type": "object",
    "description": "RFC 9457. Each of `errors` names a field of the request and what is wrong.",
    "required": ["type", "title", "status", "detail", "errors"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["loc", "msg", "code", "blocking"],
                "properties": {
                    "loc": {
                        "type": "array",
                        "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                    },
                    "msg": {"type": "string"},
                    "code": {"type": "string"},
                    "blocking": {"type": "boolean"},
                    "fix": {},
                },
            },
        },
    },
}
_CONTENT = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
REFUSED = {"description": "Refused: a problem that says why", "content": _CONTENT}
AWAY = {"description": "The database cannot be used now; nothing was lost", "content": _CONTENT}


def describe(app: FastAPI) -> None:
    """Makes the document true of what every operation has in common."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(plain())
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def _link(paths: dict[str, Any]) -> None:
    """Says that the id in the answer to a POST is the {one} of the addresses below it."""
    for path, operations in paths.items():
        made = operations.get("post", {}).get("responses", {}).get("201")
        if made is None:
            continue
        made["links"] = {
            operation["operationId"]: {
                "operationId": operation["operationId"],
                "parameters": {"one": "$response.body#/id"},
            }
            for inner, others in paths.items()
            if inner.startswith(f"{path}/{{one}}") and not inner.endswith("/stream")
            for operation in others.values()
        }


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    parts = document.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = PROBLEM
    parts["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "browser": {"type": "apiKey", "in": "cookie", "name": COOKIE},
    }
    _link(document["paths"])
    for path, operations in document["paths"].items():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            operation["responses"] |= {"4XX": REFUSED, "503": AWAY}
            if path not in PUBLIC:
                operation["security"] = [{"token": []}, {"browser": []}]
    return document
