"""Fetches the vendored browser files at exact npm versions and writes static/vendor/manifest.json.

    python .ci/vendor.py

Run by hand when a version changes; the files and the manifest are committed, and a test recomputes
the hashes. Needs npm. What is copied is named below; the editor is bundled from the packages of
editor/package.json, which names every one that goes into it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
VENDOR = HERE.parent / "static" / "vendor"
PACKAGES = {
    "htmx.org": (
        "4.0.1",
        "0BSD",
        {"dist/htmx.min.js": "htmx.min.js", "dist/ext/hx-sse.min.js": "hx-sse.min.js"},
    ),
}
EDITOR = "codemirror.min.js"


def sha384(data: bytes) -> str:
    return "sha384-" + base64.b64encode(hashlib.sha384(data).digest()).decode()


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - fixed arguments
    return done.stdout


def copied(name: str, version: str, licence: str, files: dict[str, str]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        run("npm", "pack", f"{name}@{version}", "--silent", cwd=Path(folder))
        archive = next(Path(folder).glob("*.tgz"))
        with tarfile.open(archive) as tar:
            for inside, target in files.items():
                member = tar.extractfile(f"package/{inside}")
                assert member is not None
                lines = member.read().splitlines(keepends=True)
                data = b"".join(x for x in lines if not x.startswith(b"//# sourceMappingURL"))
                (VENDOR / target).write_bytes(data)
                entries[target] = {
                    "package": name, "version": version, "licence": licence, "sha384": sha384(data),
                }  # fmt: skip
    return entries


def bundled() -> dict[str, Any]:
    """The editor as one file. Packages run no scripts of theirs while they are installed."""
    pinned: dict[str, str] = json.loads((HERE / "editor/package.json").read_text())["dependencies"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in (HERE / "editor").iterdir():
            shutil.copy(file, folder)
        run("npm", "install", "--ignore-scripts", "--no-package-lock", "--no-audit", cwd=folder)
        _check(folder / "node_modules", pinned)
        out = folder / EDITOR
        run(
            "npx", "esbuild", "entry.js", "--bundle", "--minify", "--format=iife",
            "--global-name=CodeMirror", "--target=es2022", f"--outfile={out}", "--log-level=error",
            cwd=folder,
        )  # fmt: skip
        licence = (folder / "node_modules/@codemirror/view/LICENSE").read_text().strip()
        packages = ", ".join(f"{name} {version}" for name, version in pinned.items())
        data = f"/*! {packages}\n\n{licence}\n*/\n{out.read_text()}".encode()
    (VENDOR / EDITOR).write_bytes(data)
    return {
        EDITOR: {
            "package": "@codemirror/view", "version": pinned["@codemirror/view"], "licence": "MIT",
            "sha384": sha384(data), "contains": pinned,
        }
    }  # fmt: skip


def _check(modules: Path, pinned: dict[str, str]) -> None:
    """What was installed is what is named, all of it, under the one licence."""
    installed = {}
    for file in [*modules.glob("*/package.json"), *modules.glob("@*/*/package.json")]:
        told = json.loads(file.read_text())
        if "esbuild" not in told["name"]:
            installed[told["name"]] = told["version"]
            assert told["license"] == "MIT", told["name"]
    assert installed == pinned, installed.items() ^ pinned.items()


def main() -> None:
    manifest = {}
    for name, (version, licence, files) in PACKAGES.items():
        manifest |= copied(name, version, licence, files)
    manifest |= bundled()
    (VENDOR / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main()
