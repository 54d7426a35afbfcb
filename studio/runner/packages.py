"""Packages and images that code runs with: prepared in a step of their own, never while it runs.

Packages are wheels from the index, unpacked: nothing of them runs on this machine while they are
prepared, and afterwards only inside a box. A folder that is there is whole: it gets its name last.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Literal

from ..engine.errors import SandboxError
from ..engine.execution.box import GB, PYTHON, WORK, Box, BoxLimits, Job, Kind
from ..engine.execution.docker_box import DockerBox
from ..engine.execution.docker_images import (
    has_image,
    image_bytes,
    image_python,
    prepare_image,
    pull_image,
    remove_image,
)
from ..engine.execution.sandbox import SandboxBox
from ..errors import UnavailableError
from .wheels import FetchError, Libc, fetch_wheels, size_of

log = logging.getLogger("studio.runner")
SECONDS = 600.0
MOST_LINES = 100  # of the progress that is kept
TAG = "roundtable-prepared"
State = Literal["ready", "missing", "running", "failed"]
Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is prepared as one: packages for the sandbox, or an image of Docker with packages.

    python  of the sandbox, like "3.11"; an image has its own
    image   of Docker; "" for the sandbox
    """

    kind: Kind
    packages: tuple[str, ...] = ()
    python: str = ""
    image: str = ""

    @property
    def key(self) -> str:
        """The same for the same packages in any order."""
        names = sorted({name.lower() for name in self.packages})
        whole = json.dumps([self.kind, self.python, self.image, names])
        return sha256(whole.encode()).hexdigest()[:32]

    @property
    def names(self) -> tuple[str, ...]:
        return self.packages or ((self.image,) if self.image else ())


@dataclass(frozen=True, slots=True)
class Prepared:
    """How far a preparation is. `detail` is its last line of progress, or why it failed."""

    state: State
    detail: str = ""
    bytes: int = 0
    lines: tuple[str, ...] = ()


@dataclass
class _Work:
    """A preparation that runs or has failed."""

    task: asyncio.Task[None] | None = None
    lines: list[str] = field(default_factory=list)
    failed: str = ""

    def told(self, line: str) -> None:
        self.lines = [*self.lines[-MOST_LINES:], line]


class Preparations:
    """What is prepared in a data folder, and what is being prepared. Lives in one event loop."""

    def __init__(self, home: Path, seconds: float = SECONDS) -> None:
        self.home, self.seconds = home / "packages", seconds
        self._made_here = sha256(str(home.resolve()).encode()).hexdigest()[:12]
        self._works: dict[str, _Work] = {}

    # -- for those who run code

    def folder(self, python: str, packages: tuple[str, ...]) -> Path | None:
        """What the sandbox mounts at /packages; None when no package is wanted.

        Raises SandboxError when they are not prepared.
        """
        wanted = Wanted("sandbox", packages, python)
        if not packages:
            return None
        if not self._folder(wanted).is_dir():
            raise SandboxError(_missing(wanted))
        return self._folder(wanted)

    async def image(self, base: str, packages: tuple[str, ...]) -> str:
        """The image that has these packages. Raises SandboxError when it is not prepared."""
        wanted = Wanted("docker", packages, image=base)
        if not await has_image(self._tag(wanted)):
            raise SandboxError(_missing(wanted))
        return self._tag(wanted)

    # -- preparing

    async def look(self, wanted: Wanted) -> Prepared:
        work = self._works.get(wanted.key)
        if work is not None and work.task is not None:
            line = work.lines[-1] if work.lines else "Starting"
            received = await asyncio.to_thread(size_of, self._part(wanted))
            return Prepared("running", line, received, tuple(work.lines))
        if await self._is_ready(wanted):
            return Prepared("ready", bytes=await self._bytes(wanted))
        if work is not None:
            return Prepared("failed", work.failed, lines=tuple(work.lines))
        return Prepared("missing")

    def start(self, wanted: Wanted) -> None:
        """Begins in the background, unless it is under way."""
        work = self._works.get(wanted.key)
        if work is None or work.task is None:
            work = self._works[wanted.key] = _Work()
            work.task = asyncio.create_task(
                self._worked(wanted, work), name=f"prepare {wanted.key}"
            )

    async def prepare(self, wanted: Wanted, told: Told = log.info) -> None:
        """Prepares and waits, unless it is there. Raises UnavailableError with the reason."""
        if await self._is_ready(wanted):
            return
        self.start(wanted)
        work = self._works[wanted.key]
        seen = 0
        while work.task is not None:
            await asyncio.wait([work.task], timeout=0.25)
            for line in work.lines[seen:]:
                told(line)
            seen = len(work.lines)
        if work.failed:
            raise UnavailableError(work.failed)

    async def cancel(self, wanted: Wanted) -> None:
        work = self._works.get(wanted.key)
        if work is not None and work.task is not None:
            work.task.cancel()
            await asyncio.gather(work.task, return_exceptions=True)

    async def forget(self, wanted: Wanted) -> None:
        """Deletes what was prepared. An image that was not made here stays."""
        await self.cancel(wanted)
        self._works.pop(wanted.key, None)
        if wanted.kind == "docker":
            if wanted.packages:
                await remove_image(self._tag(wanted))
            return
        await asyncio.to_thread(self._remove, wanted)

    async def close(self) -> None:
        tasks = [work.task for work in self._works.values() if work.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- one preparation

    async def _worked(self, wanted: Wanted, work: _Work) -> None:
        """Never raises: what went wrong is kept in `work`."""
        try:
            async with asyncio.timeout(self.seconds):
                if wanted.kind == "docker":
                    await self._make_image(wanted, work.told)
                else:
                    await self._fetch(wanted, wanted.python, work.told)
        except asyncio.CancelledError:
            self._works.pop(wanted.key, None)
            raise
        except TimeoutError:
            work.failed = f"It took longer than {self.seconds / 60:.0f} minutes and was stopped"
        except (FetchError, SandboxError) as error:
            work.failed = str(error)
        except OSError as error:
            log.warning("preparing %s: %s", wanted.names, error)
            work.failed = f"The packages could not be stored: {error.strerror or error}"
        else:
            self._works.pop(wanted.key, None)
        finally:
            await asyncio.to_thread(shutil.rmtree, self._part(wanted), ignore_errors=True)
            work.task = None

    async def _make_image(self, wanted: Wanted, told: Told) -> None:
        if not await has_image(wanted.image):
            told(f"Fetching the image {wanted.image}")
            await pull_image(wanted.image, told)
        if not wanted.packages:
            return
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        python = await image_python(wanted.image, home=self.home)
        await self._fetch(wanted, python, told)
        told("Making the image")
        await prepare_image(wanted.image, self._folder(wanted), self._tag(wanted))
        await asyncio.to_thread(self._remove, wanted)  # the image holds them now

    async def _fetch(self, wanted: Wanted, python: str, told: Told) -> None:
        part = self._part(wanted)
        await asyncio.to_thread(_emptied, part)
        libc: Libc = "oldest" if wanted.kind == "docker" else "own"
        await fetch_wheels(wanted.packages, python, part, told, libc=libc)
        told("Compiling")
        await self._compile(wanted, part / "site")
        await asyncio.to_thread(self._keep, wanted, python, part / "site")

    async def _compile(self, wanted: Wanted, site: Path) -> None:
        """Inside a box, like all that touches packages: they are read-only later, so every import
        would compile them anew (pandas and matplotlib: 5 s). What does not compile stays source."""
        if wanted.kind == "docker":
            box: Box = DockerBox(site, image=wanted.image, label="image")
        else:
            box = SandboxBox(site)
        limits = BoxLimits(seconds=self.seconds, memory=2 * GB, disk=20 * GB, files=500_000)
        command = (PYTHON, "-I", "-m", "compileall", "-qq", "-s", WORK, "-p", "/packages", ".")
        try:
            await box.run(Job(command, limits=limits))
        except SandboxError as error:
            log.info("packages were not compiled: %s", error)
        finally:
            await box.close()

    def _keep(self, wanted: Wanted, python: str, made: Path) -> None:
        self._remove(wanted)
        about = {"packages": wanted.packages, "python": python, "bytes": size_of(made)}
        self._about(wanted).write_text(json.dumps(about))
        made.rename(self._folder(wanted))

    def _remove(self, wanted: Wanted) -> None:
        folder = self._folder(wanted)
        if folder.exists():
            part = _emptied(self._part(wanted).with_suffix(".old"))
            folder.rename(part / "site")  # at once: half a folder never has the name
            shutil.rmtree(part)
        self._about(wanted).unlink(missing_ok=True)

    # -- what there is

    async def _is_ready(self, wanted: Wanted) -> bool:
        if wanted.kind == "docker":
            return await has_image(self._tag(wanted))
        return not wanted.packages or self._folder(wanted).is_dir()

    async def _bytes(self, wanted: Wanted) -> int:
        if wanted.kind == "docker":
            return await image_bytes(self._tag(wanted))
        try:
            return int(json.loads(self._about(wanted).read_text())["bytes"])
        except (OSError, ValueError, KeyError, TypeError):
            return await asyncio.to_thread(size_of, self._folder(wanted))

    def _tag(self, wanted: Wanted) -> str:
        """The image that code runs in: with packages, one of this studio, which trusts no other."""
        return f"{TAG}-{self._made_here}:{wanted.key}" if wanted.packages else wanted.image

    def _folder(self, wanted: Wanted) -> Path:
        return self.home / wanted.key

    def _about(self, wanted: Wanted) -> Path:
        return self.home / f"{wanted.key}.json"

    def _part(self, wanted: Wanted) -> Path:
        return self.home / f"{wanted.key}.part"


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    return folder


def _missing(wanted: Wanted) -> str:
    names = ", ".join(wanted.names)
    are = "are" if len(wanted.names) > 1 else "is"
    what = names if wanted.packages else f"The image {names}"
    return f"{what} {are} not on this machine yet: prepare it first"
