"""Hosts that code may reach: how they may be written, and what is said about other ways."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from studio.definitions.common import Hosts
from studio.definitions.hosts import split_host


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("finance.example", "finance.example"),
        (" Finance.Example. ", "finance.example"),
        ("localhost:8080", "localhost:8080"),
        ("*.finance.example", "*.finance.example"),
        ("*.finance.example:8443", "*.finance.example:8443"),
        ("_dmarc.a-b.example", "_dmarc.a-b.example"),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("203.0.113.7:80", "203.0.113.7:80"),
        ("[2001:DB8:0:0::1]", "[2001:db8::1]"),
        ("[::1]:8080", "[::1]:8080"),
    ],
)
def test_an_entry_is_kept_in_its_usual_form(written: str, kept: str) -> None:
    assert Hosts(hosts=[written]).hosts == [kept]
    assert Hosts(hosts=[kept]).hosts == [kept]


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("https://finance.example", "without https:// and without a path"),
        ("finance.example/prices", "without https:// and without a path"),
        ("http://finance.example:80/", "without https:// and without a path"),
        ("user@finance.example", "write a host name"),
        ("finance example", "write a host name"),
        ("finance\n.example", "write a host name"),
        ("", "write a host name"),
        ("*", "write a host name"),
        (".example", "write a host name"),
        ("a..example", "write a host name"),
        ("-a.example", "write a host name"),
        ("f*.example", "write a host name"),
        ("x" * 64 + ".example", "write a host name"),
        (".".join(["x" * 60] * 5)[:299], "write a host name"),
        ("x" * 301, "at most 300 characters"),
        ("*.example", "two parts or more"),
        ("*.10.0.0.1", "two parts or more"),
        ("m\u00fcnchen.example", "xn--"),
        ("finance.example:", "a port from 1 to 65535"),
        ("finance.example:0", "a port from 1 to 65535"),
        ("finance.example:65536", "a port from 1 to 65535"),
        ("finance.example:https", "a port from 1 to 65535"),
        ("finance.example:\u0663", "a port from 1 to 65535"),
        ("::1", "square brackets"),
        ("[::1", "write a host name"),
        ("[finance.example]", "no IPv6 address"),
        ("[fe80::1%eth0]", "zone"),
        ("127.1", "in full"),
        ("0x7f000001", "in full"),
        ("2130706433", "in full"),
        ("0177.0.0.1", "in full"),
        ("a\0.example", "write a host name"),
        (7, "string"),
        (None, "string"),
    ],
)
def test_what_is_no_host_is_said_at_its_place(written: Any, why: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Hosts(hosts=["good.example", written])
    (error,) = caught.value.errors()
    assert error["loc"] == ("hosts", 1)
    assert why in str(error["msg"])


def test_a_host_stands_there_once_and_there_are_fifty_at_most() -> None:
    with pytest.raises(ValidationError) as caught:
        Hosts(hosts=["a.example", "b.example", "A.example."])
    (error,) = caught.value.errors()
    assert (error["loc"], error["msg"]) == (("hosts", 2), "a.example stands here twice")
    assert len(Hosts(hosts=[f"h{i}.example" for i in range(50)]).hosts) == 50
    with pytest.raises(ValidationError, match="at most 50"):
        Hosts(hosts=[f"h{i}.example" for i in range(51)])


@settings(deadline=None)
@given(st.text(max_size=60) | st.from_regex(r"[a-z0-9.:\[\]%x-]{0,40}", fullmatch=True))
def test_any_text_is_a_name_or_an_error_in_words(text: str) -> None:
    try:
        name, port = split_host(text)
    except ValueError:
        return
    assert name == name.lower()
    assert name.isascii()
    assert not set(name) & set(" /@*%[]\r\n")
    assert port is None or 1 <= port <= 65535
