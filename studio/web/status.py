"""What the Status page says: one row a part, with its state and what to do about it."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Literal

from ..config import Settings
from ..runner.local_model import BuiltInModel
from ..store.disk import DatabaseUse, DiskUse
from .formats import size

FOLDERS = {
    "work": "Working folders",
    "artifacts": "Files of sessions",
    "uploads": "Uploads",
    "packages": "Packages for code",
    "models": "Built-in model",
}


@dataclass(frozen=True, slots=True)
class Part:
    """`state` is ok, note (works without it) or bad; `todo` what to do, "" for nothing, `command`
    what to type for that, and `link` (words, address) where to go."""

    title: str
    state: Literal["ok", "note", "bad"]
    fact: str
    todo: str = ""
    command: str = ""
    link: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """Sessions by what they do now."""

    working: int
    waiting: int
    paused: int


def network_parts(settings: Settings) -> list[Part]:
    hosts = ", ".join(settings.allowed_hosts)
    return [
        Part("Open network", "note", "On: code and skills that ask for it reach every public host.")
        if settings.open_network
        else Part(
            "Open network", "ok", "Off: code and skills reach only the hosts that they name.",
            "The owner of this machine switches it on with", "STUDIO_OPEN_NETWORK=true",
        ),
        Part(
            "Allowed hosts", "ok",
            f"{hosts}. In a private network too, where an agent or a skill names them." if hosts
            else "None: nothing on this machine or in a private network is reached by code.",
            "" if hosts else "To allow some, start the studio with",
            "" if hosts else "STUDIO_ALLOWED_HOSTS=name,name",
        ),
    ]  # fmt: skip


def studio_parts(
    counted: Counted, local: BuiltInModel, database: DatabaseUse, disk: DiskUse
) -> list[Part]:
    return [_sessions(counted), _model(local), _mcp(), _database(database), _room(disk)]


def _sessions(counted: Counted) -> Part:
    facts = [f"{counted.working} at work"] if counted.working else []
    if counted.waiting:
        facts.append(f"{counted.waiting} waiting for you")
    if counted.paused:
        facts.append(f"{counted.paused} paused")
    url = "/sessions?status=waiting" if counted.waiting else "/sessions"
    words = ", ".join(facts) or "None at work"
    return Part("Sessions", "ok", f"{words}.", link=("Show them", url))


def _model(local: BuiltInModel) -> Part:
    title = "Built-in model"
    if not local.is_installed:
        return Part(
            title, "note", "Not installed: agents need another model.", "To have it, install",
            "pip install 'roundtable-studio[local]'",
        )  # fmt: skip
    if not local.is_fetched:
        return Part(title, "note", "Not fetched yet.", link=("Fetch it", "/models"))
    return Part(title, "ok", "SmolLM2, running." if local.is_running else "SmolLM2, ready.")


def _mcp() -> Part:
    if importlib.util.find_spec("mcp") is None:
        return Part(
            "MCP servers", "note", "Not installed: skills of that kind do not run.",
            "To have them, install", "pip install 'roundtable-studio[mcp]'",
        )  # fmt: skip
    return Part("MCP servers", "ok", "Ready: a skill may be one.")


def _database(use: DatabaseUse) -> Part:
    fact = f"{use.kind} {use.version}, {size(use.bytes)}"
    if not use.journal:
        return Part("Database", "ok", f"{fact}.")
    if use.journal != "wal":
        return Part(
            "Database", "note", f"{fact}, journal mode {use.journal}.",
            "It is quicker and safer on a local disk, which can have a write-ahead log.",
        )  # fmt: skip
    return Part("Database", "ok", f"{fact}, with {size(use.unwritten)} of write-ahead log.")


def _room(disk: DiskUse) -> Part:
    fact = f"{size(disk.free)} of {size(disk.total)} free."
    if not disk.is_low:
        return Part("Disk", "ok", fact)
    return Part(
        "Disk", "bad", fact, "Sessions fail when it is full. Delete some, or move the data folder:",
        "STUDIO_HOME", ("Sessions", "/sessions"),
    )  # fmt: skip


def folder_rows(disk: DiskUse) -> list[tuple[str, str]]:
    """Words and sizes; those that took too long to measure are said to be more."""
    return [
        (FOLDERS[one.name], size(one.bytes) if one.is_whole else f"over {size(one.bytes)}")
        for one in disk.folders
    ]
