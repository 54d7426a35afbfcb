"""The vendored browser files are those that the manifest names: nobody edited them by hand."""

from __future__ import annotations

import base64
import hashlib
import json

from studio.assets import asset_dir

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
