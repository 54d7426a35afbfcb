"""Guards of addresses: what is inside of another address counts, whatever Python calls global."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from studio.config import Settings
from studio.runner.addresses import is_never_called, is_public, refusal, unwrapped

PUBLIC = ("1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::")
PRIVATE = (
    "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "192.0.0.8", "198.18.0.1",
    "192.88.99.1", "203.0.113.7", "240.0.0.1", "255.255.255.255", "0.0.0.1",
    "::1", "::127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:a00:1::",
    "fd12::1", "fec0::1", "2001:db8::1", "2001::1", "100::1", "5f00::1",
)  # fmt: skip
NEVER = (
    "0.0.0.0", "::", "169.254.169.254", "fe80::1", "224.0.0.1", "ff02::1", "fd00:ec2::254",
    "100.100.100.200", "168.63.129.16", "192.0.0.192", "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::",
)  # fmt: skip


@pytest.mark.parametrize("text", PUBLIC)
def test_public(text: str) -> None:
    address = unwrapped(ipaddress.ip_address(text))
    assert is_public(address)
    assert not is_never_called(address)


@pytest.mark.parametrize("text", PRIVATE)
def test_private(text: str) -> None:
    assert not is_public(unwrapped(ipaddress.ip_address(text)))


@pytest.mark.parametrize("text", NEVER)
def test_never_called_not_even_by_a_studio_on_loopback_or_by_name(
    tmp_path: Path, text: str
) -> None:
    address = ipaddress.ip_address(text)
    assert is_never_called(unwrapped(address))
    settings = Settings(home=tmp_path, allowed_hosts=(text, "model.example"))
    assert "link-local or reserved" in refusal(settings, "model.example", address)
