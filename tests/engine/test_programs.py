"""Programs as users of AutoGen 0.2 write them run with one import line changed.

And the studio, given the same team as a stored definition, holds the same conversation.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from studio.engine.execution.box import Kind
from studio.engine.library import RULE
from tests.boxes import KINDS, needed
from tests.conftest import ROOT, InProcess

from .scripted_server import ScriptedServer, serving

PROGRAMS = Path(__file__).parent / "programs"
TASK = "Write a 4 paragraph research report about how to use LLMs to enhance personal productivity?"
CODE = "Here it is:\n```python\n# filename: papers.py\nprint('two', 'papers')\n```"
REPORT = "# Report\n\nIntroduction ... References"
SAID = [
    ("Planner", "1. Engineer finds papers. 2. ResearchWriter writes."),
    ("Admin", None),
    ("Engineer", CODE),
    ("Executor", None),
    ("Scientist", "Both are about scheduling."),
    ("Critic", "The sources can be checked."),
    ("ResearchWriter", REPORT),
    ("Admin", None),
]
MEMBERS = ("Admin", "Planner", "Engineer", "Scientist", "Executor", "Critic", "ResearchWriter")


def _script() -> list[str]:
    """What the model says: a name, and where the named one has a model its words."""
    return [text for who, words in SAID for text in (who, words) if text is not None]


def _program(name: str, server: ScriptedServer, folder: Path, typed: str = "") -> str:
    """Runs a program in a folder of its own; returns what it printed."""
    url = f"http://127.0.0.1:{server.port}/any/v1"
    config = [{"model": "gpt-4", "api_key": "sk-x", "base_url": url}]
    ran = subprocess.run(
        [sys.executable, PROGRAMS / name],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OAI_CONFIG_LIST": json.dumps(config)},
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    return ran.stdout


def _turns(printed: str) -> list[tuple[str, str]]:
    """(agent, content) of each printed turn."""
    turns = []
    for part in printed.split(RULE)[:-1]:
        head, _, content = part.partition("):\n\n")
        # a question stands on the same line: what was typed is not echoed
        speaker = head.rpartition(" (to ")[0].split()[-1]
        turns.append((speaker, content.removesuffix("\n\n")))
    return turns


def test_the_pair(tmp_path: Path) -> None:
    code = "Let me see.\n```python\nprint('META', 40 + 2)\n```"
    replies = [code, "META gained 42 %. TERMINATE", "42 %"]
    with serving({"any": replies}) as server:
        printed = _program("pair.py", server, tmp_path)
        # asked once more, it answers from .cache/42
        again = _program("pair.py", server, tmp_path)
    said = _turns(printed)
    assert [who for who, _ in said] == ["user_proxy", "assistant", "user_proxy", "assistant"]
    assert said[2][1] == "exitcode: 0 (execution succeeded)\nCode output: \nMETA 42\n"
    assert said[3][1] == "META gained 42 %. TERMINATE"
    assert "Summary: 42 %" in printed
    assert (tmp_path / "coding").is_dir()
    assert len(server.calls) == 3
    assert _turns(again) == said
    assert "Cost: 0" in again


def _as_program(folder: Path) -> list[tuple[str, str]]:
    with serving({"any": _script()}) as server:
        printed = _program("research_team.py", server, folder, "Approved.\nexit\n")
    assert server.replies == {"any": []}
    return _turns(printed)


def test_the_team_of_seven(tmp_path: Path) -> None:
    said = _as_program(tmp_path)
    assert [who for who, _ in said] == ["Admin", *(who for who, _ in SAID[:-1])]
    assert said[0][1] == TASK
    assert said[2][1] == "Approved."
    assert said[4][1] == "exitcode: 0 (execution succeeded)\nCode output: \ntwo papers\n"
    assert said[-1][1] == REPORT
    assert (tmp_path / "paper" / "papers.py").exists()


def _stored(studio: InProcess, url: str, kind: Kind) -> str:
    """The team of seven as definitions; returns the workflow's id."""
    model = studio.create(
        "models", provider="openai_compatible", model="gpt-4", base_url=url, api_key="sk-x"
    )["id"]
    own: dict[str, dict[str, Any]] = {
        "Admin": {"kind": "user_proxy"},
        "Executor": {
            "kind": "user_proxy", "human_input_mode": "NEVER",
            "code_execution_config": {"last_n_messages": 3, "executor": kind},
        },
    }  # fmt: skip
    ids = {
        name: studio.create(
            "agents", name=name, **own.get(name, {"kind": "assistant", "models": [model]})
        )["id"]
        for name in MEMBERS
    }
    team = studio.create(
        "workflows", kind="group_chat", initiator=ids["Admin"], agents=list(ids.values()),
        models=[model], max_round=50,
    )  # fmt: skip
    return str(team["id"])


@pytest.mark.parametrize("restart", [False, True], ids=["", "answered-late"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_studio_holds_the_same_conversation(
    tmp_path: Path, own_studio: InProcess, kind: Kind, restart: bool
) -> None:
    """Its code runs in a box. A program without an executor says a line end before each output."""
    needed(kind)
    with serving({"any": _script()}) as server:
        workflow = _stored(own_studio, f"http://127.0.0.1:{server.port}/any/v1", kind)
        session = own_studio.start(workflow, TASK)
        for answer in ("Approved.", "exit"):
            question = own_studio.wait(session, "waiting", seconds=60)["question"]
            if restart:
                own_studio.verb(session, "pause")
                own_studio.verb(session, "resume")
                own_studio.wait(session, "waiting", seconds=60)
            said = {"question": question["question"], "text": answer}
            own_studio.post(f"sessions/{session}/answer", said)
        own_studio.wait(session, "finished", seconds=60)
    said = [(m["agent"], m["content"]) for m in own_studio.messages(session)]
    folder = tmp_path / "program"
    folder.mkdir()
    assert said == [
        (who, words.replace("Code output: \n", "Code output: "))
        for who, words in _as_program(folder)
    ]
