"""Files of sessions as answers. What is in them was made by programs and models: it is handed out,
but never let loose in our own origin."""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from fastapi.responses import FileResponse, Response

from ..errors import NotFoundError
from ..store.artifacts import Version

# Beside these the headers of every answer hold: nosniff among them.
SEALED = {
    "content-security-policy": "sandbox; default-src 'none'",
    "cross-origin-resource-policy": "same-origin",
    "x-dns-prefetch-control": "off",
}
IMAGE = SEALED | {
    "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:",
}
FRAMED = SEALED | {
    "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; frame-ancestors 'self'",
}
CHUNK = 256 * 1024
_PLAIN = re.compile(r"[^A-Za-z0-9 ._()+-]")
_ODD = re.compile(r'[<>:"|?*\x00-\x1f\x7f]')


def disposition(name: str) -> str:
    """Content-Disposition of a download (RFC 6266): the last part of a path, in plain letters for
    old clients and exactly for others."""
    last = name.replace("\\", "/").rpartition("/")[2] or "file"
    plain = _PLAIN.sub("_", last).strip(". ") or "file"
    exact = quote(last.encode("utf-8", "replace"), safe="")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}"


def download(path: Path, version: Version) -> Response:
    """A file to be saved, whatever it is."""
    headers = SEALED | {"content-disposition": disposition(version.name)}
    return _file(path, version.media_type, headers)


def inline(path: Path, version: Version, headers: dict[str, str]) -> Response:
    return _file(path, version.media_type, headers)


def _file(path: Path, media_type: str, headers: dict[str, str]) -> Response:
    try:
        info = path.stat()
    except OSError:
        raise NotFoundError("The file is not there any more") from None
    return FileResponse(path, media_type=media_type, headers=headers, stat_result=info)


class _Chunks(io.RawIOBase):
    """What a zip is written to while it is being sent."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._written.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        taken, self._written = b"".join(self._written), []
        return taken


def zipped(files: Sequence[tuple[Version, Path]]) -> Iterator[bytes]:
    """A zip in pieces, never whole in memory. What is gone meanwhile is left out."""
    out = _Chunks()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        names = _names([version.name for version, _ in files])
        for name, (version, path) in zip(names, files, strict=True):
            try:
                reading = path.open("rb")
            except OSError:
                continue
            with reading, archive.open(_entry(name, version), "w") as target:
                while chunk := reading.read(CHUNK):
                    target.write(chunk)
                    yield out.taken()
    yield out.taken()


def _entry(name: str, version: Version) -> zipfile.ZipInfo:
    year, month, day, hour, minute, second = (
        int(part) for part in re.split(r"[-T:.]", version.created_at)[:6]
    )
    entry = zipfile.ZipInfo(name, (year, month, day, hour, minute, second))
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o600 << 16
    return entry


def _names(given: list[str]) -> list[str]:
    """Names inside a zip: no way up, no root, nothing that a system reads otherwise, none twice."""
    seen: Counter[str] = Counter()
    made = []
    for name in given:
        parts = [_ODD.sub("_", part).strip(". ") for part in re.split(r"[/\\]", name)]
        plain = "/".join(part for part in parts if part) or "file"
        seen[plain.lower()] += 1
        number = seen[plain.lower()]
        made.append(plain if number == 1 else f"{number}/{plain}")
    return made
