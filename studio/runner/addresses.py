"""Which addresses the studio may call: loopback for a studio on loopback, never link-local."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit

from ..config import Settings
from ..errors import ForbiddenError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def unwrapped(address: IPAddress) -> IPAddress:
    """The IPv4 address inside a mapped, 6to4 or NAT64 one."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return inner
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def refusal(settings: Settings, host: str, address: IPAddress) -> str:
    """Why a model may not live at this address; "" when it may."""
    address = unwrapped(address)
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return f"{host} is a link-local or reserved address, which models never live at"
    if host.lower() in settings.allowed_hosts or settings.on_loopback:
        return ""
    if not address.is_global:
        return f"{host} is a private address: an administrator may allow it in STUDIO_ALLOWED_HOSTS"
    return ""


async def check_address(settings: Settings, base_url: str) -> None:
    """Resolves the host of a model's address. Raises ForbiddenError when it may not be called."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    try:
        addresses = [ipaddress.ip_address(host)]
    except ValueError:
        addresses = await _resolved(host, parts.port or 443)
    for address in addresses:
        if why := refusal(settings, host, address):
            raise ForbiddenError(why)


async def _resolved(host: str, port: int) -> list[IPAddress]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, ValueError):
        return []  # the model call itself will say that nothing answers there
    return [ipaddress.ip_address(str(item[4][0]).partition("%")[0]) for item in found]
