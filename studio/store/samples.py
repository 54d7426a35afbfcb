"""Puts the shipped examples into a new data folder, each once: a deleted sample stays deleted."""

from __future__ import annotations

from sqlalchemy import Connection

from ..definitions.bundle import load_bundle
from ..definitions.gallery import bundles
from . import bundles as bundles_of
from . import settings
from .catalog import Catalog

SETTING = "samples"
BY = "studio"


async def install_samples(catalog: Catalog, owner: str) -> int:
    """Stores every bundle that was not stored before; says how many were new."""
    known: dict[str, dict[str, str]] = await catalog.database.read(
        lambda c: settings.get_setting(c, owner, SETTING, {})
    )
    new = {slug: text for slug, text in bundles().items() if slug not in known}
    if not new:
        return 0

    def work(connection: Connection) -> None:
        """All of them at once: a first start is no slower for a large gallery."""
        shared = {name: one for ids in known.values() for name, one in ids.items()}
        for slug, text in new.items():
            bundle = load_bundle(text)
            bundle.ids.update({k: v for k, v in shared.items() if k.startswith("models/")})
            made = bundles_of.take_in(
                connection, catalog.vault, owner, BY, bundle, "copy", origin=f"gallery:{slug}"
            )
            known[slug] = {f"{noun}/{stored.name}": stored.id for noun, stored in made}
            shared |= known[slug]
        settings.set_setting(connection, owner, SETTING, known)

    await catalog.database.write(work)
    return len(new)


async def sample_ids(catalog: Catalog, owner: str) -> dict[str, str]:
    """The ids of all samples by "noun/name", whether they still exist or not."""
    known: dict[str, dict[str, str]] = await catalog.database.read(
        lambda c: settings.get_setting(c, owner, SETTING, {})
    )
    return {name: one for ids in known.values() for name, one in ids.items()}
