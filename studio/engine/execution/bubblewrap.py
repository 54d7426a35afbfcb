"""The command line of a sandbox: what its programs see of this machine, and what they may use.

Everything but the program itself goes through files in memory, so that no other person on this
machine reads variables or keys from a list of processes. Measured with bubblewrap 0.8.0.
"""

from __future__ import annotations

import fcntl
import math
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .box import MB, PYTHON, WORK, BoxLimits, Job
from .nobody import NOBODY
from .seccomp import seccomp_filter

SCRATCH = 64 * MB  # of /tmp, and of /dev/shm
PACKAGES = "/packages"
_PATH = "/usr/local/bin:/usr/bin:/bin"
_RESERVED = 2  # times its memory: pandas and matplotlib reserve 500 MB where they use 200 MB
_OLDEST_PYTHON = (3, 9)
_INSIDE = "1000"  # the user and the group that programs are in their own eyes

_ROOTS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_ETC = ("ssl", "ca-certificates", "alternatives", "ld.so.cache", "fonts", "localtime")
_FILES = {
    "/etc/passwd": f"box:x:{_INSIDE}:{_INSIDE}::/tmp:/bin/sh\n",
    "/etc/group": f"box:x:{_INSIDE}:\n",
    "/etc/hosts": "127.0.0.1 localhost box\n::1 localhost\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
# says that it is there, and waits until it is answered: a studio that was killed while bubblewrap
# was starting cannot answer, and nothing runs (a child of bubblewrap outlives it until then)
_GATE = 'echo && read -r _ && exec prlimit "$@"'
# as root: binds what is needed where NOBODY reaches it, unseen by the rest of the machine
_STAGE = f"""
mount -t tmpfs -o mode=755,size=64k studio /mnt || exit
while [ "$1" != -- ]; do
  mkdir "/mnt/$1" && mount --bind "$2" "/mnt/$1" || exit
  shift 2
done
shift
exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups -- "$@"
"""


@dataclass(frozen=True, slots=True)
class View:
    """What one box is made of. `program` is bubblewrap; `packages` is seen at PACKAGES."""

    program: str
    work_dir: Path
    packages: Path | None = None


@contextmanager
def command_line(view: View, job: Job) -> Iterator[tuple[list[str], list[int]]]:
    """The command that runs a job, and the files it has to inherit.

    The program begins when it has written a line to its standard output and was answered by a line
    on its standard input. Limits of endless `seconds` are those of a program that runs on.
    ValueError for names and values that no program can be given.
    """
    prefix = _python_prefix()
    bound = {WORK: view.work_dir, PACKAGES: view.packages, str(prefix): prefix}
    sources = {target: str(path) for target, path in bound.items() if path is not None}
    stage: list[str] = []
    if os.geteuid() == 0:
        for number, (target, path) in enumerate(sources.items()):
            stage += [str(number), path]
            sources[target] = f"/mnt/{number}"
        stage = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _STAGE, "sh", *stage]
        stage += ["--"]
    variables = _variables(job, prefix, packages=view.packages is not None)
    if any("\0" in text for text in (*job.command, *variables, *variables.values())):
        raise ValueError("a word of the command or a variable has a zero byte in it")
    if any(not name or "=" in name for name in variables):
        raise ValueError("a variable must have a name without an equals sign")
    with ExitStack() as opened:
        files = [_in_memory(opened, seccomp_filter(platform.machine()))]
        options = [*_isolation(files[0]), *_system(), *_binds(sources)]
        for path, text in _FILES.items():
            files.append(_in_memory(opened, text.encode()))
            options += ["--perms", "0644", "--file", str(files[-1]), path]
        options += ["--remount-ro", "/", "--chdir", WORK]
        for name, value in variables.items():
            options += ["--setenv", name, value]
        files.append(_in_memory(opened, "\0".join([*options, ""]).encode(errors="surrogateescape")))
        limits = [*_prlimit(job.limits), "--", *job.command]
        start = [view.program, "--args", str(files[-1]), "--", "sh", "-c", _GATE, "sh", *limits]
        yield [*stage, *start], files


def _in_memory(opened: ExitStack, content: bytes) -> int:
    """A file without a name, which nobody can change any more."""
    number = os.memfd_create("studio", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    opened.callback(os.close, number)
    with open(number, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(number, 0, os.SEEK_SET)
    seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
    fcntl.fcntl(number, fcntl.F_ADD_SEALS, seals)
    return number


def _isolation(seccomp: int) -> list[str]:
    return [
        "--unshare-all", "--unshare-user", "--disable-userns", "--uid", _INSIDE, "--gid", _INSIDE,
        "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv",
        "--hostname", "box", "--seccomp", str(seccomp),
    ]  # fmt: skip


def _system() -> list[str]:
    """Programs and libraries read-only, and folders in memory: of the latter two can be written."""
    options = ["--ro-bind", "/usr", "/usr"]
    for name in _ROOTS:
        path = Path("/", name)
        if path.is_symlink():
            options += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            options += ["--ro-bind", str(path), str(path)]
    options += ["--perms", "0755", "--dir", "/etc"]
    for name in _ETC:
        options += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    scratch = ["--perms", "1777", "--size", str(SCRATCH), "--tmpfs"]
    options += ["--proc", "/proc", "--dev", "/dev", *scratch, "/dev/shm", "--remount-ro", "/dev"]  # noqa: S108
    return [*options, *scratch, "/tmp"]  # noqa: S108


def _binds(sources: Mapping[str, str]) -> list[str]:
    options = []
    for target, path in sources.items():
        options += ["--bind" if target == WORK else "--ro-bind", path, target]
    return options


def _variables(job: Job, prefix: Path | None, *, packages: bool) -> dict[str, str]:
    threads = str(max(1, math.ceil(job.limits.cpus)))
    found = {
        "PATH": _PATH if prefix is None else f"{prefix}/bin:{_PATH}", "HOME": "/tmp",  # noqa: S108
        "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1",
        # each thread of a library takes some of the address space that is limited
        "MPLCONFIGDIR": "/tmp", "OMP_NUM_THREADS": threads, "MALLOC_ARENA_MAX": "2",  # noqa: S108
    }  # fmt: skip
    return found | ({"PYTHONPATH": PACKAGES} if packages else {}) | dict(job.environment)


def _prlimit(limits: BoxLimits) -> list[str]:
    """Of each process; `nproc` of all, since the user of a sandbox is counted by himself."""
    options = [
        f"--as={_RESERVED * limits.memory}", f"--nproc={limits.processes}",
        f"--fsize={limits.file}", "--nofile=512", "--core=0",
    ]  # fmt: skip
    if math.isfinite(limits.seconds):
        seconds = math.ceil(limits.seconds * max(1.0, limits.cpus)) + 1
        options.append(f"--cpu={seconds}:{seconds + 1}")
    return options


def _python_prefix() -> Path | None:
    """None when the system has a Python that is new enough; else the one that runs the studio."""
    found = shutil.which(PYTHON, path=_PATH)
    version = re.fullmatch(r"python(\d+)\.(\d+)", Path(os.path.realpath(found or "")).name)
    if version and (int(version[1]), int(version[2])) >= _OLDEST_PYTHON:
        return None
    return Path(sys.base_prefix)
