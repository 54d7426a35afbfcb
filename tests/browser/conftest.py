"""A real Chromium against the real studio, with the real small model where it matters.

A request to anywhere but 127.0.0.1 fails the test. Without a Chromium the tests are skipped with
the reason, but never in CI.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    Request,
    expect,
)

from studio.runner.local_model import BuiltInModel
from tests.conftest import ROOT, InProcess, StudioProcess

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
PATIENCE = 30_000  # ms; what `expect` has of its own, 5 s, is little on a busy machine
WIDE, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have a Chromium")
        pytest.skip("no Chromium: apt-get install chromium")
    expect.set_options(timeout=PATIENCE)
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield browser
    browser.close()


class Watched:
    """A page that must stay at home and keep quiet: what it did wrong is checked at the end."""

    def __init__(self, context: BrowserContext) -> None:
        self.away: list[str] = []
        self.errors: list[str] = []
        context.on("request", self._note)
        self.page: Page = context.new_page()
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: self.errors.append(f"dialog: {dialog.message}"))
        self.page.on("console", self._listen)

    def _note(self, request: Request) -> None:
        """Only listens: routing would hold back streamed answers."""
        if not request.url.startswith(("http://127.0.0.1:", "data:")):
            self.away.append(request.url)

    def _listen(self, message: ConsoleMessage) -> None:
        """The CSP is the second wall: what it had to stop had come through the first."""
        if "Content Security Policy" in message.text:
            self.errors.append(message.text)

    def check(self) -> None:
        assert self.away == []
        assert self.errors == []


@pytest.fixture
def browse(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a logged-in page: browse(studio, theme="dark", size=PHONE)."""
    watched: list[Watched] = []
    contexts: list[BrowserContext] = []

    def open_page(
        studio: StudioProcess | InProcess, theme: str = "light", size: Any = WIDE, **options: Any
    ) -> Page:
        context = chromium.new_context(viewport=size, color_scheme=theme, **options)
        contexts.append(context)
        watched.append(Watched(context))
        page = watched[-1].page
        page.set_default_timeout(PATIENCE)
        page.goto(studio.login)
        return page

    yield open_page
    for context in contexts:
        context.close()
    for one in watched:
        one.check()


@pytest.fixture(scope="session")
def weights() -> Path:
    """The real small model, fetched once into the checkout's own cache."""
    model = BuiltInModel(ROOT / ".cache")
    if not model.is_fetched:
        with ThreadPoolExecutor(1) as thread:  # Playwright's loop holds this one
            thread.submit(asyncio.run, model.fetch()).result()
    assert model.is_fetched, model.fetching.message
    return model.path


@pytest.fixture
def home_with_model(tmp_path: Path, weights: Path) -> Path:
    home = tmp_path / "home"
    folder = home / "models"
    folder.mkdir(parents=True, mode=0o700)
    home.chmod(0o700)
    (folder / weights.name).symlink_to(weights)
    return home
