"""What pip is asked for, and what people read of its answer."""

from __future__ import annotations

import pytest

from studio.runner.wheels import platforms_of, progress_of, why

PYTHON = "3.11"


def test_the_tags_of_this_machine_are_those_that_pip_knows_itself() -> None:
    from pip._vendor.packaging import tags  # the wheels that pip would take without being told

    own = [t for t in tags.platform_tags() if t.startswith("manylinux")]
    assert platforms_of("own") == own
    assert set(platforms_of("oldest")) <= set(own)
    assert platforms_of("oldest")[0].startswith("manylinux_2_28_")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Collecting pandas>=2 (from -r x)", "Collecting pandas>=2"),
        ("  Downloading numpy-2.1.whl (12.4 MB)", "Downloading numpy-2.1.whl (12.4 MB)"),
        ("  Downloading x.whl.metadata (12 kB)", ""),
        ("Processing /opt/files/six-1.17-py3.whl (from x)", "Taking six-1.17-py3.whl"),
        ("Installing collected packages: a, b", "Unpacking a, b"),
        ("Looking in indexes: https://u:p@host/simple", ""),
        ("", ""),
    ],
)
def test_lines_of_pip_that_people_see(line: str, words: str) -> None:
    assert progress_of(line) == words


def test_a_reason_is_short_and_keeps_no_address() -> None:
    line = (
        "WARNING: x\nERROR: HTTPSConnectionPool(host='h.example', port=443): Max retries with url: "
        "https://u:p@h.example/simple\n"
    )
    assert why(line, PYTHON) == "HTTPSConnectionPool((address)): Max retries with url: (address)"
    assert why("No module named pip\n", PYTHON) == "No module named pip"
    assert why("", PYTHON) == "pip gave no reason"
    assert len(why("ERROR: " + "x" * 5000, PYTHON)) == 1000
