"""What the studio says of itself: the Status page and /api/status, with the boxes there are."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from studio.engine.execution.docker_box import IMAGE
from studio.engine.execution.docker_flags import LABEL
from studio.store.disk import disk_use

from ..boxes import needed
from ..builders import until
from ..conftest import TOKEN, InProcess, StudioProcess, serving
from ..machines import with_small_disk, without_boxes

KINDS = ("docker", "sandbox")
SCRIPT = {"hx-request": "true"}


def page(studio: Any) -> str:
    """The page once the boxes have been looked at."""

    def shown() -> str:
        answer = studio.http.get("/status")
        assert answer.status_code == 200, answer.text
        return str(answer.text)

    return until(shown, lambda text: "Looked at" in text)


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def card(html: str, kind: str) -> str:
    """What the page says of one kind of box."""
    return words(html.split(f'aria-labelledby="box-{kind}"')[1].partition("</section>")[0])


def row(html: str, title: str) -> str:
    """One line of a list, with its state."""
    rows = [words(one) for one in re.findall(r"<li>.*?</li>", html, re.DOTALL)]
    return next(one for one in rows if re.match(rf"(OK|Note|Problem) {title}\b", one))


def looked_at(html: str) -> str:
    found = re.search(r'Looked at <time datetime="([^"]+)"', html)
    assert found, "nothing says when the boxes were looked at"
    return found[1]


def test_the_parts_say_what_a_canary_found(studio: InProcess) -> None:
    boxes = studio.get("status")["parts"]["boxes"]
    assert set(boxes) == {*KINDS, "used"}
    for kind in KINDS:
        one = boxes[kind]
        assert set(one) == {"status", "detail", "python", "checks"}
        assert one["status"] in ("ok", "missing")
        assert one["detail"]
        if one["status"] == "ok":
            assert re.fullmatch(r"3\.\d+", one["python"])
            assert {"network", "files", "environment"} <= set(one["checks"])
        assert (one["status"] == "ok") == (bool(one["checks"]) and all(one["checks"].values()))
    ready = [kind for kind in KINDS if boxes[kind]["status"] == "ok"]
    assert boxes["used"] == (ready[0] if ready else None)
    if shutil.which("bwrap") is None:
        assert "sandbox" not in ready
    if os.environ.get("CI"):
        assert ready == [*KINDS]


def test_the_page_says_the_same_in_words(studio: InProcess) -> None:
    boxes = studio.get("status")["parts"]["boxes"]
    html = page(studio)
    for kind in KINDS:
        told = card(html, kind)
        assert (" Ready " in told) == (boxes[kind]["status"] == "ok"), told
        assert ("Not ready" in told) == (boxes[kind]["status"] != "ok"), told
        assert ("used by “auto”" in told) == (boxes["used"] == kind), told
        if boxes[kind]["status"] == "ok":
            assert f"Python {boxes[kind]['python']} inside" in told
            assert "cannot reach the network" in told
            assert told.count("cannot ") == len(boxes[kind]["checks"])
    for title in ("Open network", "Allowed hosts", "Sessions", "Built-in model", "Database"):
        assert row(html, title)
    assert "wal" not in row(html, "Database").lower().replace("write-ahead log", "")
    assert str(studio.home) in html
    assert "Python 3." in words(html)


def test_sessions_are_counted(own_studio: InProcess) -> None:
    assert "None at work" in row(page(own_studio), "Sessions")
    one = own_studio.start(
        own_studio.create(
            "workflows", kind="two_agent", initiator=own_studio.person(),
            recipient=own_studio.assistant(own_studio.scripted("Hm?")),
        )["id"]
    )  # fmt: skip
    own_studio.wait(one, "waiting")
    assert "1 waiting for you" in row(page(own_studio), "Sessions")


def test_look_again_finds_what_was_installed_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = os.environ["PATH"]
    (nothing := tmp_path / "bin").mkdir()
    with serving(tmp_path / "home", boxes="sandbox") as studio:
        monkeypatch.setenv("PATH", str(nothing))
        before = page(studio)
        assert "bubblewrap is not installed" in card(before, "sandbox")
        assert "apt-get install bubblewrap" in card(before, "sandbox")
        assert "switched off by STUDIO_BOXES" in card(before, "docker")
        assert "do not run on this machine" in words(before)
        monkeypatch.setenv("PATH", path)
        assert "Not ready" in card(page(studio), "sandbox")  # nobody has looked
        answer = studio.http.post("/status/look")
        assert answer.status_code == 303
        after = page(studio)
        assert looked_at(after) > looked_at(before)
        is_ready = studio.get("status")["parts"]["boxes"]["sandbox"]["status"] == "ok"
        assert is_ready or not os.environ.get("CI")
        assert (" Ready " in card(after, "sandbox")) == is_ready
        assert ("do not run on this machine" in words(after)) == (not is_ready)


def test_a_script_is_given_the_part_that_changes(studio: InProcess) -> None:
    before = looked_at(page(studio))
    begun = studio.http.post("/status/look", headers=SCRIPT)
    assert begun.status_code == 200
    assert "<html" not in begun.text
    assert 'hx-get="/status/boxes"' in begun.text, "nothing fetches what is found"
    assert "Looked at" not in begun.text
    ended = until(
        lambda: studio.http.get("/status/boxes", headers=SCRIPT).text,
        lambda text: 'hx-get="' not in text,
    )
    assert "<html" not in ended
    assert looked_at(ended) > before


def test_a_look_removes_what_a_killed_one_has_left(studio: InProcess) -> None:
    page(studio)
    needed("docker")
    mine = f"{LABEL}=canary-{studio.app.state.services.runner.boxes.label}"
    left = docker("create", "--label", mine, IMAGE, "true").strip()
    try:
        assert studio.http.post("/status/look").status_code == 303
        assert not docker("ps", "--all", "--quiet", "--filter", f"label={mine}")
    finally:
        subprocess.run(["docker", "rm", left], capture_output=True, check=False)


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def test_where_nothing_is_installed_and_the_disk_is_full_it_says_what_to_do(
    tmp_path: Path,
) -> None:
    (home := tmp_path / "home").mkdir()
    small = with_small_disk(home)
    studio = StudioProcess(home, by=[*without_boxes(), *small[small.index("--size") :]])
    try:
        html = page(studio)
        assert studio.get("status")["parts"]["boxes"]["used"] is None
        assert "Code and skills do not run on this machine. Install Docker" in words(html)
        for kind in KINDS:
            assert "Not ready" in card(html, kind)
        told = row(html, "Disk")
        assert told.startswith("Problem")
        assert "67 MB" in told
        assert "STUDIO_HOME" in told
    finally:
        studio.kill()


def test_the_settings_of_the_network_are_shown(tmp_path: Path) -> None:
    with serving(tmp_path / "home", boxes="") as studio:
        html = page(studio)
        assert row(html, "Open network").startswith("OK Open network Off")
        assert "STUDIO_OPEN_NETWORK=true" in html
        assert "None" in row(html, "Allowed hosts")
    opened = serving(tmp_path / "home", boxes="", open_network=True, allowed_hosts="nas.example")
    with opened as studio:
        html = page(studio)
        assert row(html, "Open network").startswith("Note Open network On")
        assert "nas.example" in row(html, "Allowed hosts")


def test_it_shows_no_secret(tmp_path: Path) -> None:
    key = Fernet.generate_key().decode()
    with serving(tmp_path / "home", secret_key=key) as studio:
        studio.create("models", provider="openai", model="gpt-4.1", api_key="sk-very-secret-key")
        html = page(studio) + studio.http.post("/status/look", headers=SCRIPT).text
        told = html + studio.http.get("/api/status").text
        for secret in (TOKEN, key, "sk-very-secret-key", studio.app.state.services.login_token):
            assert secret not in told


def test_the_folders_are_measured(own_studio: InProcess) -> None:
    folder = own_studio.home / "artifacts" / "one" / "deep"
    folder.mkdir(parents=True)
    (folder / "data").write_bytes(os.urandom(3_000_000))
    (folder / "link").symlink_to("/")
    assert "Files of sessions 3 MB" in words(page(own_studio))


def test_measuring_ends_in_time(tmp_path: Path) -> None:
    for number in range(20):
        (folder := tmp_path / "work" / str(number)).mkdir(parents=True)
        (folder / "data").write_bytes(b"x" * 5000)
    whole, cut = disk_use(tmp_path, seconds=30), disk_use(tmp_path, seconds=0)
    work, less = (next(f for f in use.folders if f.name == "work") for use in (whole, cut))
    assert work.is_whole
    assert work.bytes >= 100_000
    assert not less.is_whole
    assert less.bytes < work.bytes
