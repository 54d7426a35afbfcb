"""`studio workflow`: what there is, whether it can run, out to a file and in again."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .common import AsJson, Home, friendly

app = typer.Typer(help="Workflows: your teams.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Name or id of a workflow.")]


class Format(StrEnum):
    YAML = "yaml"
    JSON = "json"


class Clash(StrEnum):
    COPY = "copy"
    SKIP = "skip"
    REPLACE = "replace"


@app.command("list")
@friendly
def listing(home: Home = None, as_json: AsJson = False) -> None:
    """List workflows, newest first.

    Example: studio workflow list --json
    """
    from .client import show, studio

    with studio(home) as api:
        rows = api.everything("workflows")
    columns = ("id", "kind", "name", "description")
    show(rows, columns, as_json=as_json, empty="No workflow yet.")


@app.command("check")
@friendly
def check(name: Name, home: Home = None, as_json: AsJson = False) -> None:
    """Say what keeps a workflow from running. Exit code 1 when something does.

    Example: studio workflow check "Name Studio"
    """
    from .client import show, studio

    with studio(home) as api:
        one = api.find("workflows", name)["id"]
        problems = api.call("POST", f"workflows/{one}/check").json()["problems"]
    blocking = any(problem["blocking"] for problem in problems)
    for problem in problems:
        problem["place"] = ".".join(map(str, problem["loc"]))
        problem["kind"] = "error" if problem["blocking"] else "note"
    show(problems, ("kind", "place", "msg"), as_json=as_json, empty="It can run.")
    raise typer.Exit(int(blocking))


@app.command("export")
@friendly
def export(
    name: Name,
    kind: Annotated[Format, typer.Option("--format", "-f", help="Of the file.")] = Format.YAML,
    file: Annotated[Path | None, typer.Option("--output", "-o", help="File [terminal].")] = None,
    home: Home = None,
) -> None:
    """Write a workflow and all that it uses as one document, without ids and keys.

    Example: studio workflow export "Name Studio" -o team.yaml
    """
    from .client import studio, write

    with studio(home) as api:
        one = api.find("workflows", name)["id"]
        write(api.call("GET", f"workflows/{one}/export", format=kind).text, file)


@app.command("import")
@friendly
def take_in(
    file: Annotated[Path, typer.Argument(help="YAML or JSON, as an export gives; - is a pipe.")],
    yes: Annotated[bool, typer.Option("--yes", help="Agree to what it could do.")] = False,
    clash: Annotated[Clash | None, typer.Option(help="What of names that are taken.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take definitions in. Nothing is stored before you agree, and nothing of them is run.

    Example: studio workflow import team.yaml --clash copy
    """
    from ..errors import InvalidError, NotFoundError, Problem
    from .client import show, studio

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotFoundError(f"{file} cannot be read: {error}") from None
    with studio(home) as api:
        staged = api.call("POST", "import", {"document": text}).json()
        wanted = staged["capabilities"]
        if wanted and not yes:
            for what in wanted:
                typer.echo(f"- {what}", err=True)
            agreed = sys.stdin.isatty() and typer.confirm("Agree to all of it?", err=True)
            if not agreed:
                api.call("DELETE", f"import/{staged['id']}")
                raise InvalidError(
                    [Problem([], "Nothing was taken in: agree with --yes", "consent")]
                )
        body = {"consent": wanted, "clash": clash}
        made = api.call("POST", f"import/{staged['id']}/confirm", body).json()["items"]
    show(made, ("noun", "id", "name"), as_json=as_json)
