"""The form of an agent, as a browser without scripts sends it: nothing is lost on the way."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from studio.definitions.nouns import dump, parse
from studio.errors import InvalidError
from studio.web.forms import carried, flatten, unflatten
from studio.web.pages.agent_forms import STANDS_FOR, from_form, to_form
from studio.web.pages.agent_questions import asked

from ..builders import Json, unique
from ..conftest import InProcess
from .html_forms import (
    Form,
    check_draft_and_failed_save,
    check_untouched,
    opened,
    save,
    send,
)

FIELDS: Json = {
    "verdict": {"type": "string", "title": "Verdict", "enum": ["print it", "drop it"]},
    "why": {"type": "string", "format": "textarea", "description": "The writer reads this."},
    "words": {"type": "integer", "minimum": 50, "maximum": 900, "default": 300},
    "Share": {"type": "number", "minimum": 0.5, "default": 0.25e1},
    "urgent": {"type": "boolean", "default": True},
    "said": {"type": "boolean", "default": False},
    "note": {"type": "string", "title": "Two\nlines", "default": "a\nb"},
}
SCHEMA = {"type": "object", "properties": FIELDS, "required": ["verdict", "words"]}
VARIABLES = {
    "text": "5", "number": 5, "share": 0.1, "round": 5.0, "big": 1e22, "low": -3, "yes": True,
    "no": False, "later": None, "empty": "", "lines": "a\nb", "spaces": "  ", "7": "a row's name",
    "Größe": "true", "most": 2**63 - 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def ids(studio: InProcess) -> dict[str, str]:
    model = studio.scripted("Hi")
    other = studio.assistant(model)
    return {
        "model": model, "second": studio.scripted("x"), "third": studio.scripted("y"),
        "other": other, "pair": studio.pair(model), "skill": studio.create(
            "skills", source="def f(a: int) -> int:\n    return a\n")["id"],
    }  # fmt: skip


def bodies(ids: dict[str, str]) -> dict[str, Json]:
    other, pair = ids["other"], ids["pair"]
    return {
        "plain": {"kind": "assistant"},
        "person": {"kind": "user_proxy"},
        "team": {
            "kind": "workflow", "workflow": pair, "response_preparer": "In one\nline.",
            "models": [ids["model"], ids["second"], ids["third"]],
        },
        "hidden in a team": {
            "kind": "workflow", "system_message": "Kept.", "skills": [ids["skill"]],
            "examples": [{"user": "u", "assistant": "a"}], "history": 4, "ask": "{task}",
            "reply": {"kind": "list", "count": 4}, "code_execution_config": {"timeout": 9},
        },
        "nested": {"nested": [
            {"workflow": pair},
            {"trigger": other, "workflow": pair, "message": "Check:\n{last}", "max_turns": 3,
             "summary_method": "reflection_with_llm"},
            {"trigger": other, "workflow": pair, "message": "x", "summary_method": "none"},
        ]},
        "handoffs": {"handoffs": [
            {"to": other, "when": "When the text\nis ready"}, {"to": "user", "when": "always"},
            {"to": other, "when": {"contains": "two\nlines"}},
            {"to": other, "when": {"model": "Is it good?"}},
            *[{"to": other, "when": {"context": {"name": "x", "op": op, "value": value}}}
              for op, value in [("==", "5"), ("!=", 5), ("<", 0.5), (">=", True), ("==", False),
                                ("contains", ""), ("==", None)]],
        ]},
        "variables": {"context_variables": VARIABLES},
        "form": {
            "human_input_mode": "ALWAYS", "question": {
                "form": "fields", "prompt": "How shall\nit go on?", "schema": SCHEMA},
            "human_timeout": {"seconds": 5400, "then": "end"},
        },
        "choice": {
            "human_input_mode": "TERMINATE",
            "question": {"form": "choice", "choices": ["yes", "no", "no, but"]},
            "human_timeout": {"seconds": 61, "then": "fail"},
        },
        "a form that is not shown": {"question": {"form": "text", "schema": SCHEMA,
                                                  "choices": ["a"]}},
        "choices that are no lines": {
            "question": {"form": "choice", "choices": ["two\nlines", " led by a space"]},
            "reply": {"starts_with": ["Hello ", "I"]},
        },
        "what no control shows": {
            "question": {"form": "fields", "schema": {"type": "object", "properties": {
                "a": {"type": "string", "enum": ["x\ny", "z"], "format": "textarea"},
                "b": {"type": "boolean", "minimum": 3.5},
                "c": {"type": "string", "default": ""},
            }}},
            "parameters": {"stop": ["a", "b"], "frequency_penalty": 0.5},
            "code_execution_config": {"image": "py:3", "network": {"hosts": ["a.b"]}},
            "reply": {"kind": "json", "schema": {"type": "object"}},
        },
        "lines": {"default_auto_reply": "a\nb", "description": "c\nd",
                  "is_termination_msg": {"kind": "contains", "text": "e\nf"}},
        "a day": {"human_timeout": {"seconds": 86_400}},
        "long": {"human_timeout": {"seconds": 31_536_000}},
    }  # fmt: skip


NAMES = sorted(bodies(dict.fromkeys(("model", "second", "third", "other", "pair", "skill"), "x")))


@pytest.mark.parametrize("name", NAMES)
def test_an_untouched_form_changes_nothing(
    studio: InProcess, ids: dict[str, str], name: str
) -> None:
    check_untouched(studio, "agents", bodies(ids)[name])


@pytest.mark.parametrize("name", NAMES)
def test_a_draft_and_a_failed_save_lose_nothing(
    studio: InProcess, ids: dict[str, str], name: str
) -> None:
    check_draft_and_failed_save(studio, "agents", bodies(ids)[name], "ask", "No spaces please")


def test_a_copy_has_everything(studio: InProcess, ids: dict[str, str]) -> None:
    for body in bodies(ids).values():
        one = studio.create("agents", **body)
        form = opened(studio, f"/agents/new?copy={one['id']}")
        answer = send(studio, "/agents/new", form.but(name=unique("Copy")))
        made = studio.get("agents/" + answer.headers["location"].split("/")[-1].split("?")[0])
        for field in ("nested", "handoffs", "question", "context_variables", "human_timeout"):
            assert made[field] == one[field]


@pytest.mark.parametrize("kind", ["assistant", "user_proxy"])
def test_a_team_that_becomes_another_kind_keeps_what_was_typed(
    studio: InProcess, ids: dict[str, str], kind: str
) -> None:
    given = {k: v for name in ("hidden in a team", "nested", "handoffs", "variables", "form")
             for k, v in bodies(ids)[name].items()}  # fmt: skip
    before = studio.create("agents", **given | {"workflow": ids["pair"]})
    form = opened(studio, f"/agents/{before['id']}")
    after = save(studio, "agents", before["id"], form.but(kind=kind))
    for field in set(given) - {"kind"}:
        assert after[field] == before[field], field
    assert "workflow" not in after
    back = opened(studio, f"/agents/{before['id']}").but(kind="workflow", workflow=ids["pair"])
    again = save(studio, "agents", before["id"], back)
    assert {k: again[k] for k in given} == {k: before[k] for k in given}


def test_emptied_controls_empty_the_definition(studio: InProcess, ids: dict[str, str]) -> None:
    given = {k: v for name in ("nested", "handoffs", "variables", "form", "lines")
             for k, v in bodies(ids)[name].items()}  # fmt: skip
    one = studio.create("agents", **given)["id"]
    form = opened(studio, f"/agents/{one}")
    groups = ("nested.", "handoffs.", "variables.", "fields.", "question.prompt", "human_timeout.a")
    left = [(k, "" if k.startswith(groups) else v) for k, v in form.sent]
    left = [(k, "" if k == "is_termination_msg.kind" else v) for k, v in left]
    left = [(k, "" if k == "is_termination_msg.text" else v) for k, v in left]
    after = save(studio, "agents", one, left)
    assert (after["nested"], after["handoffs"], after["context_variables"]) == ([], [], {})
    assert (after["human_timeout"], after["is_termination_msg"]) == (None, None)
    assert after["question"] == {"form": "fields", "prompt": "", "choices": [], "schema": None}


# -- faults stand where they can be mended


FAULTS: list[tuple[Json, str, str]] = [
    ({"handoffs.0.to": "", "handoffs.0.kind": "always"}, "handoffs.0.to", "needed"),
    ({"handoffs.1.to": "user", "handoffs.1.words": ""}, "handoffs.0.words", "needed"),
    ({"handoffs.0.to": "user", "handoffs.0.kind": "contains"}, "handoffs.0.contains", "needed"),
    ({"handoffs.0.to": "user", "handoffs.0.kind": "context", "handoffs.0.context.name": "a b"},
     "handoffs.0.context.name", "Letters"),
    ({"handoffs.0.to": "user", "handoffs.0.kind": "context", "handoffs.0.context.name": "a",
      "handoffs.0.context.type": "number", "handoffs.0.context.value": "many"},
     "handoffs.0.context.value", "0.7"),
    ({"handoffs.0.to": "nobody", "handoffs.0.kind": "always"}, "handoffs.0.to", ""),
    ({"nested.3.message": "x"}, "nested.0.workflow", "needed"),
    ({"nested.0.workflow": "w", "nested.0.max_turns": "0"}, "nested.0.max_turns", "At least 1"),
    ({"variables.0.name": "a", "variables.1.name": "a"}, "variables.1.name", "Another"),
    ({"variables.0.value": "a"}, "variables.0.name", "name"),
    ({"variables.4.name": "a b"}, "variables.0.name", "underscores"),
    ({"variables.0.name": "a", "variables.0.type": "number", "variables.0.value": "1,5"},
     "variables.0.value", "0.7"),
    ({"fields.0.name": "a", "fields.1.name": "a"}, "fields.1.name", "Another"),
    ({"fields.0.title": "a"}, "fields.0.name", "name"),
    ({"fields.0.name": "A", "fields.0.type": "list"}, "fields.0.options", "List"),
    ({"fields.0.name": "A", "fields.0.type": "list", "fields.0.options": "x" * 201},
     "fields.0.options", ""),
    ({"fields.0.name": "A", "fields.0.type": "integer", "fields.0.minimum": "few"},
     "fields.0.minimum", "number"),
    ({"fields.0.name": "A", "fields.0.type": "integer", "fields.0.default": "few"},
     "fields.0.default", "default"),
    ({"question.lines": "x" * 201}, "question.lines", "200"),
    ({"human_timeout.amount": "soon"}, "human_timeout", "whole number"),
    ({"human_timeout.amount": "0", "human_timeout.unit": "60"}, "human_timeout", "At least 1"),
    ({"workflow": "gone", "kind": "workflow"}, "workflow", ""),
]  # fmt: skip


@pytest.mark.parametrize(("controls", "place", "words"), FAULTS, ids=lambda x: str(x)[:40])
def test_a_fault_stands_at_its_control(
    studio: InProcess, controls: Json, place: str, words: str
) -> None:
    one = studio.assistant()
    form = opened(studio, f"/agents/{one}")
    sent = form.but(**{k.replace(".", "__"): v for k, v in controls.items()})
    answer = send(studio, f"/agents/{one}", sent)
    assert answer.status_code == 422
    errors = Form(answer.text).errors
    assert words in errors[place], errors
    assert len(errors) == 1, errors
    shown = dict(Form(answer.text).sent)
    typed = [str(v).replace("\n", "\r\n") for v in controls.values() if v]
    assert [text for text in typed if text not in shown.values()] == []
    alert = re.search(r'role="alert">(.*?)</form|role="alert">(.*?)<div class="fields', answer.text,
                      re.DOTALL)  # fmt: skip
    assert alert is not None
    assert "<p>" not in alert[0], "said twice: above the form and at the control"


def test_half_typed_rows_are_kept_as_a_draft(studio: InProcess) -> None:
    one = studio.assistant()
    form = opened(studio, f"/agents/{one}")
    controls = {
        "handoffs.0.kind": "always", "nested.0.message": "x", "variables.0.name": "n",
        "variables.0.type": "number", "variables.0.value": "1,5", "fields.0.name": "a",
        "fields.0.type": "list", "human_timeout.amount": "soon",
    }  # fmt: skip
    sent = form.but(**{k.replace(".", "__"): v for k, v in controls.items()})
    assert send(studio, f"/agents/{one}/autosave", sent).status_code == 204
    shown = dict(opened(studio, f"/agents/{one}").sent)
    assert {k: shown[k] for k in controls} == controls


# -- what a person will see


def test_the_preview_shows_the_question_as_it_is_typed(studio: InProcess) -> None:
    form = {
        "name": "Desk", "kind": "assistant", "human_input_mode": "ALWAYS",
        "question.form": "fields", "question.prompt": "How <b>now</b>?",
        "fields.0.name": "items", "fields.0.title": "Verdict", "fields.0.type": "list",
        "fields.0.options": "print it\ndrop it", "fields.0.required": "true",
        "fields.1.name": "get", "fields.1.type": "integer", "fields.1.minimum": "2",
        "human_timeout.amount": "1.5", "human_timeout.unit": "3600", "human_timeout.then": "end",
    }  # fmt: skip
    card = studio.http.post("/agents/parts/preview", data=form).text
    assert "How &lt;b&gt;now&lt;/b&gt;?" in card
    assert 'name="values.items"' in card
    assert '<option value="drop it">' in card
    assert 'min="2"' in card
    assert "After 90 minutes without an answer the conversation ends" in card
    form |= {"question.form": "choice", "question.lines": "Yes\nNo"}
    assert "Yes</span>" in studio.http.post("/agents/parts/preview", data=form).text
    form |= {"human_input_mode": "NEVER"}
    assert (
        "What the person will see" not in studio.http.post("/agents/parts/preview", data=form).text
    )


@pytest.mark.parametrize("kind", ["assistant", "user_proxy", "workflow"])
def test_the_preview_works_for_every_kind(
    studio: InProcess, ids: dict[str, str], kind: str
) -> None:
    form = {
        "kind": kind, "models.0": ids["model"], "system_message": "You rule.", "ask": "{task}",
        "response_preparer": "Be brief.", "workflow": ids["pair"], "handoffs.0.to": "user",
        "handoffs.0.words": "When lost", "nested.0.workflow": ids["pair"], "nested.1.message": "x",
    }  # fmt: skip
    card = studio.http.post("/agents/parts/preview", data=form).text
    assert ("You rule." in card, "Be brief." in card) == (kind != "workflow", kind == "workflow")
    assert "When lost" in card
    assert "runs inside" in card
    form["models.0"] = ""
    card = studio.http.post("/agents/parts/preview", data=form).text
    assert ("No model is asked" in card) is (kind != "assistant")


# -- whatever is sent


GARBAGE = [
    "",
    "x",
    "-1",
    "99999999999999999999",
    "1e999",
    "_keep",
    "\x00",
    "😀",
    "{",
    "[]",
]
TAILS = ["", ".0", ".x", ".0.0", ".0.name", ".0.type", ".0.value", ".0.kind", ".0.to", ".0.rest",
         ".0.option.0", ".0.context", ".0.context.value", ".0.x.y.z", ".9999.name", ".form",
         ".choices", ".lines", ".schema", ".schema.properties", ".amount", ".unit", ".starts",
         "[]"]  # fmt: skip
HEADS = ["nested", "handoffs", "variables", "fields", "question", "human_timeout", "models", "kind",
         "workflow", "response_preparer", "context_variables", "is_termination_msg", "reply",
         "parameters", "history", "human_input_mode"]  # fmt: skip


def test_no_part_breaks_on_what_no_browser_sends(studio: InProcess) -> None:
    one = studio.assistant()
    chance = random.Random(7)
    paths = ["/agents/parts/preview", "/agents/new", "/agents/new?restore=1", f"/agents/{one}",
             f"/agents/{one}/autosave"]  # fmt: skip
    wrong = []
    for _ in range(100):
        form = {
            chance.choice(HEADS) + chance.choice(TAILS): chance.choice(GARBAGE)
            for _ in range(chance.randint(0, 8))
        }
        form |= chance.choice([{}, {"kind": "workflow"}, {"human_input_mode": "ALWAYS"}])
        for path in paths:
            code = send(studio, path, list(form.items())).status_code
            if code >= 500:
                wrong.append((path, form))
        if studio.http.get(f"/agents/{one}").status_code >= 500:
            wrong.append(("the page after", form))
    assert wrong == []


def test_no_draft_keeps_the_page_from_being_shown(studio: InProcess) -> None:
    one = studio.assistant()
    values: list[Any] = [None, 5, "x", True, [], [1], [[]], [{}], {}, {"0": {}}, {"a": 1},
                         [{"when": 5}], [{"when": {"context": 5}}], {"schema": 5, "choices": 5},
                         {"schema": {"properties": [1], "required": 5}},
                         {"schema": {"properties": {"a": 1, "b": {"enum": 5, "type": []}}}},
                         {"seconds": []}, {"seconds": 1.5}, {"x": {"number": []}},
                         {"x": []}]  # fmt: skip
    for value in values:
        for field in ("nested", "handoffs", "question", "human_timeout", "context_variables",
                      "reply", "kind", "models", "human_input_mode", "workflow"):  # fmt: skip
            studio.call("PUT", f"agents/{one}/draft", {field: value})
            answer = studio.http.get(f"/agents/{one}")
            assert answer.status_code == 200, (field, value)
            again = send(studio, f"/agents/{one}/autosave", Form(answer.text).sent)
            assert again.status_code < 500, (field, value)


def test_pure_functions_agree_on_random_bodies() -> None:
    """What a form shows of any definition makes the same definition again."""
    chance = random.Random(11)
    good = 0
    for _ in range(600):
        body = _body(chance)
        try:
            before = dump(parse("agents", body))
        except InvalidError:
            continue
        good += 1
        shown = {k: v for k, v in (flatten(before) | to_form(before)).items() if k != "v"}
        names = set(shown) | {f"{g}.0.name" for g in ("variables", "handoffs", "nested", "fields")}
        names |= {STANDS_FOR[n] for n in names & set(STANDS_FOR)}
        body = carried(before, from_form(unflatten(shown.items())), names)
        assert dump(parse("agents", body)) == before
        asked(body)
    assert good > 300


def _body(chance: random.Random) -> Json:
    texts = ["", "a", "always", "5", "true", "a\nb", " a ", "é", "{x}", "'", "None"]
    scalars = [*texts, 0, 5, -1, 0.5, 1e300, 2**62, True, False, None]
    names = ["a", "B", "x_1", "0", "12", "items", "name"]

    def some(values: list[Any]) -> Any:
        return chance.choice(values)

    def field() -> Json:
        kind = some(["string", "integer", "number", "boolean"])
        made: Json = {"type": kind, "title": some(texts), "description": some(texts)}
        if kind == "string" and chance.random() < 0.5:
            made["enum"] = [f"{i}{some(texts)}" for i in range(chance.randint(1, 4))]
        if kind in ("integer", "number"):
            low = [None, -2] if kind == "integer" else [None, -2, 0.5]
            made |= {"minimum": some(low), "default": some([None, 1, 5])}
        if chance.random() < 0.2:
            made["format"] = "textarea"
        return made

    when: list[Any] = [some(texts), "always", {"contains": some(texts)}, {"model": some(texts)},
                       {"context": {"name": some(names), "op": some(["==", "<", "contains"]),
                                    "value": some(scalars)}}]  # fmt: skip
    fields = {some(names): field() for _ in range(chance.randint(0, 4))}
    schema = {"type": "object", "properties": fields,
              "required": [n for n in fields if chance.random() < 0.5]}  # fmt: skip
    return {
        "name": "A", "kind": some(["assistant", "user_proxy", "workflow"]),
        "handoffs": [{"to": some(["user", "x"]), "when": some(when)}
                     for _ in range(chance.randint(0, 3))],
        "context_variables": {some(names): some(scalars) for _ in range(chance.randint(0, 5))},
        "question": {"form": some(["text", "choice", "fields"]), "prompt": some(texts),
                     "choices": [some(texts) for _ in range(chance.randint(0, 2))],
                     "schema": schema if fields else None},
        "human_timeout": some([None, {"seconds": chance.randint(1, 10**7),
                                      "then": some(["auto_reply", "end", "fail"])}]),
        "nested": [{"workflow": "w", "message": some(["m", None]), "max_turns": some([None, 3]),
                    "summary_method": some(["last_msg", "none"])}
                   for _ in range(chance.randint(0, 2))],
    }  # fmt: skip
