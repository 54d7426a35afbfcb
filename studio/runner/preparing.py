"""What an agent, a skill or a workflow needs on this machine before its code can run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, assert_never

from ..definitions.agents import AGENT
from ..definitions.references import Noun
from ..definitions.skills import SKILL
from ..engine.errors import SandboxError
from ..engine.execution.box import Kind
from ..engine.execution.docker_images import has_image
from ..errors import UnavailableError
from ..store import closure, definitions
from ..store.database import Connection, Database
from .boxes import IMAGE, Boxes, Needs, chosen, wanted_of
from .packages import Prepared, State, Wanted
from .workshop import code_needs, skill_needs


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to prepare. `kind` is the box that it is for, "none" where there is no box."""

    what: Literal["packages", "image"]
    kind: Kind | Literal["none"]
    names: tuple[str, ...]
    state: State
    detail: str = ""
    bytes: int = 0
    lines: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "what": self.what, "kind": self.kind, "names": list(self.names), "state": self.state,
            "detail": self.detail, "bytes": self.bytes,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class _NoBox:
    """Needs that nothing on this machine can meet, and why."""

    names: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Preparing:
    """What is wanted is read from the stored definition each time: `noun` and `one` name it.

    All methods raise NotFoundError.
    """

    database: Database
    boxes: Boxes

    async def items(self, owner: str, noun: Noun, one: str) -> list[Item]:
        """All that must be there before its code runs, and what is there already."""
        found = []
        for wanted in await self._wanted(owner, noun, one):
            if isinstance(wanted, _NoBox):
                what: Literal["packages", "image"] = "packages"
                found.append(Item(what, "none", wanted.names, "failed", wanted.why))
                continue
            prepared = await self._looked_at(wanted)
            if prepared.state != "ready" or wanted.names != (IMAGE,):
                found.append(_item(wanted, prepared))
        return found

    async def start(self, owner: str, noun: Noun, one: str) -> list[Item]:
        """Begins what is missing or has failed, and says how it stands."""
        for wanted in await self._wanted(owner, noun, one):
            if isinstance(wanted, _NoBox):
                continue
            if (await self._looked_at(wanted)).state in ("missing", "failed"):
                self.boxes.preparations.start(wanted)
        return await self.items(owner, noun, one)

    async def cancel(self, owner: str, noun: Noun, one: str) -> list[Item]:
        """Stops what runs; what was fetched so far is removed."""
        for wanted in await self._wanted(owner, noun, one):
            if not isinstance(wanted, _NoBox):
                await self.boxes.preparations.cancel(wanted)
        return await self.items(owner, noun, one)

    async def forget(self, owner: str, noun: Noun, one: str) -> list[Item]:
        """Deletes what was prepared, for all that use the same. Raises UnavailableError."""
        for wanted in await self._wanted(owner, noun, one):
            if not isinstance(wanted, _NoBox):
                try:
                    await self.boxes.preparations.forget(wanted)
                except SandboxError as error:
                    raise UnavailableError(str(error)) from None
        return await self.items(owner, noun, one)

    async def _looked_at(self, wanted: Wanted) -> Prepared:
        try:
            return await self.boxes.preparations.look(wanted)
        except SandboxError as error:  # Docker has gone since it was looked at
            return Prepared("failed", str(error))

    async def _wanted(self, owner: str, noun: Noun, one: str) -> list[Wanted | _NoBox]:
        """Each once, in the order of the agents."""
        needed = await self.database.read(lambda c: [*_needs(c, owner, noun, one)])
        found: dict[Wanted | _NoBox, None] = {}
        for needs in needed:
            found[await self._of(needs)] = None
        return [one for one in found if isinstance(one, _NoBox) or one.names]

    async def _of(self, needs: Needs) -> Wanted | _NoBox:
        probes = await self.boxes.known()
        try:
            return wanted_of(chosen(probes, needs), needs, probes)
        except SandboxError as error:
            why = str(error)
        if needs.executor != "sandbox":
            try:
                if not await has_image(IMAGE):  # Docker runs here, and lacks an image to be tried
                    return Wanted("docker", needs.packages, image=needs.image or IMAGE)
                probes = await self.boxes.look()  # it may have got one since the last look
                return wanted_of(chosen(probes, needs), needs, probes)
            except SandboxError:
                pass
        return _NoBox(needs.packages or (needs.image or IMAGE,), why)


def _needs(connection: Connection, owner: str, noun: Noun, one: str) -> Iterator[Needs]:
    """Of a definition and of all that it refers to; a server elsewhere needs nothing here."""
    root = definitions.get(connection, owner, noun, one)
    found = closure.closure(connection, owner, root.parsed())
    found[noun] = {one: root, **found[noun]}
    for stored in found["agents"].values():
        agent = AGENT.validate_python(stored.body)
        if agent.code_execution_config:
            yield code_needs(agent.code_execution_config)
    for stored in found["skills"].values():
        skill = SKILL.validate_python(stored.body)
        match skill.kind:
            case "python":
                yield skill_needs(skill)
            case "mcp":
                if skill.transport.kind == "stdio":
                    yield skill_needs(skill)
            case _:
                assert_never(skill.kind)


def _item(wanted: Wanted, prepared: Prepared) -> Item:
    return Item(
        "packages" if wanted.packages else "image", wanted.kind, wanted.names, prepared.state,
        prepared.detail, prepared.bytes, prepared.lines,
    )  # fmt: skip
