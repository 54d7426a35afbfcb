"""Faults of a workflow's form stand where they can be mended; nothing that is sent breaks it."""

from __future__ import annotations

import random
from typing import Any

import pytest

from studio.definitions.nouns import dump, parse
from studio.errors import InvalidError
from studio.web.forms import carried, flatten, unflatten
from studio.web.pages.workflow_forms import STANDS_FOR, from_form, to_form

from ..builders import Json
from ..conftest import InProcess
from .html_forms import Form, opened, send
from .workflow_bodies import made


@pytest.fixture(scope="module")
def ids(studio: InProcess) -> dict[str, str]:
    return made(studio)


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
