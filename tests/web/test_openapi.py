"""SECURITY R35: what /api/openapi.json promises holds, whatever a client sends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ..conftest import TOKEN, InProcess

EXAMPLES = 15  # for each operation at most: above a thousand requests in all
CONFIG = """
# JSON Schema cannot say that a name is taken, an id unknown, or that source is no Python.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "412", "422"]
# Lists that are too long may also be too large.
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "409", "412", "413", "415", "422", "429"]
"""


@pytest.mark.timeout(1000)
def test_a_thousand_requests_made_from_the_document(own_studio: InProcess, tmp_path: Path) -> None:
    """Every check, stateful too; only streams are left out, which last as long as a session.

    The same requests each time, so that a failure can be repeated; SEED makes others.
    """
    studio = own_studio
    studio.start(studio.pair(studio.scripted("Hi", "Hi")))
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    command = [
        Path(sys.executable).with_name("schemathesis"), "run", f"{studio.url}/api/openapi.json",
        "--header", f"Authorization: Bearer {TOKEN}", "--max-examples", str(EXAMPLES),
        "--seed", os.environ.get("SEED", "1"), "--request-timeout", "60",
        "--exclude-path-regex", "/stream$",
        "--suppress-health-check", "all", "--no-color", "--generation-database", "none",
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "NO_PROXY": "*"}, timeout=980,
    )  # fmt: skip
    failures = done.stdout.partition("= FAILURES =")[2][:4000]
    assert done.returncode == 0, failures + done.stdout[-1000:] + done.stderr[-2000:]
    made = re.search(r"(\d[\d,]*) generated", done.stdout)
    assert made, done.stdout[-2000:]
    assert int(made[1].replace(",", "")) >= 1000, made[0]
    assert studio.get("health") == {"status": "ok"}


def test_the_document_says_how_to_come_in_and_how_errors_look(studio: InProcess) -> None:
    document = studio.get("openapi.json")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            refused = operation["responses"]["4XX"]["content"]["application/problem+json"]
            assert refused["schema"]["$ref"].endswith("/Problem"), (method, path)
            assert ("security" in operation) == (path != "/api/health")
