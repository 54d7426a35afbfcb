"""What an installation holds: how many distributions, how many MB, under which licences.

Run by the Python of an environment that holds the studio without its extras.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from importlib.metadata import Distribution, distributions
from pathlib import Path

MOST, MOST_MB = 55, 160
TOOLS = {"pip", "setuptools", "wheel"}
# Permissive ones, and MPL-2.0, whose files we use unchanged (certifi).
GOOD = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla Public|Unlicense|CNRI", re.I
)
BAD = re.compile(r"\bA?GPL|Affero|(?<!Lesser )General Public License|SSPL|Commons Clause", re.I)


def licence(found: Distribution) -> str:
    """What a distribution says of itself: the expression, its classifiers, or its text."""
    meta = found.metadata
    said = [meta.get("License-Expression") or ""]
    said += [c for c in meta.get_all("Classifier") or [] if c.startswith("License")]
    said.append((meta.get("License") or "")[:200])
    return "; ".join(s for s in said if s)


def megabytes() -> float:
    """Without tools and bytecode, as they differ from one installation to the next."""
    site = Path(sysconfig.get_path("purelib"))
    skipped = tuple(f"{site}/{tool}" for tool in (*TOOLS, "_distutils_hack", "pkg_resources"))
    files = (f for f in site.rglob("*") if f.is_file() and f.suffix != ".pyc")
    return sum(f.stat().st_size for f in files if not str(f).startswith(skipped)) / 1e6


def main() -> int:
    found = [d for d in distributions() if d.metadata["Name"].lower() not in TOOLS]
    wrong = [
        f"{d.metadata['Name']}: {licence(d) or 'no licence said'}"
        for d in found
        if not GOOD.search(licence(d)) or BAD.search(licence(d))
    ]
    size = megabytes()
    print(f"{len(found)} distributions of {MOST}, {size:.0f} MB of {MOST_MB}")
    for line in wrong:
        print(f"licence: {line}")
    return int(bool(wrong) or len(found) > MOST or size > MOST_MB)


if __name__ == "__main__":
    sys.exit(main())
