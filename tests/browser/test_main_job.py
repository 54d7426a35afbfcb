"""The main job, end to end: forms, a live session on the real small model, a reload, a crash."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

import tests.conftest
from studio.web.markdown import to_html
from tests.builders import Api, until
from tests.conftest import StudioProcess

pytestmark = [
    pytest.mark.browser,
    pytest.mark.model,
    pytest.mark.timeout(900, func_only=True),  # fetching the model takes as long as it takes
]
SPOKEN = 400_000  # ms for a few turns of the real model: half a minute each on a busy machine
AGENTS = {
    "Poet": "You write short poems about the sea. Answer with eight lines.",
    "Sailor": "You tell long stories about ships and storms.",
    "Cook": "You describe how to cook fish, in many steps.",
}


def words(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def rendered(content: str) -> str:
    """The words of a message as a page shows them."""
    markup = re.sub(r"<li>", " ", to_html(content))
    return words(html.unescape(re.sub(r"<[^>]+>", " ", markup)))


def create_model(page: Page, url: str) -> None:
    page.goto(f"{url}/models/new?provider=local")
    page.get_by_label("Name", exact=True).fill("tiny")
    page.get_by_role("button", name="Create model").click()
    page.wait_for_url(re.compile(r"/models/\w{20}"))


def create_agent(page: Page, url: str, name: str, system: str) -> None:
    page.goto(f"{url}/agents/new")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("System message").fill(system)
    page.get_by_label("Model", exact=True).select_option(label="tiny")
    page.get_by_text("Sampling").click()
    page.get_by_label("Tokens at most").fill("160")
    page.get_by_role("button", name="Create agent").click()
    page.wait_for_url(re.compile(r"/agents/\w{20}"))


def create_group(page: Page, url: str) -> None:
    page.goto(f"{url}/workflows/new")
    page.get_by_label("Name", exact=True).fill("Harbour")
    for number, name in enumerate(AGENTS):
        page.locator("[data-member]").nth(number).select_option(label=name)
    page.get_by_label("Initiator").select_option(label="Poet")
    page.get_by_label("Messages at most").fill("6")
    page.get_by_role("button", name="Create workflow").click()
    page.wait_for_url(re.compile(r"/workflows/\w{20}"))


def wait_in_mid_turn(page: Page, turn: int) -> None:
    """Waits until this turn or a later one is being written and some of it is on the page."""
    page.wait_for_function(
        "n => [...document.querySelectorAll('#turns .streaming')].some("
        "t => t.closest('.turn').id.slice('turn-'.length) >= n && t.textContent.length > 12)",
        arg=turn,
        timeout=SPOKEN,
    )


def page_log(page: Page) -> list[tuple[str, str]]:
    """(agent, words) of every turn that the page shows."""
    turns: list[Any] = page.eval_on_selector_all(
        "#turns > .turn:not(.ask-turn)",
        "all => all.map(t => [t.dataset.agent, t.querySelector('.turn-body').innerText])",
    )
    return [(agent, words(text.replace("Copy", ""))) for agent, text in turns]


def test_forms_session_reload_and_crash(
    launch: Callable[..., StudioProcess],
    browse: Callable[..., Page],
    home_with_model: Path,
) -> None:
    studio = launch(home=home_with_model)
    port = studio.url.rsplit(":", 1)[1]
    page = browse(studio)
    create_model(page, studio.url)
    for name, system in AGENTS.items():
        create_agent(page, studio.url, name, system)
    create_group(page, studio.url)
    page.get_by_role("link", name="Start").click()
    page.get_by_label("Task").fill("Tell me about the sea")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(re.compile(r"/sessions/\w{20}"))
    session = page.url.rsplit("/", 1)[1]

    wait_in_mid_turn(page, 2)
    page.reload()
    page.wait_for_selector("#turn-2")
    wait_in_mid_turn(page, 3)
    studio.kill()
    again = launch("--port", port, home=home_with_model)

    page.wait_for_selector("#bar .pill[data-status=done]", timeout=SPOKEN)
    messages = again.messages(session)
    assert len(messages) == 6
    assert {m["agent"] for m in messages} == set(AGENTS)
    expected = [(m["agent"], rendered(m["content"])) for m in messages]
    until(lambda: page_log(page), lambda log: log == expected)  # its end is told before its text
    page.reload()
    assert page_log(page) == expected
    _check_log(again, session)


def _check_log(studio: Api, session: str) -> None:
    """Nothing lost, nothing twice: rows are numbered 1..n, and so are the turns."""
    rows = studio.events(session)
    assert [r["seq"] for r in rows] == list(range(1, len(rows) + 1))
    assert [r["turn"] for r in rows if r["kind"] == "message"] == [1, 2, 3, 4, 5, 6]
    assert 2 in [r["attempt"] for r in rows if r["kind"] == "turn_started"]


def test_first_minutes(
    launch: Callable[..., StudioProcess],
    browse: Callable[..., Page],
    home_with_model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From the first page to a person's answer in a team on the built-in model."""
    plain = tests.conftest.clean_environment
    with_samples = partial(plain, STUDIO_GALLERY="true")
    monkeypatch.setattr(tests.conftest, "clean_environment", with_samples)
    studio = launch(home=home_with_model)
    page = browse(studio, size={"width": 390, "height": 844})
    page.get_by_role("heading", name="What should your agents talk on?").wait_for()
    page.get_by_text("Scripted example: these replies were written by hand").wait_for()
    page.get_by_text("A street party needs three decisions").wait_for()
    page.get_by_role("button", name="Watch a team find names").click()
    page.goto(f"{studio.url}/workflows")
    page.get_by_role("link", name=re.compile("Name Studio with you")).click()
    page.get_by_label("Task").fill("a bakery for dogs")
    page.get_by_role("button", name="Start").click()
    page.get_by_text("Tiny model: fluent, often wrong").wait_for()
    page.get_by_role("heading", name="You speak as Critic").wait_for(timeout=SPOKEN)
    page.get_by_placeholder("Write as Critic").fill("2")
    page.get_by_role("button", name="Send").click()
    page.wait_for_selector("#bar .pill[data-status=done]", timeout=SPOKEN)
    session = page.url.rsplit("/", 1)[1]
    said = studio.messages(session)
    assert [m["agent"] for m in said] == ["You", "Namer", "Critic", "Copywriter", "Host"]
    second = said[1]["content"].splitlines()[1].removeprefix("2. ")
    assert said[3]["content"].startswith(f"{second}:")
