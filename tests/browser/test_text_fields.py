"""SECURITY R14: an attack in every field that takes free text is shown, by every page, as text.

The fields are those of the schemas: one that is added must be attacked too, or the test fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.conftest import InProcess
from tests.fake_openai import FakeOpenAI
from tests.web.routes import routes

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
Json = dict[str, Any]
ATTACKS = [
    "\"'></textarea></title></script><script>__x=1</script><img src=x onerror=__x=1>",
    '"><svg onload="__x=1"></svg><a href="javascript:__x=1">a</a> {{7*191}} {% for %}',
    '\'><b hx-get="/logout" hx-trigger="load" hx-on:load="__x=1" onmouseover="__x=1">b</b>',
    "[click](javascript:__x=1) <hx-partial hx-target=body>gone</hx-partial> ${7*191}",
]
REFUSED = {
    "name",
    "base_url",
    "transport.url",
}  # they take no such characters: what a form then shows is below
NEVER_SHOWN = {"secret", "api_key"}


def test_every_free_text_is_shown_as_text(
    own_studio: InProcess, fake: FakeOpenAI, browse: Callable[..., Page]
) -> None:
    ids = _furnish(own_studio)
    ids["sessions"], failed = _talk(own_studio, fake)
    own_studio.post("tokens", {"name": ATTACKS[1][:64], "scope": "read"}, 201)
    page = browse(own_studio)
    shown = ""
    for path in [*_pages(own_studio, ids), f"/sessions/{failed}"]:
        page.goto(own_studio.url + path)
        page.wait_for_load_state("load")
        assert page.evaluate("window.__x") is None, path
        assert page.locator("[hx-get='/logout'], [onerror], [onload]").count() == 0, path
        shown += page.inner_text("body") + _values(page)
        assert "1337" not in shown, path  # 7*191: nothing was calculated
    for attack in ATTACKS:
        assert attack in shown


@pytest.mark.parametrize("noun", ["models", "agents", "skills", "workflows"])
def test_what_a_form_refuses_is_shown_as_text(
    own_studio: InProcess, browse: Callable[..., Page], noun: str
) -> None:
    page = browse(own_studio)
    page.goto(f"{own_studio.url}/{noun}/new")
    page.evaluate("document.querySelectorAll('main details').forEach(d => d.open = true)")
    page.evaluate("document.querySelectorAll('[role=tabpanel]').forEach(p => p.hidden = false)")
    typed = []
    for field in page.locator("main form :is(input[type=text], textarea)").all():
        if field.is_visible() and field.is_editable():
            typed.append(ATTACKS[len(typed) % len(ATTACKS)])
            field.fill(typed[-1])
    page.get_by_role("button", name=f"Create {noun[:-1]}").click()
    page.locator("[aria-invalid=true]").first.wait_for()
    page.wait_for_load_state("load")
    assert page.evaluate("window.__x") is None
    values = _values(page)
    assert [text for text in typed if text not in values] == []


def _values(page: Page) -> str:
    found: list[str] = page.eval_on_selector_all("input, textarea", "all => all.map(e => e.value)")
    return "\n".join(found)


def _talk(studio: InProcess, fake: FakeOpenAI) -> tuple[str, str]:
    """A session that waits for a person's answer, and one that failed: both with these words."""
    asking = studio.create(
        "workflows", kind="two_agent", initiator=studio.assistant(studio.scripted(*ATTACKS)),
        recipient=studio.person(description=ATTACKS[1]), max_turns=4,
    )["id"]  # fmt: skip
    waiting = studio.start(asking, ATTACKS[0])
    studio.wait(waiting, "waiting")
    endpoint = fake.endpoint("complaining", text=ATTACKS[0])
    failed = studio.start(studio.pair(studio.model(endpoint)), ATTACKS[3])
    studio.wait(failed, "failed")
    return waiting, failed


def _pages(studio: InProcess, ids: dict[str, str]) -> list[str]:
    """Every page there is, and one for each kind of definition."""
    found = [
        route.filled(one=ids.get(route.path.split("/")[1], "1"), seq="3")
        for route in routes(studio.app)
        if route.method == "GET"
        and not route.path.startswith(("/api", "/static", "/login", "/docs", "/parts"))
        and not route.path.endswith("/stream")
    ]
    found += [one for one in ids.values() if one.startswith("/")]
    answers = {path: studio.http.get(path).status_code for path in found}
    assert {code for code in answers.values() if code >= 500} == set()
    return [path for path, code in answers.items() if code == 200]


# -- one of everything, whose every free text is an attack


def _furnish(studio: InProcess) -> dict[str, str]:
    """Returns an id for each noun, and the page of each definition by its kind."""
    whole = studio.http.get("/api/openapi.json").json()
    made: dict[str, str] = {}
    attacked: dict[str, set[str]] = {}
    for noun, kind, body in _bodies(studio):
        attacked.setdefault(noun, set()).update(_attack(body))
        made[noun] = str(studio.create(noun, **body)["id"])
        made[kind] = f"/{noun}/{made[noun]}"
    for noun, paths in attacked.items():
        body = whole["paths"][f"/api/{noun}"]["post"]["requestBody"]["content"]["application/json"]
        free = _free_texts(body["schema"], whole) - REFUSED - NEVER_SHOWN
        assert free <= paths, f"{noun}: a text that nobody attacked"
    return made


def _bodies(studio: InProcess) -> Iterator[tuple[str, str, Json]]:
    """Bodies that hold every field of their kind; X is replaced."""
    model = studio.scripted("Hello.")
    agent, other, workflow = studio.assistant(model), studio.stand_in(), studio.pair(model)
    said = {"description": "X", "is_termination_msg": {"kind": "exact", "text": "X"}}
    runs = said | {
        "initiator": other, "summary_prompt": "X", "context_variables": {"x": "X"},
        "termination": {"any": [{"text": "X"}, {"all": [{"text": "X"}]}]},
    }  # fmt: skip
    yield "models", "by_name", {
        "provider": "scripted", "description": "X", "model": "X", "replies": {"Nobody": ["X"]},
        "parameters": {"stop": ["X"]},
    }  # fmt: skip
    call = {"content": "X", "tool_calls": [{"name": "f", "arguments": {"a": "X"}}]}
    yield "models", "by_name_calling", {"provider": "scripted", "replies": {"Nobody": [call]}}
    yield "models", "in_turn", {"provider": "scripted", "replies": ["X", "X", call]}
    yield "skills", "skill", {
        "description": "X", "network": {"hosts": ["x.y"]},
        "source": f"def f(a: str = {ATTACKS[0]!r}) -> str:\n    '''{ATTACKS[3]}'''\n    return a",
    }  # fmt: skip
    yield "skills", "mcp_server", {
        "kind": "mcp", "description": "X", "tools": ["X"],
        "transport": {"kind": "stdio", "command": ["X", "X"]},
        "offered": [{"name": "X", "description": "X", "parameters": {}}],
    }  # fmt: skip
    yield "agents", "agent", said | {
        "models": [model], "system_message": "X", "default_auto_reply": "X", "ask": "X",
        "code_execution_config": {"image": "X", "network": {"hosts": ["x.y"]}},
        "examples": [{"user": "X", "assistant": "X"}], "reply": {"starts_with": ["X", "X"]},
        "nested": [{"workflow": workflow, "message": "X"}], "parameters": {"stop": ["X"]},
        "context_variables": {"x": "X"}, "human_input_mode": "ALWAYS",
        "handoffs": [
            {"to": other, "when": "X"}, {"to": other, "when": {"contains": "X"}},
            {"to": "user", "when": {"model": "X"}},
            {"to": other, "when": {"context": {"name": "x", "op": "==", "value": "X"}}},
        ],
        "question": {"form": "fields", "prompt": "X", "choices": ["X", "X"], "schema": {
            "type": "object", "properties": {
                "a": {"title": "X", "description": "X", "default": "X"},
                "b": {"title": "X", "enum": ["X"]},
            },
        }},
    }  # fmt: skip
    yield "agents", "choosing_agent", {
        "kind": "user_proxy", "question": {"form": "choice", "prompt": "X", "choices": ["X"]},
    }  # fmt: skip
    yield "agents", "team_agent", said | {
        "kind": "workflow", "workflow": workflow, "models": [model], "response_preparer": "X",
    }  # fmt: skip
    yield "workflows", "two_agent", runs | {
        "kind": "two_agent", "recipient": agent, "termination": {"text": "X"},
    }  # fmt: skip
    yield "workflows", "sequential", runs | {
        "kind": "sequential", "steps": [{"workflow": workflow, "message": "X"}],
    }  # fmt: skip
    yield "workflows", "graph", runs | {
        "kind": "graph", "start": "a", "nodes": [{"id": i, "agent": agent} for i in "ab"],
        "edges": [
            {"from": "a", "to": "b", "when": {"contains": "X"}},
            {"from": "a", "to": "b", "when": {"model": "X"}},
            {"from": "a", "to": "b", "when": {"context": {"name": "x", "op": "==", "value": "X"}}},
        ],
    }  # fmt: skip
    yield "workflows", "group_chat", runs | {
        "kind": "group_chat", "agents": [agent, other], "select_speaker_message_template": "X",
        "select_speaker_prompt_template": "X",
    }  # fmt: skip


def _attack(body: Json) -> set[str]:
    """Puts an attack in the place of every X; returns the paths of all texts there were."""
    paths = set()
    for i, (path, put, text) in enumerate(list(_texts(body))):
        paths.add(path)
        if text == "X":
            put(ATTACKS[i % len(ATTACKS)])
    return paths


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, Callable[[str], None], str]]:
    """Path, setter and text of every string inside a body; * is an item, or a value of a map."""
    is_map = isinstance(value, list) or path in (
        "context_variables", "replies", "question.schema.properties",
    )  # fmt: skip
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        at = f"{path}.{'*' if is_map else key}".strip(".")
        if isinstance(inner, str):
            yield at, partial(value.__setitem__, key), inner
        elif isinstance(inner, dict | list):
            yield from _texts(inner, at)


def _free_texts(schema: Json, whole: Json, path: str = "", seen: tuple[str, ...] = ()) -> set[str]:
    """The paths of the texts that may say anything.

    A reference (1 to 80 characters) is not free: it must name something that exists.
    """
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name in seen:  # a tree of conditions
            return set()
        return _free_texts(whole["components"]["schemas"][name], whole, path, (*seen, name))
    inside = [(choice, path) for key in ("anyOf", "oneOf") for choice in schema.get(key, [])]
    inside += [(s, f"{path}.{n}".strip(".")) for n, s in schema.get("properties", {}).items()]
    inside += [
        (schema[key], f"{path}.*")
        for key in ("items", "additionalProperties")
        if isinstance(schema.get(key), dict)
    ]
    found = {text for s, at in inside for text in _free_texts(s, whole, at, seen)}
    is_free = schema.get("type") == "string" and not {"pattern", "enum", "const"} & set(schema)
    is_reference = (schema.get("minLength"), schema.get("maxLength")) == (1, 80)
    return found | ({path} if is_free and not is_reference else set())
