"""What a model, a person or a definition says is shown as it is: it never becomes markup."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.conftest import StudioProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
ATTACKS = [
    "<script>window.__x = 1</script>",
    '<img src=x onerror="window.__x = 1">',
    '<svg onload="window.__x = 1"></svg>',
    "[click](javascript:window.__x=1)",
    '"><b onmouseover="window.__x=1">x</b>',
    "</textarea><script>window.__x = 1</script>",
    "{{7+7}} {% for %} {0.x} ${7+7}",
    '<div hx-get="/logout" hx-trigger="load">x</div>',
    '<hx-partial hx-target="body" hx-swap="innerHTML">gone</hx-partial>',
    "![x](http://192.0.2.1/?secret)",
    "```html\n<script>window.__x = 1</script>\n```",
    "$\\text{<img src=x onerror=window.__x=1>}$",
]


def test_nothing_that_was_said_runs(
    launch: Callable[..., StudioProcess], browse: Callable[..., Page]
) -> None:
    """Live, streamed in pieces, and after a reload; the context fails on requests elsewhere."""
    studio = launch()
    replies = [f"{attack} end{i}" for i, attack in enumerate(ATTACKS)]
    model = studio.scripted(*replies, word_delay=0.01)
    agent = studio.assistant(
        model, system_message=ATTACKS[5], description="".join(ATTACKS[:3])[:900]
    )
    opener = studio.stand_in(default_auto_reply=ATTACKS[1])
    workflow = studio.create(
        "workflows", kind="two_agent", initiator=opener, recipient=agent,
        max_turns=len(ATTACKS), description=ATTACKS[0],
    )["id"]  # fmt: skip
    page = browse(studio)
    session = studio.start(workflow, ATTACKS[0], pace="full")
    page.goto(f"{studio.url}/sessions/{session}")
    page.wait_for_selector("#bar .pill[data-status=done]")
    for path in (f"sessions/{session}", f"sessions/{session}/playback", f"agents/{agent}",
                 f"workflows/{workflow}", f"workflows/{workflow}/start", "agents", "sessions",
                 f"sessions/{session}/definition"):  # fmt: skip
        assert page.evaluate("window.__x") is None, path
        page.goto(f"{studio.url}/{path}")
    page.goto(f"{studio.url}/sessions/{session}")
    text = page.inner_text("#turns")
    for attack in (ATTACKS[0], ATTACKS[1], "{{7+7}} {% for %} {0.x}", "${7+7}", ATTACKS[8]):
        assert attack in text
    assert page.locator("#turns img, #turns script, #turns iframe").count() == 0
    assert "end11" in text
