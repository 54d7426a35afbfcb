"""`studio run`: a workflow streamed to the terminal, by the running server or in this process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import orjson
import typer

from ..config import load_settings
from ..engine.events import as_row
from ..errors import NotFoundError
from .home import RunningServer, locked, running_server

EXIT_CODES = {"finished": 0, "failed": 1, "waiting": 3, "paused": 4, "stopped": 4}


class Source(Protocol):
    """A session's rows and live text as JSON objects, until it ends or waits."""

    def events(self, workflow: str, task: str) -> AsyncIterator[dict[str, Any]]: ...


def run_workflow(workflow: str, task: str, *, home: Path | None, as_json: bool) -> int:
    """Runs it and returns the exit code. Raises StudioError for a wrong workflow."""
    settings = load_settings(home=home)
    server = running_server(settings.home)
    if server is not None:
        return asyncio.run(_follow(_Remote(server), workflow, task, as_json=as_json))
    with locked(settings.home):
        return asyncio.run(_run_here(settings, workflow, task, as_json=as_json))


async def _run_here(settings: Any, workflow: str, task: str, *, as_json: bool) -> int:
    async with _local(settings) as source:
        return await _follow(source, workflow, task, as_json=as_json)


async def _follow(source: Source, workflow: str, task: str, *, as_json: bool) -> int:
    printer = _Printer(as_json=as_json)
    async for row in source.events(workflow, task):
        printer.show(row)
        if row["kind"] == "status_changed" and row["to"] in ("waiting", "paused"):
            return EXIT_CODES[row["to"]]
        if row["kind"] == "session_finished":
            return EXIT_CODES[row["status"]]
    return 1


class _Printer:
    """Prints the conversation as it is made; with JSON, every row as one line."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.open: tuple[str, int] | None = None
        self.shown = 0

    def show(self, row: dict[str, Any]) -> None:
        if self.as_json:
            typer.echo(orjson.dumps(row).decode())
            return
        match row["kind"]:
            case "delta":
                self._delta(row)
            case "message":
                self._message(row)
            case "error":
                typer.echo(f"\n! {row['message']}", err=True)
            case "input_requested":
                typer.echo(f"\n{row['agent']} is asked; answer in the studio's page.", err=True)
            case "session_finished":
                typer.secho(f"\n{row['status']}: {row['reason']}", dim=True)

    def _delta(self, row: dict[str, Any]) -> None:
        place = (row["chat"], row["turn"])
        if self.open != place:
            typer.secho(_heading(row), bold=True)
            self.open, self.shown = place, 0
        text = row["text"][max(0, self.shown - row["offset"]) :]
        sys.stdout.write(text)
        sys.stdout.flush()
        self.shown = row["offset"] + len(row["text"])

    def _message(self, row: dict[str, Any]) -> None:
        content = row["content"] if isinstance(row["content"], str) else ""
        if self.open == (row["chat"], row["turn"]):
            sys.stdout.write(content[self.shown :] + "\n")
            self.open = None
            return
        typer.secho(_heading(row), bold=True)
        typer.echo(content)


def _heading(row: dict[str, Any]) -> str:
    """Who speaks, and in which chat inside the conversation."""
    return f"\n{row['agent']}" + (f" ({row['chat']})" if row["chat"] else "")


class _Remote:
    """Talks to the studio that serves this data folder."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server

    async def events(self, workflow: str, task: str) -> AsyncIterator[dict[str, Any]]:
        import httpx2

        headers = {"authorization": f"Bearer {self.server.token}"}
        async with httpx2.AsyncClient(
            base_url=self.server.url,
            headers=headers,
            timeout=None,
            trust_env=False,
        ) as client:
            found = await client.get("/api/workflows", params={"q": workflow, "limit": 200})
            items = found.json()["items"]
            one = next((w["id"] for w in items if workflow in (w["name"], w["id"])), workflow)
            started = await client.post("/api/sessions", json={"workflow": one, "message": task})
            if started.status_code != 201:
                raise NotFoundError(_detail(started.json()))
            path = f"/api/sessions/{started.json()['id']}/stream"
            async with client.stream("GET", path) as response:
                async for line in response.aiter_lines():
                    if line.startswith("data:"):
                        yield orjson.loads(line[5:])


def _detail(problem: dict[str, Any]) -> str:
    return "; ".join(e["msg"] for e in problem.get("errors", [])) or str(problem.get("detail"))


@asynccontextmanager
async def _local(settings: Any) -> AsyncIterator[Source]:
    """The studio's parts without its web server, in this process."""
    from ..app import make_services
    from ..runner.runner import Start
    from ..store import definitions
    from ..store.events import Row
    from ..store.samples import install_samples
    from ..store.tables import OWNER
    from ..streaming.follow import follow

    services = make_services(settings)
    if settings.gallery:
        await install_samples(services.catalog, OWNER)

    class Here:
        async def events(self, workflow: str, task: str) -> AsyncIterator[dict[str, Any]]:
            found = await services.database.read(
                lambda c: definitions.by_name(c, OWNER, "workflows", workflow)
            )
            one = found.id if found else workflow
            session = await services.runner.start(OWNER, "command line", Start(one, task))
            async for items in follow(services.database, services.bus, session.id):
                for item in items:
                    yield item.data() if isinstance(item, Row) else as_row(item)

    try:
        yield Here()
    finally:
        await services.runner.close()
        services.database.close()
