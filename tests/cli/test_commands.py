"""The commands as a person types them: output, exit codes, beside a running server and without."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.conftest import ROOT, StudioProcess, clean_environment

EXAMPLE = "Meet a team"


def studio_command(
    home: Path, *arguments: str, gallery: bool = False
) -> subprocess.CompletedProcess[str]:
    environment = clean_environment(None, STUDIO_GALLERY=str(gallery).lower())
    command = [sys.executable, "-m", "studio", *arguments, "--home", str(home)]
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


def test_a_wrong_file_is_not_taken_for_the_model(tmp_path: Path) -> None:
    wrong = tmp_path / "model.gguf"
    wrong.write_bytes(b"GGUF but not the one")
    pulled = studio_command(tmp_path / "home", "model", "pull", "--file", str(wrong))
    assert pulled.returncode == 2
    assert "checksum" in pulled.stderr
    assert not list((tmp_path / "home").rglob("*.gguf"))
