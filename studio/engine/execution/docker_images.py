"""Images: whether they are here, how they get here, and those with packages installed."""

from __future__ import annotations

import asyncio
import json
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from ..errors import SandboxError
from .box import PYTHON, Job
from .docker import Daemon, MissingError
from .docker_box import DockerBox
from .docker_flags import LABEL

PACKAGES = "/packages"  # where `prepare_image` puts them; in PYTHONPATH
_PREPARED = f"{LABEL}-image"  # the label of images that the studio has made
_LONGEST = 1800.0  # seconds for an image to be fetched or made
_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


async def has_image(name: str, *, host: str = "") -> bool:
    with closing(Daemon(host)) as daemon:
        try:
            await daemon.image(name)
        except MissingError:
            return False
    return True


async def image_python(name: str, *, home: Path | None = None, host: str = "") -> str:
    """The version of Python in an image, like "3.11". SandboxError when there is none.

    `home` is a folder that Docker sees at the same path, as in `probe_docker`.
    """
    with tempfile.TemporaryDirectory(prefix="image-", dir=home) as folder:
        box = DockerBox(Path(folder), image=name, label="image", host=host)
        try:
            ended = await box.run(Job((PYTHON, "-I", "-c", _VERSION)))
        finally:
            await box.close()
    if ended.exit_code:
        raise SandboxError(f"The image {name} has no Python that starts as {PYTHON}")
    return ended.stdout.decode(errors="replace").strip()


async def image_bytes(name: str, *, host: str = "") -> int:
    """Its size with all layers. MissingError when it is not on this machine."""
    with closing(Daemon(host)) as daemon:
        return int((await daemon.image(name))["Size"])


def _silent(words: str) -> None:
    """Nobody is told."""


async def pull_image(name: str, told: Callable[[str], None] = _silent, *, host: str = "") -> None:
    """Fetches an image; `told` is given words on how far it is, such as "45 MB of 52 MB"."""
    loop = asyncio.get_running_loop()

    def fetch(api: Any) -> None:
        before = ""
        for words in _progress(api.pull(name, stream=True, decode=True)):
            if words != before:
                loop.call_soon_threadsafe(told, words)
            before = words

    with closing(Daemon(host)) as daemon:
        await daemon.call(fetch, _LONGEST)


def _progress(lines: Iterable[dict[str, Any]]) -> Iterable[str]:
    layers: dict[str, tuple[int, int]] = {}
    for line in lines:
        if "error" in line:
            raise SandboxError(f"The image could not be fetched: {line['error']}")
        detail = line.get("progressDetail") or {}
        if line.get("status") == "Downloading" and detail.get("total"):
            layers[line.get("id", "")] = (detail.get("current", 0), detail["total"])
            done, total = (sum(pair) // 1_000_000 for pair in zip(*layers.values(), strict=True))
            yield f"{done} MB of {total} MB"


async def prepare_image(
    base: str, packages: Path, tag: str, *, host: str = "", seconds: float = _LONGEST
) -> None:
    """Makes the image `tag` ("name:version"): `base` with the folder `packages` at PACKAGES.

    Nothing runs in it.
    """

    def make(api: Any) -> None:
        api.timeout = int(seconds)  # of one answer: Docker unpacks and packs before it gives it
        container = api.create_container(
            base, ["true"], network_disabled=True, use_config_proxy=False, labels={LABEL: "image"}
        )["Id"]
        try:
            with tempfile.TemporaryFile() as file:
                _pack(packages, file)
                file.seek(0)
                api.put_archive(container, "/", file)
            repository, _, version = tag.partition(":")
            changes = [f"ENV PYTHONPATH={PACKAGES}", f"LABEL {_PREPARED}={json.dumps(base)}"]
            api.commit(container, repository, version or "latest", changes=changes)
        finally:
            api.remove_container(container, force=True, v=True)

    with closing(Daemon(host)) as daemon:
        await daemon.call(make, seconds)


async def remove_image(tag: str, *, host: str = "") -> None:
    """One that `prepare_image` made; none is no error."""
    with closing(Daemon(host)) as daemon:
        try:
            await daemon.call(lambda api: api.remove_image(tag, force=True))
        except MissingError:
            return


def _pack(folder: Path, file: IO[bytes]) -> None:
    """As root's, readable by all: the box has another user, and must not change it."""

    def owned(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        executable = entry.isdir() or entry.mode & stat.S_IXUSR
        entry.mode = 0o755 if executable else 0o644
        return entry

    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.add(folder, PACKAGES.lstrip("/"), filter=owned)
