"""SECURITY R11: a secret that somebody says aloud stands nowhere that can be read afterwards."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote

import httpx2
import pytest

from studio.engine.events import Delta
from studio.runner.live_mask import LiveMask
from studio.store.known_secrets import MASK, Mask

from ..conftest import TOKEN, InProcess, Launch
from ..fake_openai import FakeOpenAI
from .routes import routes

KEY = 'sk-said-ALOUD/0123456789"<&>-ab1234'
FORMS = [
    KEY, json.dumps(KEY)[1:-1], html.escape(KEY), quote(KEY, safe=""),
    base64.b64encode(KEY.encode()).decode(),
]  # fmt: skip
PARTS = [KEY[:-1], KEY[1:], base64.b64encode(KEY.encode()).decode()[:-4]]


def _found(text: str) -> list[str]:
    return [form for form in [*FORMS, *PARTS] if form in text]


def test_what_a_server_says_back_reaches_nobody(own_studio: InProcess, fake: FakeOpenAI) -> None:
    """Its reply, streamed in pieces; the task, the follow-up and what it is asked next."""
    studio, echo = own_studio, fake.endpoint("echo", waits=True)
    model = studio.create("models", model="x", base_url=echo.url, api_key=KEY)
    workflow = studio.pair(model["id"], max_turns=2)
    one = studio.start(workflow, f"Say {KEY} twice.")
    with studio.stream(one) as messages:
        told = [json.dumps(next(messages).data, ensure_ascii=False)]
        echo.release()  # it is followed now: live text is kept for nobody who comes too late
        told += [json.dumps(m.data, ensure_ascii=False) for m in messages]
    assert any('"kind": "delta"' in text or '"offset"' in text for text in told)
    studio.verb(one, "messages", {"message": f"And {KEY} again."})
    studio.wait(one)
    said = " ".join(e["content"] for e in studio.messages(one))
    assert said.count(MASK) >= 6
    assert "It is [secret], or [secret]" in said
    assert "and that was it." in said
    told.append(" ".join(json.dumps(r.messages) for r in echo.requests))
    ids = {"sessions": one, "workflows": workflow, "models": model["id"]}
    calls = [e["seq"] for e in studio.events(one) if e["kind"] == "model_called"]
    for route in routes(studio.app):
        if route.method == "GET" and not route.path.endswith("/stream"):
            parts = route.path.strip("/").removeprefix("api/").split("/")
            path = route.filled(one=ids.get(parts[0], "1"), seq=str(calls[0]))
            told.append(studio.http.get(path).text)
    told.append(studio.http.get(f"/sessions/{one}/stream").text)
    assert _found("\n".join(told)) == []
    on_disk = b"".join(p.read_bytes() for p in studio.home.rglob("*") if p.is_file())
    assert [form for form in [*FORMS, *PARTS] if form.encode() in on_disk] == []


def test_the_log_of_the_studio_holds_no_secret(launch: Launch, fake: FakeOpenAI) -> None:
    studio = launch()
    studio.create("models", model="x", base_url=fake.endpoint("echo").url, api_key=KEY)
    one = studio.start(studio.pair(studio.model(fake.endpoint("unauthorized"), api_key=KEY)))
    studio.wait(one)
    for path in (f"/api/agents/{quote(KEY)}", f"/{quote(KEY)}", f"/api/x?q={quote(TOKEN)}"):
        answer = httpx2.get(studio.url + path, headers=dict(studio.http.headers), trust_env=False)
        assert _found(answer.text) == []
    studio.kill()
    log = studio.errors.read_text()
    assert _found(log) == []
    assert TOKEN not in log


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_live_text_is_masked_however_it_is_cut(size: int) -> None:
    text = f"one {KEY}{KEY} two sk-said-other {FORMS[4].rstrip('=')} three"
    mask = Mask([KEY])
    shown: list[Delta] = []
    live: LiveMask | None = None
    for start in range(0, len(text), size):
        delta = Delta("", 1, 1, "a", start, text[start : start + size])
        live = live or LiveMask(mask, delta)
        assert live.continues(delta)
        if made := live.shown(delta):
            shown.append(made)
    said = "".join(d.text for d in shown)
    assert said == f"one {MASK}{MASK} two sk-said-other {MASK} three"
    assert [d.offset for d in shown] == [
        sum(len(e.text) for e in shown[:i]) for i in range(len(shown))
    ]


def test_short_values_do_not_hide_ordinary_words() -> None:
    assert Mask(["team", ""]).text("the team") == "the team"
