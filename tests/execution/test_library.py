"""Boxes for programs of one's own: AutoGen 0.2's use_docker, and bubblewrap in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio.engine import BoxCodeExecutor, ConversableAgent, UserProxyAgent
from studio.engine.execution.box import Kind

from ..boxes import KINDS, needed

CODE = """Run this.

```python
# filename: made/half.py
from pathlib import Path
print(Path("given.txt").read_text())
Path("made.txt").write_text("made inside")
```

```sh
ls /root 2>/dev/null || echo nothing
```
"""


def user(folder: Path, kind: Kind, **config: Any) -> UserProxyAgent:
    """As AutoGen's users write it where it is Docker."""
    if kind == "sandbox":
        config["executor"] = BoxCodeExecutor("sandbox", work_dir=folder, timeout=30)
    else:
        config |= {"work_dir": str(folder), "use_docker": "python:3-slim", "timeout": 30}
    return UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=config)


@pytest.mark.parametrize("kind", KINDS)
def test_code_runs_in_the_folder_and_cannot_leave_it(kind: Kind, tmp_path: Path) -> None:
    needed(kind)
    folder = tmp_path / "coding"
    folder.mkdir()
    (folder / "given.txt").write_text("given")
    reply = user(folder, kind).generate_reply(
        messages=[{"role": "user", "content": CODE}], sender=ConversableAgent("writer")
    )
    assert reply == "exitcode: 0 (execution succeeded)\nCode output: given\nnothing\n"
    assert (folder / "made.txt").read_text() == "made inside"
    assert (folder / "made" / "half.py").is_file()


def test_without_the_image_nothing_runs_and_the_reply_says_so(tmp_path: Path) -> None:
    needed("docker")
    config = {"work_dir": str(tmp_path), "use_docker": "roundtable-no-such-image:1"}
    agent = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=config)
    reply = agent.generate_reply(
        messages=[{"role": "user", "content": CODE}], sender=ConversableAgent("writer")
    )
    assert isinstance(reply, str)
    assert reply.startswith("exitcode: 126 (execution failed)\nCode output: ")
    assert "roundtable-no-such-image:1" in reply
    assert [*tmp_path.rglob("made.txt")] == []


@pytest.mark.parametrize("timeout", [0, 0.5])
def test_a_time_below_a_second_is_refused(timeout: float) -> None:
    with pytest.raises(ValueError, match="at least 1 second"):
        BoxCodeExecutor(timeout=timeout)
