"""Files that runs leave behind are kept as versions; what is not a plain file of theirs is not."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from studio.store import files as store_files
from studio.store.files import Saved

from ..conftest import ROOT
from ..machines import MB, with_small_disk
from .working import ONE, PNG, Session, names


@pytest.fixture
def session(tmp_path: Path) -> Session:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return Session(home)


def test_a_new_file_is_kept_with_its_facts(session: Session) -> None:
    (one,) = session.run(session.write("out/plot.png", PNG)).files
    assert (one.name, one.media_type, one.bytes) == ("out/plot.png", "image/png", len(PNG))
    assert session.kept(one.id) == PNG
    assert len(one.id) >= 16


def test_all_of_it_is_for_the_studio_alone(session: Session) -> None:
    (one,) = session.run(session.write("a.txt", "a")).files
    kept = session.files.artifact(ONE, one.id)
    home = session.files.home
    folders = [home / "work", home / "work" / ONE, session.work, kept.parent, kept.parent.parent]
    assert [oct(folder.stat().st_mode & 0o777) for folder in folders] == ["0o700"] * 5
    assert oct(kept.stat().st_mode & 0o777) == "0o600"


def test_each_change_is_a_version_of_its_own(session: Session) -> None:
    (first,) = session.run(session.write("a.txt", "one")).files
    (second,) = session.run(session.write("a.txt", "two")).files
    assert (session.kept(first.id), session.kept(second.id)) == (b"one", b"two")
    assert first.sha256 != second.sha256


def test_a_later_write_through_the_old_descriptor_does_not_reach_what_was_kept(
    session: Session,
) -> None:
    (one,) = session.run(session.write("a.txt", "kept")).files
    with (session.work / "a.txt").open("r+b") as writing:
        writing.write(b"LOST")
    assert session.kept(one.id) == b"kept"


def test_what_no_run_touched_is_not_kept_again(session: Session) -> None:
    session.run(session.write("a.txt", "a"))
    assert names(session.run(session.write("b.txt", "b"))) == ["b.txt"]


def test_what_was_there_before_the_run_is_not_its_work(session: Session) -> None:
    session.write("given.csv", "a,b")()
    assert names(session.run(session.write("b.txt", "b"))) == ["b.txt"]


def test_a_file_that_is_only_written_again_is_no_new_version(session: Session) -> None:
    session.run(session.write("a.txt", "same"))
    assert session.run(session.write("a.txt", "same")) == Saved([], [])
    assert len(list(session.files.artifact(ONE, "x").parent.iterdir())) == 1


def test_a_file_that_goes_back_to_what_it_was_is_a_new_version(session: Session) -> None:
    for content in ("one", "two", "one"):
        assert names(session.run(session.write("a.txt", content))) == ["a.txt"]


@pytest.mark.parametrize(
    "name",
    [".hidden", ".network.sock", ".cache/a", "__pycache__/a.pyc", "tmp_code_1f.py", "a/.b/c"],
)
def test_hidden_names_and_caches_are_left_out(session: Session, name: str) -> None:
    assert session.run(session.write(name, "x")) == Saved([], [])


def test_a_link_is_left_out_wherever_it_leads(session: Session, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")

    def work() -> None:
        (session.work / "passwd").symlink_to("/etc/passwd")
        (session.work / "db").symlink_to(session.files.home / "studio.db")
        (session.work / "folder").symlink_to(outside)
        (session.work / "itself").symlink_to(session.work)
        session.write("plain.txt", "plain")()

    assert names(session.run(work)) == ["plain.txt"]


def test_what_is_no_file_is_left_out_and_blocks_nobody(session: Session) -> None:
    def work() -> None:
        os.mkfifo(session.work / "fifo")
        with closing(socket.socket(socket.AF_UNIX)) as listening:
            os.chdir(session.work)  # the name of a socket must be short
            listening.bind("socket")
        session.write("plain.txt", "plain")()

    here = os.getcwd()
    try:
        assert names(session.run(work)) == ["plain.txt"]
    finally:
        os.chdir(here)


SWAPS = """
import os, pathlib, sys
work, outside = map(pathlib.Path, sys.argv[1:])
while True:
    for name, other in (("folder", outside), ("file.txt", outside / "file.txt")):
        try:
            os.rename(work / name, work / ("." + name))
            os.symlink(other, work / name)
            os.unlink(work / name)
            os.rename(work / ("." + name), work / name)
        except FileNotFoundError:
            pass
"""


def test_a_program_that_swaps_a_folder_for_a_link_meanwhile_leads_nowhere(
    session: Session, tmp_path: Path
) -> None:
    """Files and folders are swapped for links to the outside as fast as the machine can."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file.txt").write_text("foreign")
    session.write("folder/file.txt", "mine")()
    session.write("file.txt", "mine")()
    command = [sys.executable, "-c", SWAPS, str(session.work), str(outside)]
    with subprocess.Popen(command) as swapping:
        try:
            for _ in range(300):
                saved = asyncio.run(session.files.saved(ONE, session.work, {}))
                assert all(session.kept(one.id) == b"mine" for one in saved.files)
        finally:
            swapping.kill()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"<script>alert(1)<\xe2\x88\x95script>", "<script>alert(1)<\u2215script>"),
        (b"two\nlines\x07.txt", "two\ufffdlines\ufffd.txt"),
        (b"half\xff\xfe.csv", "half\ufffd\ufffd.csv"),
        ("gpj\u202egnp.exe".encode(), "gpj\ufffdgnp.exe"),
        (b"back\\slash", "back\\slash"),
        (b"x" * 255, "x" * 255),
        ("日本.csv".encode(), "日本.csv"),
    ],
)
def test_a_hostile_name_is_shown_as_text_of_one_line(
    session: Session, name: bytes, shown: str
) -> None:
    def work() -> None:
        with open(os.fsencode(session.work) + b"/" + name, "wb") as writing:
            writing.write(b"a")

    assert names(session.run(work)) == [shown]


def test_a_long_path_loses_its_first_folders(session: Session) -> None:
    (one,) = session.run(session.write("/".join(["a" * 100] * 5) + "/end.txt", "x")).files
    assert len(one.name) == 300
    assert one.name.startswith("…")
    assert one.name.endswith("/end.txt")


def test_what_is_too_large_is_told_and_not_kept(session: Session) -> None:
    def work() -> None:
        session.write("small.txt", "small")()
        with (session.work / "large.bin").open("wb") as writing:
            writing.truncate(store_files.MAX_FILE + 1)

    saved = session.run(work)
    assert names(saved) == ["small.txt"]
    assert saved.left_out == ["large.bin: larger than 64 MB"]


def test_only_so_many_files_of_a_run_are_kept(session: Session) -> None:
    def work() -> None:
        for i in range(store_files.MAX_FILES + 5):
            session.write(f"{i:04}.txt", str(i))()

    saved = session.run(work)
    assert len(saved.files) == store_files.MAX_FILES
    assert saved.left_out[0] == "0200.txt: more than 200 files in one run"
    assert len(saved.left_out) == 5


def test_a_deep_tree_ends_the_search_not_the_studio(session: Session) -> None:
    deep = "/".join(["d"] * 60)
    saved = session.run(session.write(f"{deep}/far.txt", "far"))
    assert saved.files == []
    assert names(session.run(session.write("near.txt", "near"))) == ["near.txt"]


def test_runs_of_two_sessions_do_not_meet(session: Session) -> None:
    """Threads: each session's folder is looked at on its own."""
    other = "0123456789abcdef0123"
    work = session.files.work_dir(other)
    (work / "b.txt").write_text("b")
    found: list[Saved] = []

    def both(one: str, folder: Path) -> None:
        found.append(asyncio.run(session.files.saved(one, folder, {})))

    session.write("a.txt", "a")()
    threads = [threading.Thread(target=both, args=a) for a in ((ONE, session.work), (other, work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names(one)[0] for one in found) == ["a.txt", "b.txt"]


_FULL = """
import asyncio, sys
from pathlib import Path
from studio.store.files import Files
home, one = Path(sys.argv[1]), sys.argv[2]
files = Files(home)
(files.work_dir(one) / "large.bin").write_bytes(bytes(3_000_000))
saved = asyncio.run(files.saved(one, files.work_dir(one), {}))
print(saved.files, saved.left_out, [*(home / "artifacts" / one).iterdir()])
"""


def test_a_full_disk_is_told_and_leaves_nothing_half_written(session: Session) -> None:
    """A program that finds a disk of 1 MB where versions are kept."""
    home = session.files.home
    (home / "artifacts").mkdir()
    command = [*with_small_disk(home / "artifacts", MB), sys.executable, "-c", _FULL]
    done = subprocess.run(
        [*command, str(home), ONE], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[] ['large.bin: No space left on device'] []"
