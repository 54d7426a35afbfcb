"""The name that a TLS client asks for, read from its first message (RFC 8446 4.1.2, RFC 6066 3)."""

from __future__ import annotations

import re

_HANDSHAKE, _CLIENT_HELLO, _SERVER_NAME, _HOST_NAME = 22, 1, 0, 0
_NAME = re.compile(r"[a-z0-9._:-]{1,253}")
LONGEST = 65_536  # bytes of a first message that is still waited for


class NeedsMore(Exception):  # noqa: N818 - not an error: the message has not arrived in full
    """More bytes are needed to tell."""


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        self.at += count
        if self.at > len(self.data):
            raise ValueError("this is no TLS client's first message")
        return self.data[self.at - count : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def block(self, size: int) -> _Bytes:
        """The bytes that a length of `size` bytes stands before."""
        return _Bytes(self.take(self.number(size)))


def server_name(data: bytes) -> str:
    """The host name in what a client has sent so far; "" where it is not TLS or names no host.

    Raises NeedsMore, and ValueError where it begins as TLS and is none.
    """
    message = b""
    while data[:1] == bytes([_HANDSHAKE]):
        end = 5 + int.from_bytes(data[3:5])
        if len(data) < max(end, 6):
            raise NeedsMore
        message, data = message + data[5:end], data[end:]
        if len(message) >= 4 and len(message) >= 4 + int.from_bytes(message[1:4]):
            return _name_in(_Bytes(message))
        if not data or len(message) > LONGEST:
            raise NeedsMore if len(message) <= LONGEST else ValueError("too long a first message")
    if message:
        raise ValueError("this is no TLS client's first message")
    return ""


def _name_in(message: _Bytes) -> str:
    if message.number(1) != _CLIENT_HELLO:
        raise ValueError("this is no TLS client's first message")
    hello = message.block(3)
    hello.take(2 + 32)  # version, random
    for size in (1, 2, 1):  # session, ciphers, compression
        hello.block(size)
    if hello.at == len(hello.data):
        return ""
    extensions = hello.block(2)
    while extensions.at < len(extensions.data):
        kind, body = extensions.number(2), extensions.block(2)
        if kind == _SERVER_NAME:
            names = body.block(2)
            if names.number(1) == _HOST_NAME:
                name = names.block(2).data.decode("ascii").lower().removesuffix(".")
                if not _NAME.fullmatch(name):
                    raise ValueError("this is no name of a host")
                return name
    return ""
