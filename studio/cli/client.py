"""What the commands talk to: the studio that serves the data folder, or its parts in this process.

Both are the same REST interface, so a command is written once.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import orjson
import typer

from ..config import Settings, load_settings
from ..errors import NotFoundError, StudioError
from .home import RunningServer, locked, running_server

TIMEOUT = 120.0


class RefusedError(StudioError):
    """The studio refused a request; its words are fit for a person."""


Request = Callable[..., httpx2.Response]


class Api:
    """Requests to one studio. Raises RefusedError, or NotFoundError for what is not there."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def call(self, method: str, path: str, body: Any = None, **params: Any) -> httpx2.Response:
        given = {k: v for k, v in params.items() if v not in (None, "")}
        answer = self._request(method, f"/api/{path}", json=body, params=given)
        if answer.status_code < 400:
            return answer
        words = _words(answer)
        raise NotFoundError(words) if answer.status_code == 404 else RefusedError(words)

    def get(self, path: str, **params: Any) -> Any:
        return self.call("GET", path, **params).json()

    def everything(self, path: str, most: int = 1000, **params: Any) -> list[dict[str, Any]]:
        """The items of a list, page after page, at most so many."""
        items: list[dict[str, Any]] = []
        cursor = ""
        while len(items) < most:
            limit = min(200, most - len(items))
            page = self.get(path, cursor=cursor, limit=limit, **params)
            items += page["items"]
            cursor = page["next"] or ""
            if not cursor:
                break
        return items

    def find(self, noun: str, word: str) -> dict[str, Any]:
        """The one that has this id or this name."""
        found = self.everything(noun, q=word) + self.everything(noun)
        for field in ("id", "name"):
            for item in found:
                if item.get(field) == word:
                    return item
        raise NotFoundError(f"There is no {noun.removesuffix('s')} called {word}")


def _words(answer: httpx2.Response) -> str:
    try:
        problem = answer.json()
    except ValueError:
        return f"The studio answered with status {answer.status_code}"
    errors = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in problem.get("errors", [])]
    return "; ".join(errors) or str(problem.get("detail"))


@contextmanager
def studio(home: Path | None) -> Iterator[Api]:
    """The studio of a data folder, running or not. Raises StudioError."""
    settings = load_settings(home=home)
    server = running_server(settings.home)
    with _remote(server) if server else _here(settings) as request:
        yield Api(request)


@contextmanager
def _remote(server: RunningServer) -> Iterator[Request]:
    headers = {"authorization": f"Bearer {server.token}"}
    with httpx2.Client(
        base_url=server.url, headers=headers, trust_env=False, timeout=TIMEOUT
    ) as client:
        yield client.request


@contextmanager
def _here(settings: Settings) -> Iterator[Request]:
    """The application without a server: requests go straight to it.

    Holds the folder meanwhile. Sessions that were cut off are not resumed by a command.
    """
    from ..app import create_app
    from ..store.samples import install_samples
    from ..store.tables import OWNER

    with locked(settings.home):
        token = secrets.token_urlsafe(32)
        app = create_app(settings, token)
        services = app.state.services
        loop = asyncio.new_event_loop()
        client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app),
            base_url="http://127.0.0.1",
            headers={"authorization": f"Bearer {token}"},
        )
        try:
            if settings.gallery:
                loop.run_until_complete(install_samples(services.catalog, OWNER))
            yield lambda *given, **options: loop.run_until_complete(
                client.request(*given, **options)
            )
        finally:
            loop.run_until_complete(client.aclose())
            loop.run_until_complete(services.runner.close())
            services.database.close()
            loop.close()


# -- output


def show(
    rows: Sequence[dict[str, Any]], columns: Sequence[str], *, as_json: bool, empty: str = ""
) -> None:
    """A table for people, or every row whole as a line of JSON."""
    if as_json:
        for row in rows:
            typer.echo(orjson.dumps(row).decode())
        return
    if not rows and empty:
        typer.echo(empty, err=True)
    cells = [[_cell(row.get(name)) for name in columns] for row in rows]
    widths = [max((len(line[i]) for line in cells), default=0) for i in range(len(columns))]
    for line in cells:
        typer.echo("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:59]}…"


def write(text: str, file: Path | None) -> None:
    """To a file, or to the terminal."""
    if file is None or str(file) == "-":
        typer.echo(text, nl=not text.endswith("\n"))
    else:
        file.write_text(text, encoding="utf-8")
        typer.echo(f"Written to {file}", err=True)
