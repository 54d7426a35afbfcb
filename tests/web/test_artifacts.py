"""Files that sessions made, through the API and as pages: SECURITY R15, R17 and R18."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator

import httpx2
import pytest

from ..conftest import TOKEN, InProcess, serving
from .made_files import Maker, png
from .routes import raw

HOSTILE = {
    "a.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "a.html": b"<!doctype html><script>alert(1)</script><p>Text</p>",
    "a.xml": b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><script/></html>',
    "a.pdf": b"%PDF-1.7\n/JavaScript (app.alert(1))",
    "a.js": b"alert(1)",
    "a.xhtml": b'<html xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></html>',
}


@pytest.fixture(scope="module")
def made(studio: InProcess) -> Maker:
    """A picture and a table in one turn, the table again and hostile files in the next."""
    maker = Maker(studio)
    maker.run({"plot.png": png(), "out/papers.csv": b"title,year\nOne,2024\n"})
    maker.run({"out/papers.csv": b"title,year\nOne,2024\nTwo,2025\n", **HOSTILE})
    return maker


def _items(studio: InProcess, one: str) -> dict[str, dict[str, object]]:
    """The newest version of each name."""
    found: dict[str, dict[str, object]] = {}
    for item in studio.get(f"sessions/{one}/artifacts")["items"]:
        found.setdefault(str(item["name"]), item)
    return found


@pytest.fixture
def visitor(studio: InProcess) -> Iterator[httpx2.Client]:
    """A browser that is logged in."""
    with httpx2.Client(base_url=studio.url, trust_env=False, timeout=15) as client:
        assert client.post("/login", data={"token": TOKEN}).status_code == 303
        yield client


def test_the_list_has_every_version_newest_first(studio: InProcess, made: Maker) -> None:
    items = studio.get(f"sessions/{made.id}/artifacts")["items"]
    assert len(items) == 3 + len(HOSTILE)
    tables = [item for item in items if item["name"] == "out/papers.csv"]
    assert [item["version"] for item in tables] == [2, 1]
    first = tables[-1]
    assert first["turn"] == made.turn - 1
    assert first["agent"] == made.agent
    assert first["media_type"] == "text/csv"
    assert first["bytes"] == len(b"title,year\nOne,2024\n")
    assert first["sha256"] == hashlib.sha256(b"title,year\nOne,2024\n").hexdigest()


def test_a_session_without_files_has_an_empty_list(own_studio: InProcess) -> None:
    one = own_studio.start(own_studio.pair(own_studio.scripted("Hi", "Hi")))
    assert own_studio.get(f"sessions/{one}/artifacts") == {"items": [], "next": None}
    archive = own_studio.call("GET", f"sessions/{one}/artifacts", params={"format": "zip"})
    assert zipfile.ZipFile(io.BytesIO(archive.content)).namelist() == []


def test_each_version_comes_back_as_it_was(studio: InProcess, made: Maker) -> None:
    for item in studio.get(f"sessions/{made.id}/artifacts")["items"]:
        answer = studio.call("GET", f"sessions/{made.id}/artifacts/{item['id']}")
        assert hashlib.sha256(answer.content).hexdigest() == item["sha256"]
        assert len(answer.content) == item["bytes"]


def test_the_zip_has_the_last_version_of_every_file(studio: InProcess, made: Maker) -> None:
    answer = studio.call("GET", f"sessions/{made.id}/artifacts", params={"format": "zip"})
    assert answer.headers["content-type"] == "application/zip"
    assert f'filename="session-{made.id}-files.zip"' in answer.headers["content-disposition"]
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    assert sorted(archive.namelist()) == sorted(["plot.png", "out/papers.csv", *HOSTILE])
    assert archive.read("out/papers.csv").endswith(b"Two,2025\n")
    assert archive.read("plot.png") == png()


def test_names_in_the_zip_lead_nowhere(own_studio: InProcess) -> None:
    maker = Maker(own_studio)
    maker.run({"x\\..\\..\\up.txt": b"1", "C:\\root.txt": b"2", "A.txt": b"3", "a.txt": b"4",
               "sub/x... /x": b"5", 'a"b:c?': b"6"})  # fmt: skip
    answer = own_studio.call("GET", f"sessions/{maker.id}/artifacts", params={"format": "zip"})
    names = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    assert sorted(names) == sorted(
        ["x/up.txt", "C_/root.txt", "A.txt", "2/a.txt", "sub/x/x", "a_b_c_"]
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_program_made_is_handed_out_and_never_let_loose(
    studio: InProcess, made: Maker, visitor: httpx2.Client, name: str
) -> None:
    """R15: opened raw while logged in it can run nothing in our origin."""
    one = _items(studio, made.id)[name]["id"]
    paths = [f"/api/sessions/{made.id}/artifacts/{one}", f"/sessions/{made.id}/artifacts/{one}/raw"]
    if name in ("a.html", "a.xhtml"):
        paths.append(f"/sessions/{made.id}/artifacts/{one}/page")
    for path in paths:
        answer = visitor.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("sandbox; default-src 'none'"), path
        assert "allow-" not in policy
        assert "script-src" not in policy
        is_saved = answer.headers.get("content-disposition", "").startswith("attachment")
        assert is_saved or path.endswith(("/page", "/raw"))
        if path.endswith("/raw"):
            assert is_saved == (name != "a.svg")


def test_a_page_opened_by_itself_is_saved_not_shown(
    studio: InProcess, made: Maker, visitor: httpx2.Client
) -> None:
    one = _items(studio, made.id)["a.html"]["id"]
    path = f"/sessions/{made.id}/artifacts/{one}/page"
    alone = visitor.get(path, headers={"sec-fetch-dest": "document", "sec-fetch-site": "none"})
    assert alone.headers["content-disposition"].startswith("attachment")
    framed = visitor.get(
        path, headers={"sec-fetch-dest": "iframe", "sec-fetch-site": "same-origin"}
    )
    assert "content-disposition" not in framed.headers
    assert "frame-ancestors 'self'" in framed.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("plain.txt", "attachment; filename=\"plain.txt\"; filename*=UTF-8''plain.txt"),
        ("sub/ä \"q\".txt", "attachment; filename=\"_ _q_.txt\"; filename*=UTF-8''"
         "%C3%A4%20%22q%22.txt"),
        ("a\r\nset-cookie: x=1", "attachment; filename=\"a__set-cookie_ x_1\"; filename*=UTF-8''"
         "a%EF%BF%BD%EF%BF%BDset-cookie%3A%20x%3D1"),
        ("%", "attachment; filename=\"_\"; filename*=UTF-8''%25"),
    ],
)  # fmt: skip
def test_the_name_of_a_download_is_one_safe_line(
    own_studio: InProcess, name: str, header: str
) -> None:
    """As it stands in the log: names of programs are made fit for one line before that."""
    maker = Maker(own_studio)
    (kept,) = maker.run({f"a/{name}": b"x"}).files
    answer = own_studio.call("GET", f"sessions/{maker.id}/artifacts/{kept.id}")
    assert answer.headers["content-disposition"] == header


TRAVERSAL = [
    "../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e%2f%2e%2e%2fstudio.db",
    "%2e%2e", "..", "/etc/passwd", "%2fetc%2fpasswd", "..\\..\\studio.db", "..%5c..%5cstudio.db",
    "%00", "a%00b", "....//....//etc/passwd", "%252e%252e%252fetc%252fpasswd", "~", "x" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("given", TRAVERSAL)
def test_no_address_leads_out_of_the_folder(studio: InProcess, made: Maker, given: str) -> None:
    """R17: as the session and as the file, on every route, sent just as written."""
    for path in (
        f"/api/sessions/{made.id}/artifacts/{given}",
        f"/api/sessions/{given}/artifacts",
        f"/api/sessions/{given}/artifacts/x",
        f"/sessions/{made.id}/artifacts/{given}",
        f"/sessions/{made.id}/artifacts/{given}/raw",
        f"/sessions/{made.id}/artifacts/{given}/page",
        f"/api/files/{given}",
    ):
        lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {TOKEN}"]
        answer = raw(studio.url, lines)
        assert 400 <= answer.status < 500, (path, answer.status)
        for foreign in (b"root:", b"SQLite format"):
            assert foreign not in answer.body


def test_a_link_to_a_foreign_file_is_left_out(own_studio: InProcess) -> None:
    """R17: links to /etc/passwd, to the database and to another session's folder."""
    other, maker = Maker(own_studio), Maker(own_studio)
    other.run({"mine.txt": b"of the other"})
    files = own_studio.app.state.services.runner.files
    work = files.work_dir(maker.id)
    (work / "passwd").symlink_to("/etc/passwd")
    (work / "db").symlink_to(own_studio.home / "studio.db")
    (work / "other").symlink_to(files.work_dir(other.id))
    maker.run({"plain.txt": b"plain"})
    assert [*_items(own_studio, maker.id)] == ["plain.txt"]


def test_files_of_one_session_are_not_found_through_another(studio: InProcess, made: Maker) -> None:
    other = Maker(studio)
    one = _items(studio, made.id)["plot.png"]["id"]
    studio.refused("GET", f"sessions/{other.id}/artifacts/{one}", status=404)
    studio.refused("GET", f"sessions/nobody/artifacts/{one}", status=404)
    for path in ("", "/raw", "/page"):
        assert studio.http.get(f"/sessions/{other.id}/artifacts/{one}{path}").status_code == 404


def test_a_file_that_is_gone_is_said_not_a_fault_of_ours(own_studio: InProcess) -> None:
    maker = Maker(own_studio)
    (kept,) = maker.run({"a.txt": b"a"}).files
    own_studio.app.state.services.runner.files.artifact(maker.id, kept.id).unlink()
    for path in ("api/", ""):
        for end in ("", "/raw") if not path else ("",):
            answer = own_studio.http.get(f"/{path}sessions/{maker.id}/artifacts/{kept.id}{end}")
            assert answer.status_code == 404
    archive = own_studio.call("GET", f"sessions/{maker.id}/artifacts", params={"format": "zip"})
    assert zipfile.ZipFile(io.BytesIO(archive.content)).namelist() == []


def test_deleting_a_session_removes_its_files(own_studio: InProcess) -> None:
    maker = Maker(own_studio)
    maker.run({"a.txt": b"a"})
    assert own_studio.call("DELETE", f"sessions/{maker.id}").status_code == 204
    assert list(own_studio.home.rglob(f"*{maker.id}*")) == []


def test_a_start_removes_what_belongs_to_no_session(own_studio: InProcess) -> None:
    maker = Maker(own_studio)
    maker.run({"a.txt": b"a"})
    left = own_studio.home / "artifacts" / "0123456789abcdef0123"
    left.mkdir()
    (left / "x").write_text("nobody's")
    with serving(own_studio.home) as again:
        assert not left.exists()
        assert len(again.get(f"sessions/{maker.id}/artifacts")["items"]) == 1


def test_the_page_of_a_session_shows_its_files(studio: InProcess, made: Maker) -> None:
    page = studio.http.get(f"/sessions/{made.id}").text
    items = _items(studio, made.id)
    for item in items.values():
        assert f"/sessions/{made.id}/artifacts/{item['id']}" in page
    assert f'src="/sessions/{made.id}/artifacts/{items["plot.png"]["id"]}/raw"' in page
    assert "2 versions" in page
    assert "Download all," in page


@pytest.mark.parametrize("end", ["/playback", "/definition", ""])
def test_other_pages_of_a_session_with_files_work(studio: InProcess, made: Maker, end: str) -> None:
    assert studio.http.get(f"/sessions/{made.id}{end}").status_code == 200


def _look(studio: InProcess, maker: Maker, name: str, content: bytes) -> str:
    (kept,) = maker.run({name: content}).files
    answer = studio.http.get(f"/sessions/{maker.id}/artifacts/{kept.id}")
    assert answer.status_code == 200
    return answer.text


@pytest.fixture(scope="module")
def maker(studio: InProcess) -> Maker:
    return Maker(studio)


@pytest.mark.parametrize(
    ("name", "content", "shown"),
    [
        ("t.csv", b"a,b\n<b>1</b>,2\n", "<td>&lt;b&gt;1&lt;/b&gt;</td><td>2</td>"),
        ("t.tsv", b"a\tb\n1\t2\n", "<td>1</td><td>2</td>"),
        ("semi.csv", b"a;b\n1;2\n", "<td>1</td><td>2</td>"),
        ("uneven.csv", b"a\n1,2,3\n", "<td>1</td><td>2</td><td>3</td>"),
        ("n.md", b"# Title\n\n**bold** <script>x</script>", "<strong>bold</strong>"),
        ("j.json", b'{"b":1,"a":[1,2]}', '<span class="k">&quot;b&quot;</span>: '),
        ("broken.json", b'{"b":', "{"),
        ("p.py", b"def f():\n    return '<b>'\n", "&lt;b&gt;"),
        ("x.xml", b"<a>&amp;</a>", "&lt;"),
        ("plain.txt", b"one <two>\n", "one &lt;two&gt;"),
        ("old.txt", "größe".encode("latin-1"), "gr��e"),
        ("f.pdf", b"%PDF-1.4", "There is no preview for this kind of file"),
        ("b.bin", b"\x00\x01", "There is no preview for this kind of file"),
        ("empty.csv", b"", "<pre"),
        ("s.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "<img src="),
    ],
)
def test_a_preview_shows_what_is_in_a_file(
    studio: InProcess, maker: Maker, name: str, content: bytes, shown: str
) -> None:
    page = _look(studio, maker, name, content)
    assert shown in page
    assert "<script>x" not in page


def test_a_preview_of_a_page_is_a_frame_that_may_do_nothing(
    studio: InProcess, maker: Maker
) -> None:
    page = _look(studio, maker, "p.html", b"<script>alert(1)</script>hello")
    assert '<iframe class="preview-page" sandbox src="' in page
    assert "<script>alert" not in page


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("long.csv", b"n\n" + b"1\n" * 1000, "the first 200 rows"),
        ("wide.csv", b",".join(b"c" for _ in range(80)) + b"\n", "the first 50 of 80 columns"),
        ("long.txt", b"words " * 100_000, "the first 200 kB"),
        ("large.csv", b"a,b\n" + (b"x" * 100_000 + b",y\n") * 5, "Only"),
        ("huge_cell.csv", b'a\n"' + b"x" * 199_000 + b'"\n', "There"),
    ],
)  # fmt: skip
def test_a_preview_of_a_long_file_says_what_it_leaves_out(
    studio: InProcess, maker: Maker, name: str, content: bytes, words: str
) -> None:
    page = _look(studio, maker, name, content)
    assert len(page) < 1_500_000
    if words != "There":
        assert words in page


def test_versions_of_a_file_lead_to_each_other(studio: InProcess, made: Maker) -> None:
    items = studio.get(f"sessions/{made.id}/artifacts")["items"]
    new, old = (item["id"] for item in items if item["name"] == "out/papers.csv")
    page = studio.http.get(f"/sessions/{made.id}/artifacts/{old}").text
    assert "Version 1 of 2" in page
    assert f'href="/sessions/{made.id}/artifacts/{new}" aria-label="Version 2"' in page
