"""The socket in a working folder, by which a box reaches its proxy.

Whatever a program has left in that folder is met with care: a name there may be a link.
"""

from __future__ import annotations

import os
import secrets
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..engine.errors import SandboxError
from ..engine.execution.box import NETWORK_SOCKET

_WAITING = 128  # connections that the kernel keeps until the proxy has room


@contextmanager
def listening_in(work_dir: Path) -> Iterator[socket.socket]:
    """Listens until the block ends. Raises SandboxError where that is not possible."""
    with socket.socket(socket.AF_UNIX) as listening:
        try:
            folder = os.open(work_dir, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise _broken(error) from None
        try:
            try:
                _listen(listening, folder)
            except OSError as error:
                raise _broken(error) from None
            yield listening
        finally:
            with suppress(OSError):
                os.unlink(NETWORK_SOCKET, dir_fd=folder)
            os.close(folder)


def _listen(listening: socket.socket, folder: int) -> None:
    if sys.platform != "linux":
        raise OSError("only Linux has what this takes")
    _make_room(folder)
    # a socket's path has 107 bytes at most, and that of a data folder may have more
    listening.bind(f"/proc/self/fd/{folder}/{NETWORK_SOCKET}")
    made = os.open(NETWORK_SOCKET, os.O_PATH | os.O_NOFOLLOW, dir_fd=folder)
    try:
        if stat.S_ISSOCK(os.fstat(made).st_mode):
            # a box may be another user; who may enter the folder guards it
            os.chmod(f"/proc/self/fd/{made}", 0o666)  # noqa: S103
    finally:
        os.close(made)
    listening.setblocking(False)  # noqa: FBT003
    listening.listen(_WAITING)


def _make_room(folder: int) -> None:
    try:
        os.unlink(NETWORK_SOCKET, dir_fd=folder)
    except FileNotFoundError:
        pass
    except OSError:  # a folder of that name
        aside = f"{NETWORK_SOCKET}-{secrets.token_hex(8)}"
        os.rename(NETWORK_SOCKET, aside, src_dir_fd=folder, dst_dir_fd=folder)


def _broken(error: OSError) -> SandboxError:
    return SandboxError(f"The network of this box cannot be opened: {error.strerror or error}")
