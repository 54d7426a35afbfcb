"""A team for the tests that look at transcripts."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from ..conftest import InProcess
from ..engine.conftest import pytest_pyfunc_call  # noqa: F401 - tests may be coroutine functions
from ..engine.scripted_server import serving
from ..execution.conftest import probes  # noqa: F401 - which boxes this machine has
from .team import Team


@pytest.fixture
def team(own_studio: InProcess) -> Iterator[Team]:
    with serving({}) as server:
        yield Team(own_studio, server)


class _Finance(BaseHTTPRequestHandler):
    """Prices of a share since the beginning of the year, as csv."""

    prices = {"/META.csv": (600.0, 1.5), "/TSLA.csv": (400.0, -0.5)}

    def do_GET(self) -> None:
        first, step = self.prices[self.path]
        rows = [f"2026-01-{day:02},{first + step * (day - 2):.2f}" for day in range(2, 22)]
        body = ("date,close\n" + "\n".join(rows)).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="session")
def finance() -> Iterator[str]:
    """Host and port of a fake finance server on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Finance)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"localhost:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()
