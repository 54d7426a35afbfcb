"""What a look at this machine finds about Docker."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import closing
from pathlib import Path

from ..errors import SandboxError
from .box import Probe
from .canary import let_fly
from .docker import Daemon, MissingError
from .docker_box import IMAGE, DockerBox, missing_image

_ANSWER = 5.0  # seconds


async def probe_docker(
    home: Path | None = None, *, image: str = IMAGE, host: str = "", label: str = ""
) -> Probe:
    """Whether code may run in containers of `image`: a canary tries to get out of one.

    `home` is where the canary has its folder; Docker must see it at the same path. `host` is as in
    `Daemon`, `label` as in `DockerBox`; one of its own when it is "".
    """
    try:
        with closing(Daemon(host)) as daemon:
            async with asyncio.timeout(_ANSWER):
                if why := await _unfit(daemon, image):
                    return Probe("docker", ready=False, why=why)
                about = f"Docker Engine {(await daemon.version()).partition('+')[0]}"
    except SandboxError as error:
        return Probe("docker", ready=False, why=str(error))
    except TimeoutError:
        return Probe("docker", ready=False, why=f"Docker has not answered for {_ANSWER:g} s")
    label = label or f"canary-{secrets.token_hex(8)}"
    return await let_fly(
        "docker", lambda work: DockerBox(work, image=image, label=label, host=host), about, home
    )


async def _unfit(daemon: Daemon, image: str) -> str:
    """What Docker lacks here, "" where it can hold code."""
    info = await daemon.info()
    if info.get("OSType") != "linux":
        return "Docker runs no Linux containers here"
    missing = [name for name in ("MemoryLimit", "PidsLimit", "CpuCfsQuota") if not info.get(name)]
    if missing:
        return f"this Docker cannot limit what code uses ({', '.join(missing)})"
    try:
        await daemon.image(image)
    except MissingError:
        return missing_image(image)
    return ""
