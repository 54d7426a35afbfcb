"""What kind of file a name and the first bytes speak for. The bytes decide wherever they can."""

from __future__ import annotations

BINARY, TEXT = "application/octet-stream", "text/plain"
HEAD = 4096  # bytes that are looked at
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"SQLite format 3\x00", "application/vnd.sqlite3"),
)
_OFFICE = "application/vnd.openxmlformats-officedocument."
_OF_ZIP = {
    "docx": _OFFICE + "wordprocessingml.document",
    "xlsx": _OFFICE + "spreadsheetml.sheet",
    "pptx": _OFFICE + "presentationml.presentation",
}
_OF_TEXT = {
    "txt": TEXT,
    "log": TEXT,
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "md": "text/markdown",
    "markdown": "text/markdown",
    "html": "text/html",
    "htm": "text/html",
    "xhtml": "application/xhtml+xml",
    "svg": "image/svg+xml",
    "xml": "application/xml",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "ipynb": "application/x-ipynb+json",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "toml": "application/toml",
    "py": "text/x-python",
    "sh": "text/x-shellscript",
    "js": "text/javascript",
    "css": "text/css",
    "sql": "application/sql",
    "tex": "application/x-tex",
}


def media_type(name: str, head: bytes) -> str:
    """The media type of a file by its name and its first `HEAD` bytes."""
    ending = name.rpartition("/")[2].rpartition(".")[2].lower()
    for magic, found in _MAGIC:
        if head.startswith(magic):
            return _OF_ZIP.get(ending, found) if found == "application/zip" else found
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    if _is_text(head):
        return _OF_TEXT.get(ending, TEXT)
    return BINARY if b"\x00" in head else _OF_TEXT.get(ending, BINARY)  # an older encoding


def _is_text(head: bytes) -> bool:
    if b"\x00" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return len(head) == HEAD and error.start > HEAD - 4  # a character that is cut in two
    return True
