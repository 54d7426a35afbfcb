"""`studio model pull` and `studio model list`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import typer

from ..config import load_settings
from ..runner.local_model import DOWNLOAD_BYTES, BuiltInModel


def pull(file: Path | None, home: Path | None) -> None:
    """Fetches or takes over the weights, with a progress bar. Raises StudioError."""
    settings = load_settings(home=home)
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    model = BuiltInModel(settings.home)
    if model.is_fetched:
        typer.echo(f"The built-in model is here already: {model.path}")
    elif file is not None:
        model.use_file(file)
        typer.echo(f"The built-in model is ready: {model.path}")
    else:
        asyncio.run(_with_progress(model))
        typer.echo(f"The built-in model is ready: {model.path}")
    if not model.is_installed:
        typer.echo("To run it: pip install 'roundtable-studio[local]'")


async def _with_progress(model: BuiltInModel) -> None:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("SmolLM2"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns) as bar:
        task = bar.add_task("fetch", total=DOWNLOAD_BYTES)
        fetching = asyncio.ensure_future(model.fetch())
        while not fetching.done():
            await asyncio.wait([fetching], timeout=0.2)
            bar.update(task, completed=model.fetching.received)
        await fetching
        bar.update(task, completed=DOWNLOAD_BYTES)


def listing(home: Path | None, *, as_json: bool) -> None:
    """The stored models, from the running server or from the data folder."""
    from .client import show, studio

    local = BuiltInModel(load_settings(home=home).home)
    with studio(home) as api:
        rows = api.everything("models")
    for row in rows:
        row["ready"] = local.is_ready if row["provider"] == "local" else True
        row["state"] = "" if row["ready"] else "not fetched: studio model pull"
    show(rows, ("name", "provider", "model", "state"), as_json=as_json, empty="No model yet.")
