"""Conversations inside conversations on the page of a session, live and afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PHONE, WIDE
from tests.browser.test_pages import violations
from tests.builders import Json
from tests.conftest import StudioProcess
from tests.fake_openai import FakeOpenAI

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
FORM = {
    "type": "object",
    "properties": {
        "verdict": {"type": "string", "title": "Verdict", "enum": ["approve", "reject"]},
        "budget": {"type": "integer", "title": "Budget in EUR", "minimum": 0, "maximum": 5000},
        "urgent": {"type": "boolean", "title": "Urgent"},
        "note": {"type": "string", "title": "Note", "format": "textarea"},
    },
    "required": ["verdict", "budget"],
}


class Teams(StudioProcess):
    """A studio with workflows that hold others."""

    def talker(self, name: str, *replies: str, delay: float = 0.0, **fields: Any) -> str:
        return self.assistant(self.scripted(*replies, word_delay=delay), name=name, **fields)

    def asking(self, name: str, question: Json, **fields: Any) -> str:
        return self.person(name=name, question=question, **fields)

    def branches(self) -> str:
        """A form beside a group with a choice and a nested chat; one agent before, one after."""
        check = self.pair_of(self.talker("Checker", "The rules say yes."), 1, name="FactCheck")
        skeptic = self.talker(
            "Skeptic", "Never said.", nested=[{"workflow": check, "message": "Is that so?"}]
        )
        boss = self.asking(
            "Boss", {"form": "choice", "prompt": "Which slogan?", "choices": ["Afloat", "Neither"]}
        )
        desk = self.create(
            "workflows", kind="group_chat", name="Desk", initiator=boss, max_round=3,
            agents=[skeptic, boss], speaker_selection_method="round_robin",
        )["id"]  # fmt: skip
        ask = {"form": "fields", "prompt": "How much may it cost?", "schema": FORM}
        nodes = [
            {"id": "triage", "agent": self.talker("Triage", "Both, **at once**.")},
            {"id": "desk", "workflow": desk},
            {"id": "budget", "agent": self.asking("Treasurer", ask)},
            {"id": "write", "agent": self.talker("Author", "The end.")},
        ]
        ways = [("triage", "desk"), ("triage", "budget"), ("desk", "write"), ("budget", "write")]
        edges = [{"from": a, "to": b} for a, b in ways]
        made = self.create(
            "workflows", kind="graph", nodes=nodes, edges=edges, start="triage", end="write",
            context_variables={"budget": 0},
        )  # fmt: skip
        return str(made["id"])

    def open_questions(self, one: str, number: int) -> dict[str, str]:
        """Ids of questions by who is asked, once there are so many."""
        self.wait(one, "waiting")
        found = {q["agent"]: str(q["question"]) for q in self.session(one)["questions"]}
        assert len(found) == number
        return found


@pytest.fixture(scope="module")
def teams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Teams]:
    studio = Teams(tmp_path_factory.mktemp("threads") / "home")
    yield studio
    studio.kill()


@pytest.fixture(scope="module")
def branching(teams: Teams) -> str:
    return teams.branches()


def thread(page: Page, name: str) -> Locator:
    return (
        page.locator("details[data-thread]")
        .filter(has=page.locator(f".thread-name:text-is('{name}')"))
        .last
    )  # the innermost: those around it hold the name too


def said(page: Page) -> list[tuple[str, str, str]]:
    """(list that holds it, agent, words) of every turn, in the order of the page."""
    found: list[Any] = page.eval_on_selector_all(
        "#turns .turn[data-place]",
        "all => all.map(t => [t.parentElement.id, t.dataset.agent,"
        " t.querySelector('.turn-body')?.textContent.trim() ?? ''])",
    )
    return [(holder, agent, re.sub(r"\s+", " ", text)) for holder, agent, text in found]


def test_turns_stream_into_their_threads_and_a_reload_shows_the_same(
    teams: Teams, fake: FakeOpenAI, browse: Callable[..., Page]
) -> None:
    held = fake.endpoint("held", text="word " * 14)
    first = teams.pair_of(teams.talker("Quick", "One.", "Two."), 2, name="QuickPair")
    inner = teams.pair_of(teams.assistant(teams.model(held), name="Inner"), 2, name="InnerPair")
    outer = teams.create(
        "workflows", kind="sequential", name="Both",
        steps=[{"workflow": first}, {"workflow": inner, "message": "Again: {task}"}],
    )["id"]  # fmt: skip
    page = browse(teams)
    one = teams.start(outer)
    page.goto(f"{teams.url}/sessions/{one}")
    second = thread(page, "Step 2: InnerPair")
    expect(second.locator(".streaming")).to_contain_text("word word")
    expect(page.locator("#turns > li.turn")).to_have_count(0)
    expect(second.locator(".thread-state")).to_have_text("Live")
    held.release()
    page.wait_for_selector("#bar .pill[data-status=done]")
    expect(second.locator(".thread-facts")).to_contain_text("4 turns")
    expect(page.locator("#turns .streaming")).to_have_count(0)
    live = said(page)
    assert [holder for holder, _, _ in live] == ["t1-list"] * 4 + ["t2-list"] * 4
    page.reload()
    assert said(page) == live
    expect(page.locator("#pane-graph .stations li[data-state=done]")).to_have_count(2)


def test_what_the_reader_folded_stays_folded_while_it_goes_on(
    teams: Teams, branching: str, browse: Callable[..., Page]
) -> None:
    page = browse(teams)
    one = teams.start(branching)
    asked = teams.open_questions(one, 2)
    page.goto(f"{teams.url}/sessions/{one}")
    desk = thread(page, "Desk")
    nested = thread(page, "Nested: FactCheck")
    expect(nested).not_to_have_attribute("open", "")
    expect(desk).to_have_attribute("open", "")
    desk.locator("> summary").click()
    nested.evaluate("fold => fold.querySelector('summary').click()")
    teams.verb(one, "answer", {"question": asked["Boss"], "text": "Afloat"})
    expect(desk.locator("> summary")).to_contain_text("the most allowed")
    expect(desk).not_to_have_attribute("open", "")
    expect(nested).to_have_attribute("open", "")
    expect(page.locator("#foot")).to_contain_text("The team waits for you.")
    teams.verb(one, "stop")


def test_two_questions_at_once_are_both_reached_and_answered_on_a_phone(
    teams: Teams, branching: str, browse: Callable[..., Page]
) -> None:
    page = browse(teams, size=PHONE)
    one = teams.start(branching)
    asked = teams.open_questions(one, 2)
    page.goto(f"{teams.url}/sessions/{one}")
    expect(page.locator("#foot")).to_contain_text("2 questions are open")
    thread(page, "Desk").locator("> summary").click()
    page.get_by_role("link", name="You speak as Boss").click()
    choice = page.locator(f"#ask-{asked['Boss']}")
    expect(choice).to_contain_text("Which slogan?")
    expect(choice.get_by_role("button", name="Afloat")).to_be_focused()
    choice.get_by_role("button", name="Afloat").click()
    expect(choice).to_contain_text("Which slogan? Afloat")
    expect(page.locator("#foot")).to_contain_text("The team waits for you.")
    page.get_by_role("link", name="Show").click()
    form = page.locator(f"#ask-{asked['Treasurer']}")
    expect(form.get_by_label("Verdict")).to_be_focused()
    form.get_by_label("Verdict").select_option("approve")
    form.get_by_label("Note").fill("Keep the receipts")
    form.get_by_label("Budget in EUR").fill("90000")
    form.locator("form").evaluate("form => { form.noValidate = true; }")
    form.get_by_role("button", name="Send").click()
    budget = form.get_by_label("Budget in EUR")
    expect(budget).to_have_attribute("aria-invalid", "true")
    expect(budget).to_be_focused()
    expect(budget).to_have_value("90000")
    expect(form.get_by_label("Note")).to_have_value("Keep the receipts")
    expect(form.get_by_label("Verdict")).to_have_value("approve")
    budget.fill("1200")
    form.get_by_label("Urgent").check()
    form.get_by_role("button", name="Send").click()
    page.wait_for_selector("#bar .pill[data-status=done]")
    expect(form).to_contain_text(
        re.compile(r"Verdict\s*approve\s*Budget in EUR\s*1200\s*Urgent\s*yes")
    )
    page.get_by_role("tab", name="Graph").click()
    expect(page.locator("#graph-known tr", has_text="budget")).to_contain_text("1200")
    received = [e for e in teams.events(one) if e["kind"] == "input_received" and "values" in e]
    assert received[0]["values"] == {
        "verdict": "approve", "budget": 1200, "urgent": True, "note": "Keep the receipts",
    }  # fmt: skip
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) == 0


def test_a_form_without_javascript_comes_back_with_what_was_typed(
    teams: Teams, branching: str, browse: Callable[..., Page]
) -> None:
    page = browse(teams, java_script_enabled=False)
    one = teams.start(branching)
    asked = teams.open_questions(one, 2)
    page.goto(f"{teams.url}/sessions/{one}")
    form = page.locator(f"#ask-{asked['Treasurer']}")
    form.get_by_label("Verdict").select_option("reject")
    form.get_by_label("Budget in EUR").fill("7")
    form.get_by_label("Note").fill("x" * 20)
    with page.expect_response(lambda answer: answer.request.method == "POST") as sent:
        form.get_by_role("button", name="Send").click()
    assert sent.value.status == 303
    expect(page.locator(f"#ask-{asked['Treasurer']} .answered")).to_contain_text("reject")
    assert page.url == f"{teams.url}/sessions/{one}"
    body = {"question": asked["Boss"], "text": "Green", "action": "choose"}
    refused = page.request.post(
        f"{teams.url}/sessions/{one}/answer", form=body, headers={"origin": teams.url}
    )
    assert refused.status == 422
    assert "Choose one of Afloat, Neither." in refused.text()
    teams.verb(one, "stop")


def test_playback_goes_through_threads_in_the_order_of_the_log(
    teams: Teams, branching: str, browse: Callable[..., Page]
) -> None:
    one = teams.start(branching)
    asked = teams.open_questions(one, 2)
    teams.verb(one, "answer", {"question": asked["Boss"], "text": "Afloat"})
    values = {"verdict": "approve", "budget": 5}
    teams.verb(one, "answer", {"question": asked["Treasurer"], "values": values})
    assert teams.wait(one)["status"] == "finished"
    total = len(teams.messages(one))
    page = browse(teams)
    page.goto(f"{teams.url}/sessions/{one}/playback")
    expect(page.locator("[data-position]")).to_have_text(f"Turn {total} of {total}")
    slider = page.get_by_role("slider", name="Turn")
    slider.press("Home")
    shown = page.locator("#turns .turn[data-place]:visible")
    expect(shown).to_have_count(1)
    expect(page.locator("#turns .thread:visible")).to_have_count(0)
    for number in range(2, total + 1):
        slider.press("ArrowRight")
        expect(slider).to_have_attribute("aria-valuenow", str(number))
        expect(page.locator(f"#turns .turn[data-place='{number}']")).to_be_visible()
        expect(page.locator(f"#turns .turn[data-place='{number + 1}']")).not_to_be_visible()
    expect(thread(page, "Nested: FactCheck")).not_to_have_attribute("open", "")


def test_a_question_counts_down_and_answers_itself(
    teams: Teams, browse: Callable[..., Page]
) -> None:
    limit = {"seconds": 10, "then": "end"}
    pair = teams.create(
        "workflows", kind="two_agent", initiator=teams.person(name="Late", human_timeout=limit),
        recipient=teams.assistant(teams.scripted("Hello")),
    )["id"]  # fmt: skip
    page = browse(teams)
    one = teams.start(pair)
    page.goto(f"{teams.url}/sessions/{one}")
    card = page.locator(".ask-turn")
    expect(card).to_contain_text(re.compile(r"The conversation ends in [1-9] s\."))
    expect(card).to_contain_text("Nobody answered in time: the conversation ended.")
    page.wait_for_selector("#bar .pill[data-status=done]")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_pages_with_threads_and_questions_are_accessible(
    teams: Teams, branching: str, browse: Callable[..., Page], theme: str, size: dict[str, int]
) -> None:
    one = teams.start(branching)
    asked = teams.open_questions(one, 2)
    page = browse(teams, theme, size)
    found: dict[str, list[str]] = {}
    page.goto(f"{teams.url}/sessions/{one}")
    found["waiting"] = violations(page)
    teams.verb(one, "answer", {"question": asked["Boss"], "text": "Afloat"})
    values = {"verdict": "approve", "budget": 5}
    teams.verb(one, "answer", {"question": asked["Treasurer"], "values": values})
    page.wait_for_selector("#bar .pill[data-status=done]")
    page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
    found["done"] = violations(page)
    page.goto(f"{teams.url}/sessions/{one}/playback")
    found["playback"] = violations(page)
    assert found == {"waiting": [], "done": [], "playback": []}
