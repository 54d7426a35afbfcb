"""Agents with a cache seed: a request that was answered once is not paid for again."""

from __future__ import annotations

from ..builders import contents
from ..conftest import InProcess
from ..fake_openai import FakeOpenAI


def test_the_same_request_is_answered_from_the_database(
    own_studio: InProcess, fake: FakeOpenAI
) -> None:
    studio, endpoint = own_studio, fake.endpoint("ok")
    model = studio.model(endpoint, price={"input": 1, "output": 1})
    kept = studio.pair_of(studio.assistant(model, cache_seed=7))
    first = studio.start(kept)
    paid = studio.wait(first)
    second = studio.start(kept)
    free = studio.wait(second)
    assert contents(studio.events(second)) == contents(studio.events(first))
    assert paid["cost_usd"] > 0
    assert free["cost_usd"] == 0
    calls = [e for e in studio.events(second) if e["kind"] == "model_called"]
    assert all(e["cached"] for e in calls)
    asked = len(endpoint.requests)
    other = studio.pair_of(studio.assistant(model, cache_seed=8))
    studio.wait(studio.start(other))
    unseeded = studio.pair_of(studio.assistant(model))
    studio.wait(studio.start(unseeded))
    assert len(endpoint.requests) == asked + 4


def test_a_secret_that_a_model_says_is_not_kept(own_studio: InProcess, fake: FakeOpenAI) -> None:
    studio, echo = own_studio, fake.endpoint("echo")
    key = "sk-kept-ALOUD-0123456789"
    model = studio.create("models", model="x", base_url=echo.url, api_key=key)["id"]
    workflow = studio.pair_of(studio.assistant(model, cache_seed=7))
    studio.wait(studio.start(workflow))
    studio.wait(studio.start(workflow))
    on_disk = b"".join(p.read_bytes() for p in studio.home.rglob("*") if p.is_file())
    assert key.encode() not in on_disk
    assert b"[secret]" in on_disk
