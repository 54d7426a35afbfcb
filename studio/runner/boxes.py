"""The boxes of all sessions: which kind this machine has, and one folder for each session.

Docker comes first, then the sandbox; without either nothing runs, and the refusal says what to
install. A box lives as long as its session is being played: one that waits for a person holds none.
"""

from __future__ import annotations

import asyncio
import logging
import secrets as randomness
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from ..config import Settings
from ..engine.errors import SandboxError
from ..engine.execution.box import Box, Ended, Job, Kind, Probe, Process
from ..engine.execution.docker import remove_labelled
from ..engine.execution.docker_box import DockerBox
from ..engine.execution.docker_probe import probe_docker
from ..engine.execution.executor import SavedFile
from ..engine.execution.sandbox import SandboxBox, probe_sandbox
from ..store.files import Files
from ..store.tables import now
from .packages import Preparations, Wanted
from .proxy import Proxy
from .proxy_policy import NetworkRequest

log = logging.getLogger("studio.runner")
Told = Callable[[NetworkRequest], None]
Network = Literal["none", "open"] | tuple[str, ...]
KINDS: tuple[Kind, ...] = ("docker", "sandbox")
LOOK_AGAIN_SECONDS = 10.0
IMAGE = "python:3-slim"
LOOK_SECONDS = 3.0  # for a look to end by itself when the studio does
NETWORK_OFF = (
    "The network is open to code only when the owner of this studio says so: "
    "STUDIO_OPEN_NETWORK=true. Name the hosts that are needed instead"
)


@dataclass(frozen=True, slots=True)
class Needs:
    """What code or a skill is run with. An `image` is Docker's; "" is python:3-slim there.

    network  nothing, the hosts of these names, or all public ones
    """

    executor: Literal["auto", "docker", "sandbox"] = "auto"
    image: str = ""
    packages: tuple[str, ...] = ()
    network: Network = "none"


@dataclass(frozen=True, slots=True)
class Done:
    """How a job ended, and the files that it made or changed."""

    ended: Ended
    files: list[SavedFile]


@dataclass
class _Place:
    """What a session has open: its boxes by what they are made with, and its programs that run on.
    Whoever works in the folder holds the lock."""

    boxes: dict[Needs, Box] = field(default_factory=dict)
    apart: dict[str, AsyncExitStack] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass
class OpenRoom:
    """A box of a session while one run has it (see `Room`)."""

    box: Box
    work_dir: Path
    network: bool
    files: list[SavedFile] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    async def run(self, job: Job) -> Ended:
        return await self.box.run(replace(job, network=self.network))


class Boxes:
    """All boxes of a studio. Lives in one event loop."""

    def __init__(self, settings: Settings, files: Files, preparations: Preparations) -> None:
        self.settings, self.files, self.preparations = settings, files, preparations
        self.probes: dict[Kind, Probe] = {}
        self.looked_at = ""  # RFC 3339
        digest = blake2b(str(settings.home.resolve()).encode(), digest_size=8)
        self.label = digest.hexdigest()
        self._places: dict[str, _Place] = {}
        self._looked = 0.0
        self._looking: asyncio.Task[None] | None = None

    # -- what there is

    async def look(self) -> dict[Kind, Probe]:
        """Tries what this machine has, by a canary that attempts to get out. Who asks while one is
        out shares it."""
        await asyncio.shield(self.looking())
        return self.probes

    async def known(self) -> dict[Kind, Probe]:
        """What the last look has found; the first to ask looks. Where no box was found, whoever
        asks later looks again: one may have been installed meanwhile."""
        is_old = time.monotonic() - self._looked > LOOK_AGAIN_SECONDS
        if not self.probes or (is_old and not any(p.ready for p in self.probes.values())):
            return await self.look()
        return self.probes

    def looking(self) -> asyncio.Task[None]:
        """The look that is under way, or a new one; it goes on when nobody waits for it."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="look at boxes")
        return self._looking

    @property
    def is_looking(self) -> bool:
        return self._looking is not None and not self._looking.done()

    async def _look(self) -> None:
        canary = f"canary-{self.label}"
        self.probes, self.looked_at = await found_boxes(self.settings, canary), now()
        self._looked = time.monotonic()
        if self.probes["docker"].ready:
            await remove_labelled(canary)  # of looks that were killed
        for kind, probe in self.probes.items():
            log.info("%s: %s (%s)", kind, "ready" if probe.ready else "not ready", probe.why)

    async def choose(self, needs: Needs) -> Kind:
        """The kind of box for these needs. Raises SandboxError that says what to install."""
        probes = await self.known()
        return chosen(probes, needs)

    # -- running

    @asynccontextmanager
    async def room(self, session_id: str, needs: Needs, told: Told) -> AsyncIterator[OpenRoom]:
        """A session's box and folder, for one run at a time; its files are kept at the end.

        Raises SandboxError when there is no box for these needs.
        """
        self._check_network(needs)
        kind = await self.choose(needs)
        place = self._places.setdefault(session_id, _Place())
        async with place.lock:
            work_dir = self.files.work_dir(session_id)
            box = place.boxes.get(replace(needs, network="none"))
            if box is None:
                box = await self._made(kind, needs, work_dir)
                place.boxes[replace(needs, network="none")] = box
            before = await asyncio.to_thread(self.files.before, work_dir)
            room = OpenRoom(box, work_dir, needs.network != "none")
            async with self._served(needs, work_dir, told):
                yield room
            saved = await self.files.saved(session_id, work_dir, before)
            room.files, room.left_out = saved.files, saved.left_out

    async def run(self, session_id: str, needs: Needs, job: Job, told: Told) -> Done:
        async with self.room(session_id, needs, told) as room:
            ended = await room.run(job)
        return Done(ended, room.files)

    async def try_out(self, needs: Needs, job: Job, told: Told) -> Ended:
        """Runs a job in a folder of its own, which is removed afterwards."""
        self._check_network(needs)
        kind = await self.choose(needs)
        folder = self.settings.home / "work" / f"try-{randomness.token_hex(8)}"
        folder.mkdir(parents=True, mode=0o700)
        try:
            box = await self._made(kind, needs, folder)
            try:
                async with self._served(needs, folder, told):
                    return await box.run(replace(job, network=needs.network != "none"))
            finally:
                await box.close()
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def start(
        self, session_id: str, name: str, needs: Needs, job: Job, told: Told
    ) -> Process:
        """Starts a program that runs on, in a folder and a box of its own. The one that was started
        before by this name is ended."""
        self._check_network(needs)
        kind = await self.choose(needs)
        folder = self.files.work_dir(session_id).with_name(f"mcp-{name}")
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        place = self._places.setdefault(session_id, _Place())
        if before := place.apart.pop(name, None):
            await before.aclose()
        async with AsyncExitStack() as stack:
            box = await self._made(kind, needs, folder)
            stack.push_async_callback(box.close)
            await stack.enter_async_context(self._served(needs, folder, told))
            process = await box.start(replace(job, network=needs.network != "none"))
            place.apart[name] = stack.pop_all()
        return process

    def _check_network(self, needs: Needs) -> None:
        if needs.network == "open" and not self.settings.open_network:
            raise SandboxError(NETWORK_OFF)

    def _served(
        self, needs: Needs, folder: Path, told: Told
    ) -> AbstractAsyncContextManager[object]:
        if needs.network == "none":
            return nullcontext()
        return Proxy(self.settings, needs.network, told).serving(folder)

    async def _made(self, kind: Kind, needs: Needs, folder: Path) -> Box:
        wanted = wanted_of(kind, needs, self.probes)
        if kind == "docker":
            image = await self.preparations.image(wanted.image, wanted.packages)
            return DockerBox(folder, image=image, label=self.label)
        packages = self.preparations.folder(wanted.python, wanted.packages)
        return SandboxBox(folder, packages=packages)

    # -- ends

    async def close_session(self, session_id: str) -> None:
        """Kills what runs for a session; its folder stays."""
        place = self._places.pop(session_id, None)
        if place is not None:
            for box in place.boxes.values():
                await box.close()
            for stack in place.apart.values():
                await stack.aclose()

    async def forget(self, session_id: str) -> None:
        """Ends all of a session that was none, and removes its folder."""
        await self.close_session(session_id)
        await self.files.remove_session(session_id)

    async def clear(self) -> None:
        """Removes what a studio that was killed has left running."""
        if (self.settings.home / "work").exists():
            await remove_labelled(self.label)

    async def close(self) -> None:
        if self._looking is not None:
            await asyncio.wait([self._looking], timeout=LOOK_SECONDS)
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await asyncio.gather(*(self.close_session(one) for one in [*self._places]))


async def found_boxes(settings: Settings, label: str = "") -> dict[Kind, Probe]:
    """What this machine has of each kind: first the one that is used where none is named. A canary
    tries to get out of each; some seconds. `label` is for containers of the canary."""
    home = settings.home if settings.home.is_dir() else None

    async def probed(kind: Kind) -> Probe:
        if kind not in settings.boxes:
            return Probe(kind, ready=False, why="switched off by STUDIO_BOXES")
        if kind == "docker":
            return await probe_docker(home, label=label)
        return await probe_sandbox(home)

    order = sorted(KINDS, key=[*settings.boxes, *KINDS].index)
    return {probe.kind: probe for probe in await asyncio.gather(*map(probed, order))}


def wanted_of(kind: Kind, needs: Needs, probes: Mapping[Kind, Probe]) -> Wanted:
    """What is to be prepared for these needs."""
    if kind == "docker":
        return Wanted(kind, needs.packages, image=needs.image or IMAGE)
    return Wanted(kind, needs.packages, python=probes[kind].python)


def chosen(probes: dict[Kind, Probe], needs: Needs) -> Kind:
    """The first kind that is ready, in the order of `probes`. Raises SandboxError where there is
    neither, or not the one that is asked for."""
    wanted = tuple(probes) if needs.executor == "auto" else (needs.executor,)
    if needs.image:
        wanted = tuple(kind for kind in wanted if kind == "docker")
        if not wanted:
            raise SandboxError("An image is Docker's: choose Docker, or name no image")
    for kind in wanted:
        if probes[kind].ready:
            return kind
    reasons = "; ".join(f"{kind}: {probes[kind].why}" for kind in wanted)
    raise SandboxError(f"Code runs only in a box, and there is none on this machine. {reasons}")
