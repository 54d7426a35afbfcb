"""What is special to the sandbox: how it holds programs without Docker."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import textwrap
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvloop

from studio.engine.errors import SandboxError
from studio.engine.execution.box import PYTHON, Ended, Job
from studio.engine.execution.sandbox import SandboxBox
from studio.engine.execution.seccomp import seccomp_filter

from .conftest import Boxes, answer


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_it_runs_on_both_event_loops(sandboxes: Boxes, loop: Any) -> None:
    async def main() -> None:
        box = SandboxBox(sandboxes.work_dir())
        for _ in range(3):
            ended = await box.run(sandboxes.job("print(input())", stdin=b"hello\n"))
            assert (ended.exit_code, ended.stdout) == (0, b"hello\n")
        process = await box.start(sandboxes.job("print(input(), flush=True); input()"))
        await process.write(b"again\n")
        assert await process.read_line() == b"again\n"
        await box.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())


def test_the_kernel_itself_says_that_a_program_has_no_power(sandboxes: Boxes) -> None:
    program = "import json; print(json.dumps(open('/proc/self/status').read()))"
    status = dict(
        line.split(":\t") for line in answer(sandboxes.run(sandboxes.job(program))).splitlines()
    )
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


def test_only_what_is_meant_to_be_seen_is_there(sandboxes: Boxes) -> None:
    program = """
        import json, os, pwd, socket
        print(json.dumps({
            "root": sorted(os.listdir("/")), "open": os.listdir("/proc/self/fd"),
            "users": [user.pw_name for user in pwd.getpwall()], "host": socket.gethostname(),
            "local": socket.gethostbyname("localhost"),
            "interfaces": [name for _, name in socket.if_nameindex()],
        }))
    """
    seen = answer(sandboxes.run(sandboxes.job(textwrap.dedent(program))))
    links = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"}
    assert set(seen["root"]) - links == {"dev", "etc", "proc", "tmp", "usr", "work"}
    assert len(seen["open"]) == 4  # with the one that lists them
    assert (seen["users"], seen["host"], seen["local"]) == (["box"], "box", "127.0.0.1")
    assert seen["interfaces"] == ["lo"]


def test_places_to_write_are_the_folder_and_small_ones_in_memory(sandboxes: Boxes) -> None:
    program = """
        import json, os
        def room(folder):
            path, size = os.path.join(folder, "big"), 0
            try:
                with open(path, "wb", buffering=0) as file:
                    for _ in range(100):
                        size += file.write(bytes(1 << 20))
            except OSError:
                pass
            return size >> 20
        places = ["/", "/dev", "/etc", "/usr", "/proc", "/dev/shm", "/tmp", "/work"]
        print(json.dumps({place: room(place) for place in places}))
    """
    sizes = answer(sandboxes.run(sandboxes.job(textwrap.dedent(program))))
    written = {"/dev/shm": 64, "/tmp": 64, "/work": 100}
    assert sizes == dict.fromkeys(["/", "/dev", "/etc", "/usr", "/proc"], 0) | written


X86 = platform.machine() == "x86_64"
CALLS = {
    "unshare": ((272, 97), [0x10000000], "EPERM"),
    "setns": ((308, 268), [0, 0], "EPERM"),
    "ptrace": ((101, 117), [0, 0, 0, 0], "EPERM"),
    "process_vm_readv": ((310, 270), [1, 0, 0, 0, 0, 0], "EPERM"),
    "io_uring_setup": ((425, 425), [1, 0], "EPERM"),
    "bpf": ((321, 280), [0, 0, 0], "EPERM"),
    "userfaultfd": ((323, 282), [0], "EPERM"),
    "perf_event_open": ((298, 241), [0, 0, -1, -1, 0], "EPERM"),
    "keyctl": ((250, 219), [0, 0, 0], "EPERM"),
    "mount": ((165, 40), [0, 0, 0, 0, 0], "EPERM"),
    "fsopen": ((430, 430), [0, 0], "EPERM"),
    "mount_setattr": ((442, 442), [0, 0, 0, 0, 0], "EPERM"),
    "open_by_handle_at": ((304, 265), [0, 0, 0], "EPERM"),
    "personality": ((135, 92), [0x40000], "EPERM"),
    "clone, a user namespace": ((56, 220), [0x10000011, 0, 0, 0, 0], "EPERM"),
    "clone3": ((435, 435), [0, 0], "ENOSYS"),
    "memfd_create": ((319, 279), [0, 0], "ENOSYS"),
    "shmget": ((29, 194), [0, 4096, 0o1600], "ENOSYS"),
    "a call of a later kernel": ((999, 999), [], "ENOSYS"),
    "socket, vsock": ((41, 198), [40, 1, 0], "EPERM"),
    "socket, packet": ((41, 198), [17, 3, 0], "EPERM"),
    "socket, crypto": ((41, 198), [38, 5, 0], "EPERM"),
    "socket, internet": ((41, 198), [2, 1, 0], ""),
    "socket, unix": ((41, 198), [1, 1, 0], ""),
    "which personality": ((135, 92), [0xFFFFFFFF], ""),
    "getpid": ((39, 172), [], ""),
}


def test_the_kernel_refuses_calls_that_attacks_begin_with(sandboxes: Boxes) -> None:
    asked = {name: [numbers[not X86], *given] for name, (numbers, given, _) in CALLS.items()}
    if X86:  # the same calls once more, by the numbers of another way to call
        asked["x32"] = [0x40000000 + 39]
    program = """
        import ctypes, errno, json, sys
        libc = ctypes.CDLL(None, use_errno=True)
        def call(number, *given):
            ctypes.set_errno(0)
            libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, given))
            return errno.errorcode.get(ctypes.get_errno(), "")
        print(json.dumps({name: call(*one) for name, one in json.load(sys.stdin).items()}))
    """
    job = sandboxes.job(textwrap.dedent(program), stdin=json.dumps(asked).encode())
    expected = {name: error for name, (_, _, error) in CALLS.items()}
    assert answer(sandboxes.run(job)) == expected | ({"x32": "EPERM"} if X86 else {})


def test_what_programs_need_is_not_refused(sandboxes: Boxes) -> None:
    """glibc makes threads and processes in its newest way first, and falls back."""
    program = """
        import json, multiprocessing, os, sqlite3, subprocess, tempfile
        from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
        from multiprocessing import shared_memory
        if __name__ == "__main__":
            with ThreadPoolExecutor(20) as pool:
                assert sum(pool.map(len, ["ab"] * 100)) == 200
            for way in ("fork", "spawn", "forkserver"):
                with ProcessPoolExecutor(2, multiprocessing.get_context(way)) as pool:
                    assert list(pool.map(len, ["abc"] * 4)) == [3] * 4
            piece = shared_memory.SharedMemory(create=True, size=1_000_000)
            piece.close()
            piece.unlink()
            assert subprocess.run(["sh", "-c", "echo $((1 + 1)) | cat"], capture_output=True,
                                  check=True).stdout == b"2\\n"
            with sqlite3.connect("/work/data.db") as database:
                database.execute("create table t (x)")
            with tempfile.TemporaryDirectory() as folder:
                assert folder.startswith("/tmp/")
            assert os.path.expanduser("~") == "/tmp"
            print(json.dumps("all of it"))
    """
    (sandboxes.work_dir() / "needs.py").write_text(textwrap.dedent(program))
    assert answer(sandboxes.run(Job((PYTHON, "needs.py", sandboxes.nonce)))) == "all of it"


def test_a_filter_is_known_for_the_usual_machines_only() -> None:
    for machine in ("x86_64", "aarch64"):
        assert len(seccomp_filter(machine)) % 8 == 0
    with pytest.raises(SandboxError, match="riscv64"):
        seccomp_filter("riscv64")


def test_a_secret_of_a_job_is_in_no_list_of_processes(sandboxes: Boxes) -> None:
    job = Job(
        (PYTHON, "-c", "import os; print(len(os.environ['KEY'])); input()", sandboxes.nonce),
        environment={"KEY": "a-secret-of-a-skill"},
    )

    async def main() -> None:
        box = SandboxBox(sandboxes.work_dir())
        process = await box.start(job)
        assert await process.read_line() == b"19\n"
        assert sandboxes.processes()
        for one in psutil.process_iter(["cmdline"]):
            assert "a-secret-of-a-skill" not in str(one.info["cmdline"])
        await box.close()

    asyncio.run(main())


@pytest.mark.parametrize("name", ["", "A=B", "A\0B"])
def test_a_variable_without_a_proper_name_runs_nothing(sandboxes: Boxes, name: str) -> None:
    job = Job((PYTHON, "-c", "print(1)", sandboxes.nonce), environment={name: "x"})
    ended = sandboxes.run(job)
    assert (ended.exit_code, ended.stdout) == (126, b"")
    assert ended.stderr


def test_packages_can_be_imported_but_not_changed(sandboxes: Boxes, tmp_path: Path) -> None:
    (packages := tmp_path / "packages").mkdir()
    (packages / "colours.py").write_text("RED = '#f00'\n")
    (packages / "colours.py").chmod(0o600)
    program = (
        "import colours\nprint(colours.RED, colours.__file__)\n"
        "try:\n    open(colours.__file__, 'a')\nexcept OSError:\n    print('held')"
    )

    async def main() -> Ended:
        box = SandboxBox(sandboxes.work_dir(), packages=packages)
        try:
            return await box.run(sandboxes.job(program))
        finally:
            await box.close()

    assert asyncio.run(main()).stdout == b"#f00 /packages/colours.py\nheld\n"


def test_files_of_a_closed_home_folder_can_be_used_and_belong_to_no_root(
    sandboxes: Boxes, tmp_path: Path
) -> None:
    """As root the studio is another user in its sandboxes, who could not reach the folder."""
    home = tmp_path / "home"
    (home / "work").mkdir(parents=True)
    (home / "work" / "given.txt").write_text("given\n")
    (home / "work" / "given.txt").chmod(0o600)
    home.chmod(0o700)
    program = (
        "open('made.txt', 'w').write(open('given.txt').read()); open('given.txt', 'a').close()"
    )

    async def main() -> Ended:
        box = SandboxBox(home / "work")
        return await box.run(sandboxes.job(program))

    assert asyncio.run(main()).exit_code == 0
    made = home / "work" / "made.txt"
    assert made.read_text() == "given\n"
    assert made.stat().st_uid == (os.geteuid() or 65534)
