"""`studio doctor`: what works on this system, and what to install for the rest."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import orjson
import typer

from .. import __version__
from ..assets import asset_dir
from ..config import Settings, environment_keys, load_settings
from ..errors import StudioError
from ..runner.box_words import INSTALL, NO_BOX, detail, used
from ..runner.boxes import found_boxes
from ..runner.local_model import BuiltInModel
from ..store.database import sqlite_version
from .home import running_server


@dataclass(frozen=True, slots=True)
class Finding:
    """One part: `state` is ok, note (works without it) or bad (the studio cannot run)."""

    part: str
    state: Literal["ok", "note", "bad"]
    detail: str


def examine(home: Path | None, *, as_json: bool) -> int:
    """Prints a line a part; the exit code is 1 when something keeps the studio from running."""
    findings = list(_findings(home))
    for finding in findings:
        if as_json:
            typer.echo(orjson.dumps(asdict(finding)).decode())
        else:
            mark = {"ok": "ok  ", "note": "note", "bad": "BAD "}[finding.state]
            typer.echo(f"{mark}  {finding.part:20} {finding.detail}")
    return int(any(f.state == "bad" for f in findings))


def _findings(home: Path | None) -> Iterator[Finding]:
    yield Finding("studio", "ok", f"{__version__} on {platform.platform()}")
    version = sys.version.split()[0]
    enough = sys.version_info >= (3, 11)
    yield Finding("python", "ok" if enough else "bad", version if enough else f"{version} < 3.11")
    yield Finding("sqlite", "ok", sqlite_version())
    try:
        settings = load_settings(home=home)
    except StudioError as error:
        yield Finding("settings", "bad", str(error))
        return
    yield _folder(settings.home)
    server = running_server(settings.home)
    yield Finding("server", "ok" if server else "note", server.url if server else "not running")
    for name in ("templates", "static", "migrations"):
        try:
            yield Finding(name, "ok", str(asset_dir(name)))
        except FileNotFoundError as error:
            yield Finding(name, "bad", str(error))
    yield _built_in(BuiltInModel(settings.home))
    keys = sorted(environment_keys())
    yield Finding("keys in environment", "ok" if keys else "note", ", ".join(keys) or "none")
    has_mcp = find_spec("mcp") is not None
    yield (
        Finding("MCP servers", "ok", "installed")
        if has_mcp
        else Finding("MCP servers", "note", "pip install 'roundtable-studio[mcp]'")
    )
    yield from _boxes(settings)


def _folder(home: Path) -> Finding:
    if not home.exists():
        return Finding("data folder", "ok", f"{home} will be made")
    if not os.access(home, os.W_OK):
        return Finding("data folder", "bad", f"{home} cannot be written")
    if os.name == "posix" and home.stat().st_mode & 0o077:
        return Finding("data folder", "note", f"{home} is open to others: chmod 700 {home}")
    return Finding("data folder", "ok", str(home))


def _built_in(model: BuiltInModel) -> Finding:
    if not model.is_installed:
        return Finding("built-in model", "note", "pip install 'roundtable-studio[local]'")
    if not model.is_fetched:
        return Finding("built-in model", "note", "not fetched: studio model pull")
    return Finding("built-in model", "ok", str(model.path))


def _boxes(settings: Settings) -> Iterator[Finding]:
    """A canary tries to get out of each kind; nothing of it stays."""
    probes = asyncio.run(found_boxes(settings))
    for kind, probe in probes.items():
        words = detail(probe) + (f", Python {probe.python} inside" if probe.ready else "")
        yield Finding(kind, "ok" if probe.ready else "note", words)
    where = used(probes)
    yield (
        Finding("code", "ok", f"runs in boxes of kind {where}")
        if where
        else Finding("code", "note", f"{NO_BOX}. {INSTALL}")
    )
