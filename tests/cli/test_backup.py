"""A backup taken while sessions run, restored elsewhere; without the key, and with it."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
import stat
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from ..builders import Json, check_log
from ..conftest import ROOT, Launch, StudioProcess, clean_environment
from ..fake_openai import FakeOpenAI

KEY = "sk-of-the-backup-0123456789"
NOUNS = ("models", "skills", "agents", "workflows")


def _studio(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "studio", *arguments], cwd=ROOT, env=clean_environment(None),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def _told(studio: StudioProcess, sessions: list[str]) -> dict[str, object]:
    """Everything that must be the same after a restore."""
    found: dict[str, object] = {noun: studio.everything(noun) for noun in NOUNS}
    for one in sessions:
        found[one] = (studio.session(one), studio.events(one))
    return found


@pytest.fixture
def busy(launch: Launch, fake: FakeOpenAI) -> tuple[StudioProcess, list[str], list[str]]:
    """A studio with finished sessions, and ten that talk all the while."""
    studio = launch()
    model = studio.model(fake.endpoint(), api_key=KEY)
    over = [studio.start(studio.group(model, model, max_round=5)) for _ in range(4)]
    for one in over:
        studio.wait(one)
    slow = studio.model(fake.endpoint(itl=0.02), api_key=KEY)
    talking = [studio.start(studio.group(slow, slow, max_round=600)) for _ in range(10)]
    return studio, over, talking


def test_a_backup_under_load_is_whole(
    busy: tuple[StudioProcess, list[str], list[str]], launch: Launch, tmp_path: Path
) -> None:
    studio, over, talking = busy
    file = tmp_path / "backup.zip"
    done = _studio("backup", str(file), "--home", str(studio.home))
    assert done.returncode == 0, done.stderr
    assert any(studio.session(one)["status"] == "running" for one in talking), "no load"
    before = _told(studio, over)
    for one in talking:
        studio.verb(one, "stop")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert KEY.encode() not in file.read_bytes()
    assert set(zipfile.ZipFile(file).namelist()) == {"studio.db", "backup.json"}

    home = tmp_path / "elsewhere"
    restored = _studio("restore", str(file), "--home", str(home))
    assert restored.returncode == 0, restored.stderr
    with closing(sqlite3.connect(home / "studio.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    other = launch(home=home)
    assert "must be entered again: model:" in other.errors.read_text()
    after = _told(other, over)
    assert _without_keys(after) == _without_keys(before)
    lost = other.get("secrets")["items"]
    assert lost
    assert not any(secret["readable"] for secret in lost)
    for one in talking:
        other.call("POST", f"sessions/{one}/stop")
        check_log(other.wait(one), other.events(one))


def _without_keys(found: dict[str, object]) -> object:
    """Whether a key can be read differs from machine to machine; what it belongs to does not."""
    text = json.dumps(found)
    return json.loads(text.replace('"api_key_set": true', '"api_key_set": false'))


def test_with_the_key_file_the_secrets_are_there(
    busy: tuple[StudioProcess, list[str], list[str]], launch: Launch, tmp_path: Path
) -> None:
    studio, over, talking = busy
    for one in talking:
        studio.verb(one, "stop")
    _studio("backup", str(tmp_path), "--home", str(studio.home))
    (file,) = tmp_path.glob("roundtable-*.zip")
    home = tmp_path / "elsewhere"
    _studio("restore", str(file), "--home", str(home))
    shutil.copy(studio.home / "secret.key", home / "secret.key")
    other = launch(home=home)
    assert all(secret["readable"] for secret in other.get("secrets")["items"])
    other.verb(over[0], "messages", {"message": "Go on."})
    assert other.wait(over[0])["status"] == "finished"


def test_files_of_sessions_are_in_it(launch: Launch, tmp_path: Path) -> None:
    studio = launch()
    sent = studio.http.post("/api/files", files={"file": ("data.csv", b"a,b\n")}).json()["id"]
    one = studio.start(studio.pair(studio.scripted("Hi", "Hi")), attachments=[sent])
    studio.wait(one)
    assert _studio("backup", str(tmp_path / "b.zip"), "--home", str(studio.home)).returncode == 0
    home = tmp_path / "elsewhere"
    assert _studio("restore", str(tmp_path / "b.zip"), "--home", str(home)).returncode == 0
    other = launch(home=home)
    got = other.call("GET", f"sessions/{one}/artifacts/{sent}")
    assert (got.status_code, got.content) == (200, b"a,b\n")


def test_no_entry_of_a_backup_leads_anywhere_else(launch: Launch, tmp_path: Path) -> None:
    """SECURITY R18: ways up, a root, a link, a device."""
    studio = launch()
    file = tmp_path / "b.zip"
    assert _studio("backup", str(file), "--home", str(studio.home)).returncode == 0
    link, device = zipfile.ZipInfo("artifacts/a/link"), zipfile.ZipInfo("artifacts/a/device")
    link.external_attr, device.external_attr = 0o120777 << 16, 0o060666 << 16
    with zipfile.ZipFile(file, "a") as archive:
        for name in ("../up", f"{tmp_path}/root", "artifacts/../up", "artifacts/a/../../up",
                     "artifacts/..", "secret.key", "artifacts/a/.."):  # fmt: skip
            archive.writestr(name, "foreign")
        for entry in (link, device):
            archive.writestr(entry, "/etc/passwd")
    home = tmp_path / "deep" / "home"
    home.mkdir(parents=True)
    assert _studio("restore", str(file), "--home", str(home)).returncode == 0
    found = {str(p.relative_to(home)) for p in home.rglob("*") if not p.is_dir()}
    assert found == {"studio.db", "studio.lock", "artifacts/a/link", "artifacts/a/device"}
    for name in ("link", "device"):
        assert stat.S_ISREG((home / "artifacts" / "a" / name).lstat().st_mode)
    assert {p.name for p in (tmp_path / "deep").iterdir()} == {"home"}
    assert not (tmp_path / "root").exists()


def _cut() -> bytes:
    """A backup whose database breaks off, or was changed on the way."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("backup.json", '{"format": 1}')
        archive.writestr("studio.db", b"SQLite format 3\0" + bytes(5000))
    return out.getvalue().replace(bytes(64), b"x" * 64, 1)


@pytest.mark.parametrize("content", [_cut(), b"", b"not a zip", b"PK\x05\x06" + b"\0" * 18])
def test_what_is_no_backup_is_refused_and_nothing_is_left(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.zip"
    file.write_bytes(content)
    done = _studio("restore", str(file), "--home", str(tmp_path / "home"))
    assert done.returncode == 2, done
    assert "not a backup" in done.stderr
    assert [f.name for f in (tmp_path / "home").iterdir()] == ["studio.lock"]


def test_a_studio_is_never_overwritten(launch: Launch, tmp_path: Path) -> None:
    studio = launch()
    file = tmp_path / "backup.zip"
    assert _studio("backup", str(file), "--home", str(studio.home)).returncode == 0
    again = _studio("backup", str(file), "--home", str(studio.home))
    assert (again.returncode, "exists" in again.stderr) == (2, True)
    studio.kill()
    before: Json = {"db": (studio.home / "studio.db").read_bytes()}
    done = _studio("restore", str(file), "--home", str(studio.home))
    assert done.returncode == 2
    assert (studio.home / "studio.db").read_bytes() == before["db"]
    assert _studio("backup", str(file), "--home", str(tmp_path / "nowhere")).returncode == 2
