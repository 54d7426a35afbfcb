"""Files for sessions, as a client sends them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..builders import Json
from ..conftest import InProcess


def send(studio: InProcess, name: str = "data.csv", content: bytes = b"a,b\n1,2\n") -> Any:
    return studio.http.post("/api/files", files={"file": (name, content)})


def sent(studio: InProcess, name: str = "data.csv", content: bytes = b"a,b\n1,2\n") -> str:
    answer = send(studio, name, content)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def team(studio: InProcess, replies: int = 2) -> str:
    return studio.pair(studio.scripted(*["Good."] * replies), max_turns=1)


def started(studio: InProcess, one: str, run: int = 1) -> Json:
    return next(e for e in studio.events(one) if e["kind"] == "session_started" and e["run"] == run)


def work(studio: InProcess, one: str) -> dict[str, str]:
    """What lies in the working folder of a session."""
    folder: Path = studio.app.state.services.runner.files.work_dir(one)
    return {p.name: p.read_text() for p in folder.iterdir()}
