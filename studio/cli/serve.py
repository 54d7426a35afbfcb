"""`studio serve`: one process, one data folder, an address with a login token."""

from __future__ import annotations

import asyncio
import gc
import logging
import secrets
import signal
import socket
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path

import typer
import uvicorn

from ..app import create_app
from ..config import Settings, has_display, is_loopback, load_settings
from ..errors import SettingsError
from ..store.secrets import infos
from ..store.tables import OWNER
from ..web.dependencies import Services
from ..web.templating import keep_compiled
from .home import locked, write_note

GRACEFUL_SECONDS = 2  # without it an open stream holds SIGTERM for over 15 s


class _Server(uvicorn.Server):
    """Says the address once the studio really answers."""

    def __init__(self, config: uvicorn.Config, said: list[str], *, open_browser: bool) -> None:
        super().__init__(config)
        self._said, self._open = said, open_browser

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _tune_collector()
        if self.started:
            for line in self._said:
                typer.echo(line)
            if self._open and has_display():
                await asyncio.to_thread(webbrowser.open, self._said[-1].split()[-1])


def run_server(
    *, host: str | None, port: int | None, home: Path | None, open_browser: bool
) -> None:
    """Serves until a signal ends it. Raises SettingsError, ConflictError, UnavailableError."""
    settings = load_settings(host=host, port=port, home=home)
    with locked(settings.home):
        listening = _listen(settings)
        address = _address(settings, listening.getsockname()[1])
        local_token = secrets.token_urlsafe(32)
        app = create_app(settings, local_token)
        keep_compiled(settings.home / "cache")
        _log_without_secrets(app.state.services.runner.secrets.mask_now)
        login = f"{address}/login?token={app.state.services.login_token}"
        _say_unreadable(app.state.services)
        said = [f"Roundtable Studio keeps its data in {settings.home}", f"Open {login}"]
        config = uvicorn.Config(
            app,
            log_level="warning",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # whoever asks could say that it is somebody else
            date_header=False,
            timeout_graceful_shutdown=GRACEFUL_SECONDS,
            lifespan="on",
            ws="none",
        )
        write_note(settings.home, _own_address(settings, listening.getsockname()[1]), local_token)
        # uvicorn raises the signal again at its end: that must pass our own cleaning up
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        _Server(config, said, open_browser=open_browser).run(sockets=[listening])


def _say_unreadable(services: Services) -> None:
    """After a restore, or with another key: what must be entered again, by name."""
    found = services.database.read_now(lambda c: infos(c, services.vault, OWNER))
    lost = [secret.name for secret in found if not secret.readable]
    if lost:
        typer.echo(f"These secrets must be entered again: {', '.join(lost)}", err=True)


class _Masked(logging.Formatter):
    """Nothing that is known to be secret reaches the log, tracebacks included."""

    def __init__(self, mask: Callable[[str], str]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        return self._mask(super().format(record))


def _log_without_secrets(mask: Callable[[str], str]) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_Masked(mask))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("mcp", "client"):  # of the MCP library: what a server does wrong, as it likes
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _tune_collector() -> None:
    """What is loaded now stays: the collector need not walk through it again and again.

    Measured with 100 sessions: a third of the CPU of a turn went into collecting young objects.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    gc.enable()


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. "
            "Choose another port with --port"
        ) from None
    listening.listen(2048)
    return listening


def _own_address(settings: Settings, port: int) -> str:
    """Where commands on this machine reach the studio, whatever others call it."""
    everywhere = settings.host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
    host = "127.0.0.1" if everywhere else settings.host
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _address(settings: Settings, port: int) -> str:
    if settings.public_url:
        return settings.public_url.rstrip("/")
    host = settings.host if is_loopback(settings.host) else socket.gethostname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
