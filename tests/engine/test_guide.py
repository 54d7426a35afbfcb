"""The guide in the engine's docstring: every example runs, one after the other, as it stands."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

import studio.engine

from .scripted_server import serving

EXAMPLES = re.findall(r"```python\n(.*?)```", studio.engine.__doc__ or "", re.DOTALL)
SAID: list[Any] = [
    "Tea for two.",
    {"tool_calls": [{"name": "add", "arguments": {"a": 2, "b": 3}}]},
    "It is 5.",
    "```python\nprint(sum(range(1, 11)))\n```",
    "It is 55.",
    "Crumbs.",
    "Too short.",
    "Leaf",
    "A good name.",
    "Tea again.",
]


def test_the_guide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {}
    results = []
    with serving({"any": SAID}) as server:
        models = [{"model": "gpt-4o", "api_key": "x", "price": [0.01, 0.03],
                   "base_url": f"http://127.0.0.1:{server.port}/any/v1"}]  # fmt: skip
        monkeypatch.setenv("OAI_CONFIG_LIST", json.dumps(models))
        for example in EXAMPLES:
            exec(example, space)
            results.append(space["chat"].summary)
        asyncio.run(space["main"]())
    assert server.replies == {"any": []}
    two, tool, code, group = results[:4]
    assert (two, tool, code) == ("Tea for two.", "It is 5.", "It is 55.")
    assert group == "Too short."
    assert [r.summary for r in space["found"]] == ["Leaf", "A good name."]
    assert server.calls[-2]["messages"][-1]["content"] == "Judge it.\nContext: \nLeaf"
    assert space["seen"] == ["message", "turn_started", "model_called", "message"]
    assert (tmp_path / "coding").is_dir()
    assert "Tea for two. 0.00025" in capsys.readouterr().out
