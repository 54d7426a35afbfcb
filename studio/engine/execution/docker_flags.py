"""With what a container is made: everything that holds a program inside is said here."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .box import MB, WORK, BoxLimits
from .nobody import NOBODY

LABEL = "roundtable"
OWN = 2  # programs of a container itself: docker-init and the one that holds it
_ROOM = 16  # processes beyond the limit, so that one who looks sees that it was passed
_SCRATCH = 64 * MB  # of /tmp and of /dev/shm; it counts as memory


def container_config(
    image: str, work_dir: Path, limits: BoxLimits, *, label: str, user: str, volumes: Iterable[str]
) -> dict[str, Any]:
    """The body of "create a container" (Docker Engine API 1.41).

    Its program reads an input that only the studio holds open: with the studio, even a killed one,
    goes the container. `volumes` are the image's own, which would be folders without a limit.
    """
    scratch = f"rw,exec,nosuid,nodev,size={_SCRATCH},nr_inodes={limits.files},mode=1777"
    return {
        "Image": image,
        "Entrypoint": ["cat"],
        "Cmd": [],
        "OpenStdin": True,
        "StdinOnce": True,
        "AttachStdin": True,
        "Hostname": "box",
        "User": user,
        "WorkingDir": WORK,
        "Labels": {LABEL: label},
        "Healthcheck": {"Test": ["NONE"]},  # an image's own would run in the box
        "HostConfig": {
            "NetworkMode": "none",
            "Dns": ["127.0.0.1"],  # or the names of this machine's servers would be in the box
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "Privileged": False,
            "ReadonlyRootfs": True,
            "Mounts": [{"Type": "bind", "Source": str(work_dir), "Target": WORK}],
            "Tmpfs": {"/tmp": scratch} | dict.fromkeys(volumes, scratch),  # noqa: S108
            "ShmSize": _SCRATCH,
            "Init": True,
            "Memory": limits.memory,
            "MemorySwap": limits.memory,
            "PidsLimit": limits.processes + OWN + _ROOM,
            "NanoCpus": int(min(limits.cpus, os.cpu_count() or 1) * 1e9),
            "Ulimits": [
                {"Name": name, "Soft": most, "Hard": most}
                for name, most in (("fsize", limits.file), ("nofile", 1024), ("core", 0))
            ],
            "LogConfig": {"Type": "none", "Config": {}},
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
            "AutoRemove": True,
        },
    }


def user_of_boxes(is_rootless: bool) -> str:
    """The studio's own user, so that it can read and remove what was made; never root.

    The root of a rootless Docker is that user; any other is a stranger to the studio's files.
    """
    if is_rootless:
        return "0:0"
    if os.getuid() == 0:
        return f"{NOBODY}:{NOBODY}"
    return f"{os.getuid()}:{os.getgid()}"


def bytes_written(pids: Iterable[int]) -> int:
    """By these processes and those they have waited for: the only trace of a file that is deleted
    while it is open. 0 where this machine's /proc does not show them."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/io").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("write_bytes:"))
    return total
