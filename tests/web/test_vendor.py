"""The vendored browser files are those that the manifest names: nobody edited them by hand."""

from __future__ import annotations

import base64
import hashlib
import json
import re

from studio.assets import asset_dir
from tests.conftest import ROOT

VENDOR = asset_dir("static") / "vendor"


def test_every_vendored_file_has_the_hash_of_its_manifest() -> None:
    manifest = json.loads((VENDOR / "manifest.json").read_text())
    files = {path.name for path in VENDOR.iterdir()} - {"manifest.json"}
    assert files == set(manifest)
    for name, entry in manifest.items():
        digest = hashlib.sha384((VENDOR / name).read_bytes()).digest()
        assert entry["sha384"] == f"sha384-{base64.b64encode(digest).decode()}", name
        assert entry["version"]
        assert entry["licence"]


def test_the_editor_holds_exactly_the_packages_that_are_named() -> None:
    """.ci/vendor.py makes it again from these, and then the hash is the same."""
    manifest = json.loads((VENDOR / "manifest.json").read_text())
    named = json.loads((ROOT / ".ci" / "editor" / "package.json").read_text())["dependencies"]
    assert manifest["codemirror.min.js"]["contains"] == named
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in named.values())
    head = (VENDOR / "codemirror.min.js").read_text()[:3000]
    assert all(f"{name} {version}" in head for name, version in named.items())
