"""The page of a skill, as a browser without scripts uses it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ..boxes import KINDS, needed, probe
from ..builders import Json
from ..conftest import InProcess, serving
from .html_forms import Form, check_draft_and_failed_save, check_untouched

SOURCE = '''def add(a: int, rows: list[int] = []) -> dict:
    """Add up."""
    print("adding")
    return {"sum": a + sum(rows)}


def fail(text: str) -> None:
    raise ValueError(text)
'''
CHANGED = SOURCE.replace("a + sum(rows)", "100 + a")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    kind = next((k for k in KINDS if probe(k).ready), KINDS[0])
    with serving(tmp_path_factory.mktemp("pages") / "home", boxes=needed(kind)) as api:
        yield api


@pytest.fixture
def skill(studio: InProcess) -> Json:
    return studio.create("skills", source=SOURCE)


def pressed(studio: InProcess, one: str, status: int = 200, **changed: str) -> str:
    """The page after Test was pressed, with these controls changed."""
    page = studio.http.get(f"/skills/{one}")
    assert page.status_code == 200
    form = dict(Form(page.text).sent) | changed
    answer = studio.http.post(f"/skills/{one}/test", data=form)
    assert answer.status_code == status, answer.text
    return answer.text


def test_a_form_that_was_not_touched_changes_nothing(studio: InProcess) -> None:
    given: Json = {
        "name": "untouched", "source": SOURCE, "description": "x", "approval": "once",
        "packages": ["pandas>=2,<3", "b"],
        "network": {"hosts": ["a.example", "*.b.example"]}, "secrets": ["A_KEY", "B_KEY"],
        "idempotent": True,
    }  # fmt: skip
    check_untouched(studio, "skills", given)


def test_what_was_typed_is_kept_beside_a_fault(studio: InProcess) -> None:
    check_draft_and_failed_save(studio, "skills", {"source": SOURCE}, "description", "a/b")


@pytest.mark.parametrize(
    ("controls", "body"),
    [
        ({"network.kind": "none", "network.hosts": "a.example"}, {"network": "none"}),
        ({"network.kind": "open"}, {"network": "open"}),
        (
            {"network.kind": "hosts", "network.hosts": "a.example\r\nb.example:8080\r\n"},
            {"network": {"hosts": ["a.example", "b.example:8080"]}},
        ),
        ({"packages": "a>=2,<3\r\nb, c"}, {"packages": ["a>=2,<3", "b", "c"]}),
        ({"secrets": "A_KEY, B_KEY"}, {"secrets": ["A_KEY", "B_KEY"]}),
        ({"idempotent": "true", "approval": "never"}, {"idempotent": True, "approval": "never"}),
    ],
)  # fmt: skip
def test_permissions_are_saved(
    studio: InProcess, skill: Json, controls: dict[str, str], body: Json
) -> None:
    form = dict(Form(studio.http.get(f"/skills/{skill['id']}").text).sent) | controls
    assert studio.http.post(f"/skills/{skill['id']}", data=form).status_code == 303
    after = studio.get(f"skills/{skill['id']}")
    assert {k: after[k] for k in body} == body


@pytest.mark.parametrize(
    ("control", "text", "said"),
    [
        ("packages", "--index-url=http://x", "packages of the index"),
        ("secrets", "not a name", "secrets"),
        ("network.hosts", "http://x/", "network.hosts"),
    ],
)
def test_a_wrong_permission_is_said_at_its_control(
    studio: InProcess, skill: Json, control: str, text: str, said: str
) -> None:
    changed = {control: text, "network.kind": "hosts"}
    form = dict(Form(studio.http.get(f"/skills/{skill['id']}").text).sent) | changed
    answer = studio.http.post(f"/skills/{skill['id']}", data=form)
    assert answer.status_code == 422
    shown = Form(answer.text)
    assert control in shown.errors
    assert dict(shown.sent)[control] == text
    assert (
        'id="tab-permissions" aria-controls="pane-permissions" aria-selected="true"' in answer.text
    )
    assert said in answer.text


def test_the_button_runs_what_is_saved(studio: InProcess, skill: Json) -> None:
    page = pressed(studio, skill["id"], **{"_args.a": "1", "_args.rows": "[2, 3]"})
    assert "Passed" in page
    assert "add(a=1, rows=[2, 3])" in page
    assert '<span class="n">6</span>' in page
    assert "adding" in page
    assert studio.get(f"skills/{skill['id']}")["revision"] == 1


def test_the_button_saves_first_what_was_changed(studio: InProcess, skill: Json) -> None:
    page = pressed(studio, skill["id"], source=CHANGED, **{"_args.a": "1"})
    assert '<span class="n">101</span>' in page
    assert "Save revision 3" in page
    after = studio.get(f"skills/{skill['id']}")
    assert (after["revision"], after["source"]) == (2, CHANGED)


def test_what_cannot_be_saved_is_not_run(studio: InProcess, skill: Json) -> None:
    page = pressed(studio, skill["id"], 422, source="def add(a) -> int:\n    return a\n")
    assert "Not saved, so not tested" in page
    assert "has no type" in page
    assert studio.get(f"skills/{skill['id']}")["revision"] == 1


def test_a_save_that_is_refused_keeps_what_was_typed_for_a_test(
    studio: InProcess, skill: Json
) -> None:
    form = Form(studio.http.get(f"/skills/{skill['id']}").text).sent
    typed = {"name": "a/b", "_function": "fail", "_args.text": "kept"}
    answer = studio.http.post(f"/skills/{skill['id']}", data=dict(form) | typed)
    assert answer.status_code == 422
    assert dict(Form(answer.text).sent)["_args.text"] == "kept"


def test_a_newer_revision_is_not_replaced_by_a_test(studio: InProcess, skill: Json) -> None:
    studio.put(f"skills/{skill['id']}", {"name": skill["name"], "source": CHANGED})
    page = pressed(studio, skill["id"], 412, _revision="1", **{"_args.a": "1"})
    assert "Nothing was run" in page
    assert studio.get(f"skills/{skill['id']}")["revision"] == 2


def test_arguments_that_do_not_fit_are_said_at_their_controls(
    studio: InProcess, skill: Json
) -> None:
    page = pressed(studio, skill["id"], 422, **{"_args.a": "one", "_args.rows": '[1, "x"]'})
    errors = Form(page).errors
    assert errors == {
        "arg-a": "Must be a whole number, not 'one'.",
        "arg-rows": "At [1]: must be a whole number, not 'x'.",
    }
    assert dict(Form(page).sent)["_args.a"] == "one"
    assert "Passed" not in page
    assert "Failed" not in page


def test_a_failure_shows_its_lines_and_is_data(studio: InProcess, skill: Json) -> None:
    text = "<img src=x onerror=alert(1)> {{7*7}}"
    page = pressed(studio, skill["id"], _function="fail", **{"_args.text": text})
    assert "Failed" in page
    assert 'data-go-line="8"' in page
    assert "<img" not in page
    assert "{{7*7}}" in page


def test_a_number_of_any_size_is_shown(studio: InProcess) -> None:
    source = "def f(a: int) -> int:\n    return a * 10\n"
    made = studio.create("skills", source=source)
    page = pressed(studio, made["id"], **{"_args.a": "9" * 400})
    assert "9" * 400 + "0" in page


def test_what_a_secret_lacks_is_said(studio: InProcess) -> None:
    made = studio.create("skills", source=SOURCE, secrets=["NO_SUCH_KEY"])
    page = pressed(studio, made["id"], 422, **{"_args.a": "1"})
    assert "The secret NO_SUCH_KEY is not set" in page
    assert "not set</span>" in page


def test_without_a_box_the_page_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving(tmp_path_factory.mktemp("none") / "home", boxes="") as bare:
        made = bare.create("skills", source=SOURCE)
        page = pressed(bare, made["id"], 503, **{"_args.a": "1"})
    assert "Nothing was run" in page
    assert "there is none on this machine" in page


def test_the_form_of_a_call_follows_the_source(studio: InProcess) -> None:
    typed: dict[str, Any] = {"source": SOURCE, "_function": "fail", "_args.text": "kept"}
    shown = studio.http.post("/skills/parts/schema", data=typed).text
    assert 'name="_args.text"' in shown
    assert "kept" in shown
    assert "2 functions, typed" in shown
    assert "No docstring" in shown
    broken = studio.http.post("/skills/parts/schema", data={"source": "def f(:"}).text
    assert 'data-fault-line="1"' in broken
    assert 'id="try"' not in broken
    alone = studio.http.post("/skills/parts/arguments", data=typed).text
    assert alone.strip().startswith('<div class="fields try" id="try">')


def test_who_uses_it_is_told(studio: InProcess, skill: Json) -> None:
    agent = studio.assistant(skills=[skill["id"]])
    page = studio.http.get(f"/skills/{skill['id']}").text
    assert "Used by 1" in page
    assert f'href="/agents/{agent}"' in page
