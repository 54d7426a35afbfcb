"""Packages are prepared by pip in a step of their own, and used in a box."""

from __future__ import annotations

import asyncio
import tarfile
import time
from io import BytesIO
from pathlib import Path

import psutil
import pytest

from studio.engine.errors import SandboxError
from studio.engine.execution.box import Ended, Job, Kind, Probe
from studio.engine.execution.docker_box import DockerBox
from studio.engine.execution.docker_images import has_image
from studio.engine.execution.sandbox import SandboxBox
from studio.errors import UnavailableError
from studio.runner.packages import Preparations, Wanted

from ..boxes import ready
from ..builders import until
from .wheels import index, make_wheel, only_from

PYTHON = "3.11"


def sandboxed(*packages: str) -> Wanted:
    return Wanted("sandbox", packages, PYTHON)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that is pip's only source."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    only_from(monkeypatch, folder)
    return folder


@pytest.fixture
def _sandbox(probes: dict[Kind, Probe]) -> None:
    ready(probes["sandbox"])


async def in_sandbox(folder: Path, packages: Path | None, code: str) -> Ended:
    box = SandboxBox(folder / "work", packages=packages)
    try:
        return await box.run(Job(("python3", "-c", code)))
    finally:
        await box.close()


# -- what is prepared is there, whole, and for boxes alone


@pytest.mark.usefixtures("_sandbox")
async def test_packages_and_what_they_need_are_there_in_the_box(
    tmp_path: Path, shelf: Path
) -> None:
    make_wheel(shelf, "helper", "2.5")
    make_wheel(shelf, "helper", "3.0")
    make_wheel(shelf, "demo", files={"demo/__init__.py": "import helper\n"}, needs="helper<3")
    preparations, wanted, told = Preparations(tmp_path), sandboxed("demo"), list[str]()
    assert (await preparations.look(wanted)).state == "missing"
    with pytest.raises(SandboxError, match="demo is not on this machine yet: prepare it"):
        preparations.folder(PYTHON, wanted.packages)
    await preparations.prepare(wanted, told.append)
    assert told[-2].startswith("Unpacking ")
    folder = preparations.folder(PYTHON, wanted.packages)
    assert folder is not None
    assert [*folder.glob("demo/__pycache__/*.pyc")], "compiled, as nobody can do it later"
    found = await preparations.look(wanted)
    assert (found.state, found.bytes > 100) == ("ready", True)
    folder = preparations.folder(PYTHON, wanted.packages)
    code = "import demo, helper; print(helper.VERSION, demo.__file__)"
    ended = await in_sandbox(tmp_path, folder, code)
    assert ended.stdout == b"2.5 /packages/demo/__init__.py\n", ended.stderr
    ended = await in_sandbox(tmp_path, folder, "open('/packages/demo/new.py', 'w')")
    assert b"Read-only file system" in ended.stderr or b"Permission denied" in ended.stderr
    assert preparations.folder(PYTHON, ()) is None


async def test_another_studio_finds_them_and_asks_nobody(tmp_path: Path, shelf: Path) -> None:
    wheel = make_wheel(shelf, "demo")
    await Preparations(tmp_path).prepare(sandboxed("demo"))
    wheel.unlink()
    later = Preparations(tmp_path)
    assert (await later.look(sandboxed("demo"))).state == "ready"
    await later.prepare(sandboxed("demo"))
    assert later.folder(PYTHON, ("demo",)) == later.folder(PYTHON, ("Demo",))
    with pytest.raises(SandboxError):
        later.folder("3.12", ("demo",))
    await later.forget(sandboxed("demo"))
    assert (await later.look(sandboxed("demo"))).state == "missing"
    assert list((tmp_path / "packages").iterdir()) == []


@pytest.mark.usefixtures("_sandbox")
async def test_nothing_of_a_wheel_runs_before_a_program_asks_for_it(
    tmp_path: Path, shelf: Path
) -> None:
    """Neither while it is prepared, nor at the start of Python in the box: a .pth file is inert."""
    mark = tmp_path / "mark"
    files = {
        "evil.pth": f"import pathlib; pathlib.Path({str(mark)!r}).touch(); import evil\n",
        "evil.py": "import os\nopen('/work/seen', 'w').write('x')\n",
    }
    make_wheel(shelf, "evil", files=files)
    preparations = Preparations(tmp_path)
    await preparations.prepare(sandboxed("evil"))
    folder = preparations.folder(PYTHON, ("evil",))
    assert folder is not None
    assert (folder / "evil.pth").exists()
    assert not (folder / "seen").exists()
    ended = await in_sandbox(tmp_path, folder, "import sys; print('evil' in sys.modules)")
    assert ended.stdout == b"False\n"
    assert not mark.exists()
    assert not (tmp_path / "work" / "seen").exists()


async def test_what_must_be_built_is_refused(tmp_path: Path, shelf: Path) -> None:
    mark = tmp_path / "mark"
    setup = f"import pathlib; pathlib.Path({str(mark)!r}).touch()\n".encode()
    with tarfile.open(shelf / "built-1.0.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo("built-1.0/setup.py")
        entry.size = len(setup)
        archive.addfile(entry, BytesIO(setup))
    with pytest.raises(UnavailableError, match=r"come as wheels for Python 3\.11"):
        await Preparations(tmp_path).prepare(sandboxed("built"))
    assert not mark.exists()


@pytest.mark.usefixtures("_sandbox")
async def test_wheels_for_other_pythons_and_machines_are_not_taken(
    tmp_path: Path, shelf: Path
) -> None:
    make_wheel(shelf, "demo", "1.0", tag="cp311-cp311-manylinux_2_17_x86_64")
    make_wheel(shelf, "demo", "1.0", tag="cp311-cp311-manylinux_2_17_aarch64")
    make_wheel(shelf, "demo", "2.0", tag="cp312-cp312-manylinux_2_17_x86_64")
    make_wheel(shelf, "demo", "3.0", tag="cp311-cp311-win_amd64")
    make_wheel(shelf, "demo", "4.0", tag="cp311-cp311-manylinux_2_90_x86_64")
    preparations = Preparations(tmp_path)
    await preparations.prepare(sandboxed("demo"))
    folder = preparations.folder(PYTHON, ("demo",))
    ended = await in_sandbox(tmp_path, folder, "import demo; print(demo.VERSION)")
    assert ended.stdout == b"1.0\n", ended.stderr


@pytest.mark.parametrize(
    "package",
    ["--index-url=http://127.0.0.1:9/", "-r", "./demo", "file:///etc", "demo@file:///x", "a/b"],
)
async def test_only_names_reach_pip(tmp_path: Path, shelf: Path, package: str) -> None:
    with pytest.raises(UnavailableError, match="is no name of a package"):
        await Preparations(tmp_path).prepare(sandboxed(package))


# -- when it goes wrong


async def test_a_failure_is_told_without_the_address_of_the_index(
    tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preparations, wanted = Preparations(tmp_path), sandboxed("demo")
    with index(b"HTTP/1.1 500 Broken\r\ncontent-length: 0\r\nconnection: close\r\n\r\n") as (
        url,
        _,
    ):
        only_from(monkeypatch, shelf, url)
        preparations.start(wanted)
        with pytest.raises(UnavailableError) as caught:
            await preparations.prepare(wanted)
    found = await preparations.look(wanted)
    assert (found.state, found.detail) == ("failed", str(caught.value))
    whole = found.detail + "".join(found.lines)
    assert "demo" in whole
    assert [w for w in ("hunter2", "127.0.0.1", "://", str(tmp_path)) if w in whole] == []
    only_from(monkeypatch, shelf)
    make_wheel(shelf, "demo")
    preparations.start(wanted)  # as "Try again" does
    await preparations.prepare(wanted)
    assert (await preparations.look(wanted)).state == "ready"


async def test_it_runs_once_is_watched_and_can_be_cancelled(
    tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preparations, wanted = Preparations(tmp_path), sandboxed("demo")
    with index(None) as (url, asked):
        only_from(monkeypatch, shelf, url)
        preparations.start(wanted)
        preparations.start(wanted)
        await asyncio.to_thread(until, lambda: len(asked))
        found = await preparations.look(wanted)
        assert (found.state, found.detail != "") == ("running", True)
        assert len(_pips(tmp_path)) == 1
        await preparations.cancel(wanted)
        assert len(asked) == 1
    assert (await preparations.look(wanted)).state == "missing"
    assert _pips(tmp_path) == []
    assert list((tmp_path / "packages").iterdir()) == []


def _pips(folder: Path) -> list[psutil.Process]:
    """Processes that work in this folder."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if Path(process.cwd()).is_relative_to(folder):
                found.append(process)
        except psutil.Error:
            continue
    return found


async def test_it_ends_in_time_and_with_the_studio(
    tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with index(None) as (url, asked):
        only_from(monkeypatch, shelf, url)
        started = time.monotonic()
        with pytest.raises(UnavailableError, match="longer than"):
            await Preparations(tmp_path, seconds=3).prepare(sandboxed("demo"))
        assert time.monotonic() - started < 10
        preparations = Preparations(tmp_path)
        before = len(asked)  # 0 where the time was over before pip asked
        preparations.start(sandboxed("demo"))
        await asyncio.to_thread(until, lambda: len(asked) > before)
        await preparations.close()
    assert _pips(tmp_path) == []


async def test_what_a_killed_studio_left_is_no_hindrance(tmp_path: Path, shelf: Path) -> None:
    make_wheel(shelf, "demo")
    wanted = sandboxed("demo")
    part = tmp_path / "packages" / f"{wanted.key}.part"
    (part / "site").mkdir(parents=True)
    (part / "site" / "half.py").write_text("x")
    preparations = Preparations(tmp_path)
    assert (await preparations.look(wanted)).state == "missing"
    await preparations.prepare(wanted)
    folder = preparations.folder(PYTHON, ("demo",))
    assert folder is not None
    assert sorted(p.name for p in folder.iterdir() if p.name != "__pycache__") == [
            "demo-1.0.dist-info", "demo.py",
        ]  # fmt: skip
    assert not part.exists()


# -- for Docker


async def test_an_image_with_the_packages(
    tmp_path: Path, shelf: Path, probes: dict[Kind, Probe]
) -> None:
    ready(probes["docker"])
    make_wheel(shelf, "demo", files={"demo.py": "VERSION = '1.0'\n", "demo.pth": "import demo\n"})
    preparations = Preparations(tmp_path)
    wanted, told = Wanted("docker", ("demo",), image="python:3-slim"), list[str]()
    await preparations.forget(wanted)
    with pytest.raises(SandboxError, match="prepare it"):
        await preparations.image(wanted.image, wanted.packages)
    try:
        await preparations.prepare(wanted, told.append)
        assert told[-1] == "Making the image"
        tag = await preparations.image(wanted.image, wanted.packages)
        with pytest.raises(SandboxError):  # nor does another studio take it for its own
            await Preparations(tmp_path / "other").image(wanted.image, wanted.packages)
        assert (await preparations.look(wanted)).bytes > 10_000_000
        (tmp_path / "work").mkdir()
        box = DockerBox(tmp_path / "work", image=tag, label="packages")
        code = "import sys; a = 'demo' in sys.modules; import demo; print(a, demo.VERSION)"
        try:
            ended = await box.run(Job(("python3", "-c", code)))
        finally:
            await box.close()
        assert ended.stdout == b"False 1.0\n", ended.stderr
        assert list((tmp_path / "packages").iterdir()) == []
    finally:
        await preparations.forget(wanted)
    assert not await has_image(tag)
    assert await preparations.image("python:3-slim", ()) == "python:3-slim"
    with pytest.raises(SandboxError, match="The image nobody/nothing:1 is not on this machine yet"):
        await preparations.image("nobody/nothing:1", ())
