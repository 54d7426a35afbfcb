"""Docker Engine on this machine, through its library: the only module that imports it.

The library takes 0.09 s to import, so that happens at the first call. It blocks, so each call has
a thread of its own: a daemon that hangs holds up neither the event loop nor the studio's end.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..errors import SandboxError
from .docker_flags import LABEL

T = TypeVar("T")
_SYSTEM = "/var/run/docker.sock"
_OLDEST = "1.41"  # of the API: Docker 20.10
_SECONDS = 60.0  # for a call to be answered
_REMOVAL = 10.0
_CONNECTED = 5.0
_INSTALL = "get Docker Engine (https://docs.docker.com/engine/install), or bubblewrap"
_KILLED = 137


class MissingError(SandboxError):
    """There is no such container or image, or it does not run any more."""


@dataclass(frozen=True, slots=True)
class AfterExec:
    """What is found when a program in a container has ended.

    left        whether it has left other programs running
    no_memory   whether the kernel has killed a program of this container for its memory
    """

    exit_code: int
    left: bool
    no_memory: bool


def default_host() -> str:
    """Where Docker listens: the machine's own, or the one that this user runs without root."""
    own = f"/run/user/{os.getuid()}/docker.sock"
    theirs_is_open = os.access(_SYSTEM, os.R_OK | os.W_OK)
    return f"unix://{own if not theirs_is_open and Path(own).exists() else _SYSTEM}"


class Daemon:
    """Docker Engine at `host`, a socket of this machine like "unix:///var/run/docker.sock"; ""
    finds it. Every method raises SandboxError when Docker fails or does not answer."""

    def __init__(self, host: str = "") -> None:
        self.host = host or default_host()
        if not self.host.startswith("unix://"):
            raise SandboxError(f"Docker must run on this machine, and not at {self.host}")
        self.socket = self.host.removeprefix("unix://")
        self._api: Any = None
        self._is_closed = False
        self._lock = threading.Lock()

    def _opened(self) -> Any:
        with self._lock:
            if self._api is None:
                self._api = self._client()
            return self._api

    def _client(self) -> Any:
        import docker

        seconds = int(_SECONDS)
        if why := _unreachable(self.socket):
            raise SandboxError(why)
        try:
            with closing(docker.APIClient(self.host, version=_OLDEST, timeout=seconds)) as asking:
                version = asking.version(api_version=False)["ApiVersion"]
        except (docker.errors.DockerException, OSError) as error:
            raise SandboxError(f"Docker does not answer: {error}") from None
        return docker.APIClient(self.host, version=version, timeout=seconds)

    async def call(self, work: Callable[[Any], T], seconds: float | None = _SECONDS) -> T:
        """Runs `work` with the library's low-level client, in a thread."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: Exception | None) -> None:
            if future.done():
                return  # given up
            if error is not None:
                future.set_exception(_in_words(error))
            else:
                future.set_result(result)  # type: ignore[arg-type]  # one of the two is given

        def run() -> None:
            result: T | None = None
            error: Exception | None = None
            try:
                result = work(self._opened())
            except Exception as raised:  # noqa: BLE001 - the library raises those of three others
                error = raised
            if self._is_closed:
                self.close()
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, result, error)

        threading.Thread(target=run, name="docker", daemon=True).start()
        try:
            return await asyncio.wait_for(future, seconds)
        except TimeoutError:
            raise SandboxError(f"Docker has not answered for {seconds:g} s") from None

    def close(self) -> None:
        """Closes its connections, those too of calls that are still under way."""
        self._is_closed = True
        if self._api is not None:
            self._api.close()

    async def path(self, path: str) -> str:
        """A path of the API with its version."""
        return await self.call(lambda api: f"/v{api.api_version}{path}")

    async def version(self) -> str:
        return await self.call(lambda api: str(api.version()["Version"]))

    async def is_rootless(self) -> bool:
        return "name=rootless" in (await self.info()).get("SecurityOptions", ())

    async def info(self) -> dict[str, Any]:
        return await self.call(lambda api: api.info())

    async def image(self, name: str) -> dict[str, Any]:
        """What Docker knows of an image. MissingError when it is not on this machine."""
        return await self.call(lambda api: api.inspect_image(name))

    async def create(self, config: dict[str, Any]) -> str:
        return await self.call(lambda api: str(api.create_container_from_config(config)["Id"]))

    async def start(self, container: str) -> int:
        """The process id of its first program, as this machine sees it."""

        def begin(api: Any) -> int:
            api.start(container)
            return int(api.inspect_container(container)["State"]["Pid"])

        return await self.call(begin)

    async def exec(
        self, container: str, command: tuple[str, ...], environment: dict[str, str], stdin: bool
    ) -> str:
        """Makes an exec, which is started by `hijacked`."""
        return await self.call(
            lambda api: str(
                api.exec_create(container, [*command], environment=environment, stdin=stdin)["Id"]
            )
        )

    async def is_running(self, exec_id: str) -> bool:
        try:
            return await self.call(lambda api: bool(api.exec_inspect(exec_id)["Running"]))
        except MissingError:
            return False

    async def after(self, container: str, exec_id: str, own: int) -> AfterExec:
        """`own` is the number of programs that belong there."""

        def look(api: Any) -> AfterExec:
            code, left = _KILLED, True
            try:
                code = int(api.exec_inspect(exec_id)["ExitCode"] or 0)
                left = len(_tasks(api, container, "-eo pid")) != own
            except Exception as error:
                if not _is_gone(error):  # with the program that held it
                    raise
            return AfterExec(code, left, _was_full(api, container, 5 if code == _KILLED else 1))

        return await self.call(look)

    async def usage(self, container: str) -> tuple[list[int], bool]:
        """The process ids of all threads, as this machine sees them; whether memory ran out."""

        def look(api: Any) -> tuple[list[int], bool]:
            return _tasks(api, container, "-eLo pid"), _was_full(api, container, 1)

        return await self.call(look)

    async def remove(self, container: str) -> None:
        """Kills it, and waits until it is gone."""

        ends = time.monotonic() + _REMOVAL

        def kill(api: Any) -> None:
            try:
                api.remove_container(container, force=True, v=True)
            except Exception as error:
                if not _is_gone(error):
                    raise
            while _exists(api, container) and time.monotonic() < ends:
                time.sleep(0.02)

        await self.call(kill, _REMOVAL)

    async def labelled(self, label: str) -> list[str]:
        """The containers of a studio, those too that do not run."""
        given = {"label": f"{LABEL}={label}"}
        return await self.call(
            lambda api: [one["Id"] for one in api.containers(all=True, filters=given)]
        )


async def remove_labelled(label: str, *, host: str = "") -> int:
    """Removes what a killed studio has left; how many containers. 0 without Docker."""
    with closing(Daemon(host)) as daemon:
        try:
            found = await daemon.labelled(label)
        except SandboxError:
            return 0
        ends = await asyncio.gather(*map(daemon.remove, found), return_exceptions=True)
    return ends.count(None)


def _unreachable(path: str) -> str:
    """Why Docker cannot be spoken to, "" where it can."""
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(_CONNECTED)
            one.connect(path)
    except PermissionError:
        return "your user may not use Docker: add it to the group docker, or run rootless Docker"
    except (FileNotFoundError, ConnectionRefusedError):
        if shutil.which("dockerd") or shutil.which("docker"):
            return f"Docker is not running: nothing listens at {path}"
        return f"Docker is not installed: {_INSTALL}"
    except OSError as error:
        return f"Docker cannot be reached at {path}: {error}"
    return ""


def _exists(api: Any, container: str) -> bool:
    try:
        api.inspect_container(container)
    except Exception as error:
        if _is_gone(error):
            return False
        raise
    return True


def _tasks(api: Any, container: str, options: str) -> list[int]:
    """The first column of `ps`, which Docker runs outside. MissingError when it is ending."""
    try:
        rows = api.top(container, options)["Processes"] or ()
    except Exception as error:
        if hasattr(error, "status_code"):  # Docker's answer; 500 while a container goes
            raise MissingError(str(error)) from None
        raise
    return [int(row[0]) for row in rows]


def _was_full(api: Any, container: str, looks: int) -> bool:
    """Docker notes the end of a program and that its memory ran out in either order."""
    asked = {"container": [container], "event": ["oom"]}
    for number in range(looks):
        if number:
            time.sleep(0.1)
        if [*api.events(since=1, until=f"{time.time():.9f}", filters=asked, decode=True)]:
            return True
    return False


def _is_gone(error: Exception) -> bool:
    """404: no such container; 409: it does not run, or is being removed."""
    return isinstance(error, MissingError) or getattr(error, "status_code", 0) in (404, 409)


def _in_words(error: Exception) -> SandboxError:
    if isinstance(error, SandboxError):
        return error
    words = f"Docker failed: {getattr(error, 'explanation', None) or error}"
    return MissingError(words) if _is_gone(error) else SandboxError(words)
