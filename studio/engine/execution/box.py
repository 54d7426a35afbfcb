"""The protocol of a box: the place outside of which no code of a model, a skill or a file runs.

A box has one folder on this machine that its programs see as /work, and nothing else of it: no
network, no other files, no variables of the studio. sandbox.py and docker.py are the two kinds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

WORK = "/work"
NETWORK_SOCKET = ".network.sock"  # in the working folder, while a job may reach hosts
PYTHON = "python3"
KB, MB, GB = 1024, 1024**2, 1024**3

Kind = Literal["docker", "sandbox"]


@dataclass(frozen=True, slots=True)
class BoxLimits:
    """What one job may use: seconds, bytes, numbers. A job is stopped at the first it reaches.

    memory, processes   of all processes of the job together
    file                one file's size; beyond it a write fails
    disk, files         the working folder as a whole
    output              stdout and stderr together
    """

    seconds: float = 60
    memory: int = GB
    processes: int = 128
    cpus: float = 1.0
    file: int = 256 * MB
    disk: int = GB
    files: int = 20_000
    output: int = 10 * MB


@dataclass(frozen=True, slots=True)
class Job:
    """A program to run in /work. `command[0]` is on the box's PATH; "python3" is always there.

    network   the program reaches the proxy that listens at NETWORK_SOCKET (see relay.py), by the
              usual variables HTTP_PROXY and so on; without it nothing can be reached
    """

    command: tuple[str, ...]
    stdin: bytes = b""
    environment: Mapping[str, str] = field(default_factory=dict)
    network: bool = False
    limits: BoxLimits = field(default_factory=BoxLimits)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job ended. What it wrote before its end is kept, up to the limit of output.

    exit_code  124 when it was stopped at a limit, 126 when the box itself could not run it
    limit      the limit that stopped it, as words for people: "the time limit of 60 s"; "" if none
    """

    exit_code: int
    stdout: bytes = b""
    stderr: bytes = b""
    seconds: float = 0.0
    limit: str = ""


class Process(Protocol):
    """A program that runs on, for as long as it is talked to (an MCP server)."""

    async def write(self, data: bytes) -> None:
        """To its standard input. OSError when it is gone."""

    async def read_line(self) -> bytes:
        """The next line of its standard output, b"" at its end."""

    def errors(self) -> str:
        """The last it wrote to standard error, some kB of it."""

    async def kill(self) -> None: ...


class Box(Protocol):
    """Jobs of one box run one at a time (callers wait for each other); nothing that a job started
    outlives it. A job that is cancelled is killed before the cancellation goes on."""

    kind: Kind
    work_dir: Path

    async def run(self, job: Job) -> Ended:
        """Never raises for what the job did; SandboxError when the box itself is broken."""

    async def start(self, job: Job) -> Process:
        """The same for a program that runs on until it is killed or the box is closed. The limits
        but for time hold for it."""

    async def close(self) -> None:
        """Kills all that runs in it. The working folder stays."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a look at this machine has found about one kind of box.

    ready   whether code may run there: a canary ran, and could not get out
    why     for people: why not, and what to install; or what it is ("bubblewrap 0.8.0")
    python  version of Python inside, like "3.11"
    checks  what the canary tried, and whether it was held: {"network": True, ...}
    """

    kind: Kind
    ready: bool
    why: str
    python: str = ""
    checks: Mapping[str, bool] = field(default_factory=dict)
