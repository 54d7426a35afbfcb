"""Definitions for everyone above the store: the web, the CLI and the gallery."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from ..definitions.models import ModelDefinition, ModelInput
from ..definitions.nouns import parse
from ..definitions.references import AnyDefinition, Noun
from ..definitions.skills import McpSkillDefinition, PythonSkillDefinition
from ..errors import StaleError
from . import definitions, model_keys
from .database import Database
from .definitions import Page, Stored
from .secrets import Vault


class Catalog:
    """Create, read, replace and delete definitions of one database. Owner and author are said."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self.database, self.vault = database, vault

    async def create(
        self,
        owner: str,
        by: str,
        noun: Noun,
        given: AnyDefinition | ModelInput,
        origin: str = "",
    ) -> dict[str, Any]:
        def work(connection: Connection) -> Stored:
            if isinstance(given, ModelInput):
                return model_keys.create(connection, self.vault, owner, given, by, origin)
            return definitions.create(connection, owner, noun, given, by, origin)

        return await self.view(owner, await self.database.write(work))

    async def stored(self, owner: str, noun: Noun, one: str) -> Stored:
        return await self.database.read(lambda c: definitions.get(c, owner, noun, one))

    async def get(self, owner: str, noun: Noun, one: str) -> dict[str, Any]:
        return await self.view(owner, await self.stored(owner, noun, one))

    async def listing(
        self, owner: str, noun: Noun, q: str = "", limit: int = 50, cursor: str | None = None
    ) -> dict[str, Any]:
        def work(connection: Connection) -> dict[str, Any]:
            page: Page = definitions.listing(connection, owner, noun, q, limit, cursor)
            items = [self._view(connection, owner, stored) for stored in page.items]
            return {"items": items, "next": page.next}

        return await self.database.read(work)

    async def all_of(self, owner: str, noun: Noun) -> list[Stored]:
        return await self.database.read(lambda c: definitions.all_of(c, owner, noun))

    async def replace(
        self,
        owner: str,
        by: str,
        noun: Noun,
        one: str,
        given: AnyDefinition | ModelInput,
        if_match: int | None = None,
    ) -> dict[str, Any]:
        def work(connection: Connection) -> Stored:
            if isinstance(given, ModelInput):
                return model_keys.replace(connection, self.vault, owner, one, given, by, if_match)
            return definitions.replace(connection, owner, noun, one, given, by, if_match)

        try:
            return await self.view(owner, await self.database.write(work))
        except StaleError:
            raise StaleError(await self.get(owner, noun, one)) from None

    async def remove(self, owner: str, noun: Noun, one: str) -> None:
        await self.database.write(lambda c: definitions.remove(c, owner, noun, one))

    async def undelete(self, owner: str, noun: Noun, one: str) -> dict[str, Any]:
        stored = await self.database.write(lambda c: definitions.undelete(c, owner, noun, one))
        return await self.view(owner, stored)

    async def set_draft(
        self,
        owner: str,
        noun: Noun,
        one: str,
        draft: dict[str, Any] | None,
        if_match: int | None = None,
    ) -> dict[str, Any]:
        stored = await self.database.write(
            lambda c: definitions.set_draft(c, owner, noun, one, draft, if_match)
        )
        return await self.view(owner, stored)

    async def revisions(self, owner: str, noun: Noun, one: str) -> list[dict[str, Any]]:
        return await self.database.read(lambda c: definitions.revisions(c, owner, noun, one))

    async def revision(self, owner: str, noun: Noun, one: str, n: int) -> dict[str, Any]:
        body = await self.database.read(lambda c: definitions.revision_body(c, owner, noun, one, n))
        return {"id": one, "revision": n, **body}

    async def restore(self, owner: str, by: str, noun: Noun, one: str, n: int) -> dict[str, Any]:
        """Makes an old revision the newest. A model's key is kept only for the same host."""

        def work(connection: Connection) -> Stored:
            body = definitions.revision_body(connection, owner, noun, one, n)
            if noun == "models":
                given = ModelInput.model_validate({k: v for k, v in body.items() if k != "secret"})
                return model_keys.replace(connection, self.vault, owner, one, given, by, None)
            return definitions.replace(connection, owner, noun, one, parse(noun, body), by)

        return await self.view(owner, await self.database.write(work))

    async def users_of(self, owner: str, one: str) -> list[dict[str, str]]:
        return await self.database.read(lambda c: definitions.users_of(c, owner, one))

    async def view(self, owner: str, stored: Stored) -> dict[str, Any]:
        return await self.database.read(lambda c: self._view(c, owner, stored))

    @staticmethod
    def _view(connection: Connection, owner: str, stored: Stored) -> dict[str, Any]:
        """A definition as clients see it, with what is derived from it."""
        shown = stored.as_json()
        if stored.noun == "models":
            parsed = stored.parsed()
            assert isinstance(parsed, ModelDefinition)
            shown |= model_keys.key_info(connection, owner, parsed)
            del shown["secret"]
        elif stored.noun == "skills":
            parsed = stored.parsed()
            assert isinstance(parsed, PythonSkillDefinition | McpSkillDefinition)
            shown["functions"] = [f.as_json() for f in parsed.schemas()]
        return shown
