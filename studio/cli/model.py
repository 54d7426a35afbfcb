"""`studio model pull` and `studio model list`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import typer

from ..config import load_settings
from ..runner.local_model import DOWNLOAD_BYTES, BuiltInModel
from .home import running_server


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


def show(home: Path | None, *, as_json: bool) -> None:
    """The stored models, from the running server or from the data folder."""
    settings = load_settings(home=home)
    local = BuiltInModel(settings.home)
    rows = _remote(settings.home) if running_server(settings.home) else _stored(settings)
    for row in rows:
        if row["provider"] == "local":
            row["ready"] = local.is_ready
        if as_json:
            typer.echo(orjson.dumps(row).decode())
        else:
            state = "" if row.get("ready", True) else "  (not fetched: studio model pull)"
            typer.echo(f"{row['name']:24} {row['provider']:18} {row['model']}{state}")


def _remote(home: Path) -> list[dict[str, object]]:
    import httpx2

    server = running_server(home)
    assert server is not None
    headers = {"authorization": f"Bearer {server.token}"}
    with httpx2.Client(base_url=server.url, headers=headers, trust_env=False) as client:
        items = client.get("/api/models", params={"limit": 200}).json()["items"]
    return [{k: item[k] for k in ("id", "name", "provider", "model")} for item in items]


def _stored(settings: object) -> list[dict[str, object]]:
    from ..config import Settings
    from ..store import definitions
    from ..store.database import Database
    from ..store.tables import OWNER

    assert isinstance(settings, Settings)
    database = Database(settings.database, settings.sqlite_synchronous)
    try:
        found = database.read_now(lambda c: definitions.all_of(c, OWNER, "models"))
    finally:
        database.close()
    return [
        {"id": s.id, "name": s.name, "provider": s.body["provider"], "model": s.body["model"]}
        for s in found
    ]
