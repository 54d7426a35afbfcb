"""Whether code and skills of a workflow can run on this machine, said before a session starts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from ..config import Settings
from ..definitions.agents import AgentDefinition, CodeExecutionConfig
from ..definitions.checks import check
from ..definitions.references import replaced
from ..definitions.skills import SkillDefinition
from ..definitions.surroundings import Hindrance, Surroundings
from ..engine.errors import SandboxError
from ..engine.execution.box import Kind, Probe
from ..errors import InvalidError, NotFoundError, Problem
from ..store import closure, consents, definitions, secrets
from ..store.database import Connection
from ..store.secrets import Vault
from .boxes import NETWORK_OFF, Boxes, Needs, chosen, wanted_of
from .local_model import BuiltInModel
from .mcp_errors import INSTALL, is_missing
from .workshop import code_needs, skill_needs

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Known:
    """What was found out about this machine: `prepared` by what code or a skill needs."""

    probes: Mapping[Kind, Probe] = field(default_factory=dict)
    prepared: Mapping[Needs, bool] = field(default_factory=dict)


class UnknownBoxesError(Exception):
    """This must be found out first: whether there are boxes for these needs."""

    def __init__(self, needed: set[Needs]) -> None:
        super().__init__()
        self.needed = needed


@dataclass(frozen=True, slots=True)
class LookedAt:
    """A workflow as a session would carry it, and what stands in the way of one."""

    snapshot: dict[str, Any]
    problems: list[Problem]
    revision: int


class Readiness:
    def __init__(self, settings: Settings, vault: Vault, local: BuiltInModel, boxes: Boxes) -> None:
        self.settings, self.vault, self.local, self.boxes = settings, vault, local, boxes

    async def knowing_boxes(self, work: Callable[[Known], Awaitable[T]]) -> T:
        """The machine is looked at only where something is to run in a box."""
        try:
            return await work(Known())
        except UnknownBoxesError as unknown:
            probes = await self.boxes.known()
            prepared = {needs: await self._is_prepared(needs, probes) for needs in unknown.needed}
            return await work(Known(probes, prepared))

    async def _is_prepared(self, needs: Needs, probes: dict[Kind, Probe]) -> bool:
        """True as well where there is no box at all, which is said elsewhere."""
        try:
            wanted = wanted_of(chosen(probes, needs), needs, probes)
            return (await self.boxes.preparations.look(wanted)).state == "ready"
        except SandboxError:
            return True

    def looked_at(
        self,
        connection: Connection,
        owner: str,
        workflow: str,
        models: dict[str, str],
        known: Known,
    ) -> LookedAt:
        """`models` exchanges model ids. Raises UnknownBoxesError, InvalidError."""
        root = definitions.get(connection, owner, "workflows", workflow)
        found = closure.closure(connection, owner, root.parsed())
        for new in models.values():
            try:
                found["models"][new] = definitions.get(connection, owner, "models", new)
            except NotFoundError:
                raise InvalidError(
                    [Problem(["models"], "There is no such model", "unknown_reference")]
                ) from None
        around = closure.surroundings(
            connection, self.vault, owner, found, local_ready=self.local.is_ready
        )
        around = replace(around, hindrances=self._hindrances(connection, owner, around, known))
        snapshot = closure.snapshot(root, found)
        if models:
            keep = snapshot["models"]
            snapshot = replaced({k: v for k, v in snapshot.items() if k != "models"}, models) | {
                "models": keep
            }
            around = closure.exchanged(around, models)
        problems = check(closure.workflow_of(snapshot), around)
        agreed = {"approved": consents.kept(connection, owner, workflow)}
        return LookedAt(snapshot | agreed, problems, root.revision)

    def _hindrances(
        self, connection: Connection, owner: str, around: Surroundings, machine: Known
    ) -> dict[str, list[Hindrance]]:
        wanted = any(skill.secrets for skill in around.skills.values())
        known = secrets.opened(connection, self.vault, owner) if wanted else {}
        return hindrances(
            around, machine,
            frozenset(name for name, one in known.items() if not one.destination),
            open_network=self.settings.open_network,
        )  # fmt: skip


def hindrances(
    around: Surroundings, known: Known, secrets: frozenset[str], *, open_network: bool
) -> dict[str, list[Hindrance]]:
    """What stands in the way, by the ids of agents (their code) and skills. `secrets` are the names
    of those that can be read.

    Raises UnknownBoxesError when something is to run and nothing is known.
    """
    found: dict[str, list[Hindrance]] = {}
    needed = [
        *((one, code_needs(config)) for one, config in _running(around.agents)),
        *((one, skill_needs(skill)) for one, skill in _boxed(around.skills)),
    ]
    if needed and not known.probes:
        raise UnknownBoxesError({needs for _, needs in needed})
    for one, needs in needed:
        found.setdefault(one, []).extend(_of(needs, known, open_network))
    for one, skill in around.skills.items():
        if skill.kind == "mcp" and is_missing():
            words = f"cannot be used: {INSTALL}"
            found.setdefault(one, []).append(Hindrance(words, "mcp_missing", blocking=True))
        if missing := [name for name in skill.secrets if name not in secrets]:
            words = f"has no value for {', '.join(missing)}: enter it in Settings"
            found.setdefault(one, []).append(Hindrance(words, "secret_missing", "secrets"))
    return found


def _running(
    agents: Mapping[str, AgentDefinition],
) -> Iterator[tuple[str, CodeExecutionConfig]]:
    for one, agent in agents.items():
        if agent.code_execution_config:
            yield one, agent.code_execution_config


def _boxed(skills: Mapping[str, SkillDefinition]) -> Iterator[tuple[str, SkillDefinition]]:
    """Those that run here; a server elsewhere needs no box."""
    for one, skill in skills.items():
        if skill.kind == "python" or skill.transport.kind == "stdio":
            yield one, skill


def _of(needs: Needs, known: Known, open_network: bool) -> Iterator[Hindrance]:
    if needs.network == "open" and not open_network:
        yield Hindrance(f"cannot reach the network: {NETWORK_OFF}", "network_off", "network")
    try:
        chosen(dict(known.probes), needs)
    except SandboxError as error:
        yield Hindrance(f"cannot run: {error}", "no_sandbox")
        return
    if not known.prepared.get(needs, True):
        what = needs.packages or (needs.image,)
        are, it = ("are", "them") if len(what) > 1 else ("is", "it")
        words = f"needs {', '.join(what)}, which {are} not on this machine yet: prepare {it} first"
        yield Hindrance(words, "not_prepared", "packages", blocking=True)
