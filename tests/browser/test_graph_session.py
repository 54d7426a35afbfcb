"""A graph in the page: branches that overlap, a join, an else, a loop, people after a restart."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE
from tests.builders import Json, check_log, until
from tests.conftest import InProcess, Launch, StudioProcess
from tests.fake_openai import FakeOpenAI

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
FORM: Json = {
    "type": "object",
    "properties": {
        "decision": {"type": "string", "title": "Decision", "enum": ["publish", "hold back"]},
        "copies": {"type": "integer", "title": "Copies", "minimum": 1},
    },
    "required": ["decision", "copies"],
}


def _node(page: Page, name: str, state: str) -> None:
    """The graph beside the conversation shows a node in this state."""
    box = page.locator("#pane-graph .dag .box", has_text=name)
    expect(box).to_have_attribute("data-state", state)


def test_branches_overlap_join_and_loop_while_the_graph_shows_it(
    studio: InProcess, fake: FakeOpenAI, browse: Callable[..., Page]
) -> None:
    held = fake.endpoint("held", text="Fine so far")
    both = studio.model(held)
    author = studio.assistant(studio.scripted(*(f"Draft {n}." for n in range(1, 6))), name="Author")
    judge = studio.assistant(studio.scripted(*["Once more, please."] * 5), name="Judge")
    last = studio.assistant(studio.scripted("Printed."), name="Printer")
    nodes = [
        {"id": "draft", "agent": author},
        {"id": "facts", "agent": studio.assistant(both, name="Facts")},
        {"id": "style", "agent": studio.assistant(both, name="Style")},
        {"id": "judge", "agent": judge},
        {"id": "print", "agent": last},
    ]
    edges = [
        {"from": "draft", "to": "facts"}, {"from": "draft", "to": "style"},
        {"from": "facts", "to": "judge"}, {"from": "style", "to": "judge"},
        {"from": "judge", "to": "draft", "when": {"contains": "Once more"}, "max_times": 3},
        {"from": "judge", "to": "print", "when": "else"},
    ]  # fmt: skip
    graph = studio.create(
        "workflows", kind="graph", nodes=nodes, edges=edges, start="draft", end="print"
    )["id"]
    page = browse(studio)
    one = studio.start(graph, "A leaflet.")
    page.goto(f"{studio.url}/sessions/{one}")
    until(lambda: len(held.requests) == 2)  # both branches are at work at the same moment
    _node(page, "Facts", "running")
    _node(page, "Style", "running")
    _node(page, "Author", "done")
    _node(page, "Printer", "waiting")
    expect(page.locator("#turns .turn.is-live")).to_have_count(2)
    held.release()
    page.wait_for_selector("#bar .pill[data-status=done]")
    for name in ("Author", "Facts", "Style", "Judge", "Printer"):
        _node(page, name, "done")
    expect(page.locator("#pane-graph .dag .many")).to_have_text(["4×"] * 4)
    events = studio.events(one)
    check_log(studio.session(one), events)
    taken = [(e["from"], e["to"], e["times"]) for e in events if e["kind"] == "edge_taken"]
    assert [t for t in taken if t[0] == "judge"] == [
        ("judge", "draft", 1), ("judge", "draft", 2), ("judge", "draft", 3), ("judge", "print", 1),
    ]  # fmt: skip
    assert len(held.requests) == 8
    joined = [e for e in events if e["kind"] == "message" and e["agent"] == "Judge"]
    assert [e["chat"] for e in joined] == [
        "node:judge", "node:judge:2", "node:judge:3", "node:judge:4",
    ]  # fmt: skip
    assert events[-1]["summary"] == "Printed."


def _with_a_form(studio: StudioProcess, fake: FakeOpenAI) -> tuple[str, Json]:
    """Editor (a form) beside Writer, whose model is held at its first question."""
    held = fake.endpoint("held", text="The text is ready")
    editor = studio.person(
        name="Editor", question={"form": "fields", "prompt": "Shall it go out?", "schema": FORM}
    )
    nodes = [
        {"id": "open", "agent": studio.stand_in(name="Opener")},
        {"id": "ask", "agent": editor},
        {"id": "write", "agent": studio.assistant(studio.model(held), name="Writer")},
        {"id": "press", "agent": studio.assistant(studio.scripted("It rolls."), name="Press")},
        {"id": "drawer", "agent": studio.assistant(studio.scripted("Locked."), name="Drawer")},
    ]
    decided = {"name": "decision", "op": "==", "value": "publish"}
    edges = [
        {"from": "open", "to": "ask"}, {"from": "open", "to": "write"},
        {"from": "ask", "to": "press", "when": {"context": decided}},
        {"from": "ask", "to": "drawer", "when": "else"},
        {"from": "write", "to": "press"},
    ]  # fmt: skip
    graph = studio.create(
        "workflows", kind="graph", nodes=nodes, edges=edges, start="open",
        context_variables={"decision": "none", "copies": 0},
    )  # fmt: skip
    return str(graph["id"]), {"held": held}


def test_a_form_in_a_branch_is_answered_on_a_phone_after_a_restart(
    launch: Launch, fake: FakeOpenAI, browse: Callable[..., Page]
) -> None:
    first = launch()
    graph, model = _with_a_form(first, fake)
    held = model["held"]
    one = first.start(graph, "The paper of tomorrow.")
    until(lambda: len(held.requests) == 1)
    until(lambda: first.session(one)["questions"])
    first.kill()
    second = launch()
    until(lambda: len(held.requests) == 2)  # the branch that was cut asks again by itself
    page = browse(second, size=PHONE)
    page.goto(f"{second.url}/sessions/{one}")
    [question] = second.session(one)["questions"]
    card = page.locator(f"#ask-{question['id']}")
    expect(card).to_contain_text("Shall it go out?")
    card.get_by_label("Decision").select_option("publish")
    card.get_by_label("Copies").fill("3000")
    card.get_by_role("button", name="Send").click()
    expect(card).to_contain_text("3000")
    assert len(held.requests) == 2, "the other branch was disturbed"
    held.release()
    page.wait_for_selector("#bar .pill[data-status=done]")
    session, events = second.session(one), second.events(one)
    check_log(session, events)
    said = {e["agent"]: e["content"] for e in events if e["kind"] == "message"}
    assert said["Editor"] == "Decision: publish\nCopies: 3000"
    assert said["Press"] == "It rolls."
    assert "Drawer" not in said
    known = [e["changes"] for e in events if e["kind"] == "context_changed"]
    assert known == [{"decision": "none", "copies": 0}, {"decision": "publish", "copies": 3000}]
    width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(width) == 0
