"""A program that tries to get out of a box: a kind of box is ready only where it is held.

What it tries is said here once for both kinds; what it reached is judged from outside.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import SandboxError
from .box import PYTHON, WORK, Box, BoxLimits, Ended, Job, Kind, Probe

SECONDS = 10.0
_PROCESSES, _FORKS_TRIED = 24, 64
_MOST_PROGRAMS = 8  # that it may see: itself and what the box is made of
_MINE = "canary.txt"  # what it leaves in the working folder
_FORBIDDEN = (
    "/etc/shadow", "/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock",
)  # fmt: skip
_SECRET = re.compile("STUDIO_|TOKEN|SECRET|PASSWORD|API_KEY")
_FAR = (("1.1.1.1", 53), ("169.254.169.254", 80), ("172.17.0.1", 22))

# Python 3.9 or newer. It answers in two lines: the forks may end it.
PROGRAM = rf"""
import ctypes, json, os, socket, sys, time

asked = json.loads(sys.stdin.read())


def works(step, *given):
    try:
        step(*given)
    except OSError:
        return False
    return True


def reach(host, port):
    socket.create_connection((host, port), 0.5).close()


def write(folder):
    path = os.path.join(folder, "canary")
    with open(path, "w"):
        pass
    os.unlink(path)


def make_namespace():
    if ctypes.CDLL(None).unshare(0x10000000):
        raise OSError("refused")


with open("/proc/self/status") as file:
    status = dict(line.split(":", 1) for line in file)
with open("{WORK}/{_MINE}", "w") as file:
    file.write(asked["nonce"])
print(json.dumps({{
    "python": "%d.%d" % sys.version_info[:2],
    "reached": [one for one in asked["addresses"] if works(reach, *one)],
    "read": [path for path in asked["files"] if works(os.stat, path) and os.access(path, os.R_OK)],
    "written": [path for path in ("/", "/usr", "/etc", "/usr/bin") if works(write, path)],
    "environment": sorted(os.environ),
    "programs": sum(name.isdigit() for name in os.listdir("/proc")),
    "namespace": works(make_namespace),
    "status": {{name: value.strip() for name, value in status.items()}},
}}), flush=True)
children = []
try:
    while len(children) < {_FORKS_TRIED}:
        child = os.fork()
        if not child:
            time.sleep(60)
            os._exit(0)
        children.append(child)
except OSError:
    pass
forked = len(children)
for child in children:
    os.kill(child, 9)
print(json.dumps(forked), flush=True)
"""


async def let_fly(
    kind: Kind, box_in: Callable[[Path], Box], about: str, home: Path | None = None
) -> Probe:
    """Runs the canary in a fresh folder below `home` (or where temporary files are), in the box
    that `box_in` makes for it. `about` says what the box is, for the probe of one that holds."""
    try:
        place = Path(tempfile.mkdtemp(prefix="canary-", dir=home))
    except OSError as error:
        return Probe(kind, ready=False, why=f"no folder could be made to try it in: {error}")
    try:
        (work_dir := place / "work").mkdir()
        (outside := place / "secret.txt").write_text("not for the canary")
        box = box_in(work_dir)
        try:
            ended, asked = await _run(box, outside)
        finally:
            await box.close()
        return _judged(kind, about, ended, _read(work_dir / _MINE) == (asked["nonce"], False))
    except SandboxError as error:
        return Probe(kind, ready=False, why=str(error))
    except TimeoutError:
        return Probe(kind, ready=False, why=f"the canary had no answer for {SECONDS:g} s")
    finally:
        await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)


async def _run(box: Box, outside: Path) -> tuple[Ended, dict[str, Any]]:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        near = server.sockets[0].getsockname()[:2]
        asked = {
            "addresses": [near, *_FAR],
            "files": [*_FORBIDDEN, str(outside), str(outside.parent)],
            "nonce": outside.parent.name,
        }
        limits = BoxLimits(seconds=SECONDS, processes=_PROCESSES)
        job = Job((PYTHON, "-I", "-c", PROGRAM), json.dumps(asked).encode(), limits=limits)
        async with asyncio.timeout(SECONDS):
            return await box.run(job), asked


def _read(file: Path) -> tuple[str, bool]:
    """Its text, and whether the machine's own root has written it."""
    try:
        return file.read_text(), file.stat().st_uid == 0
    except OSError:
        return "", True


def _judged(kind: Kind, about: str, ended: Ended, is_work_ours: bool) -> Probe:
    first, _, rest = ended.stdout.decode(errors="replace").partition("\n")
    try:
        seen = json.loads(first)
        forked = json.loads(rest) if not ended.limit else 0
    except ValueError:
        last = ended.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        return Probe(
            kind, ready=False, why=f"the canary could not run: {last or ended.limit or 'no word'}"
        )
    status: Mapping[str, str] = seen["status"]
    checks = {
        "network": not seen["reached"],
        "files": not seen["read"],
        "environment": not any(map(_SECRET.search, seen["environment"])),
        "system": not seen["written"],
        "user": is_work_ours,
        "capabilities": int(status["CapEff"], 16) == 0 and int(status["CapPrm"], 16) == 0,
        "no new rights": status["NoNewPrivs"] == "1",
        "system calls": status["Seccomp"] == "2" and not seen["namespace"],
        "other programs": seen["programs"] <= _MOST_PROGRAMS,
        "processes": forked < _FORKS_TRIED,
    }
    lost = [name for name, held in checks.items() if not held]
    why = f"it does not hold code: {', '.join(lost)}" if lost else about
    return Probe(kind, not lost, why, seen["python"], checks)
