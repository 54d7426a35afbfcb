"""How hosts that code may reach are written: finance.example, *.finance.example, [::1]:8080.

The same reading serves the definition that is saved and the proxy that judges a request by it.
"""

from __future__ import annotations

import ipaddress
import re

LONGEST_NAME = 253  # RFC 1035
ANY_BELOW = "*."
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # as a last label it makes a name an IPv4 address
_FORBIDDEN = frozenset("/@ ")  # a whole address was written, or a user's name
_PORT = re.compile(r"[0-9]{1,5}")
_HOW = "write a host name like finance.example, without https:// and without a path"


def host_entry(text: str) -> str:
    """One entry of a list of hosts as it is kept. ValueError, with words for people."""
    entry = text.strip().lower()
    below = entry.startswith(ANY_BELOW)
    name, port = split_host(entry.removeprefix(ANY_BELOW))
    if below and ("." not in name or _is_address(name)):
        raise ValueError("write *. before a name of two parts or more, like *.finance.example")
    shown = f"[{name}]" if ":" in name else name
    return (ANY_BELOW if below else "") + shown + (f":{port}" if port else "")


def split_host(text: str) -> tuple[str, int | None]:
    """Name and port of "name", "name:port" or "[IPv6]:port".

    The name is in its one usual form: small letters, no dot at the end, IPv6 shortened and without
    brackets. ValueError where it is neither a name nor an address that is written in full.
    """
    text = text.lower()
    if not _FORBIDDEN.isdisjoint(text):
        raise ValueError(_HOW)
    if text.startswith("["):
        name, bracket, rest = text[1:].partition("]")
        colon, port = rest[:1], rest[1:]
        if not bracket or colon not in ("", ":"):
            raise ValueError(_HOW)
        name = _ipv6(name)
    elif text.count(":") > 1:
        raise ValueError("write an IPv6 address in square brackets, like [2001:db8::1]")
    else:
        name, colon, port = text.partition(":")
        name = _name(name)
    return name, _port(port) if colon else None


def _name(name: str) -> str:
    name = name.removesuffix(".")
    if not name.isascii():
        raise ValueError("write the name in its ASCII form, which begins with xn--")
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise ValueError(_HOW)
    if _NUMBER.fullmatch(name.rpartition(".")[2]) and not _is_address(name):
        raise ValueError("write an IPv4 address in full, like 203.0.113.7")
    return name


def _ipv6(name: str) -> str:
    try:
        address = ipaddress.IPv6Address(name)
    except ValueError:
        raise ValueError("this is no IPv6 address; one is [2001:db8::1]") from None
    if address.scope_id:
        raise ValueError("an IPv6 address with a zone is not allowed")
    return str(address)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _port(text: str) -> int:
    if not _PORT.fullmatch(text) or not 1 <= int(text) <= 65535:
        raise ValueError("write a port from 1 to 65535 after the colon, like finance.example:8443")
    return int(text)
