"""JSON routes of models."""

from __future__ import annotations

from fastapi import Response

from ...definitions.models import ModelDefinition, ModelInput
from ...runner.probe import probe
from ..dependencies import Me, Studio, json_response
from .nouns import noun_router

router = noun_router("models", ModelInput)


@router.post("/{one}/test")
async def test(studio: Studio, me: Me, one: str) -> Response:
    """Asks the model for a word and finds out what its server can do."""
    model = (await studio.catalog.stored(me.owner, "models", one)).parsed()
    assert isinstance(model, ModelDefinition)
    report = await probe(studio.runner.models, me.owner, one, model)
    return json_response(report.as_json())
