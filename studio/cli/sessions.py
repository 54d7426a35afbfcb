"""`studio session`: what was said, as text or as a file, and Stop."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .common import AsJson, Home, friendly

app = typer.Typer(help="Sessions: conversations of your teams.", no_args_is_help=True)
One = Annotated[str, typer.Argument(help="Id of a session; see `studio session list`.")]
COLUMNS = ("id", "status", "turns", "created_at", "workflow_name", "name")


class Status(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"


class Format(StrEnum):
    JSON = "json"
    MARKDOWN = "md"
    CSV = "csv"


@app.command("list")
@friendly
def listing(
    query: Annotated[str, typer.Option("--query", "-q", help="Words in the name or said.")] = "",
    status: Annotated[Status | None, typer.Option(help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List sessions, newest first.

    Example: studio session list --status waiting
    """
    from .client import show, studio

    with studio(home) as api:
        rows = api.everything("sessions", limit, q=query, status=status)
    show(rows, COLUMNS, as_json=as_json, empty="No session like that.")


@app.command("show")
@friendly
def show_one(one: One, home: Home = None, as_json: AsJson = False) -> None:
    """Print a conversation; with --json every event as it is stored.

    Example: studio session show 3f9a0c
    """
    from .client import Api, show, studio

    def events(api: Api) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        while page := api.get(f"sessions/{one}/events", after=len(rows), limit=1000)["items"]:
            rows += page
        return rows

    with studio(home) as api:
        if as_json:
            show(events(api), (), as_json=True)
        else:
            text = api.call("GET", f"sessions/{one}/transcript", format="md").text
            typer.echo(text, nl=False)


@app.command("export")
@friendly
def export(
    one: One,
    kind: Annotated[Format, typer.Option("--format", "-f", help="Of the file.")] = Format.MARKDOWN,
    file: Annotated[Path | None, typer.Option("--output", "-o", help="File [terminal].")] = None,
    home: Home = None,
) -> None:
    """Write a conversation as Markdown, JSON or CSV.

    Example: studio session export 3f9a0c --format csv -o talk.csv
    """
    from .client import studio, write

    with studio(home) as api:
        write(api.call("GET", f"sessions/{one}/transcript", format=kind).text, file)


@app.command("stop")
@friendly
def stop(one: One, home: Home = None, as_json: AsJson = False) -> None:
    """End a session now; what was said is kept.

    Example: studio session stop 3f9a0c
    """
    from .client import show, studio

    with studio(home) as api:
        show([api.call("POST", f"sessions/{one}/stop").json()], COLUMNS, as_json=as_json)
