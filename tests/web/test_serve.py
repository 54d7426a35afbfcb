"""`studio serve`: where it listens, whom it refuses, and what it leaves on disk."""

from __future__ import annotations

import json
import stat
import subprocess
import time
from pathlib import Path

import httpx2
import psutil
import pytest

from ..conftest import ROOT, Launch, clean_environment, serve_command


def _refused(home: Path, *arguments: str, token: str | None = None, **env: str) -> str:
    """What a studio says that does not start."""
    done = subprocess.run(
        serve_command(home, *arguments),
        cwd=ROOT, env=clean_environment(token, **env), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode not in (0, None), done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("host", "token"), [("0.0.0.0", None), ("::", "x" * 31), ("192.0.2.1", "short")]
)
def test_no_other_address_without_a_long_token(
    tmp_path: Path, host: str, token: str | None
) -> None:
    said = _refused(tmp_path / "home", "--host", host, token=token)
    assert "STUDIO_TOKEN" in said
    assert "32" in said
    assert not (tmp_path / "home" / "studio.db").exists()


def test_the_host_of_the_environment_is_refused_alike(tmp_path: Path) -> None:
    assert "STUDIO_TOKEN" in _refused(tmp_path / "home", STUDIO_HOST="0.0.0.0")


def test_settings_that_make_no_sense_are_said_by_name(tmp_path: Path) -> None:
    wrong = _refused(tmp_path / "home", STUDIO_SQLITE_SYNCHRONOUS="sometimes")
    assert "STUDIO_SQLITE_SYNCHRONOUS" in wrong
    assert "key" in _refused(tmp_path / "home", STUDIO_SECRET_KEY="nonsense").lower()
    missing = str(tmp_path / "no-key")
    assert missing in _refused(tmp_path / "home", STUDIO_SECRET_KEY_FILE=missing)


def test_it_listens_on_loopback_only(launch: Launch) -> None:
    studio = launch()
    listening = [
        c.laddr.ip
        for c in psutil.Process(studio.process.pid).net_connections("inet")
        if c.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]
    assert studio.url.startswith("http://127.0.0.1:")
    assert "/login?token=" in studio.login


def test_the_data_folder_is_for_its_owner_only(launch: Launch, tmp_path: Path) -> None:
    studio = launch()
    studio.create("agents")
    assert _mode(studio.home) == 0o700
    for name in ("studio.db", "studio.db-wal", "secret.key", "server.json"):
        assert _mode(studio.home / name) == 0o600, name
    key = (studio.home / "secret.key").read_bytes().strip()
    assert key not in (studio.home / "studio.db").read_bytes()


def test_a_second_studio_on_the_same_folder_is_refused_with_the_address(launch: Launch) -> None:
    first = launch()
    assert first.url in _refused(first.home)
    assert first.get("health") == {"status": "ok"}


def test_the_note_for_other_commands_holds_a_token_that_works(launch: Launch) -> None:
    studio = launch()
    note = json.loads((studio.home / "server.json").read_text())
    headers = {"authorization": f"Bearer {note['token']}"}
    assert note["url"] == studio.url
    assert httpx2.get(f"{studio.url}/api/models", headers=headers).status_code == 200


def test_an_ordinary_end_takes_the_note_away(launch: Launch) -> None:
    """The note holds a token; only a crash may leave it behind."""
    studio = launch()
    studio.kill(15)
    assert not (studio.home / "server.json").exists()


def test_a_crash_does_not_lock_the_folder(launch: Launch) -> None:
    first = launch()
    agent = first.create("agents")
    first.kill()
    second = launch()
    assert second.get(f"agents/{agent['id']}") == agent
    assert (second.home / "server.json").stat().st_mode & 0o077 == 0


def test_a_lost_key_file_is_no_crash_and_asks_for_the_key_again(launch: Launch) -> None:
    """SECURITY R13: without the file the secrets cannot be read; everything else goes on."""
    first = launch()
    body = {"provider": "openai", "model": "x", "base_url": "http://127.0.0.1:1/v1",
            "api_key": "sk-key-that-will-be-lost-0001"}  # fmt: skip
    model = first.create("models", **body)
    pair = first.pair(model["id"])
    first.kill(15)
    (first.home / "secret.key").unlink()
    second = launch()
    problems = second.post(f"workflows/{pair}/check", status=200)["problems"]
    assert [p["code"] for p in problems] == ["secret_missing"]


def test_sigterm_ends_it_soon_even_with_an_open_stream(launch: Launch) -> None:
    studio = launch()
    pair = studio.create("workflows", kind="two_agent", initiator=studio.person(),
                         recipient=studio.person())  # fmt: skip
    one = studio.start(pair["id"])
    studio.wait(one, "waiting")
    with httpx2.stream(
        "GET", f"{studio.url}/api/sessions/{one}/stream", headers=studio.http.headers, timeout=20
    ) as stream:
        assert next(stream.iter_lines()).startswith(":")
        started = time.monotonic()
        studio.process.terminate()
        studio.process.wait(15)
        assert time.monotonic() - started < 8
