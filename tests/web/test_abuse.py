"""Searches that would hang a regular expression and texts that look like templates: R21, R22."""

from __future__ import annotations

import time

import httpx2
import pytest

from ..builders import Json
from ..conftest import InProcess
from ..fake_openai import FakeOpenAI

NASTY = [
    "(a+)+$", "a" * 400 + "!", "%", "_", "%_%" * 100, "'\"`;--", "x" * 500, "\\", "[", "*" * 400,
    "😀" * 100, "(?=(a+))a*b\\1", "{{7*7}}",
]  # fmt: skip
TEMPLATES = [
    "{{7*7}}", "{{''.__class__.__mro__}}", "{% for i in range(9) %}x{% endfor %}", "{0.__class__}",
    "%(x)s %s %n", "${7*7}", "#{7*7}", "{task.__class__}", "{unknown} {", "<%= 7*7 %>", "$(id)",
]  # fmt: skip
LIMIT = 2.0  # seconds of work: what else the machine does is not the studio's time


@pytest.fixture(scope="module")
def filled(studio: InProcess) -> str:
    """Something to search in: a long text made to trap a regular expression."""
    one = studio.start(studio.pair(studio.scripted("a" * 50_000 + "!", "b" * 50_000)))
    studio.wait(one)
    studio.create("agents", system_message="a" * 50_000 + "!")
    return one


@pytest.mark.parametrize("words", NASTY)
def test_no_search_hangs_or_breaks(studio: InProcess, filled: str, words: str) -> None:
    places = [f"/api/{noun}" for noun in ("models", "skills", "agents", "workflows", "sessions")]
    pages = ["/agents", "/models", "/skills", "/workflows", "/sessions", "/parts/palette"]
    for path in [*places, *pages]:
        began = time.process_time()
        answer = studio.http.get(path, params={"q": words})
        assert answer.status_code in (200, 422), (path, answer.status_code)
        assert time.process_time() - began < LIMIT, path
    assert studio.http.get("/api/sessions", params={"cursor": words}).status_code == 422
    assert studio.http.get("/api/sessions", params={"status": words}).status_code == 422


def test_a_termination_text_is_a_text(studio: InProcess) -> None:
    """Not a pattern: it means itself, and a long message against it costs nothing."""
    ends = {"kind": "contains", "text": "(a+)+$"}
    agent = studio.create(
        "agents", kind="assistant", models=[studio.scripted("a" * 50_000 + "!", "Or (a+)+$ so")],
    )["id"]  # fmt: skip
    proxy = studio.stand_in(is_termination_msg=ends)
    pair = studio.create(
        "workflows", kind="two_agent", initiator=proxy, recipient=agent, max_turns=9
    )
    began = time.process_time()
    one = studio.start(pair["id"])
    session = studio.wait(one)
    assert time.process_time() - began < LIMIT
    assert (session["status"], session["turns"]) == ("finished", 4)


@pytest.mark.parametrize("text", TEMPLATES)
def test_what_looks_like_a_template_reaches_the_model_as_it_is(
    studio: InProcess, fake: FakeOpenAI, text: str
) -> None:
    endpoint = fake.endpoint(text=f"Echo {text}")
    agent = studio.create(
        "agents", kind="assistant", models=[studio.model(endpoint)], system_message=f"Sys {text}",
        description=f"Desc {text}",
    )["id"]  # fmt: skip
    pair = studio.create(
        "workflows", kind="two_agent", initiator=studio.stand_in(default_auto_reply=f"Auto {text}"),
        recipient=agent, max_turns=2,
    )["id"]  # fmt: skip
    one = studio.start(pair, f"Task {text}")
    studio.wait(one)
    sent = [m["content"] for request in endpoint.requests for m in request.messages]
    assert {f"Sys {text}", f"Task {text}", f"Auto {text}"} <= set(sent)
    shown = studio.http.get(f"/sessions/{one}")
    assert shown.status_code == 200
    assert "49" not in [word.strip("<>/p ") for word in shown.text.split()]


def test_a_question_with_fields_takes_known_names_only(studio: InProcess, fake: FakeOpenAI) -> None:
    """`ask` substitutes {task} and a few more; everything else stays, and is bounded."""
    endpoint = fake.endpoint()
    agent = studio.create(
        "agents", kind="assistant", models=[studio.model(endpoint)],
        ask="{task} {task.__class__} {0} {{task}} {secret} %s {last}",
    )["id"]  # fmt: skip
    pair = studio.create(
        "workflows", kind="two_agent", initiator=studio.stand_in(), recipient=agent, max_turns=1
    )["id"]
    studio.wait(studio.start(pair, "{last}"))
    asked = endpoint.requests[0].messages[-1]["content"]
    assert "{task.__class__} {0}" in asked
    assert "{secret} %s" in asked
    assert asked.startswith("{last} ")


# -- R03: what runs is what is stored


@pytest.mark.parametrize(
    "extra",
    ["definition", "data", "team_config", "code", "work_dir", "code_execution_config", "base_url",
     "use_docker", "command", "api_key", "system_message"],
)  # fmt: skip
def test_a_session_cannot_bring_its_own(studio: InProcess, extra: str) -> None:
    pair = studio.pair(studio.scripted("Hi"))
    body: Json = {"workflow": pair, "message": "x", extra: {"a": 1}}
    before = len(studio.everything("sessions"))
    studio.refused("POST", "sessions", body)
    assert len(studio.everything("sessions")) == before


# -- R16: what a model may make a browser fetch


def test_an_image_in_a_reply_fetches_nothing(studio: InProcess, canary: FakeOpenAI) -> None:
    trap = f"http://127.0.0.1:{canary.port}/x?secret"
    replies = [
        f"![x]({trap})", f"<img src={trap}>", f"<link rel=stylesheet href={trap}>",
        f"<style>@import '{trap}'</style>", f"[link]({trap})",
        f"<div style='background:url({trap})'>",
    ]  # fmt: skip
    one = studio.start(studio.pair(studio.scripted(*replies), max_turns=6))
    studio.wait(one)
    for path in (f"/sessions/{one}", f"/sessions/{one}/playback"):
        page = studio.http.get(path)
        markup = page.text.replace("&lt;", "(").replace("&#34;", "'")
        for fetched in ("<img", "<link rel=stylesheet", "<style>@import", "<div style="):
            assert fetched not in markup.replace('<link rel="stylesheet"', ""), (path, fetched)
        policy = page.headers["content-security-policy"]
        assert "img-src 'self' data:" in policy
        assert "default-src 'self'" in policy
    assert httpx2.get(f"{studio.url}/api/health", trust_env=False).status_code == 200
