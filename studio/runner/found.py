"""Model servers on this computer: looked for only when a person asks, and never sent a key."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ..definitions.models import PRESETS
from ..engine.errors import ModelError
from ..engine.llm.models import Endpoint
from ..engine.llm.openai_client import OpenAIClient

PLACES = ("ollama", "lmstudio", "llamacpp", "vllm")
SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Found:
    provider: str
    label: str
    address: str
    models: list[str]


async def search_this_computer(client: OpenAIClient) -> list[Found]:
    """The servers that answer at their usual ports, with the models they offer."""
    results = await asyncio.gather(*(_look(client, provider) for provider in PLACES))
    return [found for found in results if found is not None]


async def _look(client: OpenAIClient, provider: str) -> Found | None:
    preset = PRESETS[provider]
    try:
        models = await client.models(Endpoint(preset.base_url, ""), SECONDS)
    except ModelError:
        return None
    return Found(provider, preset.label, preset.base_url, models[:50]) if models else None
