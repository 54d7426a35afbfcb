"""Every workflow of the gallery as it is shipped, with a scripted model, from task to end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from studio.definitions.bundle import load_bundle
from studio.definitions.gallery import EXAMPLES, MADE_FOR_BUILT_IN, MODELS, SCRIPTED, bundles
from studio.definitions.nouns import parse
from studio.definitions.references import NOUNS, references
from studio.store.tables import OWNER
from studio.web.credentials import Principal
from studio.web.pages.teams import cards

from ..builders import TERMINAL, Json, check_log, unique, until
from ..conftest import InProcess, serving
from ..gallery_scripts import SCRIPTS
from ..gallery_scripts.applications import APPLICATIONS
from ..gallery_scripts.script import Script
from .wheels import make_wheel, only_from

BUNDLES = {slug: load_bundle(text) for slug, text in bundles().items()}
WORKFLOWS = {b["name"]: b for bundle in BUNDLES.values() for b in bundle.bodies["workflows"]}
PARTS = {  # workflows that stand in others: as steps, in nodes, in agents
    reference.id.partition("/")[2]
    for bundle in BUNDLES.values()
    for noun in NOUNS
    for body in bundle.bodies[noun]
    for reference in references(parse(noun, body))
    if reference.noun == "workflows"
}


PACKAGES = {  # that code in the gallery uses
    package
    for bundle in BUNDLES.values()
    for body in bundle.bodies["agents"]
    for package in (body.get("code_execution_config") or {}).get("packages", [])
}


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    """A studio with the gallery; its package index has packages of these names."""
    shelf = tmp_path_factory.mktemp("shelf")
    for package in PACKAGES:
        make_wheel(shelf, package)
    home = tmp_path_factory.mktemp("gallery") / "home"
    with pytest.MonkeyPatch.context() as patch, serving(home, gallery=True) as api:
        only_from(patch, shelf)
        yield api
        for one in api.everything("workflows"):  # an image would stay in this machine's Docker
            assert api.call("DELETE", f"preparations?workflow={one['id']}").status_code == 200


@pytest.fixture(scope="module")
def ids(gallery: InProcess) -> dict[str, str]:
    """The ids of the gallery's workflows by name, and of the built-in model."""
    found = gallery.everything("workflows") + gallery.everything("models")
    return {one["name"]: str(one["id"]) for one in found}


@pytest.mark.parametrize("slug", BUNDLES)
def test_a_bundle_needs_nothing_but_itself_and_the_models(slug: str) -> None:
    own = {f"{noun}/{b['name']}" for s in (slug, MODELS) for noun in NOUNS
           for b in BUNDLES[s].bodies[noun]}  # fmt: skip
    for noun in NOUNS:
        for body in BUNDLES[slug].bodies[noun]:
            assert {r.id for r in references(parse(noun, body))} <= own, body["name"]


def test_every_example_has_a_task_and_a_script_and_every_kind_an_example() -> None:
    whole = set(WORKFLOWS) - PARTS
    assert set(EXAMPLES) == whole
    assert {script.workflow for script in SCRIPTS} == whole
    assert whole >= MADE_FOR_BUILT_IN
    kinds = {body["kind"] for body in WORKFLOWS.values()}
    assert kinds == {"two_agent", "group_chat", "sequential", "graph"}
    methods = {body.get("speaker_selection_method") for body in WORKFLOWS.values()}
    assert methods >= {"auto", "round_robin", "handoff"}


def test_examples_are_told_apart_by_their_names() -> None:
    assert Counter(b["name"] for bundle in BUNDLES.values() for b in bundle.bodies["workflows"]
                   ).most_common(1)[0][1] == 1  # fmt: skip
    shared = Counter(b["name"] for bundle in BUNDLES.values() for b in bundle.bodies["agents"])
    assert {name for name, times in shared.items() if times > 1} <= {
        "You", "Namer", "Critic", "Copywriter", "Host",
    }  # fmt: skip


@pytest.mark.parametrize("name", WORKFLOWS)
def test_nothing_but_a_download_stands_in_the_way(
    gallery: InProcess, ids: dict[str, str], name: str
) -> None:
    problems = gallery.post(f"workflows/{ids[name]}/check", status=200)["problems"]
    assert {p["code"] for p in problems if p["blocking"]} <= {"model_not_fetched", "not_prepared"}
    unwise = {p["code"] for p in problems if not p["blocking"]}
    assert unwise <= {
        "initiator_outside", "dead_end", "selector_small", "no_tools", "no_sandbox", "skills_idle",
    }  # fmt: skip


@pytest.mark.parametrize(
    "script", SCRIPTS, ids=[f"{s.workflow} {i}" for i, s in enumerate(SCRIPTS)]
)
def test_it_runs_to_its_end(gallery: InProcess, ids: dict[str, str], script: Script) -> None:
    session = _run(gallery, ids, script)
    events = gallery.events(session["id"])
    assert session["status"] == "finished", _failures(events)
    assert script.ended_by in session["reason"]
    assert script.result in events[-1]["summary"]
    check_log(session, events)
    _check_chats(script, events)
    for agent, words in script.heard.items():
        asked = _last_request(gallery, session["id"], events, agent)
        assert [w for w in words if w not in asked] == [], (agent, asked)
    assert sorted((e["from"], e["to"], e["times"]) for e in events if e["kind"] == "edge_taken"
                  ) == sorted(script.edges)  # fmt: skip
    assert [e for e in events if e["kind"] == "tool_returned" and not e["ok"]] == []
    codes = [e["exit_code"] for e in events if e["kind"] == "code_executed"]
    assert codes == [*script.ran]
    questions = [(e["chat"], e["agent"]) for e in events if e["kind"] == "input_requested"]
    assert questions == [(answer.chat, answer.agent) for answer in script.answers]


def _run(gallery: InProcess, ids: dict[str, str], script: Script) -> Json:
    """The session at its end; the people in it have been asked and have answered."""
    _prepare(gallery, ids[script.workflow])
    models: dict[str, Any] = {}
    if script.workflow != SCRIPTED:
        given = {"name": unique("script"), "provider": "scripted", "replies": script.replies}
        made = gallery.post("models", given, 201)
        models = {"models": {ids["SmolLM2"]: made["id"]}}
    one = gallery.start(ids[script.workflow], EXAMPLES[script.workflow], **models)
    for answer in script.answers:
        question = until(lambda: _next_question(gallery, one))
        assert question is not None, gallery.session(one)
        gallery.verb(one, "answer", {"question": question["id"], **answer.body})
    return gallery.wait(one)


def _prepare(gallery: InProcess, workflow: str) -> None:
    gallery.post("preparations", {"workflow": workflow})
    found = until(
        lambda: gallery.get("preparations", workflow=workflow)["items"],
        lambda items: all(item["state"] != "running" for item in items),
        60,
    )
    assert [item for item in found if item["state"] != "ready"] == []


def _next_question(gallery: InProcess, one: str) -> Json | None:
    """What a person is asked now; nothing while the session is at work."""
    session = gallery.session(one)
    assert session["status"] not in TERMINAL, session["reason"]
    open_now: list[Json] = session["questions"] if session["status"] == "waiting" else []
    return open_now[0] if open_now else None


def _check_chats(script: Script, events: list[Json]) -> None:
    """Who spoke in which chat; each inner chat begun and ended, some at the same time."""
    said: dict[str, list[str]] = {}
    for event in events:
        if event["kind"] == "message":
            said.setdefault(event["chat"], []).append(event["agent"])
    assert said == script.said
    begun = {e["chat"]: e for e in events if e["kind"] == "chat_started"}
    ended = {e["chat"]: e["seq"] for e in events if e["kind"] == "chat_ended"}
    assert {path: e["form"] for path, e in begun.items()} == script.forms
    assert set(ended) == set(begun)
    for one, other in script.beside:
        assert max(begun[one]["seq"], begun[other]["seq"]) < min(ended[one], ended[other])


def _last_request(gallery: InProcess, one: str, events: list[Json], agent: str) -> str:
    """What the model of an agent was sent last, messages only."""
    called = [e for e in events if e["kind"] == "model_called" and e["agent"] == agent]
    call = gallery.get(f"sessions/{one}/calls/{called[-1]['seq']}")
    return "\n".join(str(m.get("content")) for m in call["request"]["messages"])


def _failures(events: list[Json]) -> list[Json]:
    return [e for e in events if e["kind"] in ("error", "session_finished")]


def test_cards_say_what_a_team_needs(gallery: InProcess) -> None:
    """Read off the definitions: what runs code or skills, and what the built-in model is for."""
    services = gallery.app.state.services
    found = asyncio.run(cards(services, Principal(OWNER, "test", "token")))
    badges = {card.name: card.badge[0] for card in found}
    assert {name: badges[name] for name in EXAMPLES if badges[name].startswith("Needs a sand")} == {
        "Assistant and executor": "Needs a sandbox, packages, network",
        "Research team": "Needs a sandbox, network",
        **{script.workflow: "Needs a sandbox" for script in APPLICATIONS},
    }
    needs = {card.name: dict(card.needs) for card in found}
    assert needs["Assistant and executor"]["Packages"] == "yfinance, pandas, matplotlib"
    assert "query1.finance.yahoo.com" in needs["Assistant and executor"]["Network"]
    assert needs["Research team"] == {
        "Sandbox": "Executor", "Network": "export.arxiv.org, arxiv.org",
    }  # fmt: skip
    assert needs["Answers from documents"] == {"Sandbox": "Guide to Halmstow"}
    built_in = {name for name in EXAMPLES if badges[name] == "Runs on the built-in model"}
    assert built_in == MADE_FOR_BUILT_IN
    assert badges[SCRIPTED] == "Scripted example"
    assert {card.name: card.example for card in found if card.example} == EXAMPLES
