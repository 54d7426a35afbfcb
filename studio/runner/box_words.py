"""What a look at the boxes of a machine has found, in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..engine.execution.box import Kind, Probe

NAMES: Mapping[Kind, str] = {"docker": "Docker", "sandbox": "Sandbox"}
NO_BOX = "Code and skills do not run on this machine"
INSTALL = "Install Docker Engine, or bubblewrap (Debian, Ubuntu: apt-get install bubblewrap)"
# What the canary tried, by the keys of Probe.checks: "it cannot ..." where the box holds.
_TRIED = {
    "network": "reach the network or this machine's ports",
    "files": "read files of this machine",
    "environment": "find the studio's variables and keys",
    "system": "write outside its own folder",
    "user": "act as root of this machine",
    "capabilities": "use privileges of the kernel",
    "no new rights": "gain rights by starting a program",
    "system calls": "make dangerous system calls",
    "other programs": "see other programs",
    "processes": "start programs without end",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that the canary tried, like "cannot see other programs"."""

    words: str
    held: bool


def checks(probe: Probe) -> list[Check]:
    return [
        Check(f"{'cannot' if held else 'can'} {_TRIED.get(key, f'get past “{key}”')}", held)
        for key, held in probe.checks.items()
    ]


def detail(probe: Probe) -> str:
    """What it is, or why no code may run there."""
    lost = [one.words for one in checks(probe) if not one.held]
    return f"It does not hold code, which {', '.join(lost)}" if lost else probe.why


def used(probes: Mapping[Kind, Probe]) -> Kind | None:
    """Where code runs that does not name a kind."""
    return next((kind for kind, probe in probes.items() if probe.ready), None)
