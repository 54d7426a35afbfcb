"""Every page, in both themes and at both widths: accessible, without errors, at home."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import PHONE, WIDE
from tests.conftest import StudioProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
CODE = "Here:\n\n```python\nprint('hello')  # a comment\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |"


class Furnished(StudioProcess):
    """A studio that has one of everything, so that no page is only its empty state."""

    def furnish(self) -> dict[str, str]:
        models = [self.scripted(CODE, f"Second turn of {n}.", "x", "y") for n in range(2)]
        agents = [self.assistant(m, description="Says what the script says") for m in models]
        person = self.person()
        skill = self.create(
            "skills", source='def add(a: int) -> int:\n    """Add."""\n    return a'
        )
        group = self.create(
            "workflows", kind="group_chat", initiator=agents[0], agents=agents, max_round=4,
            speaker_selection_method="round_robin",
            allowed_or_disallowed_speaker_transitions={agents[0]: [agents[1]], agents[1]: agents},
        )["id"]  # fmt: skip
        asking = self.create("workflows", kind="two_agent", initiator=person, recipient=agents[0])[
            "id"
        ]
        broken = self.create("models", provider="openai", model="gpt-4.1-mini")["id"]
        done, waiting = self.start(group), self.start(asking)
        self.wait(done)
        self.wait(waiting, "waiting")
        return {
            "done": done, "waiting": waiting, "group": group, "agent": agents[0],
            "skill": skill["id"], "model": models[0], "broken": broken,
        }  # fmt: skip


@pytest.fixture(scope="module")
def furnished(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Furnished, dict[str, str]]]:
    studio = Furnished(tmp_path_factory.mktemp("pages") / "home")
    yield studio, studio.furnish()
    studio.kill()


PATHS = [
    "/", "/welcome", "/sessions", "/sessions?q=nothing+like+this", "/sessions/{done}",
    "/sessions/{waiting}", "/sessions/{done}/playback", "/sessions/{done}/definition",
    "/sessions/{done}/again", "/workflows", "/workflows/new", "/workflows/{group}",
    "/workflows/{group}/start", "/workflows/{group}/revisions", "/workflows/{group}/yaml",
    "/agents", "/agents?q=nothing", "/agents/new", "/agents/{agent}", "/models", "/models/new",
    "/models/new?provider=scripted", "/models/{model}", "/models/{broken}", "/skills",
    "/skills/new", "/skills/{skill}", "/settings", "/status", "/no/such/page",
]  # fmt: skip


def violations(page: Page) -> list[str]:
    """What axe finds; the script goes in by evaluation, which the page's CSP allows."""
    page.evaluate(AXE)
    found: Any = page.evaluate(
        """async () => {
          for (const one of document.getAnimations())  // colours on their way are none of the theme
            if (one.effect.getTiming().iterations < Infinity) one.finish();
          return (await axe.run(document)).violations;
        }"""
    )
    return [f"{v['id']}: {[n['html'][:160] for n in v['nodes'][:3]]}" for v in found]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_every_page_is_accessible(
    furnished: tuple[Furnished, dict[str, str]],
    browse: Callable[..., Page],
    theme: str,
    size: dict[str, int],
) -> None:
    studio, ids = furnished
    page = browse(studio, theme, size)
    bad = {}
    for path in PATHS:
        page.goto(studio.url + path.format(**ids))
        page.wait_for_load_state("load")
        if found := violations(page):
            bad[path] = found
        overflow = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if overflow > 0:
            bad[f"{path} is wider than the window"] = [str(overflow)]
    assert bad == {}


def test_axe_is_known_to_fire(
    furnished: tuple[Furnished, dict[str, str]], browse: Callable[..., Page]
) -> None:
    studio, _ = furnished
    page = browse(studio)
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=\"data:,\">')")
    assert any(v.startswith("image-alt") for v in violations(page))


def test_field_errors_stand_at_their_fields(
    furnished: tuple[Furnished, dict[str, str]], browse: Callable[..., Page]
) -> None:
    studio, _ = furnished
    page = browse(studio)
    page.goto(f"{studio.url}/agents/new")
    page.get_by_label("Name", exact=True).fill("The Critic")
    page.get_by_label("System message").fill("You check.")
    page.get_by_role("button", name="Create agent").click()
    field = page.get_by_label("Name", exact=True)
    expect(field).to_have_attribute("aria-invalid", "true")
    described = field.get_attribute("aria-describedby")
    assert "No spaces" in page.locator(f"[id='{described}']").inner_text()
    assert page.get_by_label("System message").input_value() == "You check."


def test_delete_can_be_undone_and_used_things_stay(
    furnished: tuple[Furnished, dict[str, str]], browse: Callable[..., Page]
) -> None:
    studio, ids = furnished
    made = studio.assistant(name="Leaver")
    page = browse(studio)
    page.goto(f"{studio.url}/agents/{made}")
    page.get_by_label("More actions").click()
    page.get_by_role("button", name="Delete agent").click()
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("Restored.", exact=True).wait_for()
    assert studio.get(f"agents/{made}")["name"] == "Leaver"
    page.goto(f"{studio.url}/agents/{ids['agent']}")
    page.get_by_label("More actions").click()
    page.get_by_role("button", name="Delete agent").click()
    page.get_by_text("It cannot be deleted: it is used by").wait_for()


def test_typing_is_kept_as_a_draft(
    furnished: tuple[Furnished, dict[str, str]], browse: Callable[..., Page]
) -> None:
    studio, _ = furnished
    made = studio.assistant()
    page = browse(studio)
    page.goto(f"{studio.url}/agents/{made}")
    with page.expect_response(re.compile("autosave")):
        page.get_by_label("System message").fill("A better rule.")
    page.reload()
    page.get_by_text("This is a draft").wait_for()
    assert page.get_by_label("System message").input_value() == "A better rule."
    assert studio.get(f"agents/{made}")["revision"] == 1
    page.get_by_role("button", name="Save revision 2").click()
    page.get_by_text("Saved.").wait_for()
    saved = studio.get(f"agents/{made}")
    assert (saved["revision"], saved["has_draft"]) == (2, False)
    assert saved["system_message"] == "A better rule."


@pytest.mark.parametrize("late", ["hx-sse", "app"])
def test_the_stream_begins_whichever_script_is_late(
    furnished: tuple[Furnished, dict[str, str]], browse: Callable[..., Page], late: str
) -> None:
    """Only the request is waited for: a page with routes gets streamed answers late."""
    studio, ids = furnished
    page = browse(studio)

    def hold(route: Route) -> None:
        page.wait_for_timeout(700)
        route.continue_()

    page.route(re.compile(rf"/{late}[.\w]*\.js"), hold)
    with page.expect_request(re.compile(r"/stream\?after=")):
        page.goto(f"{studio.url}/sessions/{ids['waiting']}", wait_until="commit")


def test_playback_steps_scrubs_and_plays(
    furnished: tuple[Furnished, dict[str, str]], browse: Callable[..., Page]
) -> None:
    studio, ids = furnished
    page = browse(studio)
    page.goto(f"{studio.url}/sessions/{ids['done']}/playback")
    shown = page.locator("#turns > .turn:visible")
    assert shown.count() == 4
    page.get_by_role("button", name="Turn before").click()
    assert shown.count() == 3
    slider = page.get_by_role("slider", name="Turn")
    slider.press("Home")
    assert shown.count() == 1
    page.get_by_role("button", name="4×").click()
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function(
        "() => document.querySelector('.track').getAttribute('aria-valuenow') === '4'"
    )
    slider.press("ArrowLeft")
    assert slider.get_attribute("aria-valuenow") == "3"
    page.get_by_role("button", name="Instant").click()
    assert shown.count() == 4


def test_palette_reaches_everything_by_keyboard(
    furnished: tuple[Furnished, dict[str, str]], browse: Callable[..., Page]
) -> None:
    studio, ids = furnished
    name = studio.get(f"agents/{ids['agent']}")["name"]
    page = browse(studio)
    page.keyboard.press("Control+k")
    page.keyboard.type(name)
    page.keyboard.press("Enter")  # at once: the list may still be that of a shorter word
    page.wait_for_url(re.compile(f"/agents/{ids['agent']}"))


def test_boxes_are_looked_at_again_with_scripts_and_without(
    furnished: tuple[Furnished, dict[str, str]], browse: Callable[..., Page]
) -> None:
    studio, _ = furnished
    page = browse(studio)
    page.get_by_role("link", name="Status").click()
    page.wait_for_url(f"{studio.url}/status")
    moment = page.locator("#boxes time")
    before = moment.get_attribute("datetime")
    again = page.get_by_role("button", name="Look again")
    again.click()
    page.wait_for_function(
        """before => {
            const moment = document.querySelector("#boxes time");
            return moment && moment.dateTime !== before;
        }""",
        arg=before,
    )
    assert page.locator("#boxes [role=status]", has_text="canary").count() == 0
    assert again.evaluate("button => button === document.activeElement")

    plain = browse(studio, java_script_enabled=False)
    plain.goto(f"{studio.url}/status")
    before = plain.locator("#boxes time").get_attribute("datetime")
    plain.get_by_role("button", name="Look again").click()
    plain.wait_for_url(f"{studio.url}/status?toast=looked")
    assert plain.locator("#boxes time").get_attribute("datetime") != before
