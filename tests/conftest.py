"""The real studio, twice: inside the test process for speed, and as a child process to be killed.

The only double is the model's server (`fake_openai.py`). Data folders are real SQLite files.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from studio.app import create_app
from studio.config import load_settings

from .builders import Api, until
from .fake_openai import FakeOpenAI

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "test-token-of-more-than-32-characters-0"


Launch = Callable[..., "StudioProcess"]


class InProcess(Api):
    """A studio in a thread of this process; `app` is its application."""

    def __init__(self, url: str, home: Path, app: Any) -> None:
        super().__init__(url, TOKEN)
        self.home, self.app = home, app
        self.login = f"{url}/login?token={TOKEN}"


@contextmanager
def serving(home: Path, **settings: Any) -> Iterator[InProcess]:
    """Serves a data folder on a free port until the block ends."""
    given = {"home": home, "token": TOKEN, "gallery": False, **settings}
    app = create_app(load_settings(**given), "token-of-the-command-line")
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, log_level="warning", lifespan="on", timeout_graceful_shutdown=1, proxy_headers=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listening]}, name="studio", daemon=True
    )
    thread.start()
    until(lambda: server.started or not thread.is_alive())
    assert server.started, "the studio did not start"
    api = InProcess(f"http://127.0.0.1:{listening.getsockname()[1]}", home, app)
    try:
        yield api
    finally:
        api.http.close()
        server.should_exit = True
        thread.join(20)
        listening.close()


class StudioProcess(Api):
    """`python -m studio serve` as a child process, started by `by` where that is given."""

    def __init__(
        self, home: Path, *arguments: str, token: str | None = TOKEN, by: Sequence[str] = ()
    ) -> None:
        self.home = home
        self.errors = home.with_name(f"{home.name}.err")
        with self.errors.open("a") as errors:
            self.process = subprocess.Popen(
                [*by, *serve_command(home, *arguments)],
                cwd=ROOT,
                env=clean_environment(token),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        super().__init__(self._address(), token)

    def _address(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("Open "):
                self.login = line.split()[-1]
                return self.login.partition("/login")[0]
        raise AssertionError(f"the studio did not start: {self.errors.read_text()}")

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Ends the process, as a crash does by default; waits until it is gone."""
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait(20)


def serve_command(home: Path, *arguments: str) -> list[str]:
    serve = ["-m", "studio", "serve", "--port", "0", "--home", str(home), "--no-open"]
    return [sys.executable, *serve, *arguments]


def clean_environment(token: str | None, **more: str) -> dict[str, str]:
    """The environment without the developer's own STUDIO_ settings."""
    found = {k: v for k, v in os.environ.items() if not k.startswith("STUDIO_")}
    found |= {"STUDIO_GALLERY": "false", "NO_COLOR": "1", **more}
    return found | ({"STUDIO_TOKEN": token} if token else {})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests go last: Playwright's loop stays in the main thread and bars `asyncio.run`."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_the_developer() -> Iterator[None]:
    """Tests must give the same result on every machine."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [n for n in os.environ if n.startswith("STUDIO_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def fake() -> Iterator[FakeOpenAI]:
    server = FakeOpenAI()
    yield server
    server.close()


@pytest.fixture(scope="session")
def canary() -> Iterator[FakeOpenAI]:
    """A server on another port, which must never be sent a key that was meant for `fake`."""
    server = FakeOpenAI()
    yield server
    server.close()


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    """One studio for the tests of a file; they must not mind each other's things."""
    with serving(tmp_path_factory.mktemp("studio") / "home") as api:
        yield api


@pytest.fixture
def own_studio(tmp_path: Path) -> Iterator[InProcess]:
    """A studio with nothing in it."""
    with serving(tmp_path / "home") as api:
        yield api


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., StudioProcess]]:
    """Starts studios as child processes on one data folder; ends what the test left running."""
    started: list[StudioProcess] = []

    def start(*arguments: str, home: Path | None = None) -> StudioProcess:
        process = StudioProcess(home or tmp_path / "home", *arguments)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
