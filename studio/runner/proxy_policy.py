"""What code in a box may ask the network for, judged by name first and by address afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..config import Settings
from ..definitions.hosts import ANY_BELOW, split_host
from .addresses import IPAddress, is_never_called, is_public, unwrapped

WEB_PORTS = (80, 443)
_MOST_SHOWN = 5
Network = Literal["none", "open"] | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NetworkRequest:
    """One request of a program in a box.

    method  as in HTTP; CONNECT for a tunnel
    reason  why it was refused, or why an allowed one came to nothing; else ""
    """

    host: str
    port: int
    method: str
    allowed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Policy:
    """`network` is what a definition says: nothing, hosts, or every public host."""

    settings: Settings
    network: Network

    def refusal(self, host: str, port: int) -> str:
        """Why this host may not be asked at this port, before anybody looks its address up."""
        if self.network == "none":
            return "This code has no network. Add the host to the network setting that it needs."
        if self.network == "open":
            return self._refusal_of_open(host, port)
        by_name = [e for e in map(_entry, self.network) if _covers(e[0], host)]
        if any(port == at if at else port in WEB_PORTS for _, at in by_name):
            return ""
        if by_name:
            return (
                f"{host} may not be reached at port {port}. Add {_shown(host)}:{port} to the "
                "network setting of the agent or skill."
            )
        return (
            f"{host} is not among the hosts this code may reach: {self._hosts()}. "
            "Add it to the network setting of the agent or skill."
        )

    def refusal_of_addresses(self, host: str, addresses: Sequence[IPAddress]) -> str:
        """Why a host with these addresses may not be reached. One bad address is enough."""
        for address in map(unwrapped, addresses):
            if is_never_called(address):
                return f"{host} is at a link-local or reserved address, which code never reaches."
            if not is_public(address) and not self._is_named_by_administrator(host):
                return (
                    f"{host} is on this machine or in its private network. An administrator may "
                    "allow it by name in STUDIO_ALLOWED_HOSTS."
                )
        return ""

    def _refusal_of_open(self, host: str, port: int) -> str:
        if not self.settings.open_network:
            return (
                "An open network works only where the owner of the studio has set "
                f"STUDIO_OPEN_NETWORK=true. Name {host} in the network setting instead."
            )
        if port not in WEB_PORTS:
            return (
                f"{host} may not be reached at port {port}: an open network has ports 80 and 443. "
                f"Name {_shown(host)}:{port} in the network setting instead."
            )
        return ""

    def _is_named_by_administrator(self, host: str) -> bool:
        """Never for an open network: that is public hosts, and those alone."""
        named = {name.strip("[]") for name in self.settings.allowed_hosts}
        return self.network != "open" and host in named

    def _hosts(self) -> str:
        shown = ", ".join(self.network[:_MOST_SHOWN]) or "none"
        more = len(self.network) - _MOST_SHOWN
        return f"{shown} and {more} more" if more > 0 else shown


def _entry(text: str) -> tuple[str, int | None]:
    """An entry of a checked definition; its name keeps "*."."""
    below = ANY_BELOW if text.startswith(ANY_BELOW) else ""
    name, port = split_host(text.removeprefix(below))
    return below + name, port


def _covers(name: str, host: str) -> bool:
    if name.startswith(ANY_BELOW):
        return host.endswith(name[1:]) and len(host) > len(name) - 1
    return host == name


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
