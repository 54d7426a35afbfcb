"""Rows of a workflow's form: the buttons that the server answers, and what follows from them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ..conftest import InProcess
from .html_forms import Control, Form, opened, save, send
from .workflow_bodies import NODES, bodies, edges, made


@pytest.fixture(scope="module")
def ids(studio: InProcess) -> dict[str, str]:
    return made(studio)


def pressed(studio: InProcess, sent: list[Control], query: str) -> list[Control]:
    """The form after a button of a row was pressed, and the server's part put in its place."""
    answer = send(studio, f"/workflows/parts/rows?{query}", sent)
    assert answer.status_code == 200, answer.text
    part = Form(f'<form id="edit">{answer.text}</form>').sent
    graph = ("nodes", "edges", "start", "end_was", "_holds")
    ends = ("ends",)
    heads = {"steps": ("steps",), "nodes": graph, "edges": graph}.get(
        query.partition("at=")[2].partition("&")[0], ends
    )
    counts = {k for k, _ in part if k.startswith("rows.")}
    kept = [(k, v) for k, v in sent if k.partition(".")[0] not in heads and k not in counts]
    return kept + part


def at(sent: list[Control], pattern: str) -> list[str]:
    return [v for k, v in sent if re.fullmatch(pattern, k)]


def test_steps_are_added_moved_and_removed(studio: InProcess, ids: dict[str, str]) -> None:
    one = studio.create("workflows", **bodies(ids)["steps"])["id"]
    sent = opened(studio, f"/workflows/{one}").sent
    sent = pressed(studio, sent, "do=add&at=steps")
    assert at(sent, r"rows\.steps") == ["4"]
    assert at(sent, r"steps\.3\.workflow") == [""]
    sent = pressed(studio, sent, "do=move&at=steps&n=0&by=1")
    assert at(sent, r"steps\.\d\.summary_method") == [
        "reflection_with_llm", "none", "last_msg", "last_msg"
    ]  # fmt: skip
    sent = pressed(studio, sent, "do=move&at=steps&n=0&by=-1")
    sent = pressed(studio, sent, "do=remove&at=steps&n=2")
    after = save(studio, "workflows", one, sent)
    methods = [step["summary_method"] for step in after["steps"]]
    assert methods == ["reflection_with_llm", "none"]  # the row that was left empty is no step
    assert after["steps"][1]["message"] == "About {task}:\nfacts"


def test_a_new_node_is_named_and_a_removed_one_takes_its_links(
    studio: InProcess, ids: dict[str, str]
) -> None:
    one = studio.create("workflows", **bodies(ids)["graph"])["id"]
    name = studio.get(f"agents/{ids['agent']}")["name"]
    sent = opened(studio, f"/workflows/{one}").but(_holds=f"agent:{ids['agent']}")
    for _ in range(2):
        sent = pressed(studio, sent, "do=add&at=nodes")
        sent = [*sent, ("_holds", f"agent:{ids['agent']}")]
    assert at(sent, r"nodes\.[56]\.id") == [name.lower(), f"{name.lower()}-2"]
    sent = pressed(studio, sent, "do=remove&at=nodes&n=0")
    sent = pressed(studio, sent, "do=add&at=edges")
    assert at(sent, r"start") == [""]
    sent = [(k, "b" if k == f"edges.{len(edges()) - 2}.to" else v) for k, v in sent]
    after = save(studio, "workflows", one, sent)
    assert [n["id"] for n in after["nodes"]] == [*NODES[1:], name.lower(), f"{name.lower()}-2"]
    assert len(after["edges"]) == len(edges()) - 1
    assert (after["edges"][-1]["from"], after["edges"][-1]["to"]) == ("publish", "b")
    assert (after["start"], after["end"]) == (None, "publish")


def test_groups_of_conditions_are_made_and_begun_anew(
    studio: InProcess, ids: dict[str, str]
) -> None:
    one = studio.create("workflows", **bodies(ids)["a tree"])["id"]
    sent = opened(studio, f"/workflows/{one}").sent
    assert at(sent, r"ends\.top") == ["tree"]
    sent = pressed(studio, sent, "do=clear&at=ends.rows")
    sent = pressed(studio, sent, "do=add&at=ends.rows")
    sent = pressed(studio, sent, "do=group&at=ends.rows")
    sent = pressed(studio, sent, "do=add&at=ends.rows.1.rows")
    typed = {"ends.rows.0.value": "A", "ends.rows.1.rows.0.value": "B",
             "ends.rows.1.rows.1.kind": "stale", "ends.rows.1.rows.1.value": "4"}  # fmt: skip
    sent = [(k, typed.get(k, v)) for k, v in sent]
    sent = pressed(studio, sent, "do=move&at=ends.rows&n=1&by=-1")
    sent = pressed(studio, sent, "do=move&at=ends.rows.0.rows&n=1&by=-1")
    tree = save(studio, "workflows", one, sent)["termination"]
    assert bare(tree) == {"any": [{"all": [{"stale": 4}, {"text": "B"}]}, {"text": "A"}]}


def bare(tree: Any) -> Any:
    """A stored tree without its empty fields."""
    if isinstance(tree, dict):
        return {k: bare(v) for k, v in tree.items() if v is not None}
    return [bare(v) for v in tree] if isinstance(tree, list) else tree


def test_a_form_has_an_end(studio: InProcess, ids: dict[str, str]) -> None:
    """A request may have 1,000 fields: what would not fit is refused before it is typed."""
    sent: list[Control] = [("kind", "graph"), *((f"edges.{i}.kind", "") for i in range(45))]
    for _ in range(200):
        answer = send(studio, "/workflows/parts/rows?do=add&at=edges", sent)
        if answer.status_code != 200:
            break
        sent = pressed(studio, sent, "do=add&at=edges")
    assert answer.status_code == 422
    assert "YAML" in answer.text
    assert 400 < len(sent) < 800


def test_the_sentence_and_the_picture_follow_what_is_typed(
    studio: InProcess, ids: dict[str, str]
) -> None:
    name = studio.get(f"agents/{ids['agent']}")["name"]
    form: list[Control] = [
        ("kind", "graph"), ("ends.top", "all"), ("ends.rows.0.kind", "text"),
        ("ends.rows.0.value", "<b>"), ("ends.rows.1.kind", "source"),
        ("ends.rows.1.agent", ids["agent"]), ("ends.rows.2.kind", "tokens"),
        ("nodes.0.id", "one"), ("nodes.0.holds", f"agent:{ids['agent']}"), ("nodes.1.id", "two"),
        ("edges.0.from", "one"), ("edges.0.to", "two"), ("edges.0.kind", "contains"),
        ("edges.0.contains", "<i>"), ("edges.0.max_times", "2"), ("edges.1.from", "one"),
    ]  # fmt: skip
    said = send(studio, "/workflows/parts/termination", form).text
    assert f"Ends when somebody says “&lt;b&gt;” and when {name} has spoken." in said
    assert "One condition is not complete yet" in said
    drawn = send(studio, "/workflows/parts/graph", form).text
    assert drawn.count('<rect class="body"') == 2
    assert drawn.count('class="wire') == 1
    assert "contains “&lt;i&gt;”, at most 2 times" in drawn
    assert name in drawn
    other = send(studio, "/workflows/parts/graph", [("kind", "two_agent")])
    assert other.status_code == 204


def test_a_workflow_cannot_choose_itself(studio: InProcess, ids: dict[str, str]) -> None:
    one = studio.create("workflows", **bodies(ids)["steps"])
    page = studio.http.get(f"/workflows/{one['id']}").text
    assert f'<option value="{ids["pair"]}"' in page
    assert f'<option value="{one["id"]}"' not in page
    part = send(studio, "/workflows/parts/rows?do=add&at=steps", [("_one", one["id"])]).text
    assert f'<option value="{one["id"]}"' not in part


def test_a_removed_row_is_a_draft(studio: InProcess, ids: dict[str, str]) -> None:
    one = studio.create("workflows", **bodies(ids)["steps"])["id"]
    sent = opened(studio, f"/workflows/{one}").sent
    fewer = pressed(studio, sent, "do=remove&at=steps&n=2")
    send(studio, f"/workflows/{one}/autosave", fewer)
    assert studio.get(f"workflows/{one}")["has_draft"] is True
    again = opened(studio, f"/workflows/{one}")
    assert len([k for k, _ in again.sent if re.fullmatch(r"steps\.\d\.workflow", k)]) == 2
