"""Files in a real browser: seen, saved, given; and what programs put into them runs nothing."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PHONE, WIDE
from tests.browser.test_pages import violations
from tests.conftest import InProcess
from tests.web.made_files import Maker, png

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
SCRIPT = "document.title = parent.document.title = 'HACKED'; fetch('/api/sessions')"
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 100" onload="alert(1)">'
    f'<script>{SCRIPT}</script><circle cx="60" cy="50" r="40"/></svg>'
)
HTML = f"<!doctype html><h1>Weekly report</h1><script>{SCRIPT}</script>"
ESCAPES = (
    f"{HTML}<img src=http://192.0.2.1/pixel><link rel=stylesheet href=http://192.0.2.1/css>"
    "<meta http-equiv=refresh content='0;url=http://192.0.2.1/away'>"
    "<iframe src=http://192.0.2.1/frame></iframe><a href=http://192.0.2.1/link>link</a>"
    "<form action=http://192.0.2.1/form><button>send</button></form>"
)
TABLE = "title,year\n" + "".join(f'"Paper {i}, the long one",{2000 + i % 25}\n' for i in range(250))
FILES = {
    "plot.png": png(), "papers.csv": TABLE.encode(), "notes/findings.md": b"# Findings\n\n- **a**",
    "report.html": HTML.encode(), "circle.svg": SVG.encode(), "data.json": b'{"a":[1,2]}',
    "find.py": b"def f() -> int:\n    return 1\n", "model.bin": bytes(5000),
}  # fmt: skip


@pytest.fixture
def made(own_studio: InProcess) -> Maker:
    maker = Maker(own_studio)
    maker.run({"papers.csv": b"title,year\nFirst,2024\n"})
    maker.run(FILES)
    return maker


def ids(made: Maker) -> dict[str, str]:
    items = made.studio.get(f"sessions/{made.id}/artifacts")["items"]
    return {item["name"]: item["id"] for item in reversed(items)}


def artifacts_tab(page: Page, made: Maker) -> None:
    page.goto(f"{made.studio.url}/sessions/{made.id}")
    page.get_by_role("tab", name="Artifacts").click()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_files_and_previews_are_accessible(
    made: Maker, browse: Callable[..., Page], theme: str, size: dict[str, int]
) -> None:
    page = browse(made.studio, theme, size)
    bad = {}

    def look(where: str) -> None:
        if found := violations(page):
            bad[where] = found
        width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        if page.evaluate(width) > 0:
            bad[f"{where} is wider than the window"] = []

    artifacts_tab(page, made)
    page.get_by_text("2 versions").click()
    look("tab")
    for name, one in ids(made).items():
        if name in ("report.html", "circle.svg"):  # their scripts are told of in the console
            continue
        page.goto(f"{made.studio.url}/sessions/{made.id}/artifacts/{one}")
        page.wait_for_load_state("load")
        look(name)
    assert bad == {}


def test_pictures_stand_in_the_turn_and_lead_to_the_file(
    made: Maker, browse: Callable[..., Page]
) -> None:
    page = browse(made.studio)
    page.goto(f"{made.studio.url}/sessions/{made.id}")
    picture = page.locator(".turn figure.artifact img[alt='plot.png']")
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_js_property("naturalWidth", 320)
    page.get_by_role("link", name="plot.png").first.click()
    expect(page.locator(".preview-image img")).to_be_visible()
    page.get_by_role("link", name="turn 4").click()
    page.wait_for_url(f"**/sessions/{made.id}#turn-4")


def test_a_table_is_shown_as_one_and_versions_lead_to_each_other(
    made: Maker, browse: Callable[..., Page]
) -> None:
    page = browse(made.studio)
    artifacts_tab(page, made)
    page.locator(".file").get_by_role("link", name="papers.csv").click()
    expect(page.locator("tbody tr")).to_have_count(200)
    expect(page.get_by_text("Only the first 200 rows are shown.")).to_be_visible()
    expect(page.get_by_text("Version 2 of 2")).to_be_visible()
    older = page.get_by_role("link", name="Version 1")
    older.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Version 1 of 2")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_text(["First2024"])


def test_markdown_and_json_are_rendered(made: Maker, browse: Callable[..., Page]) -> None:
    page, known = browse(made.studio), ids(made)
    page.goto(f"{made.studio.url}/sessions/{made.id}/artifacts/{known['notes/findings.md']}")
    expect(page.locator("article.prose strong")).to_have_text("a")
    page.goto(f"{made.studio.url}/sessions/{made.id}/artifacts/{known['data.json']}")
    expect(page.locator(".prose code")).to_contain_text('{\n  "a": [\n    1,')


def test_downloads_are_intact(made: Maker, browse: Callable[..., Page], tmp_path: Path) -> None:
    page, known = browse(made.studio), ids(made)
    for name in ("plot.png", "report.html", "model.bin"):
        page.goto(f"{made.studio.url}/sessions/{made.id}/artifacts/{known[name]}")
        with page.expect_download() as saving:
            page.get_by_role("link", name="Download").click()
        assert saving.value.suggested_filename == name
        saving.value.save_as(tmp_path / name)
        found = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        assert found == hashlib.sha256(FILES[name]).hexdigest()
    artifacts_tab(page, made)
    with page.expect_download() as saving:
        page.get_by_role("link", name="Download all").click()
    saving.value.save_as(tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == FILES


def test_nothing_in_a_file_runs_or_reaches_out(made: Maker, chromium: Browser) -> None:
    """R15 and R16: a page and a picture with script, in their previews and opened raw."""
    made.run({"escapes.html": ESCAPES.encode()})
    studio, known = made.studio, ids(made)
    context = chromium.new_context()
    away: list[str] = []
    called: list[str] = []
    context.on("request", lambda r: away.append(r.url) if "192.0.2.1" in r.url else None)
    context.on("request", lambda r: called.append(r.url) if r.url.endswith("/sessions") else None)
    reached: list[str] = []
    context.on("requestfinished", lambda r: reached.append(r.url) if "192.0.2.1" in r.url else None)
    page = context.new_page()
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    page.goto(studio.login)
    for name in ("report.html", "escapes.html", "circle.svg"):
        base = f"{studio.url}/sessions/{made.id}/artifacts/{known[name]}"
        page.goto(base)
        page.wait_for_load_state("networkidle")
        assert "HACKED" not in page.title()
        if name != "circle.svg":
            frame = page.frames[1]
            assert frame.url == f"{base}/page"
            assert frame.locator("h1").inner_text() == "Weekly report"
            assert frame.evaluate("document.title") != "HACKED"
    raw = page.goto(f"{studio.url}/sessions/{made.id}/artifacts/{known['circle.svg']}/raw")
    assert raw is not None
    assert page.evaluate("window.origin") == "null"
    assert (dialogs, called, reached) == ([], [], [])
    context.close()


def test_files_appear_while_the_page_is_open(
    own_studio: InProcess, browse: Callable[..., Page]
) -> None:
    maker = Maker(own_studio)
    page = browse(own_studio)
    artifacts_tab(page, maker)
    expect(page.get_by_text("Files that code and skills make stand here")).to_be_visible()
    maker.run({"plot.png": png(), "a.csv": b"a,b\n1,2\n"})
    expect(page.get_by_role("tab", name="Artifacts , 2 files")).to_be_visible()
    expect(page.locator("#pane-artifacts figure.artifact")).to_be_visible()
    expect(page.locator(".turn .made-file")).to_contain_text("a.csv")
    maker.run({"a.csv": b"a,b\n1,2\n3,4\n"})
    maker.end()
    expect(page.get_by_text("2 versions")).to_be_visible()


def test_files_are_attached_dropped_and_removed(
    own_studio: InProcess, browse: Callable[..., Page], tmp_path: Path
) -> None:
    team = own_studio.pair(own_studio.scripted("Thanks.", "Thanks again."), max_turns=1)
    (tmp_path / "data.csv").write_text("a,b\n1,2\n")
    (tmp_path / "wrong.txt").write_text("wrong")
    page = browse(own_studio)
    page.goto(f"{own_studio.url}/workflows/{team}/start")
    page.get_by_label("Attach files").set_input_files(
        [tmp_path / "data.csv", tmp_path / "wrong.txt"]
    )
    expect(page.locator(".attached li")).to_have_count(2)
    page.get_by_role("button", name="Remove wrong.txt").click()
    _drop(page, "dropped.txt", "from outside")
    expect(page.locator(".attached li")).to_have_count(2)
    page.get_by_label("Task").fill("Look at these.")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/sessions/*")
    session = page.url.rpartition("/")[2]
    own_studio.wait(session)
    folder = own_studio.app.state.services.runner.files.work_dir(session)
    assert {p.name: p.read_text() for p in folder.iterdir()} == {
        "data.csv": "a,b\n1,2\n", "dropped.txt": "from outside",
    }  # fmt: skip
    page.reload()
    page.get_by_label("Attach files").set_input_files(tmp_path / "data.csv")
    page.get_by_label("Another message").fill("And again.")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".turn").filter(has_text="Thanks again.")).to_be_visible()
    assert (folder / "data-2.csv").exists()


def _drop(page: Page, name: str, content: str) -> None:
    """A file let go over the form, as from a file manager."""
    page.evaluate(
        """([name, content]) => {
          const data = new DataTransfer();
          data.items.add(new File([content], name, { type: "text/plain" }));
          const form = document.querySelector("form.ask");
          const given = { dataTransfer: data, bubbles: true, cancelable: true };
          for (const type of ["dragover", "drop"]) form.dispatchEvent(new DragEvent(type, given));
        }""",
        [name, content],
    )


def test_a_file_that_is_refused_says_why(
    own_studio: InProcess, browse: Callable[..., Page], tmp_path: Path
) -> None:
    team = own_studio.pair(own_studio.scripted("Thanks."), max_turns=1)
    (tmp_path / ".hidden").write_text("x")
    page = browse(own_studio)
    page.goto(f"{own_studio.url}/workflows/{team}/start")
    page.get_by_label("Attach files").set_input_files(tmp_path / ".hidden")
    expect(page.locator("#toasts")).to_contain_text("hidden in the working folder")
    expect(page.locator(".attached li")).to_have_count(0)


def test_files_go_with_the_form_where_there_is_no_script(
    own_studio: InProcess, browse: Callable[..., Page], tmp_path: Path
) -> None:
    team = own_studio.pair(own_studio.scripted("Thanks."), max_turns=1)
    (tmp_path / "data.csv").write_text("a,b\n")
    page = browse(own_studio, java_script_enabled=False)
    page.goto(f"{own_studio.url}/workflows/{team}/start")
    field = page.locator("input[type=file]")
    box = field.bounding_box()
    assert box is not None
    assert box["width"] > 50  # to be seen: nothing else would say what was chosen
    field.set_input_files(tmp_path / "data.csv")
    page.get_by_label("Task").fill("Look.")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/sessions/*")
    session = page.url.rpartition("/")[2]
    folder = own_studio.app.state.services.runner.files.work_dir(session)
    assert (folder / "data.csv").read_text() == "a,b\n"
