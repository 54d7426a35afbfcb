"""Whose the folders of boxes are: the studio's own, or nobody's when the studio runs as root."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

NOBODY = 65_534  # who programs are on this machine when the studio is root


def give_away(folder: Path) -> None:
    """Makes a folder; as root, gives it with all that is in it to whom programs run as. Follows no
    link."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() != 0:
        return
    os.chown(folder, NOBODY, NOBODY, follow_symlinks=False)
    for _, folders, files, inside in os.fwalk(folder):
        for name in (*folders, *files):
            with suppress(OSError):
                if os.stat(name, dir_fd=inside, follow_symlinks=False).st_uid != NOBODY:
                    os.chown(name, NOBODY, NOBODY, dir_fd=inside, follow_symlinks=False)
