"""A team for the tests that look at transcripts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..conftest import InProcess
from ..engine.scripted_server import serving
from .team import Team


@pytest.fixture
def team(own_studio: InProcess) -> Iterator[Team]:
    with serving({}) as server:
        yield Team(own_studio, server)
