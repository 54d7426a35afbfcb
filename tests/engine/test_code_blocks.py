"""Code blocks: what counts as one, which are run, and what is said where nothing can run."""

from __future__ import annotations

import json
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.engine import CodeExecution, ConversableAgent, a_initiate_chat
from studio.engine.events import CodeExecuted
from studio.engine.execution.extract import CodeBlock, blocks_to_run, code_blocks, infer_language

from .builders import Log, context_of, ids, scripted

UNITS = json.loads((Path(__file__).parent.parent / "data" / "autogen_0_2_units.json").read_text())
LANGUAGES = {"unknown": ""}  # the new executors' word for what the old ones called unknown


@pytest.mark.parametrize(
    "case", UNITS["markdown_extract"], ids=ids(UNITS["markdown_extract"], lambda c: c["text"])
)
def test_blocks_as_recorded(case: dict[str, Any]) -> None:
    assert [[b.language, b.code] for b in code_blocks(case["text"])] == case["blocks"]


@pytest.mark.parametrize(
    "case", UNITS["infer_lang"], ids=ids(UNITS["infer_lang"], lambda c: c["code"])
)
def test_languages_as_recorded(case: dict[str, Any]) -> None:
    assert infer_language(case["code"]) == LANGUAGES.get(case["lang"], case["lang"])


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("```PYTHON\nx\n```", [("python", "x")]),
        ("```sh\r\nls\r\npwd\r\n```", [("sh", "ls\r\npwd")]),
        ("see `ls` and ``` ls ``` inline", []),
        ("```python\nnever closed", []),
        ("```\necho hi; ls\n```", [("", "echo hi; ls")]),
        ("```\npip install x\n```", [("sh", "pip install x")]),
        ("~~~python\nx\n~~~", []),
        ("```js\na\n```\n```css\nb\n```", [("js", "a"), ("css", "b")]),
    ],
)
def test_what_counts_as_a_block(text: str, blocks: list[tuple[str, str]]) -> None:
    assert code_blocks(text) == [CodeBlock(*b) for b in blocks]


@pytest.mark.parametrize(
    "code",
    ["-" * 100_000 + "1", "a" + ".b" * 100_000, "lambda:" * 10_000 + "1", "(" * 5_000, "x\x00y"],
    ids=["minus", "dots", "lambdas", "brackets", "nul"],
)
def test_inferring_a_language_survives_any_text(code: str) -> None:
    """The text comes from a model: whatever the compiler thinks of it, the chat goes on."""
    assert infer_language(code) in ("", "python")


def test_inferring_a_language_warns_nobody() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert infer_language("print(1 if 2 is 2 else '\\d')") == "python"
    assert not caught


@settings(deadline=None)
@given(st.text(alphabet="`\n\r \tpyx1", max_size=60))
def test_no_text_breaks_the_extraction(text: str) -> None:
    for block in code_blocks(text):
        assert block.code in text


@pytest.mark.parametrize(
    "text",
    ["```a\nx" * 8_000, "```" * 20_000 + "\n", "```python\n" + "\n " * 20_000],
    ids=["openers", "ticks", "unclosed"],
)
def test_hostile_fences_cost_no_time(text: str) -> None:
    """50 KB of model output must not hold the event loop, and with it every other session."""
    started = time.thread_time()
    code_blocks(text)
    assert time.thread_time() - started < 0.5


def _heard(*items: str) -> list[dict[str, Any]]:
    """ "u:text" is heard, "a:text" is the agent's own; c stands for a code block."""
    messages = []
    for item in items:
        role, _, text = item.partition(":")
        content = f"```sh\n{text[1:]}\n```" if text.startswith("c") else text
        messages.append({"role": "user" if role == "u" else "assistant", "content": content})
    return messages


@pytest.mark.parametrize(
    ("heard", "last_n", "found"),
    [
        (("u:c1",), "auto", ["1"]),
        (("u:c1", "u:prose"), "auto", ["1"]),
        (("u:c1", "u:c2"), "auto", ["2"]),
        (("u:c1", "a:done", "u:prose"), "auto", []),
        (("u:c1", "a:done"), "auto", []),
        (("u:c1", "a:done", "u:c2", "u:prose"), "auto", ["2"]),
        (("u:c1", "u:prose"), 1, []),
        (("u:c1", "u:prose"), 2, ["1"]),
        (("u:c1", "a:done", "u:prose"), 3, ["1"]),
        (("u:c1",), 99, ["1"]),
        (("a:c1", "u:prose"), 2, ["1"]),
        ((), "auto", []),
        ((), 3, []),
    ],
)
def test_where_blocks_are_looked_for(heard: tuple[str, ...], last_n: Any, found: list[str]) -> None:
    assert [b.code for b in blocks_to_run(_heard(*heard), last_n)] == found


async def test_without_a_sandbox_the_reply_says_so() -> None:
    log = Log()
    coder = scripted("coder", "```python\nprint(1)\n```\nand\n```sh\nls\n```", "TERMINATE")
    runner = ConversableAgent("runner", human_input_mode="NEVER", code_execution=CodeExecution())
    await a_initiate_chat(runner, coder, message="Go", context=context_of(log))
    reply = "exitcode: 126 (execution failed)\nCode output: No sandbox on this machine yet"
    assert log.said[2] == ("runner", reply)
    executed = [e for _, e in log.events if isinstance(e, CodeExecuted)]
    assert [(e.agent, e.language, e.exit_code, e.turn) for e in executed] == [
        ("runner", "python", 126, 3)
    ]


async def test_prose_is_answered_by_the_next_reply_function() -> None:
    log = Log()
    runner = ConversableAgent(
        "runner", human_input_mode="NEVER", code_execution=CodeExecution(),
        default_auto_reply="no code there",
    )  # fmt: skip
    coder = scripted("coder", "`print(1)` is how", "TERMINATE")
    await a_initiate_chat(runner, coder, message="Go", context=context_of(log))
    assert log.said[2] == ("runner", "no code there")
