"""The form of a workflow, as a browser without scripts sends it: nothing is lost on the way."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from studio.definitions.nouns import dump, parse
from studio.errors import InvalidError
from studio.web.forms import carried, flatten, unflatten
from studio.web.pages.workflow_forms import STANDS_FOR, from_form, to_form

from ..builders import Json, unique
from ..conftest import InProcess
from .html_forms import Control, Form, opened, send

VARIABLES = {
    "text": "5", "number": 5, "share": 0.1, "yes": True, "no": False, "later": None, "empty": "",
    "lines": "a\nb", "7": "a row's name",
}  # fmt: skip
NODES = ("plan", "a", "b", "critic", "publish")


def save(studio: InProcess, one: str, controls: list[Control]) -> Json:
    answer = send(studio, f"/workflows/{one}", controls)
    assert answer.status_code == 303, Form(answer.text).errors
    made: Json = studio.get(f"workflows/{one}")
    return made


@pytest.fixture(scope="module")
def ids(studio: InProcess) -> dict[str, str]:
    model = studio.scripted("Hi")
    return {
        "model": model, "second": studio.scripted("x"), "third": studio.scripted("y"),
        "agent": studio.assistant(model), "other": studio.assistant(model),
        "pair": studio.pair(model),
    }  # fmt: skip


def edges() -> list[Json]:
    tests = [("==", "5"), ("!=", 5), ("<", 0.5), (">=", True), ("==", False), ("contains", "a\nb"),
             ("==", None)]  # fmt: skip
    return [
        {"from": "plan", "to": "a"}, {"from": "plan", "to": "b"}, {"from": "a", "to": "critic"},
        {"from": "b", "to": "critic"},
        {"from": "critic", "to": "publish", "when": {"contains": "two\nlines"}},
        {"from": "critic", "to": "publish", "when": {"model": "Is it good?"}},
        {"from": "critic", "to": "a", "when": "else", "max_times": 3},
        *[{"from": "b", "to": "publish",
           "when": {"context": {"name": "score", "op": op, "value": value}}}
          for op, value in tests],
    ]  # fmt: skip


def bodies(ids: dict[str, str]) -> dict[str, Json]:
    agent, other, pair = ids["agent"], ids["other"], ids["pair"]
    nodes = [{"id": one, "agent": agent} for one in NODES[:-1]]
    nodes.append({"id": "publish", "workflow": pair, "join": "any"})
    group = {"kind": "group_chat", "agents": [agent, other]}
    graph = {"kind": "graph", "nodes": nodes, "edges": edges(), "start": "plan"}
    leaves: list[Json] = [
        {"text": "DONE"}, {"max_messages": 20}, {"tokens": 500}, {"cost_usd": 0.25},
        {"seconds": 90}, {"source": agent}, {"handoff": other}, {"stale": 3},
    ]  # fmt: skip
    return {
        "two agents": {
            "kind": "two_agent", "initiator": agent, "recipient": other, "max_turns": 4,
            "models": [ids["model"], ids["second"], ids["third"]], "cache_seed": 4,
            "limits": {"max_tokens": 5, "max_cost_usd": 0.5}, "compat": "autogen-0.2",
            "is_termination_msg": {"kind": "contains", "text": "e\nf"}, "description": "c\nd",
        },
        "nothing": {"kind": "group_chat"},
        "group": group | {
            "initiator": agent, "select_speaker_prompt_template": "y", "send_introductions": True,
            "allowed_or_disallowed_speaker_transitions": {agent: [other], other: [agent, other]},
            "summary_prompt": "s", "summary_method": "none", "context_variables": VARIABLES,
        },
        "a table of what is not allowed": group | {
            "allowed_or_disallowed_speaker_transitions": {agent: [agent]},
            "speaker_transitions_type": "disallowed",
        },
        "a table in another order": group | {
            "allowed_or_disallowed_speaker_transitions": {other: [other, agent], agent: []},
        },
        "nobody may follow": group | {
            "allowed_or_disallowed_speaker_transitions": {agent: [], other: []},
        },
        "some may repeat": group | {"allow_repeat_speaker": [other]},
        "by handoff": group | {"speaker_selection_method": "handoff", "max_round": 7},
        "no steps": {"kind": "sequential"},
        "steps": {
            "kind": "sequential", "initiator": agent, "steps": [
                {"workflow": pair, "message": "About {task}:\nfacts", "summary_method": "none"},
                {"workflow": pair, "summary_method": "reflection_with_llm"}, {"workflow": pair},
            ],
        },
        "no graph": {"kind": "graph"},
        "graph": graph | {"end": "publish"},
        "ends in order": graph | {"end": ["publish", "a"]},
        "one end in a list": graph | {"end": ["publish"]},
        "no ends in a list": graph | {"end": [], "start": None},
        "an end twice": graph | {"end": ["a", "a"]},
        "nodes alone": {"kind": "graph", "nodes": nodes},
        "too large for a form": {
            "kind": "graph", "end": ["n3"], "nodes": [
                {"id": f"n{i}", "agent": agent} for i in range(200)],
            "edges": [{"from": f"n{i}", "to": f"n{i + 1}"} for i in range(199)],
        },
        "one condition": group | {"termination": {"text": "DONE"}},
        "a list of one": group | {"termination": {"all": [{"text": "DONE"}]}},
        "every condition": {"kind": "graph", "termination": {"any": leaves}},
        "groups": {"kind": "sequential", "termination": {
            "all": [{"any": leaves[:2]}, {"text": "x"}, {"all": [{"stale": 2}]}]}},
        "a tree": {"kind": "two_agent", "termination": {
            "any": [{"all": [{"text": "a"}, {"any": [{"tokens": 5}, {"text": "b\nc"}]}]}]}},
        "a text of two lines": {"kind": "graph", "termination": {"text": "a\nb"}},
        "many conditions": group | {"termination": {
            "any": [{"all": [{"text": f"{i}.{j}"} for j in range(4)]} for i in range(12)]}},
    }  # fmt: skip


NAMES = sorted(
    bodies(dict.fromkeys(("model", "second", "third", "agent", "other", "pair"), "x"))
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_an_untouched_form_changes_nothing(
    studio: InProcess, ids: dict[str, str], name: str
) -> None:
    before = studio.create("workflows", **bodies(ids)[name])
    form = opened(studio, f"/workflows/{before['id']}")
    drafted = send(studio, f"/workflows/{before['id']}/autosave", form.sent)
    assert drafted.status_code == 204
    assert studio.get(f"workflows/{before['id']}")["has_draft"] is False
    assert save(studio, before["id"], form.sent) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_draft_and_a_failed_save_lose_nothing(
    studio: InProcess, ids: dict[str, str], name: str
) -> None:
    before = studio.create("workflows", **bodies(ids)[name])
    path = f"/workflows/{before['id']}"
    form = opened(studio, path)
    send(studio, f"{path}/autosave", form.but(description="typed"))
    assert studio.get(f"workflows/{before['id']}")["has_draft"] is True
    refused = send(studio, path, opened(studio, path).but(name="a/b"))
    assert refused.status_code == 422
    again = Form(refused.text)
    assert set(again.errors) == {"name"}
    saved = save(studio, before["id"], again.but(name=before["name"]))
    same = set(before) - {"description", "revision", "updated_at"}
    assert {k: saved[k] for k in same} == {k: before[k] for k in same}
    assert saved["description"] == "typed"


@pytest.mark.parametrize("name", NAMES)
def test_the_part_that_a_kind_brings_is_what_the_page_shows(
    studio: InProcess, ids: dict[str, str], name: str
) -> None:
    """Choosing another kind and the first one again keeps all that was typed for it."""
    before = studio.create("workflows", **bodies(ids)[name])
    path = f"/workflows/{before['id']}"
    form = opened(studio, path).sent
    for kind in ("sequential", "graph", "two_agent", "group_chat", before["kind"]):
        form = switched(studio, form, kind)
    after = save(studio, before["id"], form)
    hidden = {"initiator"} if before["kind"] in ("sequential", "graph") else set()
    same = set(before) - {"revision", "updated_at"} - hidden
    assert {k: after[k] for k in same} == {k: before[k] for k in same}


def switched(studio: InProcess, sent: list[Control], kind: str) -> list[Control]:
    """The form after another kind was chosen, and the server's part put in its place."""
    form = [(k, v) for k, v in sent if k != "kind"] + [("kind", kind)]
    answer = send(studio, "/workflows/parts/team", form)
    assert answer.status_code == 200
    part = Form(f'<form id="edit">{answer.text}</form>').sent
    heads = {k.partition(".")[0].removesuffix("[]") for k, _ in part} | {
        "initiator", "agents", "restricted", "follow", "steps", "nodes", "edges", "rows", "start",
        "kept",
    }  # fmt: skip
    return [(k, v) for k, v in form if k.partition(".")[0].removesuffix("[]") not in heads] + part


def test_a_copy_has_everything(studio: InProcess, ids: dict[str, str]) -> None:
    for body in bodies(ids).values():
        one = studio.create("workflows", **body)
        form = opened(studio, f"/workflows/new?copy={one['id']}")
        answer = send(studio, "/workflows/new", form.but(name=unique("Copy")))
        made = studio.get("workflows/" + answer.headers["location"].split("/")[-1].split("?")[0])
        for field in ("steps", "nodes", "edges", "start", "end", "termination", "models",
                      "context_variables", "agents", "limits"):  # fmt: skip
            assert made.get(field) == one.get(field), field


def test_emptied_rows_empty_the_definition(studio: InProcess, ids: dict[str, str]) -> None:
    given = bodies(ids)
    body = given["ends in order"] | {
        "termination": given["groups"]["termination"], "context_variables": VARIABLES,
        "is_termination_msg": {"kind": "exact", "text": "x"}, "models": [ids["model"]],
    }  # fmt: skip
    one = studio.create("workflows", **body)["id"]
    sent = opened(studio, f"/workflows/{one}").sent
    groups = ("nodes.", "edges.", "ends.rows", "variables.", "is_termination_msg.", "models.")
    left = [(k, v) for k, v in sent if not k.startswith(groups) or k == "variables.0.name"]
    emptied = ("variables.0.name", "start")
    left = [(k, "" if k in emptied else v) for k, v in left]
    after = save(studio, one, [*left, ("is_termination_msg.kind", ""), ("models.0", "")])
    assert (after["nodes"], after["edges"], after["start"]) == ([], [], None)
    assert (after["termination"], after["is_termination_msg"]) == (None, None)
    assert (after["context_variables"], after["models"], after["end"]) == ({}, [], [])


def test_a_removed_row_is_a_draft(studio: InProcess, ids: dict[str, str]) -> None:
    one = studio.create("workflows", **bodies(ids)["steps"])["id"]
    sent = opened(studio, f"/workflows/{one}").sent
    fewer = pressed(studio, sent, "do=remove&at=steps&n=2")
    send(studio, f"/workflows/{one}/autosave", fewer)
    assert studio.get(f"workflows/{one}")["has_draft"] is True
    again = opened(studio, f"/workflows/{one}")
    assert len([k for k, _ in again.sent if re.fullmatch(r"steps\.\d\.workflow", k)]) == 2


# -- rows


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
    after = save(studio, one, sent)
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
    after = save(studio, one, sent)
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
    tree = save(studio, one, sent)["termination"]
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


# -- faults stand where they can be mended


NODE = {"nodes.0.id": "x", "nodes.0.holds": "AGENT", "nodes.1.id": "y", "nodes.1.holds": "AGENT"}
LINK = NODE | {"edges.0.from": "x", "edges.0.to": "y"}
FAULTS: list[tuple[str, Json, str, str]] = [
    ("sequential", {"steps.0.message": "x"}, "steps.0.workflow", "Choose a workflow"),
    ("sequential", {"steps.0.workflow": "gone"}, "steps.0.workflow", "no such workflow"),
    ("sequential", {"steps.0.summary_method": "none", "steps.1.message": "x"},
     "steps.0.workflow", "Choose a workflow"),
    ("graph", {"nodes.0.id": "x"}, "nodes.0.holds", "Choose an agent or a workflow"),
    ("graph", {"nodes.0.holds": "AGENT"}, "nodes.0.id", "needs a name"),
    ("graph", {"nodes.0.holds": "agent:gone", "nodes.0.id": "x"}, "nodes.0.holds", "no such agent"),
    ("graph", NODE | {"nodes.1.id": "a b"}, "nodes.1.id", "Letters"),
    ("graph", NODE | {"nodes.1.id": "x"}, "nodes.1.id", "There is a node x already"),
    ("graph", NODE | {"start": "z"}, "start", "There is no node z"),
    ("graph", LINK | {"edges.1.from": "x"}, "edges.1.to", "Choose a node"),
    ("graph", LINK | {"edges.0.to": "z"}, "edges.0.to", "There is no node z"),
    ("graph", LINK | {"edges.0.kind": "contains"}, "edges.0.contains", "Say which words"),
    ("graph", LINK | {"edges.0.kind": "model"}, "edges.0.model", "yes or no"),
    ("graph", LINK | {"edges.0.kind": "context", "edges.0.context.value": "v"},
     "edges.0.context.name", "Letters"),
    ("graph", LINK | {"edges.0.kind": "context", "edges.0.context.name": "s",
                      "edges.0.context.type": "number", "edges.0.context.value": "1,5"},
     "edges.0.context.value", "0.7"),
    ("graph", LINK | {"edges.0.max_times": "0"}, "edges.0.max_times", "At least 1"),
    ("graph", {"edges.0.kind": "else", **NODE, "edges.1.from": "y"}, "edges.0.to", "Choose a node"),
    ("graph", {"ends.rows.0.kind": "text"}, "ends.rows.0.value", "Say which words"),
    ("graph", {"ends.top": "one", "ends.rows.0.kind": "tokens", "ends.rows.0.value": "x"},
     "ends.rows.0.value", "whole number"),
    ("two_agent", {"ends.top": "all", "ends.rows.0.kind": "text", "ends.rows.0.value": "x",
                   "ends.rows.1.kind": "source"}, "ends.rows.1.agent", "Choose an agent"),
    ("group_chat", {"ends.rows.0.kind": "all"}, "ends.rows.0.kind", "Add a condition"),
    ("group_chat", {"ends.rows.0.kind": "all", "ends.rows.0.rows.0.kind": "stale",
                    "ends.rows.0.rows.0.value": "1"}, "ends.rows.0.rows.0.value", "At least 2"),
    ("sequential", {"variables.0.name": "a", "variables.1.name": "a"}, "variables.1.name",
     "Another"),
    ("sequential", {"variables.0.name": "A", "variables.0.type": "number",
                    "variables.0.value": "1,5"}, "variables.0.value", "0.7"),
    ("two_agent", {"recipient": "gone"}, "recipient", "no such agent"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "controls", "place", "words"), FAULTS, ids=lambda x: str(x)[:40])
def test_a_fault_stands_at_its_control(
    studio: InProcess, ids: dict[str, str], kind: str, controls: Json, place: str, words: str
) -> None:
    one = studio.create("workflows", kind=kind)["id"]
    shown = opened(studio, f"/workflows/{one}")
    given = {k: f"agent:{ids['agent']}" if v == "AGENT" else v for k, v in controls.items()}
    sent = shown.but(**{k.replace(".", "__"): v for k, v in given.items()})
    answer = send(studio, f"/workflows/{one}", sent)
    assert answer.status_code == 422
    form = Form(answer.text)
    assert words in form.errors[place], form.errors
    assert len(form.errors) == 1, form.errors
    assert "1 field needs a change" in answer.text
    typed = [str(v) for v in given.values() if v not in ("", "none", "else")]
    assert [text for text in typed if text not in dict(form.sent).values()] == []
    alert = answer.text.partition('role="alert">')[2].partition('<div class="fields')[0]
    assert "<p>" not in alert, "said twice: above the form and at the control"


# -- whatever is sent


GARBAGE = ["", "x", "-1", "99999999999999999999", "1e999", "_keep", "\x00", "😀", "{", "[]", "any",
           "text", "tree", "agent:", "workflow:x", "true", "graph", "null", '["a", {}]',
           '{"nodes": [{"id": 5}, 5], "edges": [{"from": [], "to": {}}]}',
           '{"any": ' * 400 + "1" + "}" * 400]  # fmt: skip
TAILS = ["", ".0", ".x", ".0.0", ".0.id", ".0.holds", ".0.end", ".0.from", ".0.to", ".0.kind",
         ".0.context", ".0.context.value", ".0.max_times", ".0.value", ".0.rows", ".0.rows.0.kind",
         ".0.rows.0.rows.0.kind", ".9999.id", ".top", ".tree", ".rows", ".rows.0", ".rows.0.kind",
         ".rows.0.rows.0.value", ".graph", ".steps", ".follow", ".0.x.y.z.a.b.c.d",
         "[]"]  # fmt: skip
HEADS = ["steps", "nodes", "edges", "ends", "variables", "rows", "kept", "start", "end", "end_was",
         "agents", "follow", "restricted", "kind", "models", "termination", "context_variables",
         "is_termination_msg", "limits", "compat_on"]  # fmt: skip
PARTS = ["/workflows/parts/team", "/workflows/parts/graph", "/workflows/parts/termination"]


def test_no_part_breaks_on_what_no_browser_sends(studio: InProcess) -> None:
    one = studio.create("workflows", kind="graph")["id"]
    chance = random.Random(7)
    wrong = []
    for _ in range(60):
        form = {
            chance.choice(HEADS) + chance.choice(TAILS): chance.choice(GARBAGE)
            for _ in range(chance.randint(0, 9))
        }
        form |= {"kind": chance.choice(["graph", "sequential", "group_chat", "two_agent", "?"])}
        do = chance.choice(["add", "group", "remove", "move", "clear"])
        where = chance.choice(["steps", "nodes", "edges", "ends.rows", "ends.rows.0.rows"])
        rows = f"/workflows/parts/rows?do={do}&at={where}&n={chance.choice([0, 1, 9999])}"
        for path in [*PARTS, rows, "/workflows/new", "/workflows/new?restore=1",
                     f"/workflows/{one}", f"/workflows/{one}/autosave"]:  # fmt: skip
            code = send(studio, path, list(form.items())).status_code
            if code >= 500:
                wrong.append((path, form))
        if studio.http.get(f"/workflows/{one}").status_code >= 500:
            wrong.append(("the page after", form))
    assert wrong == []


@pytest.mark.parametrize(
    "query",
    ["", "do=add", "do=x&at=steps", "do=add&at=x", "do=add&at=ends.rows.1", "do=move&at=steps&by=2",
     "do=remove&at=steps&n=-1", "do=remove&at=steps&n=99999", "do=add&at=ends.rows.1.rows.2.rows"],
)  # fmt: skip
def test_an_unknown_button_is_refused(studio: InProcess, query: str) -> None:
    assert send(studio, f"/workflows/parts/rows?{query}", [("a", "b")]).status_code == 422


def test_no_draft_keeps_the_page_from_being_shown(studio: InProcess) -> None:
    one = studio.create("workflows", kind="graph")["id"]
    values: list[Any] = [None, 5, "x", True, [], [1], [[]], [{}], {}, {"0": {}}, {"a": 1},
                         [{"when": 5}], [{"when": {"context": 5}}], [{"id": [], "agent": {}}],
                         [{"from": 5, "to": []}], {"any": 5}, {"any": []}, {"any": [5, {}]},
                         {"text": []}, {"text": None}, {"x": []}]  # fmt: skip
    for value in values:
        for field in ("steps", "nodes", "edges", "start", "end", "termination", "kind", "agents",
                      "is_termination_msg"):  # fmt: skip
            studio.call("PUT", f"workflows/{one}/draft", {"kind": "graph", field: value})
            answer = studio.http.get(f"/workflows/{one}")
            assert answer.status_code == 200, (field, value)
            again = send(studio, f"/workflows/{one}/autosave", Form(answer.text).sent)
            assert again.status_code < 500, (field, value)


def test_pure_functions_agree_on_random_bodies() -> None:
    """What a form shows of any definition makes the same definition again."""
    chance = random.Random(11)
    good = 0
    for _ in range(800):
        body = _body(chance)
        try:
            before = dump(parse("workflows", body))
        except InvalidError:
            continue
        good += 1
        shown = {k: v for k, v in (flatten(before) | to_form(before)).items() if k != "v"}
        names = set(shown) | {"variables.0.name"}
        names |= {STANDS_FOR[n] for n in names & set(STANDS_FOR)}
        given = carried(before, from_form(unflatten(shown.items())), names)
        assert dump(parse("workflows", given)) == before
    assert good > 400


def _body(chance: random.Random) -> Json:
    texts = ["", "a", "always", "5", "true", "a\nb", " a ", "é", "{task}", "'", "None"]
    scalars = [*texts, 0, 5, -1, 0.5, 1e300, 2**62, True, False, None]
    ids = ["a", "B", "x_1", "0", "12", "else", "name"]

    def some(values: Any) -> Any:
        return chance.choice(list(values))

    def tree(depth: int) -> Json:
        leaves: list[Json] = [{"text": some(texts)}, {"max_messages": 5}, {"tokens": 9},
                              {"cost_usd": 0.1}, {"seconds": 5}, {"source": "x"},
                              {"handoff": "y"}, {"stale": 2}]  # fmt: skip
        if depth and chance.random() < 0.6:
            name = some(["any", "all"])
            return {name: [tree(depth - 1) for _ in range(chance.randint(1, 4))]}
        return dict(some(leaves))

    def when() -> Any:
        return some(["always", "else", {"contains": some(texts)}, {"model": some(texts)},
                     {"context": {"name": some(ids), "op": some(["==", "<", "contains"]),
                                  "value": some(scalars)}}])  # fmt: skip

    nodes = chance.sample(ids, chance.randint(1, len(ids)))
    body: Json = {
        "name": "A", "kind": some(["graph", "graph", "sequential", "two_agent", "group_chat"]),
        "termination": chance.choice([None, tree(0), tree(1), tree(2), tree(3)]),
        "context_variables": {some(ids): some(scalars) for _ in range(chance.randint(0, 3))},
        "models": chance.sample(["m1", "m2", "m3"], chance.randint(0, 3)),
        "compat": some([None, "autogen-0.2"]),
        "is_termination_msg": some([None, {"kind": "never"}, {"kind": "contains", "text": "q"}]),
    }  # fmt: skip
    if body["kind"] == "sequential":
        body["steps"] = [{"workflow": "w", "message": some(texts)} for _ in range(3)]
    if body["kind"] == "graph":
        body |= {
            "nodes": [{"id": one, some(["agent", "workflow"]): "x", "join": some(["all", "any"])}
                      for one in nodes],
            "edges": [{"from": some(nodes), "to": some(nodes), "when": when(),
                       "max_times": some([None, 3])} for _ in range(chance.randint(0, 6))],
            "start": some([None, *nodes]),
            "end": some([None, *nodes, chance.sample(nodes, chance.randint(0, len(nodes)))]),
        }  # fmt: skip
    return body
