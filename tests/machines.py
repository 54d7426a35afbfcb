"""This machine as a program would find it that had less: real programs, some files covered up."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

MB = 1024**2


def without_boxes() -> list[str]:
    """The beginning of a command that runs where there is neither Docker nor bubblewrap."""
    program = _bubblewrap()
    return [*_same(program), "--tmpfs", "/run", "--ro-bind", "/dev/null", program]


def with_small_disk(folder: Path, size: int = 64 * MB) -> list[str]:
    """The beginning of a command that finds in `folder` an empty file system of `size` bytes."""
    return [*_same(_bubblewrap()), "--size", str(size), "--tmpfs", str(folder)]


def _same(program: str) -> list[str]:
    return [program, "--die-with-parent", "--dev-bind", "/", "/"]


def _bubblewrap() -> str:
    program = shutil.which("bwrap")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have bubblewrap")
        pytest.skip("no bubblewrap: apt-get install bubblewrap")
    return program
