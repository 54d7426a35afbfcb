"""Files that people give to sessions: SECURITY R17, R18 and R19."""

from __future__ import annotations

import socket
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from ..conftest import TOKEN, InProcess, Launch
from .sending import send, sent

MB = 1024 * 1024
BEARER = f"Authorization: Bearer {TOKEN}"
OUTSIDE = "/tmp/roundtable-upload"


def test_a_file_is_kept_until_it_is_used(studio: InProcess) -> None:
    answer = send(studio, "data.csv", b"a,b\n1,2\n")
    assert answer.status_code == 201
    kept = answer.json()
    assert kept == {"id": kept["id"], "name": "data.csv", "media_type": "text/csv", "bytes": 8}
    assert studio.get(f"files/{kept['id']}") == kept


def test_a_file_can_be_thrown_away(studio: InProcess) -> None:
    one = sent(studio)
    assert studio.call("DELETE", f"files/{one}").status_code == 204
    assert not (studio.home / "uploads" / one).exists()
    studio.refused("GET", f"files/{one}", status=404)
    studio.refused("DELETE", f"files/{one}", status=404)


@pytest.mark.parametrize(
    "name",
    ["../x", OUTSIDE, "x" * 300, " ", ".", "..", "a\\b", "a/b", ".hidden", "__pycache__",
     "two\nlines", "turned\u202etxt", "nul\x00", "é" * 200],
)  # fmt: skip
def test_a_name_that_is_no_plain_name_is_refused(studio: InProcess, name: str) -> None:
    """R18; nothing is written anywhere."""
    before = sorted(studio.home.rglob("*"))
    boundary = "limit"
    quoted = name.replace("\\", "\\\\").encode()
    body = (
        b'--limit\r\nContent-Disposition: form-data; name="file"; filename="' + quoted
        + b'"\r\n\r\nx\r\n--limit--\r\n'
    )  # fmt: skip
    answer = studio.http.post(
        "/api/files",
        content=body,
        headers={"content-type": f"multipart/form-data; boundary={boundary}"},
    )
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert sorted(studio.home.rglob("*")) == before
    assert not Path(OUTSIDE).exists()


@pytest.mark.parametrize(
    "options",
    [
        {"json": {"file": {"path": "/etc/passwd"}}},
        {"json": {"files": {"x": {"path": "/etc/passwd"}}}},
        {"data": {"file": "words"}},
        {"files": {"file": (None, b"words")}},
        {"files": {"other": ("a.txt", b"x")}},
        {"files": [("file", ("a.txt", b"x")), ("file", ("b.txt", b"y"))]},
        {"files": {"file": ("a.txt", b"x")}, "data": {"path": "/etc/passwd"}},
        {"files": {"file": ("", b"x")}},
        {"content": b""},
        {"content": b"--x", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        {"content": b"--x", "headers": {"content-type": "multipart/form-data"}},
        {"content": b"x", "headers": {
            "content-type": f"multipart/form-data; boundary={'b' * 70_000}"}},
    ],
)  # fmt: skip
def test_what_is_not_one_file_is_refused(studio: InProcess, options: dict[str, Any]) -> None:
    """R17: a JSON body that poses as an upload is none."""
    answer = studio.http.post("/api/files", **options)
    assert answer.status_code in (400, 413, 422, 431), answer.text
    assert b"root:" not in answer.content


def test_a_file_of_25_mb_is_taken_and_one_more_byte_is_not(own_studio: InProcess) -> None:
    assert send(own_studio, "a.bin", bytes(25 * MB)).status_code == 201
    refused = send(own_studio, "a.bin", bytes(25 * MB + 1))
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["loc"] == ["file"]
    assert len(list((own_studio.home / "uploads").iterdir())) == 1


def _memory(process: int) -> int:
    """Resident bytes of a process."""
    line = next(x for x in Path(f"/proc/{process}/status").read_text().splitlines() if "VmRSS" in x)
    return int(line.split()[1]) * 1024


HEAD = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n'


@pytest.mark.parametrize("declares", [True, False])
@pytest.mark.parametrize("authorised", [True, False])
def test_a_flood_is_refused_early_and_costs_no_memory(
    launch: Launch, *, declares: bool, authorised: bool
) -> None:
    """R19: 1 GB as one field of text, with its length said before or in chunks."""
    studio = launch()
    before = _memory(studio.process.pid)
    parts = urlsplit(studio.url)
    length = "Content-Length: 1000000000" if declares else "Transfer-Encoding: chunked"
    lines = ["POST /api/files HTTP/1.1", f"Host: {parts.netloc}", length,
             "Content-Type: multipart/form-data; boundary=x"]  # fmt: skip
    lines += [BEARER] if authorised else []
    begun = time.monotonic()
    answer = b""
    with closing(socket.create_connection((parts.hostname, parts.port), timeout=10)) as wire:
        wire.sendall("\r\n".join([*lines, "", ""]).encode())
        piece = HEAD + b"y" * (MB - len(HEAD))
        try:
            for _ in range(300):
                wire.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if not declares else piece)
                piece = b"y" * MB
        except OSError:
            pass  # it has hung up
        try:
            while more := wire.recv(65536):
                answer += more
                if b"\r\n\r\n" in answer:
                    break
        except OSError:
            pass
    assert time.monotonic() - begun < 5
    assert _memory(studio.process.pid) - before < 200 * MB
    if answer:
        status = int(answer.split(None, 2)[1])
        assert status in ((413, 400, 422) if authorised else (401,))
    assert studio.get("health") == {"status": "ok"}


def test_other_routes_take_no_more_than_before(studio: InProcess) -> None:
    for path in ("/api/agents", "/api/sessions", "/agents/new"):
        answer = studio.http.post(path, files={"file": ("a.bin", bytes(5 * MB))})
        assert answer.status_code == 413, path
    page = studio.http.post("/", data={"message": "x" * (5 * MB)})
    assert page.status_code == 413


def test_only_so_much_waits_to_be_used(own_studio: InProcess) -> None:
    from studio.store import uploads

    services = own_studio.app.state.services
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uploads, "MAX_WAITING", 10)
        sent(own_studio, "a.csv", b"12345678")
        problem = send(own_studio, "b.csv", b"12345678").json()
    assert problem["errors"][0]["code"] == "too_many"
    assert len(list((services.settings.home / "uploads").iterdir())) == 1


def test_without_credentials_nothing_is_taken(studio: InProcess) -> None:
    with httpx2.Client(base_url=studio.url, trust_env=False) as visitor:
        answer = visitor.post("/api/files", files={"file": ("a.txt", b"x")})
    assert answer.status_code == 401
