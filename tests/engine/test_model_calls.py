"""One call through retries and failover: what is asked, in which order, and what is shown of it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from studio.engine.context import entered
from studio.engine.errors import DefinitionError, ModelError
from studio.engine.events import ModelCalled, TurnStarted
from studio.engine.llm.call import LLM, Call, call_model, cost_nano
from studio.engine.llm.models import ATTEMPTS, ModelReply, ModelRequest, ModelSpec, Profile
from studio.engine.llm.retry import complete_with_retries
from studio.engine.prompting import Facts, ReplyRule

from .builders import Clients, Log, context_of, llm_of, spec_at
from .model_server import ModelServer, answers, breaks_after, data, refuses, text_chunk

HELLO = [{"role": "user", "content": "Hello"}]
SOON = {"retry-after": "0.01"}
NEVER = {"retry-after": "86400"}  # beyond any timeout: the next model's turn


async def _call(log: Log, llm: LLM, **call: Any) -> dict[str, Any]:
    with entered(context_of(log)):
        return await call_model(llm, Call("ann", "turn", HELLO, **call))


async def test_two_server_errors_and_then_an_answer() -> None:
    log = Log()
    acts = [refuses(500, headers=SOON), refuses(500, headers=SOON), answers("ok")]
    async with ModelServer(*acts) as server, Clients() as client:
        result = await _call(log, llm_of(client, spec_at(server.url)))
    assert result["content"] == "ok"
    assert len(log.failures) == 2
    assert all("Trying again in" in words for words in log.failures)


async def test_a_rate_limit_says_how_long_to_wait() -> None:
    log = Log()
    acts = [refuses(429, headers={"retry-after": "0.4"}), answers("ok")]
    async with ModelServer(*acts) as server, Clients() as client:
        started = time.monotonic()
        await _call(log, llm_of(client, spec_at(server.url)))
    assert time.monotonic() - started >= 0.4
    assert "Trying again in 0.4 s" in log.failures[0]


class Clock:
    """Notes the pauses instead of sleeping through them."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.pauses.append(seconds)


class Failing:
    """A client that always fails the same way."""

    def __init__(self, error: ModelError) -> None:
        self.error, self.calls = error, 0

    async def complete(
        self, spec: ModelSpec, request: ModelRequest, on_text: Callable[[int, str], None]
    ) -> ModelReply:
        self.calls += 1
        raise self.error


async def _failed(error: ModelError, timeout: float = 60.0) -> tuple[ModelError, Failing, Clock]:
    client, clock = Failing(error), Clock()
    sleep: Callable[[float], Awaitable[None]] = clock
    with pytest.raises(ModelError) as caught:
        await complete_with_retries(
            client, spec_at("", timeout=timeout), ModelRequest(HELLO, "a"),
            lambda *_: None, lambda *_: None, sleep,
        )  # fmt: skip
    return caught.value, client, clock


async def test_pauses_grow_and_are_never_in_step() -> None:
    error, client, clock = await _failed(ModelError("busy", status=503, retryable=True))
    assert client.calls == ATTEMPTS
    assert str(error) == f"busy (tried {ATTEMPTS} times)"
    assert (error.status, error.retryable) == (503, True)
    for pause, ceiling in zip(clock.pauses, (0.5, 1.0, 2.0), strict=True):
        assert ceiling / 2 <= pause <= ceiling


async def test_the_pause_that_the_server_asks_for_is_kept() -> None:
    _, _, clock = await _failed(ModelError("busy", retryable=True, retry_after=7.0))
    assert clock.pauses == [7.0] * (ATTEMPTS - 1)


async def test_a_pause_beyond_the_deadline_is_not_begun() -> None:
    _, client, clock = await _failed(ModelError("busy", retryable=True, retry_after=61.0))
    assert (client.calls, clock.pauses) == (1, [])


async def test_what_cannot_succeed_is_not_repeated() -> None:
    error, client, _ = await _failed(ModelError("no", status=401))
    assert (client.calls, str(error)) == (1, "no")


async def test_models_are_asked_in_order_until_one_answers() -> None:
    log = Log()
    async with (
        ModelServer(refuses(401)) as one,
        ModelServer(refuses(503, headers=NEVER)) as two,
        ModelServer(answers("from three")) as three,
        ModelServer() as four,
        Clients() as client,
    ):
        names = zip("1234", (one, two, three, four), strict=True)
        llm = llm_of(client, *(spec_at(server.url, f"m{n}") for n, server in names))
        result = await _call(log, llm)
    assert (result["content"], result["model"], result["model_id"]) == ("from three", "m3", "m3")
    assert [words.split(". ")[-1] for words in log.failures] == [
        "Trying m2 instead.", "Trying m3 instead.",
    ]  # fmt: skip
    called = [e for _, e in log.events if isinstance(e, ModelCalled)]
    assert [(e.model, e.purpose) for e in called] == [("m3", "turn")]


async def test_the_last_models_error_is_raised() -> None:
    async with (
        ModelServer(refuses(401)) as one,
        ModelServer(refuses(403)) as two,
        Clients() as client,
    ):
        with pytest.raises(ModelError, match="403"):
            await _call(Log(), llm_of(client, spec_at(one.url), spec_at(two.url)))


async def test_a_content_filter_is_final() -> None:
    """Asking another provider for what the first refused is not failover (ENGINE 5)."""
    filtered = {"message": "filtered", "code": "content_filter", "type": "invalid_request_error"}
    async with (
        ModelServer(refuses(400, filtered)) as one,
        ModelServer() as two,
        Clients() as client,
    ):
        with pytest.raises(ModelError) as caught:
            await _call(Log(), llm_of(client, spec_at(one.url), spec_at(two.url)))
    assert caught.value.code == "content_filter"


async def test_without_models_the_definition_is_wrong() -> None:
    with pytest.raises(DefinitionError, match="ann has no model"):
        await _call(Log(), LLM((), lambda _: Failing(ModelError(""))))


async def test_live_text_restarts_when_a_try_begins_anew() -> None:
    log = Log()
    half = breaks_after(data(text_chunk("Once ")), data(text_chunk("upon")))
    async with ModelServer(half, answers("A ", "tale")) as server, Clients() as client:
        await _call(log, llm_of(client, spec_at(server.url)))
    tries = "".join(f"|{d.text}" if d.offset == 0 else d.text for d in log.deltas)
    assert tries == "|Once upon|A tale"
    assert {(d.chat, d.turn, d.attempt, d.agent) for d in log.deltas} == {("", 1, 1, "ann")}
    assert isinstance(log.events[0][1], TurnStarted)


async def test_what_a_call_cost() -> None:
    log = Log()
    async with ModelServer(answers("ok")) as server, Clients() as client:
        await _call(log, llm_of(client, spec_at(server.url, price_in=2.0, price_out=10.0)))
    called = log.events[-1][1]
    assert isinstance(called, ModelCalled)
    assert (called.prompt_tokens, called.completion_tokens) == (10, 5)
    assert called.cost_usd == pytest.approx(70e-6)
    assert cost_nano(spec_at(""), 10, 5) == 0


# -- a reply rule where the server cannot be held to it

RULE = ReplyRule(starts_with=("Yes,", "No,"), kind="sentence")
FOUND = Facts("task", "last", (), "")


async def test_a_rule_is_said_in_words_and_a_fault_is_pointed_out_once() -> None:
    acts = [answers("Maybe."), answers("No, thanks. Really.")]
    async with ModelServer(*acts) as server, Clients() as client:
        result = await _call(Log(), llm_of(client, spec_at(server.url)), rule=RULE, found=FOUND)
    first, second = (body["messages"] for body in server.bodies)
    assert first[-1]["content"] == 'Answer in one sentence. Begin with "Yes," or "No,".'
    assert second[:-2] == first
    assert second[-2] == {"role": "assistant", "content": "Maybe."}
    assert second[-1]["content"] == "The answer must begin with 'Yes,'. Answer again."
    assert result["content"] == "No, thanks."
    assert (result["calls"], result["prompt_tokens"]) == (2, 20)
    assert result["appended"] == second[1:]


async def test_an_answer_that_keeps_the_rule_is_not_asked_for_again() -> None:
    async with ModelServer(answers("Yes, please.")) as server, Clients() as client:
        result = await _call(Log(), llm_of(client, spec_at(server.url)), rule=RULE, found=FOUND)
    assert result["content"] == "Yes, please."


@pytest.mark.parametrize(
    ("structured", "field"), [("grammar", "grammar"), ("json_schema", "response_format")]
)
async def test_where_the_server_can_hold_it_no_words_are_needed(
    structured: Any, field: str
) -> None:
    rule, found = ReplyRule(kind="choice"), Facts("t", "l", ("Red", "Blue"), "")
    reply = '{"choice": "Blue"}' if structured == "json_schema" else "Blue"
    async with ModelServer(answers(reply)) as server, Clients() as client:
        spec = spec_at(server.url, profile=Profile(structured=structured))
        result = await _call(Log(), llm_of(client, spec), rule=rule, found=found)
    assert result["content"] == "Blue"
    assert field in server.bodies[0]
    assert server.bodies[0]["messages"] == HELLO


@pytest.mark.parametrize(
    "rule",
    [
        ReplyRule(kind="json", starts_with=('{"answer": ',)),
        ReplyRule(kind="choice", starts_with=("I choose",)),
    ],
    ids=lambda r: r.kind,
)
async def test_what_a_grammar_cannot_say_is_said_in_words(rule: ReplyRule) -> None:
    """No rule may be dropped in silence: either the server holds it or the model is told."""
    answer = '{"answer": 1}' if rule.kind == "json" else "I choose tea"
    async with ModelServer(answers(answer)) as server, Clients() as client:
        spec = spec_at(server.url, profile=Profile(structured="grammar"))
        await _call(Log(), llm_of(client, spec), rule=rule, found=FOUND)
    body = server.bodies[0]
    assert "grammar" in body or "Begin with" in body["messages"][-1]["content"]
