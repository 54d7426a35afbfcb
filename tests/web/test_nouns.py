"""What the four nouns share: create, read, replace, delete, drafts, revisions, lists."""

from __future__ import annotations

from typing import Any

import pytest

from ..builders import Json, unique
from ..conftest import InProcess

BODIES: dict[str, dict[str, Any]] = {
    "models": {"provider": "scripted", "replies": ["Hi"]},
    "skills": {"source": "def f(a: int) -> int:\n    return a\n"},
    "agents": {"kind": "assistant", "system_message": "You help."},
    "workflows": {"kind": "group_chat", "max_round": 4},
}
NOUNS = sorted(BODIES)


@pytest.fixture(params=NOUNS)
def noun(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def made(studio: InProcess, noun: str) -> Json:
    return studio.create(noun, **BODIES[noun])


def test_it_is_created_read_changed_and_deleted(studio: InProcess, noun: str) -> None:
    body = {"name": unique("n"), **BODIES[noun]}
    created = studio.call("POST", noun, body)
    assert created.status_code == 201
    path = f"{noun}/{created.json()['id']}"
    assert created.headers["location"] == f"/api/{path}"
    assert created.headers["etag"] == '"1"'
    assert studio.get(path) == created.json()
    renamed = studio.put(path, {**body, "name": unique("n"), "description": "Second"})
    assert (renamed["revision"], renamed["description"]) == (2, "Second")
    assert studio.call("DELETE", path).status_code == 204
    studio.refused("GET", path, status=404)
    studio.refused("PUT", path, body, status=404)
    studio.refused("DELETE", path, status=404)


def test_a_put_replaces_the_whole(studio: InProcess, noun: str, made: Json) -> None:
    """A field that is left out has its default again; nothing of the old body is kept."""
    path = f"{noun}/{made['id']}"
    body = {"name": made["name"], **BODIES[noun]}
    studio.put(path, {**body, "description": "Soon gone"})
    assert studio.put(path, body)["description"] == ""


def test_a_put_that_changes_nothing_makes_no_revision(
    studio: InProcess, noun: str, made: Json
) -> None:
    again = studio.put(f"{noun}/{made['id']}", {"name": made["name"], **BODIES[noun]})
    assert again == made


def test_if_match_protects_from_overwriting(studio: InProcess, noun: str, made: Json) -> None:
    path = f"{noun}/{made['id']}"
    body = {"name": made["name"], **BODIES[noun]}
    first = studio.call("PUT", path, {**body, "description": "A"}, headers={"if-match": '"1"'})
    assert (first.status_code, first.headers["etag"]) == (200, '"2"')
    late = studio.call("PUT", path, {**body, "description": "B"}, headers={"if-match": '"1"'})
    assert late.status_code == 412
    assert late.json()["current"] == studio.get(path)
    assert studio.get(path)["description"] == "A"
    for fresh in ('"2"', 'W/"2"', "*"):
        studio.put(path, {**body, "description": "A"}, **{"if-match": fresh})
    bad = studio.call("PUT", path, body, headers={"if-match": "yesterday"})
    assert bad.status_code == 422


def test_a_draft_makes_no_revision_and_a_save_clears_it(
    studio: InProcess, noun: str, made: Json
) -> None:
    path = f"{noun}/{made['id']}"
    draft = {"name": "half a na", "positions": {"a": [1, 2]}, "description": None}
    shown = studio.put(f"{path}/draft", draft)
    assert (shown["revision"], shown["has_draft"]) == (1, True)
    assert studio.get(f"{path}/draft") == {"draft": draft}
    assert len(studio.get(f"{path}/revisions")["items"]) == 1
    saved = studio.put(path, {"name": made["name"], **BODIES[noun], "description": "Saved"})
    assert (saved["revision"], saved["has_draft"]) == (2, False)
    studio.put(f"{path}/draft", draft)
    assert studio.call("DELETE", f"{path}/draft").status_code == 204
    assert studio.get(f"{path}/draft") == {"draft": None}
    assert studio.get(path)["has_draft"] is False


def test_an_old_revision_can_be_read_and_restored(studio: InProcess, noun: str, made: Json) -> None:
    path = f"{noun}/{made['id']}"
    studio.put(path, {"name": unique("n"), **BODIES[noun], "description": "Second"})
    first = studio.get(f"{path}/revisions/1")
    assert (first["name"], first["revision"]) == (made["name"], 1)
    restored = studio.call("POST", f"{path}/revisions/1/restore")
    assert (restored.status_code, restored.headers["etag"]) == (200, '"3"')
    assert restored.json()["name"] == made["name"]
    listed = studio.get(f"{path}/revisions")["items"]
    assert [r["revision"] for r in listed] == [3, 2, 1]
    assert all(r["by"] and r["created_at"].endswith("Z") for r in listed)


@pytest.mark.parametrize("n", [0, -1, 99, 2**31, 2**63, 10**30, "x"])
def test_a_revision_that_is_not_there(studio: InProcess, n: object) -> None:
    made = studio.create("agents")
    for method, path in (("GET", f"revisions/{n}"), ("POST", f"revisions/{n}/restore")):
        answer = studio.call(method, f"agents/{made['id']}/{path}")
        assert answer.status_code in (404, 422), answer.text


def test_restoring_a_name_that_is_taken_by_now(studio: InProcess, noun: str, made: Json) -> None:
    path = f"{noun}/{made['id']}"
    studio.put(path, {"name": unique("n"), **BODIES[noun]})
    studio.create(noun, **{**BODIES[noun], "name": made["name"]})
    problem = studio.refused("POST", f"{path}/revisions/1/restore")
    assert [e["loc"] for e in problem["errors"]] == [["name"]]


def test_what_is_used_is_not_deleted_and_its_users_are_named(studio: InProcess) -> None:
    skill = studio.create("skills", **BODIES["skills"])["id"]
    model = studio.scripted("Hi")
    agent = studio.create("agents", models=[model], skills=[skill])
    pair = studio.create("workflows", kind="two_agent", recipient=agent["id"])
    chain = studio.create("workflows", kind="sequential", steps=[{"workflow": pair["id"]}])
    uses = [
        (f"models/{model}", agent), (f"skills/{skill}", agent), (f"agents/{agent['id']}", pair),
        (f"workflows/{pair['id']}", chain),
    ]  # fmt: skip
    for path, user in uses:
        problem = studio.refused("DELETE", path, status=409)
        assert [(u["id"], u["name"]) for u in problem["users"]] == [(user["id"], user["name"])]
        studio.get(path)
    for path in (f"workflows/{chain['id']}", *(p for p, _ in reversed(uses))):
        assert studio.call("DELETE", path).status_code == 204


def test_a_reference_to_what_was_deleted_is_refused(studio: InProcess) -> None:
    model = studio.scripted("Hi")
    agent = studio.create("agents", models=[model])
    studio.put(f"agents/{agent['id']}", {"name": agent["name"], "kind": "assistant"})
    assert studio.call("DELETE", f"models/{model}").status_code == 204
    problem = studio.refused("POST", f"agents/{agent['id']}/revisions/1/restore")
    assert [e["loc"] for e in problem["errors"]] == [["models", 0]]


def test_lists_are_newest_first_page_after_page(own_studio: InProcess) -> None:
    names = [own_studio.create("agents")["name"] for _ in range(7)]
    first = own_studio.get("agents", limit=3)
    assert [a["name"] for a in first["items"]] == names[:3:-1]
    later = own_studio.create("agents")["name"]
    rest = own_studio.get("agents", limit=4, cursor=first["next"])
    assert [a["name"] for a in rest["items"]] == names[3::-1]
    assert rest["next"] is None
    everything = own_studio.everything("agents", limit=2)
    assert [a["name"] for a in everything] == [later, *reversed(names)]


@pytest.mark.parametrize(
    "params",
    [{"limit": 0}, {"limit": 201}, {"limit": "x"}, {"cursor": "nonsense"}, {"cursor": "8J+YgA=="},
     {"cursor": "YQ=="}, {"cursor": "ä"}, {"q": "x" * 501}],
)  # fmt: skip
def test_list_parameters_that_make_no_sense(
    studio: InProcess, noun: str, params: dict[str, Any]
) -> None:
    for path in (noun, "sessions"):
        assert studio.call("GET", path, params=params).status_code == 422


def test_search_takes_every_character_literally(own_studio: InProcess) -> None:
    texts = {
        "percent": "a 100% sure thing", "underscore": "snake_case", "plain": "snakeXcase 100 sure",
        "backslash": r"C:\temp", "quote": 'say "hello"', "letters": "Grüße",
    }  # fmt: skip
    for name, text in texts.items():
        own_studio.create("agents", name=name, description=text)

    def found(q: str) -> set[str]:
        return {a["name"] for a in own_studio.get("agents", q=q)["items"]}

    assert found("100%") == {"percent"}
    assert found("snake_case") == {"underscore"}
    assert found(r"C:\temp") == {"backslash"}
    assert found('"hello"') == {"quote"}
    assert found("Grüße") == {"letters"}
    assert found("SNAKE") == {"underscore", "plain"}
    assert found("%") == {"percent"}
    assert found("' OR 1=1 --") == set()


def test_search_looks_at_what_was_written_and_not_at_field_names(own_studio: InProcess) -> None:
    own_studio.create("agents", name="Quiet", system_message="Nothing of note.")
    own_studio.wait(own_studio.start(own_studio.pair(own_studio.scripted("Hi", "Hi"))))
    assert own_studio.get("agents", q="Nothing of note")["items"] != []
    assert own_studio.get("agents", q="system_message")["items"] == []
    assert own_studio.get("agents", q="NEVER_SAID")["items"] == []
    assert own_studio.get("sessions", q="attempt")["items"] == []


def test_a_list_of_one_noun_does_not_know_the_others(studio: InProcess) -> None:
    agent = studio.create("agents")
    for noun in ("models", "skills", "workflows"):
        studio.refused("GET", f"{noun}/{agent['id']}", status=404)
