"""What a file looks like on a page, as far as that can be shown without letting it do anything."""

from __future__ import annotations

import csv
import io
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import orjson
from markupsafe import Markup

from ..errors import NotFoundError
from .formats import IMAGES
from .markdown import highlighted, to_html

MAX_TEXT = 200_000  # bytes that are read
MAX_ROWS, MAX_COLUMNS, MAX_CELL = 200, 50, 500
_LANGUAGES = {
    "text/x-python": "python",
    "text/x-shellscript": "bash",
    "text/javascript": "javascript",
    "text/css": "css",
    "text/html": "html",
    "application/xhtml+xml": "html",
    "image/svg+xml": "xml",
    "application/xml": "xml",
    "application/json": "json",
    "application/x-ndjson": "json",
    "application/x-ipynb+json": "json",
    "application/yaml": "yaml",
    "application/toml": "toml",
    "application/sql": "sql",
    "application/x-tex": "latex",
    "text/markdown": "markdown",
}
NOTHING = Markup()
_TABLES = {"text/csv": ",", "text/tab-separated-values": "\t"}
_PAGES = ("text/html", "application/xhtml+xml")


@dataclass(frozen=True, slots=True)
class Preview:
    """How a file is shown. `rendered` is safe HTML, `source` a code block beside a picture or a
    page, `cut` says what is not shown."""

    kind: Literal["image", "page", "table", "prose", "code", "none"]
    rendered: Markup = NOTHING
    source: Markup = NOTHING
    head: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    cut: str = ""


def preview(path: Path, media_type: str) -> Preview:
    """Reads the file: not for the event loop. Raises NotFoundError."""
    is_svg = media_type == "image/svg+xml"
    if media_type in IMAGES and not is_svg:
        return Preview("image")
    is_text = media_type.startswith("text/") or media_type in _LANGUAGES
    if not is_text:
        return Preview("none")
    text, cut = _read(path)
    if media_type in _TABLES and (found := _table(text, _TABLES[media_type], cut)):
        return found
    if media_type == "text/markdown":
        rendered = Markup(to_html.__wrapped__(text))  # noqa: S704 - sanitised there
        return Preview("prose", rendered, cut=cut)
    code = _code(text, media_type, is_whole=not cut)
    if is_svg:
        return Preview("image", source=code, cut=cut)
    if media_type in _PAGES:
        return Preview("page", source=code, cut=cut)
    return Preview("code", code, cut=cut)


def _read(path: Path) -> tuple[str, str]:
    try:
        with path.open("rb") as reading:
            data = reading.read(MAX_TEXT + 1)
    except OSError:
        raise NotFoundError("The file is not there any more") from None
    cut = "Only the first 200 kB are shown." if len(data) > MAX_TEXT else ""
    text = data[:MAX_TEXT].decode("utf-8-sig", "replace")
    return text.replace("\r\n", "\n").replace("\x00", "\ufffd"), cut


def _code(text: str, media_type: str, *, is_whole: bool) -> Markup:
    if media_type in ("application/json", "application/x-ipynb+json") and is_whole:
        with suppress(orjson.JSONDecodeError, orjson.JSONEncodeError):  # shown as it is
            text = orjson.dumps(orjson.loads(text), option=orjson.OPT_INDENT_2).decode()
    return Markup(highlighted(text, _LANGUAGES.get(media_type, "")))  # noqa: S704 - escaped there


def _table(text: str, delimiter: str, cut: str) -> Preview | None:
    """The first rows of a table, None when it cannot be read as one."""
    first = text.partition("\n")[0]
    if delimiter == "," and ";" in first and "," not in first:
        delimiter = ";"
    rows: list[list[str]] = []
    widest, more = 0, False
    try:
        for row in csv.reader(io.StringIO(text), delimiter=delimiter):
            if len(rows) > MAX_ROWS:
                more = True
                break
            widest = max(widest, len(row))
            rows.append([cell[:MAX_CELL] for cell in row[:MAX_COLUMNS]])
    except csv.Error:
        return None
    if not rows:
        return None
    if cut and not more and len(rows) > 1:
        rows.pop()  # it was cut in the middle
    width = min(widest, MAX_COLUMNS)
    for row in rows:
        row += [""] * (width - len(row))
    words = []
    if more or cut:
        words.append(f"the first {len(rows) - 1} rows")
    if widest > MAX_COLUMNS:
        words.append(f"the first {MAX_COLUMNS} of {widest} columns")
    shown = f"Only {' and '.join(words)} are shown." if words else ""
    return Preview("table", head=rows[0], rows=rows[1:], cut=shown)
