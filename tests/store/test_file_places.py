"""Where files of sessions lie: given ones, removed ones, and what kind of file each is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from studio.errors import NotFoundError
from studio.store.media import HEAD, media_type

from .working import ONE, PNG, Session


@pytest.fixture
def session(tmp_path: Path) -> Session:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return Session(home)


@pytest.fixture
def ordinary_user() -> Iterator[Path]:
    """A folder of a user whom rights hold back, and who we are: root may do anything."""
    with TemporaryDirectory() as place:
        if os.geteuid() != 0:
            yield Path(place)
            return
        os.chown(place, 1001, 1001)
        os.seteuid(1001)
        try:
            yield Path(place)
        finally:
            os.seteuid(0)


def test_a_session_is_removed_with_folders_that_cannot_be_written(ordinary_user: Path) -> None:
    session = Session(ordinary_user)
    session.run(session.write("locked/inner/a.txt", "a"))
    (session.work / "locked" / "inner").chmod(0o000)
    (session.work / "locked").chmod(0o500)
    asyncio.run(session.files.remove_session(ONE))
    assert sorted(p.name for p in ordinary_user.rglob("*")) == ["artifacts", "work"]


def test_removing_follows_no_link(session: Session, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.txt").write_text("stays")
    (session.work / "link").symlink_to(outside)
    asyncio.run(session.files.remove_session(ONE))
    assert (outside / "a.txt").read_text() == "stays"


def test_a_clean_start_keeps_what_is_known(session: Session) -> None:
    other = "0123456789abcdef0123"
    session.run(session.write("a.txt", "a"))
    session.files.work_dir(other)
    session.files.upload("known").write_text("known")
    session.files.upload("unknown").write_text("unknown")
    asyncio.run(session.files.clean([ONE], ["known"]))
    assert session.work.exists()
    assert not (session.files.home / "work" / other).exists()
    assert [p.name for p in (session.files.home / "uploads").iterdir()] == ["known"]


@pytest.mark.parametrize("one", ["..", "../x", "a/b", "/etc/passwd", "", "a\x00b", "x" * 65])
def test_an_id_that_is_none_leads_nowhere(session: Session, one: str) -> None:
    with pytest.raises(NotFoundError):
        session.files.artifact(ONE, one)
    with pytest.raises(NotFoundError):
        session.files.work_dir(one)


def test_a_given_file_gets_a_free_name_and_a_copy_that_nobody_changes(session: Session) -> None:
    session.files.upload("u1").write_text("given")
    session.write("data.csv", "made by a program")()
    first = asyncio.run(session.files.give(ONE, "u1", "data.csv", "text/csv"))
    (session.work / first.name).write_text("changed")
    assert first.name == "data-2.csv"
    assert (session.work / "data.csv").read_text() == "made by a program"
    assert session.kept("u1") == b"given"


def test_a_given_file_never_follows_a_link(session: Session, tmp_path: Path) -> None:
    target = tmp_path / "target"
    (session.work / "data.csv").symlink_to(target)
    session.files.upload("u1").write_text("given")
    assert asyncio.run(session.files.give(ONE, "u1", "data.csv", "text/csv")).name == "data-2.csv"
    assert not target.exists()


@pytest.mark.parametrize(
    ("name", "head", "found"),
    [
        ("a.png", PNG, "image/png"),
        ("a.png", b"<script>", "text/plain"),
        ("a.txt", PNG, "image/png"),
        ("a.csv", b"a,b\n1,2", "text/csv"),
        ("a.csv", "größe,b".encode("latin-1"), "text/csv"),
        ("a.csv", b"\x00\x01", "application/octet-stream"),
        ("a.svg", b"<svg/>", "image/svg+xml"),
        ("a", b"plain words", "text/plain"),
        ("a", b"\xff\x00", "application/octet-stream"),
        ("a.xlsx", b"PK\x03\x04....", "application/vnd.openxmlformats-officedocument."
         "spreadsheetml.sheet"),
        ("a.pdf", b"%PDF-1.7", "application/pdf"),
        ("cut.md", ("é" * HEAD).encode()[:HEAD + 1][1:], "text/markdown"),
    ],
)  # fmt: skip
def test_the_bytes_decide_what_a_file_is(name: str, head: bytes, found: str) -> None:
    assert media_type(name, head) == found
