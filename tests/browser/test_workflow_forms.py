"""Sequences and graphs built by hand in the form: what is saved is what was meant."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PHONE, WIDE
from tests.browser.test_pages import violations
from tests.conftest import InProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
Json = dict[str, Any]


def saved(studio: InProcess, page: Page) -> Json:
    """What the page's workflow is after it was saved, without empty fields."""
    page.locator("#toasts .toast").wait_for()
    one = re.search(r"/workflows/(\w{20})", page.url)
    assert one is not None
    made: Json = bare(studio.get(f"workflows/{one[1]}"))
    return made


def bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: bare(v) for k, v in value.items() if v is not None}
    return [bare(v) for v in value] if isinstance(value, list) else value


def unfold(page: Page, title: str) -> None:
    fold = page.locator("details.fold", has=page.locator("summary", has_text=title)).first
    if fold.get_attribute("open") is None:
        fold.locator("summary").first.click()


def add_node(page: Page, name: str) -> None:
    rows = page.locator(".node-row")
    before = rows.count()
    page.get_by_label("What the new node holds").select_option(label=name)
    page.get_by_role("button", name="Add a node").click()
    expect(rows).to_have_count(before + 1)


def add_link(page: Page, start: str, end: str, kind: str = "always") -> Locator:
    rows = page.locator(".edge-row")
    before = rows.count()
    page.get_by_role("button", name="Add a link").click()
    expect(rows).to_have_count(before + 1)
    row = rows.nth(before)
    row.get_by_label("From,").select_option(label=start)
    row.get_by_label("To,").select_option(label=end)
    row.get_by_label("When,").select_option(label=kind)
    return row


@pytest.fixture
def names(own_studio: InProcess) -> dict[str, str]:
    """Ids of what workflows are made of, by name."""
    model = own_studio.scripted("Hello.", name="Script")
    found = {n: own_studio.assistant(model, name=n) for n in ("Planner", "Writer", "Critic")}
    pair = own_studio.pair_of(found["Writer"], name="A pair")
    return found | {"A pair": pair, "Script": model}


def test_a_graph_is_built_by_hand(
    own_studio: InProcess, browse: Callable[..., Page], names: dict[str, str]
) -> None:
    page = browse(own_studio)
    page.goto(f"{own_studio.url}/workflows/new")
    page.get_by_label("Name", exact=True).fill("Newsroom")
    page.get_by_label("Kind").select_option("graph")
    for name in ("Planner", "Writer", "A pair", "Critic"):
        add_node(page, name)
    ids = [field.input_value() for field in page.locator("[data-names-node]").all()]
    assert ids == ["planner", "writer", "a-pair", "critic"]
    expect(page.locator("[id='nodes.3.id']")).to_be_focused()
    add_link(page, "planner", "writer")
    row = add_link(page, "planner", "a-pair", "if the variable")
    row.get_by_label("Variable,").fill("score")
    row.get_by_label("Comparison,").select_option(label="is more than")
    row.get_by_label("Type of the value,").select_option(label="Number")
    row.get_by_label("Value,").first.fill("5")
    add_link(page, "writer", "critic")
    add_link(page, "a-pair", "critic")
    page.locator("[id='nodes.0.id']").fill("plan")  # the links follow
    add_link(page, "critic", "plan", "otherwise").get_by_label("at most").fill("3")
    row = add_link(page, "critic", "critic", "if it contains")
    row.get_by_label("Text in the answer,").fill("AGAIN\nplease")
    page.get_by_label("Its answer is a result of the graph: node critic").check()
    page.get_by_label("With several links to node critic").select_option("any")
    page.get_by_label("Start: where the task goes in").select_option("plan")
    picture = page.locator("#picture")
    expect(picture.locator("svg.dag > g.box")).to_have_count(4)
    expect(picture.locator("path.wire")).to_have_count(6)
    expect(picture.get_by_role("img").first).to_have_accessible_name(
        "The graph as it is defined: 4 nodes, 6 links"
    )
    unfold(page, "Context variables")
    page.get_by_label("Variable", exact=True).fill("score")
    page.get_by_label("Type", exact=True).select_option("number")
    page.get_by_label("Value", exact=True).first.fill("7")
    page.get_by_role("button", name="Create workflow").click()
    expected = {
        "kind": "graph", "start": "plan", "end": "critic", "context_variables": {"score": 7},
        "nodes": [
            {"id": "plan", "agent": names["Planner"], "join": "all"},
            {"id": "writer", "agent": names["Writer"], "join": "all"},
            {"id": "a-pair", "workflow": names["A pair"], "join": "all"},
            {"id": "critic", "agent": names["Critic"], "join": "any"},
        ],
        "edges": [
            {"from": "plan", "to": "writer", "when": "always"},
            {"from": "plan", "to": "a-pair",
             "when": {"context": {"name": "score", "op": ">", "value": 5}}},
            {"from": "writer", "to": "critic", "when": "always"},
            {"from": "a-pair", "to": "critic", "when": "always"},
            {"from": "critic", "to": "plan", "when": "else", "max_times": 3},
            {"from": "critic", "to": "critic", "when": {"contains": "AGAIN\nplease"}},
        ],
    }  # fmt: skip
    made = saved(own_studio, page)
    assert {k: made.get(k) for k in expected} == expected
    page.reload()
    expect(page.locator("#picture path.wire.loop")).to_have_count(2)
    page.get_by_role("button", name="Save revision 2").click()
    page.get_by_text("Nothing had changed.").wait_for()
    page.get_by_role("button", name="Remove node a-pair").click()
    expect(page.locator(".edge-row")).to_have_count(4)
    expect(picture.locator("svg.dag > g.box")).to_have_count(3)
    page.get_by_role("button", name="Save revision 2").click()
    page.get_by_text("Saved.", exact=True).wait_for()  # the toast of before may still be there
    made = saved(own_studio, page)
    assert [n["id"] for n in made["nodes"]] == ["plan", "writer", "critic"]
    assert [(e["from"], e["to"]) for e in made["edges"]] == [
        ("plan", "writer"), ("writer", "critic"), ("critic", "plan"), ("critic", "critic")
    ]  # fmt: skip


def test_a_sequence_is_built_by_hand(
    own_studio: InProcess, browse: Callable[..., Page], names: dict[str, str]
) -> None:
    page = browse(own_studio)
    page.goto(f"{own_studio.url}/workflows/new")
    page.get_by_label("Name", exact=True).fill("In a row")
    page.get_by_label("Kind").select_option("sequential")
    steps = page.locator("#steps .link-row")
    for n, message in enumerate(("Find facts about {task}.", "Write it.", "Translate it.")):
        page.get_by_role("button", name="Add a step").click()
        expect(steps).to_have_count(n + 1)
        expect(page.get_by_label(f"Workflow of step {n + 1}")).to_be_focused()
        page.get_by_label(f"Workflow of step {n + 1}").select_option(label="A pair")
        steps.nth(n).get_by_label("Message that opens it").fill(message)
    steps.nth(1).get_by_label("It comes to").select_option("none")
    up = page.get_by_role("button", name="Move step 3 up")
    up.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Move step 2 up")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Move step 1 up")).to_be_focused()
    page.get_by_role("button", name="Create workflow").click()
    made = saved(own_studio, page)
    pair = names["A pair"]
    assert made["steps"] == [
        {"workflow": pair, "message": "Translate it.", "summary_method": "last_msg"},
        {"workflow": pair, "message": "Find facts about {task}.", "summary_method": "last_msg"},
        {"workflow": pair, "message": "Write it.", "summary_method": "none"},
    ]
    with page.expect_response(re.compile("autosave")):
        page.get_by_role("button", name="Remove step 2").click()
    expect(page.get_by_role("button", name="Remove step 2")).to_be_focused()
    page.reload()
    page.get_by_text("This is a draft").wait_for()
    expect(steps).to_have_count(2)
    page.get_by_role("button", name="Save revision 2").click()
    assert [s["message"] for s in saved(own_studio, page)["steps"]] == [
        "Translate it.", "Write it."
    ]  # fmt: skip


def test_the_sentence_says_when_it_ends(
    own_studio: InProcess, browse: Callable[..., Page], names: dict[str, str]
) -> None:
    page = browse(own_studio)
    page.goto(f"{own_studio.url}/workflows/new")
    page.get_by_label("Name", exact=True).fill("Ends")
    unfold(page, "When it ends")
    aloud = page.locator("#ends-aloud")
    expect(aloud).to_have_text("No condition of its own.")
    page.get_by_role("button", name="Add a condition").click()
    page.get_by_label("Condition 1: text or number").fill("DONE")
    expect(aloud).to_have_text("Ends when somebody says “DONE”.")
    page.get_by_role("button", name="Add a condition").click()
    page.get_by_label("Condition 2: it ends when").select_option(label="so many messages")
    expect(aloud).to_contain_text("One condition is not complete yet.")
    page.get_by_label("Condition 2: text or number").fill("20")
    expect(aloud).to_have_text("Ends when somebody says “DONE” or after 20 messages.")
    page.get_by_role("button", name="Add a group").click()
    page.get_by_label("Condition 3.1: it ends when").select_option(label="this agent has spoken")
    page.get_by_label("Condition 3.1: agent").select_option(label="Critic")
    page.get_by_role("button", name="Add to the group").click()
    page.get_by_label("Condition 3.2: it ends when").select_option(label="so many tokens")
    page.get_by_label("Condition 3.2: text or number").fill("500")
    expect(aloud).to_contain_text("or once (when Critic has spoken and after 500 tokens).")
    expect(page.locator("#ends-hint")).to_contain_text("or once (when Critic has spoken")
    page.get_by_label("It ends when", exact=True).select_option("all")
    expect(aloud).to_contain_text("“DONE” and after 20 messages and when Critic")
    page.get_by_role("button", name="Create workflow").click()
    critic = names["Critic"]
    assert saved(own_studio, page)["termination"] == {
        "all": [{"text": "DONE"}, {"max_messages": 20},
                {"all": [{"source": critic}, {"tokens": 500}]}]
    }  # fmt: skip
    expect(page.locator("#ends-hint")).to_contain_text("Ends when somebody says “DONE”")


def test_another_kind_and_back_keeps_what_was_typed(
    own_studio: InProcess, browse: Callable[..., Page], names: dict[str, str]
) -> None:
    page = browse(own_studio)
    page.goto(f"{own_studio.url}/workflows/new")
    kind = page.get_by_label("Kind")
    page.get_by_label("Name", exact=True).fill("Kinds")
    page.get_by_label("Member 1").select_option(label="Writer")
    kind.select_option("sequential")
    page.get_by_role("button", name="Add a step").click()
    page.get_by_label("Message that opens it").fill("First.")
    kind.select_option("graph")
    add_node(page, "Critic")
    expect(page.locator("#picture svg.dag > g.box")).to_have_count(1)
    kind.select_option("group_chat")
    expect(page.get_by_label("Member 1")).to_have_value(names["Writer"])
    expect(page.locator("#picture")).not_to_be_visible()
    page.get_by_label("Who speaks next").select_option("handoff")
    page.get_by_text("Only the agents' handoffs say who is next.").wait_for()
    kind.select_option("sequential")
    expect(page.get_by_label("Message that opens it")).to_have_value("First.")
    kind.select_option("graph")
    expect(page.locator("[id='nodes.0.id']")).to_have_value("critic")
    page.get_by_role("button", name="Create workflow").click()
    made = saved(own_studio, page)
    assert [n["id"] for n in made["nodes"]] == ["critic"]
    assert {"agents", "steps", "speaker_selection_method"}.isdisjoint(made)


def test_a_fault_opens_its_fold_and_says_what_to_do(
    own_studio: InProcess, browse: Callable[..., Page], names: dict[str, str]
) -> None:
    page = browse(own_studio)
    page.goto(f"{own_studio.url}/workflows/new")
    page.get_by_label("Name", exact=True).fill("Faults")
    page.get_by_label("Kind").select_option("graph")
    add_node(page, "Critic")
    add_link(page, "critic", "To")
    unfold(page, "When it ends")
    page.get_by_role("button", name="Add a condition").click()
    page.get_by_role("button", name="Create workflow").click()
    page.get_by_text("2 fields need a change.").wait_for()
    for name in ("edges.0.to", "ends.rows.0.value"):
        field = page.locator(f"[id='{name}']")
        expect(field).to_be_visible()
        assert field.get_attribute("aria-invalid") == "true"
        expect(page.locator(f"[id='{name}-e']")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_every_kind_is_accessible_and_fits(
    own_studio: InProcess,
    browse: Callable[..., Page],
    names: dict[str, str],
    theme: str,
    size: dict[str, int],
) -> None:
    many = [{"id": f"node-{i}", "agent": names["Critic"]} for i in range(9)]
    fan = [{"from": "node-0", "to": f"node-{i}", "when": {"contains": "x" * 90}}
           for i in range(1, 9)]  # fmt: skip
    tree = {"any": [{"text": "DONE"}, {"all": [{"tokens": 5}, {"source": names["Critic"]}]}]}
    bodies: list[Json] = [
        {"kind": "graph", "nodes": many, "edges": fan, "termination": tree,
         "context_variables": {"a": 1, "b": True, "c": None}},
        {"kind": "sequential", "steps": [{"workflow": names["A pair"]}] * 9},
        {"kind": "group_chat", "speaker_selection_method": "handoff",
         "agents": [names["Critic"], names["Writer"]],
         "termination": {"all": [{"any": [tree]}]}},
        {"kind": "two_agent"},
    ]  # fmt: skip
    paths = [f"/workflows/{own_studio.create('workflows', **body)['id']}" for body in bodies]
    page = browse(own_studio, theme, size)
    bad = {}
    for path in [*paths, *(f"{p}/start" for p in paths), "/workflows"]:
        page.goto(own_studio.url + path)
        page.evaluate("document.querySelectorAll('main details').forEach(d => d.open = true)")
        if found := violations(page):
            bad[path] = found
        over = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if over > 0:
            bad[f"{path} is wider than the window"] = [str(over)]
    assert bad == {}
