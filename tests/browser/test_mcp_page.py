"""An MCP server is made a skill by clicking: listed, chosen, tested; what it says stays text."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, WIDE
from tests.browser.test_pages import violations
from tests.conftest import InProcess
from tests.runner.mcp_places import http_server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
HOSTILE = '"><img src=x onerror="window.__x=1"><script>window.__x=1</script>' + " long" * 300


@pytest.mark.parametrize(("theme", "size"), [("light", WIDE), ("dark", PHONE)])
def test_a_server_is_listed_chosen_and_tested(
    studio: InProcess, browse: Callable[..., Page], theme: str, size: dict[str, int]
) -> None:
    page = browse(studio, theme=theme, size=size)
    with http_server(words=HOSTILE) as server:
        page.goto(f"{studio.url}/skills/new")
        page.get_by_role("link", name="MCP server").click()
        page.get_by_label("Name", exact=True).fill(f"sums {theme}")
        expect(page.get_by_label("Command", exact=True)).to_be_visible()
        page.get_by_role("radio", name="at an address").check()
        expect(page.get_by_label("Command", exact=True)).to_be_hidden()
        page.get_by_label("Address", exact=True).fill(server.url)
        assert violations(page) == []
        page.get_by_role("button", name="Create skill").click()
        page.get_by_role("button", name="Save and list tools").click()
        expect(page.locator(".offers > li")).to_have_count(4)
        expect(page.locator(".offers")).to_contain_text("<script>window.__x=1</script>")
        assert page.evaluate("window.__x") is None
        page.get_by_role("checkbox", name="add").check()
        assert violations(page) == []
        page.locator("#save").click()
        page.get_by_text("Saved.", exact=True).wait_for()
        page.locator("#arg-a").fill("1")
        page.locator("#arg-b").fill("2")
        page.locator("[data-test]").click()
        expect(page.locator("#tests > li").first).to_contain_text("Passed")
        width = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        assert page.evaluate(width)
    page.get_by_role("button", name="List again").click()
    expect(page.locator("#tools .callout")).to_contain_text("There is no list.")
    expect(page.get_by_role("checkbox", name="add")).to_be_checked()
    assert violations(page) == []
