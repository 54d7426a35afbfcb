"""Every row of the recorded unit tables that concern code, and what a file name may reach."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.engine.execution.extract import (
    CodeBlock,
    blocks_to_run,
    code_blocks,
    infer_language,
    legacy_blocks,
)
from studio.engine.execution.local import LegacyCodeExecutor, LocalCommandLineCodeExecutor
from studio.engine.execution.rules import (
    AUTOGEN_0_2,
    CodeRules,
    OutsideWorkDirError,
    dangerous,
    file_name_of,
    in_force,
    silence_pip,
)

from .builders import ids

UNITS = json.loads((Path(__file__).parent.parent / "data" / "autogen_0_2_units.json").read_text())
WORK = Path("/tmp/w")  # where the file names were recorded
REFUSED = "Filename is not in the workspace"
Executor = LocalCommandLineCodeExecutor | LegacyCodeExecutor
ANY_COMMENT = {"# a.py", "# some comment", "<!-- a.html -->"}


def _rows(table: str, key: str) -> Any:
    rows = UNITS[table]
    return pytest.mark.parametrize("row", rows, ids=ids(rows, lambda row: row[key]))


@_rows("markdown_extract", "text")
def test_blocks_as_recorded(row: dict[str, Any]) -> None:
    assert [[b.language, b.code] for b in code_blocks(row["text"])] == row["blocks"]
    legacy = [[b.language, b.code] for b in legacy_blocks(row["text"])]
    assert legacy == row["legacy_extract_code"]


@_rows("infer_lang", "code")
def test_languages_as_recorded(row: dict[str, Any]) -> None:
    assert (infer_language(row["code"]) or "unknown") == row["lang"]


@_rows("filename", "first_line")
def test_file_names_as_recorded(row: dict[str, Any]) -> None:
    code = f"{row['first_line']}\nprint(1)"
    if isinstance(row["result"], dict):
        assert row["result"]["error"].startswith("ValueError")
        for rules in (AUTOGEN_0_2, CodeRules()):
            with pytest.raises(ValueError, match=REFUSED):
                file_name_of(code, WORK, rules)
        return
    assert file_name_of(code, WORK, AUTOGEN_0_2) == row["result"]
    labelled = None if row["first_line"] in ANY_COMMENT else row["result"]
    assert file_name_of(code, WORK) == labelled


@_rows("silence_pip", "code")
def test_pip_silenced_as_recorded(row: dict[str, Any]) -> None:
    assert silence_pip(row["code"], row["lang"]) == row["out"]


@_rows("sanitize", "code")
def test_danger_as_recorded(row: dict[str, Any]) -> None:
    sentence = dangerous(row["lang"], row["code"])
    assert (sentence and {"error": f"ValueError: {sentence}"}) == row["out"]


@pytest.mark.parametrize(
    "code", ["x mv a  /dev/null", "ls\nmv b c; mv a\t/dev/null", "mv a\n/dev/null"]
)
def test_what_is_moved_to_nowhere(code: str) -> None:
    assert dangerous("sh", code)
    assert not dangerous("sh", code.replace("mv", "xmv"))


@pytest.mark.parametrize(
    "code", ["mv " * 20_000, "mv" + " " * 60_000, "rm " * 20_000, "> " * 30_000, ":(){" * 15_000]
)
def test_hostile_code_costs_no_time(code: str) -> None:
    """It holds the event loop, and with it every other session."""
    started = time.thread_time()
    assert dangerous("sh", code) is None
    silence_pip(code, "sh")
    assert time.thread_time() - started < 0.5


@pytest.mark.parametrize(
    ("code", "named", "any_comment"),
    [
        ("# filename:\nx", None, "filename:"),
        ("# filename:   \nx", None, "filename:"),
        ("# Filename: a.py", None, "Filename: a.py"),
        ("# filename: a b.py\r\nx", "a b.py", "a b.py"),
        ("\n# filename: a.py", None, None),
        ("", None, None),
        ("/* filename: a.css", None, None),
        ("# filename: ./x/../a.py", "a.py", "a.py"),
    ],
)
def test_file_names_by_either_rule(code: str, named: str | None, any_comment: str | None) -> None:
    assert file_name_of(code, WORK) == named
    assert file_name_of(code, WORK, AUTOGEN_0_2) == any_comment


@pytest.mark.parametrize("name", [".", "..", "a/../..", "/", "a\x00b", "\ud800", "/tmp/wx/a.py"])
def test_no_name_leaves_the_working_directory(name: str) -> None:
    with pytest.raises(OutsideWorkDirError):
        file_name_of(f"# filename: {name}", WORK)


@settings(deadline=None)
@given(st.text(alphabet="./a\\~ \n", max_size=20))
def test_every_name_is_inside_or_refused(name: str) -> None:
    try:
        found = file_name_of(f"# filename: {name}", WORK)
    except OutsideWorkDirError:
        return
    assert found is None or WORK in (WORK / found).resolve().parents


def test_an_executors_own_rules_win_over_those_of_a_call() -> None:
    other = CodeRules(any_comment_is_filename=True)
    assert in_force(other, AUTOGEN_0_2) is other
    assert in_force(None, AUTOGEN_0_2) is AUTOGEN_0_2
    assert in_force(None, None) == CodeRules()


def test_pip_is_silenced_in_no_other_language() -> None:
    assert silence_pip("pip install x", "html") == "pip install x"
    assert silence_pip("!pip install x", "sh") == "!pip install x"


def _heard(*texts: str | None) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text} for text in texts]


@pytest.mark.parametrize("last_n", [-1, 1.5, "all", None, "1"])
@pytest.mark.parametrize("legacy", [False, True])
def test_an_invalid_last_n_is_refused(last_n: Any, legacy: bool) -> None:
    with pytest.raises(ValueError, match="either a non-negative integer, or the string 'auto'"):
        blocks_to_run([], last_n, legacy=legacy)


def test_zero_messages_are_all_of_them_or_none() -> None:
    heard = _heard("```sh\nls\n```", "prose")
    assert blocks_to_run(heard, 0) == []
    assert blocks_to_run(heard, 0, none_is_all=True) == [CodeBlock("sh", "ls")]
    assert blocks_to_run(heard, 0, legacy=True, none_is_all=True) == []


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (("prose",), []),
        ((None, ""), []),
        (("```\necho hi; ls\n```",), [("", "echo hi; ls")]),
        (("```Python\nx\n```", "prose"), [("Python", "x")]),
        (("```unknown\nx\n```",), []),
        (("```unknown\nx\n```\n```sh\ny\n```",), [("unknown", "x"), ("sh", "y")]),
    ],
)
def test_legacy_blocks_are_those_as_written(
    texts: tuple[str | None, ...], found: list[tuple[str, str]]
) -> None:
    assert blocks_to_run(_heard(*texts), "auto", legacy=True) == [CodeBlock(*b) for b in found]


@pytest.mark.parametrize("rules", [AUTOGEN_0_2, CodeRules()], ids=["autogen", "ours"])
@pytest.mark.parametrize(
    "name", ["../evil.py", "link/evil.py", "link.py", "loop/x.py", "sub/../../evil.py"]
)
@pytest.mark.parametrize(
    ("kind", "output"),
    [(LocalCommandLineCodeExecutor, REFUSED), (LegacyCodeExecutor, f"\n{REFUSED}")],
)
def test_no_file_is_written_outside(
    kind: type[Executor], output: str, name: str, rules: CodeRules, tmp_path: Path
) -> None:
    work, outside = tmp_path / "work", tmp_path / "outside"
    work.mkdir()
    outside.mkdir()
    (outside / "kept.py").write_text("kept")
    (work / "link").symlink_to(outside)
    (work / "link.py").symlink_to(outside / "kept.py")
    (work / "loop").symlink_to("loop")
    block = CodeBlock("python", f"# filename: {name}\nprint('ran')")
    result = asyncio.run(kind(work_dir=work).run([block], rules))
    assert (result.exit_code, result.output) == (1, output)
    assert [p.name for p in outside.iterdir()] == ["kept.py"]
    assert (outside / "kept.py").read_text() == "kept"


def test_a_temporary_name_follows_no_link_either(tmp_path: Path) -> None:
    work = tmp_path / "work"
    executor = LocalCommandLineCodeExecutor(work_dir=work)
    block = CodeBlock("python", "print(1)")
    first = executor.execute_code_blocks([block])
    assert first.code_file is not None
    Path(first.code_file).unlink()
    Path(first.code_file).symlink_to(tmp_path / "evil.py")
    assert asyncio.run(executor.run([block])).output == REFUSED
    assert not (tmp_path / "evil.py").exists()


def test_links_inside_the_working_directory_are_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    block = CodeBlock("python", "# filename: link/new/a.py\nprint('ran')")
    assert (
        asyncio.run(LocalCommandLineCodeExecutor(work_dir=tmp_path).run([block])).output == "ran\n"
    )
    assert (tmp_path / "real" / "new" / "a.py").exists()


def test_a_name_that_cannot_be_a_file_fails_the_block(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    block = CodeBlock("python", "# filename: taken\nprint(1)")
    for executor in (
        LocalCommandLineCodeExecutor(work_dir=tmp_path),
        LegacyCodeExecutor(work_dir=tmp_path),
    ):
        result = asyncio.run(executor.run([block]))
        assert result.exit_code == 1
        assert "Is a directory" in result.output
