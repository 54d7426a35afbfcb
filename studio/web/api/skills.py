"""JSON routes of skills."""

from __future__ import annotations

from ...definitions.skills import SkillDefinition
from .nouns import noun_router

router = noun_router("skills", SkillDefinition)
