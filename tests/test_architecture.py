"""The import rule and the size rule of ARCHITECTURE section 3, read from the syntax trees.

A layer that imports upwards cannot be tested or replaced alone, and it is easier to refuse the
first such import than to untangle the hundredth.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "studio"
BELOW = {"errors", "config", "definitions", "store", "streaming", "runner"}
MAY_IMPORT: dict[str, set[str]] = {
    "": set(),  # studio/__init__.py
    "errors": set(),
    "config": {"errors"},  # its SettingsError is what `serve` prints
    "assets": set(),
    "engine": {"engine"},
    "definitions": {"definitions", "errors", "engine.schema", "engine.tool_text"},
    "store": {"store", "errors", "definitions", "engine.events", "engine.schema", "assets"},
    "streaming": {"streaming", "errors", "store", "engine.events"},
    "runner": {"runner", "engine"} | BELOW,
    "web": {"web", "", "engine.events", "assets"} | BELOW,
}
COMPOSITION = {"app", "cli", "__main__"}  # import anything, and nobody imports them
ONLY_IN: dict[str, tuple[str, ...]] = {
    "openai": ("engine/llm/openai_client.py",),
    "docker": ("engine/execution/docker.py",),
    # the last two are programs that run inside a box, where the environment is their own
    "mcp": ("runner/mcp_transport.py", "runner/mcp_connection.py"),  # an extra: at first use
    "os.environ": (
        "config.py",
        "engine/llm/config_list.py",
        "engine/execution/call_program.py",
        "engine/execution/canary.py",
    ),
    "os.getenv": ("config.py", "engine/llm/config_list.py"),
    "fastapi": ("web/", "app.py"),
    "starlette": ("web/", "app.py"),
    "jinja2": ("web/", "app.py"),
    "sqlmodel": ("store/",),
    "alembic": ("store/",),
    "sqlalchemy": ("store/",),
    # doctor asks for the version of the library; the engine keeps replies of models in a file
    "sqlite3": ("store/", "cli/doctor.py", "engine/llm/cache.py"),
}
TYPING_ONLY = {"sqlalchemy.Connection": ("runner/", "streaming/")}
MOST_LINES = {"engine": (300, 50)}  # of a file and of a function: the engine is also a library
MOST_LINES_ELSEWHERE = (500, 60)


def _sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if "_assets" not in path.parts:
            yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text())


def _imports(where: str, tree: ast.Module) -> Iterator[str]:
    """Every imported name in full; those of the studio begin with "studio."."""
    package = ["studio", *where.split("/")[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            for name in node.names:
                yield ".".join([*base, *([node.module] if node.module else []), name.name])
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv"):
            yield ast.unparse(node)


def _is_within(name: str, allowed: str) -> bool:
    if not allowed:
        return "." not in name  # the package itself, for its __version__
    return name == allowed or name.startswith(f"{allowed}.")


def test_no_layer_imports_upwards() -> None:
    wrong = []
    for where, tree in _sources():
        layer = where.split("/")[0].removesuffix(".py").replace("__init__", "")
        if layer in COMPOSITION:
            continue
        for name in _imports(where, tree):
            inside = name.removeprefix("studio.")
            if inside != name and not any(_is_within(inside, a) for a in MAY_IMPORT[layer]):
                wrong.append(f"{where} imports {name}")
    assert wrong == []


def test_the_runner_never_imports_the_executor_that_runs_on_the_host() -> None:
    local = "studio.engine.execution.local"
    wrong = [
        where
        for where, tree in _sources()
        if where.startswith("runner/") and any(_is_within(n, local) for n in _imports(where, tree))
    ]
    assert wrong == []


def test_what_is_dangerous_or_heavy_is_imported_in_one_place() -> None:
    wrong = []
    for where, tree in _sources():
        for name in _imports(where, tree):
            places = next((p for n, p in ONLY_IN.items() if _is_within(name, n)), None)
            allowed = (places or ()) + TYPING_ONLY.get(name, ())
            if places is not None and not where.startswith(allowed):
                wrong.append(f"{where} uses {name}")
    assert wrong == []


def test_no_file_and_no_function_is_too_long_to_read() -> None:
    wrong = []
    for where, tree in _sources():
        lines = len((PACKAGE / where).read_text().splitlines())
        of_a_file, of_a_function = MOST_LINES.get(where.split("/")[0], MOST_LINES_ELSEWHERE)
        if lines > of_a_file:
            wrong.append(f"{where} has {lines} lines")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > of_a_function:
                    wrong.append(f"{where}:{node.lineno} {node.name} has {length} lines")
    assert wrong == []


def test_the_rule_would_be_noticed_if_it_were_broken() -> None:
    """Guards the guard: a relative, a nested and an aliased import are all seen."""
    tree = ast.parse(
        "from ..runner.runner import Runner\n"
        "def f():\n    import openai as o\n    import os\n    return os.environ\n"
    )
    assert set(_imports("store/x.py", tree)) == {
        "studio.runner.runner.Runner", "openai", "os", "os.environ",
    }  # fmt: skip
