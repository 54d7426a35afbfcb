"""The form of a workflow, as a browser without scripts sends it: nothing is lost on the way."""

from __future__ import annotations

import pytest

from ..builders import unique
from ..conftest import InProcess
from .html_forms import (
    Control,
    Form,
    check_draft_and_failed_save,
    check_untouched,
    opened,
    save,
    send,
)
from .workflow_bodies import VARIABLES, bodies, made


@pytest.fixture(scope="module")
def ids(studio: InProcess) -> dict[str, str]:
    return made(studio)


NAMES = sorted(
    bodies(dict.fromkeys(("model", "second", "third", "agent", "other", "pair"), "x"))
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_an_untouched_form_changes_nothing(
    studio: InProcess, ids: dict[str, str], name: str
) -> None:
    check_untouched(studio, "workflows", bodies(ids)[name])


@pytest.mark.parametrize("name", NAMES)
def test_a_draft_and_a_failed_save_lose_nothing(
    studio: InProcess, ids: dict[str, str], name: str
) -> None:
    check_draft_and_failed_save(studio, "workflows", bodies(ids)[name], "description", "a/b")


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
    after = save(studio, "workflows", before["id"], form)
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
    after = save(
        studio, "workflows", one, [*left, ("is_termination_msg.kind", ""), ("models.0", "")]
    )
    assert (after["nodes"], after["edges"], after["start"]) == ([], [], None)
    assert (after["termination"], after["is_termination_msg"]) == (None, None)
    assert (after["context_variables"], after["models"], after["end"]) == ({}, [], [])
