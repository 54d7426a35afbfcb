"""An agent with everything is made by clicking and typing, and is what the JSON then says."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page

from tests.browser.conftest import PHONE, WIDE
from tests.browser.test_pages import violations
from tests.conftest import InProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


def fold(page: Page, title: str) -> Locator:
    """Opens a part of the form."""
    found = page.locator("details.fold").filter(has=page.locator("summary", has_text=title))
    found.locator("> summary").click()
    return found


def row(group: Locator, number: int) -> Locator:
    """A row, counted from 0; it is added where it is the next one."""
    rows = group.locator("[data-row]")
    while rows.count() <= number:
        group.get_by_role("button", name=re.compile("^Add a")).click()
    return rows.nth(number)


def saved(page: Page, studio: InProcess) -> Any:
    page.wait_for_url(re.compile(r"/agents/\w{20}"))
    page.locator("#toasts .toast").wait_for()
    return studio.get(f"agents/{page.url.rsplit('/', 1)[1].partition('?')[0]}")


def ask_in_a_form(page: Page) -> None:
    people = fold(page, "Questions to the person")
    people.get_by_role("radio", name="A form").check()
    people.get_by_label("Question", exact=False).first.fill("How shall the piece go on?")
    fields = [("why", "Long text"), ("words", "Whole number"), ("verdict", "One of a list"),
              ("gone", "Text")]  # fmt: skip
    for n, (name, kind) in enumerate(fields):
        one = row(people, n)
        one.get_by_label("Field name").fill(name)
        one.get_by_label("Kind of answer").select_option(label=kind)
    row(people, 1).get_by_label("At least").fill("50")
    row(people, 1).get_by_label("Filled in with").fill("300")
    verdict = row(people, 2)
    verdict.get_by_label("Label").fill("Verdict")
    verdict.get_by_label("Options").fill("print it\ndrop it")
    verdict.get_by_label("Must be answered").select_option(label="Needed")
    verdict.get_by_label("Move up").click()
    row(people, 1).get_by_label("Move up").click()
    row(people, 3).get_by_label("Remove").click()
    people.get_by_label("Waits at most").fill("90")
    people.get_by_label("Then").select_option(label="then the conversation ends")


def hand_over(page: Page, other: str) -> None:
    handoffs = fold(page, "Handoffs")
    kinds = ["Its model decides", "Its answer contains a text", "A context variable says so",
             "Always, after its answer"]  # fmt: skip
    for n, kind in enumerate(kinds):
        one = row(handoffs, n)
        one.get_by_label("Hands over to").select_option(label=other if n else "Back to the person")
        one.get_by_label("When").select_option(label=kind)
    row(handoffs, 0).get_by_label("In these words").fill("When nobody knows")
    row(handoffs, 1).get_by_label("Text in its answer").fill("NEEDS CHECK")
    test = row(handoffs, 2)
    test.get_by_label("Variable").fill("words")
    test.get_by_label("Comparison").select_option(label="is more than")
    test.get_by_label("Type").select_option(label="Number")
    test.get_by_label("Value").locator("visible=true").fill("900")


def set_variables(page: Page) -> None:
    variables = fold(page, "Context variables")
    given = [("title", "Text", "5"), ("words", "Number", "5"), ("done", "Yes or no", ""),
             ("later", "Nothing yet", "")]  # fmt: skip
    for n, (name, kind, value) in enumerate(given):
        one = row(variables, n)
        one.get_by_label("Variable").fill(name)
        one.get_by_label("Type").select_option(label=kind)
        if value:
            one.get_by_label("Value").locator("visible=true").fill(value)
    row(variables, 2).get_by_label("Value").locator("visible=true").select_option(label="yes")


def test_an_agent_with_everything_is_made_by_form(
    own_studio: InProcess, browse: Callable[..., Page]
) -> None:
    model = own_studio.scripted("Hello.")
    other = own_studio.assistant(model, name="Editor")
    pair = own_studio.create(
        "workflows", name="Fact check", kind="two_agent", initiator=own_studio.stand_in(),
        recipient=other,
    )["id"]  # fmt: skip
    page = browse(own_studio)
    page.goto(f"{own_studio.url}/agents/new")
    page.get_by_label("Name", exact=True).fill("Desk")
    assert not page.get_by_text("Questions to the person").is_visible()
    page.get_by_role("radio", name="Each turn").check()
    ask_in_a_form(page)
    nested = fold(page, "Nested conversations")
    row(nested, 0).get_by_label("This workflow runs").select_option(label="Fact check")
    row(nested, 1).get_by_label("This workflow runs").select_option(label="Fact check")
    row(nested, 1).get_by_label("When it hears").select_option(label="Editor")
    row(nested, 1).get_by_label("Opening message").fill("Check: {last}")
    row(nested, 1).get_by_label("Turns at most").fill("3")
    hand_over(page, "Editor")
    set_variables(page)
    page.locator("#preview").get_by_label("Verdict").wait_for()
    page.get_by_role("button", name="Create agent").click()
    made = saved(page, own_studio)
    assert made["question"]["prompt"] == "How shall the piece go on?"
    fields = made["question"]["schema"]["properties"]
    assert list(fields) == ["verdict", "why", "words"]
    given = {n: {k: v for k, v in f.items() if v not in (None, "")} for n, f in fields.items()}
    assert given == {
        "verdict": {"type": "string", "title": "Verdict", "enum": ["print it", "drop it"]},
        "why": {"type": "string", "format": "textarea"},
        "words": {"type": "integer", "minimum": 50.0, "default": 300},
    }
    assert made["question"]["schema"]["required"] == ["verdict"]
    assert made["human_timeout"] == {"seconds": 5400, "then": "end"}
    assert [(n["trigger"], n["message"], n["max_turns"]) for n in made["nested"]] == [
        (None, None, None), (other, "Check: {last}", 3),
    ]  # fmt: skip
    assert {n["workflow"] for n in made["nested"]} == {pair}
    assert [(h["to"], h["when"]) for h in made["handoffs"]][::3] == [
        ("user", "When nobody knows"), (other, "always"),
    ]  # fmt: skip
    assert made["handoffs"][1]["when"]["contains"] == "NEEDS CHECK"
    assert made["handoffs"][2]["when"]["context"] == {"name": "words", "op": ">", "value": 900}
    variables = {"title": "5", "words": 5, "done": True, "later": None}
    assert made["context_variables"] == variables
    assert [type(v) for v in made["context_variables"].values()] == [str, int, bool, type(None)]
    page.reload()
    page.get_by_role("button", name="Save revision 2").click()
    page.get_by_text("Nothing had changed.").wait_for()
    assert saved(page, own_studio) == made


def test_a_kind_that_is_tried_out_loses_nothing(
    own_studio: InProcess, browse: Callable[..., Page]
) -> None:
    pair = own_studio.pair(own_studio.scripted("Hello."), name="Fact check")
    page = browse(own_studio)
    page.goto(f"{own_studio.url}/agents/new")
    page.get_by_label("Name", exact=True).fill("Team")
    page.get_by_label("System message").fill("Typed before.")
    kind = page.locator("#kind")
    kind.select_option(label="Team")
    assert not page.get_by_label("System message").is_visible()
    page.get_by_label("Workflow", exact=True).select_option(label="Fact check")
    page.get_by_label("How the answer is written").fill("In one line.")
    page.locator("#preview", has_text="No model is asked").wait_for()
    kind.select_option(label="Assistant")
    assert page.get_by_label("System message").input_value() == "Typed before."
    assert not page.get_by_label("How the answer is written").is_visible()
    kind.select_option(label="Team")
    page.get_by_role("button", name="Create agent").click()
    made = saved(page, own_studio)
    assert (made["kind"], made["workflow"]) == ("workflow", pair)
    assert (made["response_preparer"], made["system_message"]) == ("In one line.", "Typed before.")
    page.goto(f"{own_studio.url}/agents?kind=workflow")
    page.locator("#results .tag", has_text="Team").wait_for()


def test_a_fault_in_a_row_stands_at_the_row(
    own_studio: InProcess, browse: Callable[..., Page]
) -> None:
    """The second of two rows is at fault; one that is added next to it is not."""
    one = own_studio.assistant(
        handoffs=[{"to": "user", "when": "a"}, {"to": "user", "when": {"contains": "b"}}]
    )
    page = browse(own_studio)
    page.goto(f"{own_studio.url}/agents/{one}")
    handoffs = fold(page, "Handoffs")
    row(handoffs, 1).get_by_label("Text in its answer").fill("")
    page.get_by_role("button", name="Save revision 2").click()
    page.locator("[data-rows=handoffs] [data-row]:nth-child(2) .error").wait_for()
    handoffs = page.locator("details[open]", has_text="Handoffs")
    assert handoffs.locator("[data-rows=handoffs] .error").count() == 1
    assert row(handoffs, 0).get_by_label("In these words").input_value() == "a"
    assert row(handoffs, 2).locator(".error, [aria-invalid]").count() == 0


def test_moving_and_removing_rows_is_kept_as_a_draft(
    own_studio: InProcess, browse: Callable[..., Page]
) -> None:
    one = own_studio.assistant(handoffs=[{"to": "user", "when": w} for w in ("a", "b", "c")])
    page = browse(own_studio)
    page.goto(f"{own_studio.url}/agents/{one}")
    handoffs = fold(page, "Handoffs")
    for button in ("Remove", "Move down"):
        with page.expect_response(re.compile("autosave")):
            row(handoffs, 0).get_by_label(button).click()
    page.reload()
    handoffs = fold(page, "Handoffs")
    words = [row(handoffs, n).get_by_label("In these words").input_value() for n in range(2)]
    assert words == ["c", "b"]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_the_open_form_is_accessible(
    own_studio: InProcess, browse: Callable[..., Page], theme: str, size: Any
) -> None:
    fields = {"a": {"enum": ["x"], "description": "Help."}, "b": {"type": "boolean"},
              "c": {"type": "number", "minimum": 1}, "d": {"format": "textarea"}}  # fmt: skip
    one = own_studio.assistant(
        human_input_mode="ALWAYS", human_timeout={"seconds": 60},
        question={"form": "fields", "prompt": "Well?", "schema": {"properties": fields}},
        handoffs=[{"to": "user", "when": "a"}, {"to": "user", "when": "always"},
                  {"to": "user", "when": {"context": {"name": "x", "op": "<", "value": True}}}],
        nested=[{"workflow": own_studio.pair(own_studio.scripted("Hi"))}],
        context_variables={"a": "1", "b": 1, "c": True, "d": None},
    )  # fmt: skip
    page = browse(own_studio, theme, size)
    page.goto(f"{own_studio.url}/agents/{one}")
    page.evaluate("document.querySelectorAll('main details').forEach(d => d.open = true)")
    assert violations(page) == []
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0
    page.goto(f"{own_studio.url}/agents")
    assert violations(page) == []
