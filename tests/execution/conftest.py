"""Real boxes of both kinds. A kind that this machine does not have is skipped with the reason, but
never in CI."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import docker
import psutil
import pytest

from studio.engine.execution.box import PYTHON, Box, BoxLimits, Ended, Job, Kind, Probe
from studio.engine.execution.docker import Daemon, default_host, remove_labelled
from studio.engine.execution.docker_box import DockerBox
from studio.engine.execution.docker_probe import probe_docker
from studio.engine.execution.sandbox import SandboxBox, probe_sandbox
from tests.boxes import ready
from tests.builders import until

ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")


@dataclass
class Boxes:
    """Boxes of one kind below a folder of the test; `nonce` is in the command of every job."""

    kind: Kind
    folder: Path
    nonce: str = field(default_factory=lambda: secrets.token_hex(8))

    def job(self, program: str, *, stdin: bytes = b"", **limits: Any) -> Job:
        """A Python program."""
        command = (PYTHON, "-c", program, self.nonce)
        return Job(command, stdin, limits=BoxLimits(**limits))

    def work_dir(self, name: str = "work") -> Path:
        (path := self.folder / name).mkdir(exist_ok=True)
        return path

    def box(self, name: str = "work") -> Box:
        if self.kind == "docker":
            return DockerBox(self.work_dir(name), label=self.nonce)
        return SandboxBox(self.work_dir(name))

    def use(self, work: Callable[[Box], Awaitable[T]], name: str = "work") -> T:
        """What `work` does with a box, which is closed afterwards."""

        async def used() -> T:
            box = self.box(name)
            try:
                return await work(box)
            finally:
                await box.close()

        return asyncio.run(used())

    def run(self, *jobs: Job) -> Ended:
        """The end of the last of them, one after the other in the same box."""

        async def all_of(box: Box) -> Ended:
            return [await box.run(job) for job in jobs][-1]

        return self.use(all_of)

    def processes(self) -> list[psutil.Process]:
        """Those of its jobs, as this machine sees them."""
        every = psutil.process_iter(["cmdline"])
        return [one for one in every if self.nonce in (one.info["cmdline"] or ())]

    def containers(self) -> list[str]:
        async def labelled() -> list[str]:
            with closing(Daemon()) as daemon:
                return await daemon.labelled(self.nonce)

        return asyncio.run(labelled()) if self.kind == "docker" else []

    def nothing_is_left(self) -> None:
        """R27. A box waits for Docker only so long: what is slow to end is gone soon after."""
        until(lambda: [*self.processes(), *self.containers()], lambda found: not found, 10)


@pytest.fixture(scope="session")
def probes(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, Probe]:
    async def both() -> dict[Kind, Probe]:
        home = tmp_path_factory.mktemp("home")
        return {"docker": await probe_docker(home), "sandbox": await probe_sandbox(home)}

    return asyncio.run(both())


def answer(ended: Ended) -> Any:
    """The JSON that a program has printed."""
    assert ended.exit_code == 0, ended
    return json.loads(ended.stdout)


@pytest.fixture(params=["sandbox", "docker"])
def boxes(
    request: pytest.FixtureRequest, probes: dict[Kind, Probe], tmp_path: Path
) -> Iterator[Boxes]:
    """The contract of a box holds for both kinds. No test may leave anything running."""
    ready(probes[request.param])
    made = Boxes(request.param, tmp_path)
    yield made
    try:
        made.nothing_is_left()
    finally:
        asyncio.run(remove_labelled(made.nonce))


@pytest.fixture
def sandboxes(probes: dict[Kind, Probe], tmp_path: Path) -> Iterator[Boxes]:
    """As `boxes`, of the sandbox alone."""
    ready(probes["sandbox"])
    made = Boxes("sandbox", tmp_path)
    yield made
    made.nothing_is_left()


@pytest.fixture
def containers(probes: dict[Kind, Probe], tmp_path: Path) -> Iterator[Boxes]:
    """As `boxes`, of Docker alone."""
    ready(probes["docker"])
    made = Boxes("docker", tmp_path)
    yield made
    asyncio.run(remove_labelled(made.nonce))


@pytest.fixture
def engine(containers: Boxes) -> Iterator[Any]:
    """Docker itself, asked past the studio."""
    client = docker.APIClient(default_host(), version="auto")
    yield client
    client.close()
