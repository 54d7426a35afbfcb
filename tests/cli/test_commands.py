"""The commands as a person types them: output, exit codes, beside a running server and without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from studio.engine.execution.docker_flags import LABEL
from tests.builders import until
from tests.conftest import ROOT, StudioProcess, clean_environment
from tests.machines import without_boxes

EXAMPLE = "Meet a team"


def studio_command(
    home: Path, *arguments: str, gallery: bool = False, by: Sequence[str] = (), **settings: str
) -> subprocess.CompletedProcess[str]:
    environment = clean_environment(None, STUDIO_GALLERY=str(gallery).lower(), **settings)
    command = [*by, sys.executable, "-m", "studio", *arguments, "--home", str(home)]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_run_without_a_server_streams_a_sample(tmp_path: Path) -> None:
    done = studio_command(tmp_path / "home", "run", EXAMPLE, "A street party", gallery=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.index("Organizer") < done.stdout.index("Treasurer")
    assert "6 messages, the most allowed" in done.stdout


def test_run_beside_a_server_prints_every_row(launch: Callable[..., StudioProcess]) -> None:
    studio = launch()
    model = studio.scripted("One.", "Two.")
    pair = studio.get(f"workflows/{studio.pair(model)}")
    done = studio_command(studio.home, "run", pair["name"], "Begin.", "--json")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows[0]["kind"] == "session_started"
    assert rows[0]["by"] == "command line"
    assert rows[-1]["kind"] == "session_finished"
    assert [r["seq"] for r in rows if "seq" in r] == list(range(1, rows[-1]["seq"] + 1))


def test_run_says_by_its_exit_code_how_it_ended(launch: Callable[..., StudioProcess]) -> None:
    studio = launch()
    silent = studio.get(f"workflows/{studio.pair(studio.scripted())}")
    person = studio.create(
        "workflows", kind="two_agent", initiator=studio.person(),
        recipient=studio.assistant(studio.scripted("Hm?")),
    )  # fmt: skip
    codes = {
        name: studio_command(studio.home, "run", name, "Begin.").returncode
        for name in (silent["name"], person["name"], "no such workflow")
    }
    assert codes == {silent["name"]: 2, person["name"]: 3, "no such workflow": 2}


def test_model_list_and_doctor(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert studio_command(home, "run", EXAMPLE, "x", gallery=True).returncode == 0
    listed = studio_command(home, "model", "list", "--json")
    models = {m["name"]: m for m in map(json.loads, listed.stdout.splitlines())}
    assert models["SmolLM2"]["ready"] is False
    examined = studio_command(home, "doctor", "--json")
    parts = {f["part"]: f for f in map(json.loads, examined.stdout.splitlines())}
    assert examined.returncode == 0
    assert parts["templates"]["state"] == "ok"
    assert parts["built-in model"]["state"] == "note"


def doctor(home: Path, **options: Any) -> dict[str, dict[str, str]]:
    """What it finds, by part. Nothing of it keeps the studio from running."""
    examined = studio_command(home, "doctor", "--json", **options)
    assert examined.returncode == 0, examined.stderr
    return {f["part"]: f for f in map(json.loads, examined.stdout.splitlines())}


def canaries() -> str:
    """The containers of looks at Docker, those too that do not run."""
    asked = ["docker", "ps", "--all", "--filter", f"label={LABEL}", "--format", "{{.Labels}}"]
    labels = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    return "".join(line for line in labels.splitlines(keepends=True) if "=canary-" in line)


def test_doctor_tries_every_kind_of_box_and_leaves_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    parts = doctor(home)
    kinds = [parts[kind] for kind in ("docker", "sandbox")]
    assert {one["state"] for one in kinds} <= {"ok", "note"}
    ready = [one["part"] for one in kinds if one["state"] == "ok"]
    if os.environ.get("CI"):
        assert ready == ["docker", "sandbox"]
    for one in kinds:
        assert ("inside" in one["detail"]) == (one["state"] == "ok"), one
    if ready:
        assert parts["code"]["detail"] == f"runs in boxes of kind {ready[0]}"
    assert (parts["code"]["state"] == "ok") == bool(ready)
    assert not home.exists()
    if "docker" in ready:
        until(canaries, lambda found: not found)


def test_doctor_follows_the_settings(tmp_path: Path) -> None:
    parts = doctor(tmp_path, STUDIO_BOXES="sandbox")
    assert parts["docker"]["state"] == "note"
    assert "STUDIO_BOXES" in parts["docker"]["detail"]
    assert "docker" not in parts["code"]["detail"]


def test_doctor_says_what_to_install_where_code_cannot_run(tmp_path: Path) -> None:
    parts = doctor(tmp_path, by=without_boxes())
    for part in ("docker", "sandbox", "code"):
        assert parts[part]["state"] == "note"
    assert "install" in parts["docker"]["detail"] or "not running" in parts["docker"]["detail"]
    assert "bubblewrap" in parts["sandbox"]["detail"]
    assert "apt-get install bubblewrap" in parts["code"]["detail"]


def test_a_wrong_file_is_not_taken_for_the_model(tmp_path: Path) -> None:
    wrong = tmp_path / "model.gguf"
    wrong.write_bytes(b"GGUF but not the one")
    pulled = studio_command(tmp_path / "home", "model", "pull", "--file", str(wrong))
    assert pulled.returncode == 2
    assert "checksum" in pulled.stderr
    assert not list((tmp_path / "home").rglob("*.gguf"))
