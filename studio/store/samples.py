"""Puts the shipped examples into a new data folder, each once: a deleted sample stays deleted."""

from __future__ import annotations

from ..definitions.bundle import load_bundle
from ..definitions.gallery import bundles
from ..definitions.models import ModelDefinition, ModelInput
from . import settings
from .catalog import Catalog

SETTING = "samples"
BY = "studio"


async def install_samples(catalog: Catalog, owner: str) -> int:
    """Stores every bundle that was not stored before; says how many were new."""
    known: dict[str, dict[str, str]] = await catalog.database.read(
        lambda c: settings.get_setting(c, owner, SETTING, {})
    )
    shared = {name: one for ids in known.values() for name, one in ids.items()}
    added = 0
    for slug, text in bundles().items():
        if slug in known:
            continue
        bundle = load_bundle(text)
        bundle.ids.update({k: v for k, v in shared.items() if k.startswith("models/")})
        made: dict[str, str] = {}
        for noun, given in bundle.in_order():
            wanted = (
                ModelInput.model_validate(given.model_dump(exclude={"secret"}))
                if isinstance(given, ModelDefinition)
                else given
            )
            stored = await catalog.create(owner, BY, noun, wanted, origin=f"gallery:{slug}")
            bundle.stored(noun, given.name, str(stored["id"]))
            made[f"{noun}/{given.name}"] = str(stored["id"])
        known[slug] = made
        shared |= made
        added += 1
    if added:
        await catalog.database.write(lambda c: settings.set_setting(c, owner, SETTING, known))
    return added


async def sample_ids(catalog: Catalog, owner: str) -> dict[str, str]:
    """The ids of all samples by "noun/name", whether they still exist or not."""
    known: dict[str, dict[str, str]] = await catalog.database.read(
        lambda c: settings.get_setting(c, owner, SETTING, {})
    )
    return {name: one for ids in known.values() for name, one in ids.items()}
