"""`studio doctor`: what works on this system, and what to install for the rest."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import orjson
import typer

from .. import __version__
from ..assets import asset_dir
from ..config import environment_keys, load_settings
from ..errors import StudioError
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
            typer.echo(f"{mark}  {finding.part:18} {finding.detail}")
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
    yield from _sandboxes()


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


def _sandboxes() -> Iterator[Finding]:
    docker, bwrap = shutil.which("docker"), shutil.which("bwrap")
    found = [path for path in (docker, bwrap) if path]
    words = f"found {', '.join(found)}; code runs in a later version" if found else (
        "none; code does not run without one"
    )  # fmt: skip
    yield Finding("sandbox", "note", words)
