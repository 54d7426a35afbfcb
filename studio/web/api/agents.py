"""JSON routes of agents."""

from __future__ import annotations

from ...definitions.agents import AgentDefinition
from .nouns import noun_router

router = noun_router("agents", AgentDefinition)
