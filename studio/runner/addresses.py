"""Which addresses the studio calls, for itself and for code: never link-local or metadata ones.

Models may live on loopback while the studio does. Code and skills reach public addresses only,
and what an administrator has named.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit

from ..config import Settings
from ..errors import ForbiddenError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")  # ::127.0.0.1; but :: and ::1 are themselves
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_NOT_PUBLIC = (  # for which some versions of Python say is_global
    ipaddress.ip_network("192.0.0.0/24"),
    ipaddress.ip_network("192.88.99.0/24"),
)
_METADATA = frozenset(  # of clouds that keep theirs elsewhere than at link-local addresses
    ipaddress.ip_address(a)
    for a in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
)


def unwrapped(address: IPAddress) -> IPAddress:
    """The IPv4 address inside a mapped, compatible, 6to4 or NAT64 one."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return inner
        if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_never_called(address: IPAddress) -> bool:
    """Whether nobody may allow this address; it is unwrapped."""
    return (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address in _METADATA
    )


def is_public(address: IPAddress) -> bool:
    """Whether everybody on the internet can reach this address; it is unwrapped."""
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not any(address in network for network in _NOT_PUBLIC)


def refusal(settings: Settings, host: str, address: IPAddress) -> str:
    """Why a model may not live at this address; "" when it may."""
    address = unwrapped(address)
    if is_never_called(address):
        return f"{host} is a link-local or reserved address, which the studio never calls"
    if host.lower() in settings.allowed_hosts or settings.on_loopback:
        return ""
    if not is_public(address):
        return f"{host} is a private address: an administrator may allow it in STUDIO_ALLOWED_HOSTS"
    return ""


async def check_address(settings: Settings, base_url: str) -> list[IPAddress]:
    """Resolves the host of a model's or an MCP server's address to what it may be called at.

    Raises ForbiddenError when one of them must not be called.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    try:
        addresses = [ipaddress.ip_address(host)]
    except ValueError:
        addresses = await resolved(host, parts.port or 443)
    for address in addresses:
        if why := refusal(settings, host, address):
            raise ForbiddenError(why)
    return addresses


async def resolved(host: str, port: int) -> list[IPAddress]:
    """All addresses of a name, as this machine looks names up; none where it has none."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, ValueError):
        return []  # the call itself will say that nothing answers there
    addresses = [ipaddress.ip_address(str(item[4][0]).partition("%")[0]) for item in found]
    return list(dict.fromkeys(addresses))
