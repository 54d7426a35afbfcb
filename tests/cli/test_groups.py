"""token, secret, session and workflow: the same beside a running studio and without one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ..builders import Api, Json
from ..conftest import ROOT, Launch, StudioProcess, clean_environment, serving

VALUE = "a-value-of-the-command-line-0123"


class Cli:
    """Runs `studio ... --home HOME` and reads what it prints."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def run(
        self, *arguments: str, code: int = 0, typed: str = ""
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "studio", *arguments, "--home", str(self.home)], cwd=ROOT,
            env=clean_environment(None), input=typed, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done

    def rows(self, *arguments: str, **options: Any) -> list[Json]:
        lines = self.run(*arguments, "--json", **options).stdout.splitlines()
        return [json.loads(line) for line in lines]


@pytest.fixture(params=["beside a server", "alone"])
def cli(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cli]:
    """A folder with a team and a finished session, served or not."""
    home = tmp_path / "home"
    with serving(home) as studio:
        pair = studio.create(
            "workflows", name="Pair", kind="two_agent", initiator=studio.stand_in(),
            recipient=studio.assistant(studio.scripted("One", "Two")), max_turns=2,
        )  # fmt: skip
        studio.wait(studio.start(pair["id"], "A task to find"))
        studio.create("workflows", name="Empty", kind="group_chat", agents=[])
    served = StudioProcess(home) if request.param != "alone" else None
    yield Cli(home)
    if served:
        served.kill()


def test_tokens(cli: Cli) -> None:
    made = cli.run("token", "create", "nightly", "--write", "--days", "3").stdout.strip()
    assert made.startswith("rts_")
    (listed,) = cli.rows("token", "list")
    assert (listed["name"], listed["scope"]) == ("nightly", "write")
    assert made not in cli.run("token", "list").stdout
    with address(cli) as url:
        api = Api(url, made)
        assert api.get("workflows")["items"]
        api.http.close()
    cli.run("token", "revoke", "nightly")
    assert cli.rows("token", "list") == []
    cli.run("token", "revoke", "nightly", code=2)
    cli.run("token", "create", "x", "--days", "0", code=2)


@contextmanager
def address(cli: Cli) -> Iterator[str]:
    """Of the studio that serves the folder, or of one that does meanwhile."""
    note = cli.home / "server.json"
    if note.exists():
        yield str(json.loads(note.read_text())["url"])
        return
    studio = StudioProcess(cli.home)
    yield studio.url
    studio.kill(signal.SIGTERM)


def test_secrets(cli: Cli) -> None:
    cli.run("secret", "set", "SEARCH_KEY", typed=f"{VALUE}\n")
    (listed,) = cli.rows("secret", "list")
    assert (listed["name"], listed["readable"]) == ("SEARCH_KEY", True)
    assert VALUE not in cli.run("secret", "list").stdout
    cli.run("secret", "set", "no good", typed=VALUE, code=2)
    cli.run("secret", "delete", "SEARCH_KEY")
    cli.run("secret", "delete", "SEARCH_KEY", code=2)


def test_sessions(cli: Cli, tmp_path: Path) -> None:
    (one,) = cli.rows("session", "list", "--status", "finished", "-q", "to find")
    assert cli.rows("session", "list", "--status", "waiting") == []
    assert "A task to find" in cli.run("session", "list").stdout
    shown = cli.run("session", "show", one["id"]).stdout
    assert "One" in shown
    assert "Two" in shown
    events = cli.rows("session", "show", one["id"])
    assert [e["seq"] for e in events] == list(range(1, one["last_seq"] + 1))
    file = tmp_path / "talk.csv"
    cli.run("session", "export", one["id"], "--format", "csv", "-o", str(file))
    assert file.read_text().startswith("run,chat,turn,at,agent,to,content")
    assert "cannot be" in cli.run("session", "stop", one["id"], code=2).stderr
    assert "no such session" in cli.run("session", "show", "nothing", code=2).stderr


def test_workflows(cli: Cli, tmp_path: Path) -> None:
    assert {w["name"] for w in cli.rows("workflow", "list")} == {"Pair", "Empty"}
    cli.run("workflow", "check", "Pair")
    assert cli.rows("workflow", "check", "Empty", code=1)[0]["blocking"] is True
    file = tmp_path / "pair.yaml"
    cli.run("workflow", "export", "Pair", "-o", str(file))
    made = cli.rows("workflow", "import", str(file), "--clash", "copy")
    assert made[-1]["name"] == "Pair_2"
    cli.run("workflow", "check", "Pair_2")
    cli.run("workflow", "import", str(file), code=2)
    cli.run("workflow", "import", str(tmp_path / "none.yaml"), code=2)
    cli.run("workflow", "export", "Nobody", code=2)


def test_what_could_do_harm_is_taken_in_on_consent_only(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "skill.yaml"
    file.write_text("skills:\n- name: maths\n  source: |\n    def f(a: int) -> int:\n"
                    "        return a\n")  # fmt: skip
    refused = cli.run("workflow", "import", str(file), code=2)
    assert "holds Python code" in refused.stderr
    (made,) = cli.rows("workflow", "import", str(file), "--yes")
    assert made["name"] == "maths"


# -- every command


def _commands() -> list[list[str]]:
    from typer.main import get_command

    from studio.cli.main import app

    found: list[list[str]] = []

    def walk(command: Any, path: list[str]) -> None:
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, [*path, name])
        if not hasattr(command, "commands"):
            found.append(path)

    walk(get_command(app), [])
    return found


def test_every_command_explains_itself_with_an_example() -> None:
    found = _commands()
    assert len(found) >= 20
    for path in found:
        done = subprocess.run([sys.executable, "-m", "studio", *path, "--help"], cwd=ROOT,
                              capture_output=True, text=True, timeout=30, check=True)  # fmt: skip
        assert f"Example: studio {' '.join(path)}" in done.stdout or "Example:" in done.stdout, path


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_for_the_shell(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "studio"], cwd=ROOT, capture_output=True, text=True, timeout=30,
        env=clean_environment(None, _STUDIO_COMPLETE=f"source_{shell}"), check=True,
    )  # fmt: skip
    assert "complet" in done.stdout.lower(), done


def test_a_folder_that_another_studio_holds(launch: Launch) -> None:
    """Beside a server a command asks it; a second server is refused with its address."""
    studio = launch()
    Cli(studio.home).run("workflow", "list")
    assert studio.url in Cli(studio.home).run("serve", "--port", "0", code=2).stderr
