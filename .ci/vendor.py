"""Fetches the vendored browser files at exact npm versions and writes static/vendor/manifest.json.

    python .ci/vendor.py

Run by hand when a version changes; the files and the manifest are committed, and a test recomputes
the hashes. Needs npm.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "static" / "vendor"
PACKAGES = {
    "htmx.org": (
        "4.0.1",
        "0BSD",
        {"dist/htmx.min.js": "htmx.min.js", "dist/ext/hx-sse.min.js": "hx-sse.min.js"},
    ),
}


def sha384(data: bytes) -> str:
    return "sha384-" + base64.b64encode(hashlib.sha384(data).digest()).decode()


def main() -> None:
    manifest = {}
    for name, (version, licence, files) in PACKAGES.items():
        with tempfile.TemporaryDirectory() as folder:
            command = ["npm", "pack", f"{name}@{version}", "--pack-destination", folder, "--silent"]
            subprocess.run(command, check=True)  # noqa: S603 - fixed arguments
            archive = next(Path(folder).glob("*.tgz"))
            with tarfile.open(archive) as tar:
                for inside, target in files.items():
                    member = tar.extractfile(f"package/{inside}")
                    assert member is not None
                    lines = member.read().splitlines(keepends=True)
                    data = b"".join(x for x in lines if not x.startswith(b"//# sourceMappingURL"))
                    (VENDOR / target).write_bytes(data)
                    manifest[target] = {
                        "package": name,
                        "version": version,
                        "licence": licence,
                        "sha384": sha384(data),
                    }
    (VENDOR / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main()
