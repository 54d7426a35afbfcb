"""A skill is written in the editor, tried out through a form, and shows where it failed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.boxes import KINDS, needed, probe
from tests.browser.conftest import PHONE, WIDE
from tests.browser.test_pages import violations
from tests.conftest import InProcess, serving

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
SOURCE = '''def check(data: str, limit: int = 50, only: list[int] = []) -> dict:
    """Count the lines of a text.

    limit: stop after this many
    """
    lines = data.split("|")[:limit]
    print("counting")
    return {"lines": len(lines), "first": lines[0] or 1 / 0}
'''


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    kind = next((k for k in KINDS if probe(k).ready), KINDS[0])
    with serving(tmp_path_factory.mktemp("skill") / "home", boxes=needed(kind)) as api:
        yield api


def editor(page: Page) -> str:
    """What stands in the editor, and so in its field."""
    return str(page.locator("#source").evaluate("area => area.value"))


def test_from_an_empty_page_to_a_result(studio: InProcess, browse: Callable[..., Page]) -> None:
    page = browse(studio)
    page.goto(f"{studio.url}/skills/new")
    source = page.get_by_role("textbox", name="Python source")
    source.fill("def twice(n: int)")
    page.get_by_role("tab", name="Offered").click()
    page.locator("#schema").get_by_text("Line 1: expected ':'").wait_for()
    page.locator(".cm-lint-marker-error").wait_for()
    source.press("End")
    page.keyboard.type(" -> int:")
    page.locator("#schema").get_by_text("expected an indented block").wait_for()
    page.keyboard.press("Enter")
    page.keyboard.type("return 2 * n")  # the editor has moved in by itself
    page.locator("#schema").get_by_text("No docstring").wait_for()
    expect(page.locator(".cm-lint-marker-error")).to_have_count(0)
    expect(page.locator("#schema dd")).to_have_text("whole number, needed")
    assert editor(page) == "def twice(n: int) -> int:\n    return 2 * n"
    page.get_by_label("Name", exact=True).fill("doubling")
    page.keyboard.press("Control+s")
    page.get_by_text("Created.").wait_for()

    page.get_by_label("n * whole number").fill("21")
    page.get_by_role("button", name="Test", exact=True).click()
    page.locator("#tests").get_by_text("Passed").wait_for()
    expect(page.get_by_label("Result", exact=True)).to_have_text("42")

    page.get_by_role("textbox", name="Python source").fill(
        "def twice(n: int) -> int:\n    return 3 * n"
    )
    page.get_by_role("button", name="Save and test").click()
    expect(page.get_by_label("Result", exact=True).first).to_have_text("63")
    expect(page.get_by_label("Result", exact=True)).to_have_count(2)
    page.get_by_role("button", name="Test", exact=True).wait_for()
    page.get_by_role("button", name="Save revision 3").wait_for()
    page.reload()
    assert editor(page) == "def twice(n: int) -> int:\n    return 3 * n"
    expect(page.get_by_text("This is a draft")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_the_page_in_every_state_is_accessible(
    studio: InProcess, browse: Callable[..., Page], theme: str, size: dict[str, int]
) -> None:
    made = studio.create("skills", source=SOURCE, network={"hosts": ["a.example"]}, secrets=["A"])
    page = browse(studio, theme, size)
    page.goto(f"{studio.url}/skills/{made['id']}")
    test = page.get_by_role("button", name=re.compile("^(Save and test|Test)$"))

    def is_well() -> None:
        assert violations(page) == []
        assert page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        ) <= 0  # fmt: skip

    page.locator(".cm-content").wait_for()
    is_well()
    test.click()
    page.get_by_text("The secret A is not set").wait_for()
    is_well()
    page.get_by_role("tab", name="Permissions").click()
    page.get_by_label("Secrets").fill("")
    page.get_by_role("radio", name="None").check()
    is_well()
    page.get_by_role("tab", name="Test").click()
    page.get_by_label("data").fill("a|b")
    page.get_by_label("only").fill("[1, 'x']")
    test.click()
    page.get_by_text("This is not JSON").wait_for()
    is_well()
    page.get_by_label("only").fill("[1]")
    test.click()
    page.locator("#tests").get_by_text("Passed").wait_for()
    page.get_by_label("data").fill("|b")
    test.click()
    page.locator("#tests").get_by_text("Failed", exact=True).wait_for()
    page.get_by_role("link", name=re.compile("line 8")).click()
    assert page.evaluate("getSelection().toString().trim()").startswith("return {")
    is_well()
    for tab in ("Offered", "Used by 0"):
        page.get_by_role("tab", name=tab).click()
        is_well()


def test_tab_leaves_the_editor_and_typing_is_kept_as_a_draft(
    studio: InProcess, browse: Callable[..., Page]
) -> None:
    made = studio.create("skills", source=SOURCE)
    page = browse(studio)
    page.goto(f"{studio.url}/skills/{made['id']}")
    page.locator(".cm-content").click()
    page.keyboard.press("Control+Home")
    with page.expect_response(re.compile("autosave")):
        page.keyboard.insert_text("# mine\n")  # at once: half of it would be kept as well
    page.keyboard.press("Tab")
    assert not page.evaluate("document.activeElement.closest('.cm-editor')")
    page.reload()
    page.get_by_text("This is a draft").wait_for()
    assert editor(page).startswith("# mine\ndef check")
    page.get_by_role("button", name="Save and test").wait_for()
    page.get_by_role("button", name="Discard the draft").click()
    page.get_by_text("The draft is gone").wait_for()
    assert editor(page) == SOURCE.replace("\r", "")


def test_a_test_can_be_stopped(studio: InProcess, browse: Callable[..., Page]) -> None:
    source = "import time\ndef wait(seconds: float) -> None:\n    time.sleep(seconds)\n"
    made = studio.create("skills", source=source)
    page = browse(studio)
    page.goto(f"{studio.url}/skills/{made['id']}")
    page.get_by_label("seconds").fill("50")
    page.get_by_role("button", name="Test", exact=True).click()
    page.get_by_text(re.compile("Running for [1-9]")).wait_for()
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_label("seconds").fill("0")
    page.get_by_role("button", name="Test", exact=True).click()
    page.locator("#tests").get_by_text("Passed").wait_for()
    expect(page.locator("#tests > li")).to_have_count(1)


def test_packages_can_be_prepared_where_they_are_missed(
    studio: InProcess, browse: Callable[..., Page]
) -> None:
    made = studio.create("skills", source=SOURCE)
    page = browse(studio)
    page.goto(f"{studio.url}/skills/{made['id']}")
    page.get_by_role("tab", name="Permissions").click()
    page.get_by_label("Packages").fill("no-such-package-of-ours")
    page.get_by_role("tab", name="Test").click()
    page.get_by_role("button", name="Save and test").click()
    page.get_by_text("not on this machine yet: prepare it first").wait_for()
    page.get_by_role("button", name="Prepare").wait_for()


def test_everything_works_without_scripts(
    studio: InProcess, browse: Callable[..., Page], tmp_path: Path
) -> None:
    made = studio.create("skills", source=SOURCE)
    page = browse(studio, java_script_enabled=False)
    page.goto(f"{studio.url}/skills/{made['id']}")
    page.get_by_label("Python source").fill(SOURCE.replace("50", "1"))
    page.get_by_label("Before a call").select_option("never")
    page.get_by_label("data").fill("a|b")
    page.get_by_role("button", name="Save and test").click()
    assert '"lines": 1' in page.get_by_label("Result", exact=True).inner_text()
    after = studio.get(f"skills/{made['id']}")
    assert (after["revision"], after["approval"]) == (2, "never")


def test_other_pages_do_not_load_the_editor(studio: InProcess, browse: Callable[..., Page]) -> None:
    page = browse(studio)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in ("/", "/skills", "/agents/new"):
        page.goto(studio.url + path)
    assert not [url for url in asked if "codemirror" in url or "editor" in url]
