"""Code really run on this machine: the recordings of AutoGen 0.2, time-outs, escapes, rules."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from studio.engine.execution import local
from studio.engine.execution.executor import CodeResult
from studio.engine.execution.extract import CodeBlock, blocks_to_run
from studio.engine.execution.local import LegacyCodeExecutor, LocalCommandLineCodeExecutor
from studio.engine.execution.rules import AUTOGEN_0_2, CodeRules

RECORDED = json.loads((Path(__file__).parent.parent / "data" / "autogen_0_2.json").read_text())
RM = "Potentially dangerous command detected: Use of 'rm -rf' command is not allowed."
Executor = LocalCommandLineCodeExecutor | LegacyCodeExecutor


def _config(scenario: dict[str, Any]) -> dict[str, Any] | None:
    configs = [a.get("code_execution_config") for a in scenario["definition"]["agents"]]
    return next((c for c in configs if c), None)


def _run(executor: Executor, blocks: list[CodeBlock], rules: CodeRules | None = None) -> CodeResult:
    return asyncio.run(executor.run(blocks, rules))


SCENARIOS = [s for s in RECORDED if s["name"].startswith("code_")]


def _replay(executor: Executor, scenario: dict[str, Any], rules: CodeRules) -> list[str]:
    """What the executing agent says to each message that holds code."""
    legacy = isinstance(executor, LegacyCodeExecutor)
    said = []
    for message in scenario["expected"]:
        heard = [{"role": "user", "content": message["content"]}]
        blocks = blocks_to_run(heard, "auto", legacy=legacy)
        if message["speaker"] == "assistant" and blocks:
            result = _run(executor, blocks, rules)
            status = "failed" if result.exit_code else "succeeded"
            text = f"exitcode: {result.exit_code} (execution {status})\nCode output: "
            said.append(text + result.output.replace(str(executor.work_dir.resolve()), "<WORK>"))
    return said


@pytest.mark.parametrize("rules", [AUTOGEN_0_2, CodeRules()], ids=["autogen", "ours"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=[s["name"] for s in SCENARIOS])
def test_as_recorded(scenario: dict[str, Any], rules: CodeRules, tmp_path: Path) -> None:
    work = tmp_path / "work"
    legacy = "executor" not in (_config(scenario) or {})
    executor: Executor = (
        LegacyCodeExecutor(work_dir=work) if legacy else LocalCommandLineCodeExecutor(work_dir=work)
    )
    recorded = [m["content"] for m in scenario["expected"] if m["speaker"] == "user"]
    expected = list(dict.fromkeys(t for t in recorded if t.startswith("exitcode: ")))
    if scenario["name"] == "code_dangerous":
        if rules.dangerous_command_raises:
            with pytest.raises(ValueError, match=r"^Potentially") as raised:
                _replay(executor, scenario, rules)
            assert str(raised.value) == scenario["error"]["message"]
            return
        expected = [f"exitcode: 1 (execution failed)\nCode output: {scenario['error']['message']}"]
    assert _replay(executor, scenario, rules) == expected
    files = [p.relative_to(work).as_posix() for p in work.rglob("*")] if work.exists() else []
    assert sorted(files) == scenario["files"]


def _alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _until(state: Callable[[], bool]) -> None:
    while not state():
        time.sleep(0.01)


SECONDS = 3  # for a block to begin, on a busy machine too; then its time is up
GRANDCHILD = CodeBlock("sh", "sleep 300 & echo $! > pid\necho out\necho err >&2\nwait")


@pytest.mark.parametrize(
    ("rules", "output"), [(AUTOGEN_0_2, "\nTimeout"), (None, "err\nout\n\nTimeout")]
)
def test_a_time_out_ends_the_whole_group(
    rules: CodeRules | None, output: str, tmp_path: Path
) -> None:
    result = _run(LocalCommandLineCodeExecutor(SECONDS, work_dir=tmp_path), [GRANDCHILD], rules)
    assert (result.exit_code, result.output) == (124, output)
    assert SECONDS <= result.seconds < 60
    pid = int((tmp_path / "pid").read_text())
    _until(lambda: not _alive(pid))


def test_what_python_printed_before_the_time_was_up_is_kept(tmp_path: Path) -> None:
    blocks = [
        CodeBlock("sh", "echo before"),
        CodeBlock("python", "print('partial')\nwhile True: pass"),
        CodeBlock("sh", "echo never"),
    ]
    ours = LocalCommandLineCodeExecutor(SECONDS, work_dir=tmp_path)
    assert _run(ours, blocks).output == "before\npartial\n\nTimeout"
    theirs = LocalCommandLineCodeExecutor(SECONDS, work_dir=tmp_path, rules=AUTOGEN_0_2)
    assert _run(theirs, blocks, CodeRules()).output == "before\n\nTimeout"


@pytest.mark.parametrize(
    ("rules", "code", "output"),
    [
        (None, "print('partial')\nwhile True: pass", "\npartial\n\nTimeout"),
        (None, "while True: pass", "\nTimeout"),
        (AUTOGEN_0_2, "print('partial')\nwhile True: pass", "\nTimeout"),
    ],
)
def test_a_legacy_time_out(rules: CodeRules | None, code: str, output: str, tmp_path: Path) -> None:
    executor = LegacyCodeExecutor(SECONDS, work_dir=tmp_path)
    result = _run(executor, [CodeBlock("python", code)], rules)
    assert (result.exit_code, result.output) == (1, output)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def pids() -> Iterator[list[int]]:
    """Processes that a test leaves behind on purpose."""
    left: list[int] = []
    yield left
    for pid in left:
        os.kill(pid, signal.SIGKILL)


def test_a_process_that_left_the_group_holds_nobody_up(tmp_path: Path, pids: list[int]) -> None:
    code = "setsid sleep 100 & echo $! > pid\necho out\nwait"
    executor = LocalCommandLineCodeExecutor(SECONDS, work_dir=tmp_path)
    result = _run(executor, [CodeBlock("sh", code)])
    pids.append(int((tmp_path / "pid").read_text()))
    assert (result.exit_code, result.output) == (124, "out\n\nTimeout")


@pytest.mark.parametrize("kind", [LocalCommandLineCodeExecutor, LegacyCodeExecutor])
async def test_a_cancelled_run_leaves_no_process(kind: type[Executor], tmp_path: Path) -> None:
    run = asyncio.create_task(kind(work_dir=tmp_path).run([GRANDCHILD]))
    file = tmp_path / "pid"
    await asyncio.to_thread(_until, lambda: file.exists() and file.read_text().endswith("\n"))
    pid = int(file.read_text())
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await asyncio.to_thread(_until, lambda: not _alive(pid))


def test_the_first_failure_ends_it(tmp_path: Path) -> None:
    blocks = [
        CodeBlock("python", "print('one')"),
        CodeBlock("sh", "echo two; exit 2"),
        CodeBlock("python", "open('three', 'w')"),
    ]
    result = _run(LocalCommandLineCodeExecutor(work_dir=tmp_path / "a"), blocks)
    assert (result.exit_code, result.output) == (2, "one\ntwo\n")
    result = _run(LegacyCodeExecutor(work_dir=tmp_path / "b"), blocks)
    assert (result.exit_code, result.output) == (2, "\none\n\n")
    assert not list(tmp_path.rglob("three"))


def test_a_dangerous_command_by_either_rule(tmp_path: Path) -> None:
    blocks = [CodeBlock("sh", "echo one"), CodeBlock("sh", "touch x; rm -rf /nowhere")]
    executor = LocalCommandLineCodeExecutor(work_dir=tmp_path)
    result = _run(executor, blocks)
    assert (result.exit_code, result.output) == (1, f"one\n{RM}")
    with pytest.raises(ValueError, match="rm -rf"):
        _run(executor, blocks, AUTOGEN_0_2)
    with pytest.raises(ValueError, match="rm -rf"):
        LocalCommandLineCodeExecutor(rules=AUTOGEN_0_2).execute_code_blocks(blocks[1:])
    assert not (tmp_path / "x").exists()


def test_a_comment_names_the_file_by_one_rule_only(tmp_path: Path) -> None:
    block = CodeBlock("python", "# hello world\nprint(1)")
    executor = LocalCommandLineCodeExecutor(work_dir=tmp_path)
    _run(executor, [block])
    assert [p.name[:9] for p in tmp_path.iterdir()] == ["tmp_code_"]
    _run(executor, [block], AUTOGEN_0_2)
    assert (tmp_path / "hello world").exists()


def test_any_bytes_become_text(tmp_path: Path) -> None:
    code = "import sys; sys.stdout.buffer.write(b'\\xff a\\r\\nb\\rc')"
    executor = LocalCommandLineCodeExecutor(work_dir=tmp_path)
    assert _run(executor, [CodeBlock("python", code)]).output == "\ufffd a\nb\nc"
    assert _run(executor, [CodeBlock("sh", "echo '\ud800'")]).output == "?\n"


def test_endless_output_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "MOST_OUTPUT", 4)
    executor = LocalCommandLineCodeExecutor(work_dir=tmp_path)
    block = CodeBlock("python", "for _ in range(99_999): print('xy', end='')")
    assert _run(executor, [block]).output == "xyxy\n(output cut at 4 bytes)\n"


def test_nothing_is_read_from_standard_input(tmp_path: Path) -> None:
    result = _run(LocalCommandLineCodeExecutor(work_dir=tmp_path), [CodeBlock("sh", "cat")])
    assert (result.exit_code, result.output) == (0, "")


def test_policies_say_what_is_run_and_what_is_saved(tmp_path: Path) -> None:
    policies = {"python": False, "html": True, "ruby": True}
    executor = LocalCommandLineCodeExecutor(work_dir=tmp_path, execution_policies=policies)
    result = _run(executor, [CodeBlock("py", "print(1)"), CodeBlock("html", "<p>")])
    saved = result.output.splitlines()
    assert [s.rpartition(".")[2] for s in saved] == ["py", "html"]
    assert all(s.startswith(f"Code saved to {tmp_path.resolve()}/tmp_code_") for s in saved)
    assert _run(executor, [CodeBlock("Ruby", "1")]).output == "\nunknown language ruby"
    assert executor.execution_policies["sh"]


def test_a_missing_program_fails_the_block(tmp_path: Path) -> None:
    executor = LocalCommandLineCodeExecutor(work_dir=tmp_path, environment={"PATH": str(tmp_path)})
    result = _run(executor, [CodeBlock("bash", "echo 1")])
    assert (result.exit_code, result.output) == (127, "bash: No such file or directory\n")


def test_the_virtual_environment_comes_first(tmp_path: Path) -> None:
    """Its programs are found by shell blocks, its Python runs Python blocks."""
    bin_path = tmp_path / "bin"
    bin_path.mkdir()
    (bin_path / "python").symlink_to(sys.executable)
    (bin_path / "tool").write_text("#!/bin/sh\necho tool\n")
    (bin_path / "tool").chmod(0o755)
    executor = LocalCommandLineCodeExecutor(
        work_dir=tmp_path / "work", virtual_env_context=SimpleNamespace(bin_path=str(bin_path))
    )
    code = "import os, shutil; print(os.environ['PATH'].split(':')[0], shutil.which('tool'))"
    result = _run(executor, [CodeBlock("sh", "tool"), CodeBlock("python", code)])
    assert result.output == f"tool\n{bin_path} {bin_path}/tool\n"


def test_the_environment_can_be_given(tmp_path: Path) -> None:
    given = {"PATH": "/usr/bin:/bin", "SAID": "hello"}
    for executor, output in (
        (LocalCommandLineCodeExecutor(work_dir=tmp_path, environment=given), "hello\n"),
        (LegacyCodeExecutor(work_dir=tmp_path, environment=given), "\nhello\n"),
    ):
        assert _run(executor, [CodeBlock("sh", "echo $SAID")]).output == output


@pytest.mark.parametrize("kind", [LocalCommandLineCodeExecutor, LegacyCodeExecutor])
def test_a_time_out_is_at_least_a_second(kind: type[Executor]) -> None:
    with pytest.raises(ValueError, match="at least 1 second"):
        kind(timeout=0)


def test_no_blocks_are_a_success(tmp_path: Path) -> None:
    for executor in (
        LocalCommandLineCodeExecutor(work_dir=tmp_path),
        LegacyCodeExecutor(work_dir=tmp_path),
    ):
        result = _run(executor, [])
        assert (result.exit_code, result.output) == (0, "")


def test_the_face_that_is_not_async(tmp_path: Path) -> None:
    executor = LocalCommandLineCodeExecutor(9, work_dir=tmp_path / "new" / "dir")
    blocks = [CodeBlock("python", "# filename: a.py\nprint(1)"), CodeBlock("sh", "exit 3")]
    result = executor.execute_code_blocks(blocks)
    assert (result.exit_code, result.output) == (3, "1\n")
    assert result.code_file == str(tmp_path.resolve() / "new" / "dir" / "a.py")
    assert (executor.timeout, executor.work_dir) == (9, tmp_path / "new" / "dir")
    executor.restart()


@pytest.mark.parametrize(
    ("block", "exit_code", "output"),
    [
        (CodeBlock("python", "1/0"), 1, '\nTraceback (most recent call last):\n  File "", line 1'),
        (CodeBlock("py", "# filename: d/x.py\n1/0"), 1, '\nTraceback (most recent call last):\n'
         '  File "d/x.py", line 2'),
        (CodeBlock("sh", "# filename: no.sh\nnone-such"), 127, "\n: "),
        (CodeBlock("", "plain words, here!"), 1, "\nunknown language unknown"),
        (CodeBlock("PYTHON", "1"), 1, "\nunknown language PYTHON"),
        (CodeBlock("shell", "echo warn >&2; echo out"), 0, "\nout\n"),
        (CodeBlock("", "print(2)"), 0, "\n2\n"),
    ],
)  # fmt: skip
def test_legacy_output(block: CodeBlock, exit_code: int, output: str, tmp_path: Path) -> None:
    result = _run(LegacyCodeExecutor(work_dir=tmp_path), [block])
    assert result.exit_code == exit_code
    assert result.output.startswith(output)
    assert str(tmp_path) not in result.output
    assert "tmp_code_" not in result.output
    assert [p.name for p in tmp_path.rglob("*.*")] == (["x.py"] if "d/x" in block.code else [])
