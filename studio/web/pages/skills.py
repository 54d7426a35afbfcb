"""Pages of skills."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Form, Response

from ...definitions.skills import read_source
from ...store.definitions import Stored
from ..credentials import Principal
from ..dependencies import Services
from ..forms import FormState, texts
from ..templating import render
from .nouns import NounPages, noun_pages

TEMPLATE = '''def word_count(text: str) -> int:
    """Count the words of a text."""
    return len(text.split())
'''
NEW: dict[str, Any] = {"name": "", "description": "", "source": TEMPLATE, "approval": "always"}


def from_form(raw: dict[str, Any]) -> dict[str, Any]:
    body = dict(raw)
    for name in ("packages", "secrets"):
        if isinstance(body.get(name), str):
            body[name] = body[name].replace(",", " ").split()
    return body


def to_form(body: dict[str, Any]) -> dict[str, str]:
    return {name: ", ".join(texts(body.get(name))) for name in ("packages", "secrets")}


async def values(
    studio: Services, me: Principal, form: FormState, stored: Stored | None
) -> dict[str, Any]:
    return {"read": _read(form.value("source")), "schemas": _schemas}


def _schemas(stored: Stored) -> list[str]:
    """The names of a skill's functions."""
    return [f.name for f in read_source(str(stored.body["source"]))[0]]


def _read(source: str) -> dict[str, Any]:
    """The functions of a source, or what keeps them from being read. Nothing is run."""
    found, error = read_source(source)
    return {"functions": [f.as_json() for f in found], "error": error}


router = noun_pages(NounPages("skills", NEW, from_form, to_form, values))


@router.post("/parts/schema")
async def schema(source: Annotated[str, Form(max_length=200_000)] = "") -> Response:
    """The schema of the source, as it is typed."""
    return Response(render("skills/_schema.html", {"read": _read(source)}), media_type="text/html")
