"""Which boxes a test runs in: both kinds, really; in CI none may be missing."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from studio.engine.execution.box import Kind, Probe
from studio.engine.execution.docker_probe import probe_docker
from studio.engine.execution.sandbox import probe_sandbox

KINDS: tuple[Kind, ...] = ("sandbox", "docker")


@cache
def probe(kind: Kind) -> Probe:
    """What this machine has, looked at once."""
    with TemporaryDirectory() as home:
        look = probe_docker() if kind == "docker" else probe_sandbox(Path(home))
        with ThreadPoolExecutor(1) as thread:  # in a browser test Playwright's loop holds this one
            return thread.submit(asyncio.run, look).result()


def needed(kind: Kind) -> Kind:
    """The kind, if this machine has it; else the test is skipped, or fails in CI."""
    ready(probe(kind))
    return kind


def ready(found: Probe) -> None:
    """The same for what a test has looked at itself."""
    if not found.ready:
        if os.environ.get("CI"):
            pytest.fail(f"CI must have it: {found.kind}: {found.why}")
        pytest.skip(f"{found.kind}: {found.why}")
