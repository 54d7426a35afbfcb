"""The client against servers that misbehave in the ways real ones do."""

from __future__ import annotations

from typing import Any

import pytest

from studio.engine.errors import ModelError
from studio.engine.llm import openai_client
from studio.engine.llm.answer import MAX_REPLY_CHARS
from studio.engine.llm.models import ModelReply, ModelRequest

from .builders import KEY, Clients, spec_at
from .model_server import (
    Act,
    ModelServer,
    answers,
    breaks_after,
    data,
    refuses,
    sends,
    text_chunk,
)

DONE = b"data: [DONE]\n\n"
STOP = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


@pytest.fixture(autouse=True, params=["aiohttp", "httpx2"])
def _transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every manner of a server over both transports: with the extra [fast] and without."""
    if request.param == "httpx2":
        monkeypatch.setattr(openai_client, "find_spec", lambda _: None)


REQUEST = ModelRequest(messages=[{"role": "user", "content": "Hello there"}], agent="a")


async def _complete(
    *acts: Act, texts: list[tuple[int, str]] | None = None, **spec: Any
) -> tuple[ModelReply, ModelServer]:
    """One request without retries."""
    async with ModelServer(*acts) as server, Clients() as client:
        reply = await client.complete(
            spec_at(server.url, **spec), REQUEST, lambda o, t: (texts or []).append((o, t))
        )
    return reply, server


async def _error(*acts: Act, **spec: Any) -> ModelError:
    with pytest.raises(ModelError) as caught:
        await _complete(*acts, **spec)
    return caught.value


async def test_a_good_answer() -> None:
    texts: list[tuple[int, str]] = [(-1, "")]
    reply, server = await _complete(answers("Hel", "lo ", "wörld"), texts=texts, price_in=1.0)
    assert reply.content == "Hello wörld"
    assert (reply.prompt_tokens, reply.completion_tokens, reply.estimated) == (10, 5, False)
    told = "".join(text for _, text in texts[1:])
    assert told == "Hello wörld"
    assert [offset for offset, _ in texts[1:]] == [
        told.index(text) for _, text in texts[1:]
    ]  # however the pieces were put together on the way
    assert reply.finish_reason == "stop"
    assert server.bodies == [
        {
            "model": "model-1",
            "messages": REQUEST.messages,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ]
    assert server.received[0].headers["authorization"] == f"Bearer {KEY}"
    assert "messages" not in reply.sent


async def test_parameters_of_the_request_go_before_those_of_the_model() -> None:
    async with ModelServer(answers("ok")) as server, Clients() as client:
        spec = spec_at(server.url, parameters={"temperature": 0.1, "seed": 1, "top_p": None})
        request = ModelRequest(REQUEST.messages, "a", parameters={"temperature": 0.9})
        await client.complete(spec, request, lambda *_: None)
    assert server.bodies[0]["temperature"] == 0.9
    assert server.bodies[0]["seed"] == 1
    assert "top_p" not in server.bodies[0]


async def test_usage_missing_is_estimated() -> None:
    reply, _ = await _complete(answers("x" * 40, usage=None))
    assert reply.estimated
    assert (reply.prompt_tokens, reply.completion_tokens) == (3, 10)


@pytest.mark.parametrize(
    "usage",
    [{"completion_tokens": None, "prompt_tokens": None}, {"prompt_tokens": 3}, "many", 7, [1]],
    ids=str,
)
async def test_odd_usage_is_estimated(usage: Any) -> None:
    """Servers send half a usage, or null: that must cost an estimate, not the answer."""
    reply, _ = await _complete(answers("x" * 40, usage=usage))
    assert reply.content == "x" * 40
    assert (reply.estimated, reply.completion_tokens) == (True, 10)


async def test_tool_calls_are_put_together_by_index() -> None:
    def call(index: int, **delta: Any) -> bytes:
        return data({"choices": [{"delta": {"tool_calls": [{"index": index, **delta}]}}]})

    reply, _ = await _complete(
        sends(
            call(0, id="c1", function={"name": "add", "arguments": ""}),
            call(1, id="c2", function={"name": "sub", "arguments": "{}"}),
            call(0, function={"arguments": '{"a":'}),
            call(0, function={"arguments": "1}"}),
            data(STOP),
            DONE,
        )
    )
    assert reply.content is None
    calls = [(c["id"], c["function"]) for c in reply.tool_calls or []]
    assert calls == [
        ("c1", {"name": "add", "arguments": '{"a":1}'}),
        ("c2", {"name": "sub", "arguments": "{}"}),
    ]


@pytest.mark.parametrize(
    ("status", "retryable", "words"),
    [
        (400, False, "did not accept"),
        (401, False, "key for model was refused"),
        (403, False, "may not use"),
        (404, False, "does not exist"),
        (408, True, "408"),
        (413, False, "too large"),
        (418, False, "418"),
        (429, True, "too many requests"),
        (500, True, "failed"),
        (502, True, "502"),
        (503, True, "not ready"),
    ],
)
async def test_a_status_is_put_into_words(status: int, retryable: bool, words: str) -> None:
    error = await _error(refuses(status, "their own words"))
    assert words in str(error)
    assert (error.status, error.retryable) == (status, retryable)
    assert "their own words" in error.detail


async def test_the_key_is_masked_where_a_server_echoes_it() -> None:
    error = await _error(refuses(401, f"Incorrect API key provided: {KEY}. See ..."))
    assert KEY not in error.detail + str(error)
    assert "Incorrect API key provided: [key]" in error.detail


async def test_the_key_is_masked_inside_a_stream_too() -> None:
    error = await _error(sends(data({"error": {"message": f"bad key {KEY}"}})))
    assert KEY not in error.detail + str(error)
    assert "[key]" in error.detail


@pytest.mark.parametrize(("given", "seconds"), [("7", 7.0), ("0.25", 0.25), ("soon", None)])
async def test_retry_after_is_read(given: str, seconds: float | None) -> None:
    error = await _error(refuses(429, headers={"retry-after": given}))
    assert error.retry_after == seconds


async def test_retry_after_may_be_a_date() -> None:
    """RFC 9110 allows a date; here one long past, so the pause is nothing."""
    past = "Wed, 21 Oct 2015 07:28:00 GMT"
    error = await _error(refuses(429, headers={"retry-after": past}))
    assert error.retry_after == 0.0


async def test_connection_refused() -> None:
    async with ModelServer() as gone:
        url = gone.url
    async with Clients() as client:
        with pytest.raises(ModelError, match="Nothing answers at") as caught:
            await client.complete(spec_at(url), REQUEST, lambda *_: None)
    assert caught.value.retryable
    assert caught.value.code == "unreachable"


@pytest.mark.parametrize(
    "pieces",
    [(), (data(text_chunk("Hel")),), (data(text_chunk("Hel")), b'data: {"choi')],
    ids=["at once", "after a chunk", "inside a chunk"],
)
async def test_a_dropped_connection_is_worth_another_try(pieces: tuple[bytes, ...]) -> None:
    error = await _error(breaks_after(*pieces))
    assert error.retryable
    assert "broke off" in str(error)


async def test_a_stream_that_ends_without_an_end_is_not_an_answer() -> None:
    error = await _error(sends(data(text_chunk("Half a sent"))))
    assert error.retryable
    assert "broke off" in str(error)


async def test_a_finish_reason_is_an_end_without_done() -> None:
    reply, _ = await _complete(sends(data(text_chunk("All", "length"))))
    assert (reply.content, reply.finish_reason) == ("All", "length")


@pytest.mark.parametrize(
    "line",
    [
        b"data: {nonsense\n\n", b"data: 5\n\n", b"data: []\n\n", b'data: "x"\n\n',
        b'data: {"choices": 5}\n\n', b'data: {"choices": [5]}\n\n',
        b'data: {"choices": [{"delta": 5}]}\n\n',
        b'data: {"choices": [{"delta": {"tool_calls": [5]}}]}\n\n',
        b'data: {"choices": [{"delta": {"tool_calls": [{"index": "x"}]}}]}\n\n',
        b'data: {"choices": [{"delta": {"tool_calls": [{"function": {"arguments": 5}}]}}]}\n\n',
    ],
)  # fmt: skip
async def test_malformed_chunks_are_a_model_error(line: bytes) -> None:
    error = await _error(sends(line, data(text_chunk("x", "stop")), DONE))
    assert error.retryable
    assert "not valid JSON" in str(error)


async def test_empty_and_foreign_lines_are_passed_over() -> None:
    reply, _ = await _complete(
        sends(
            b": keep-alive\n\n", b"event: ping\r\n", b"data:" + data(text_chunk("a"))[6:],
            data({}), data({"choices": []}), data({"choices": None}),
            data(text_chunk("b", "stop")).replace(b"\n", b"\r\n"), DONE,
        )
    )  # fmt: skip
    assert reply.content == "ab"


async def test_chunks_may_be_cut_anywhere() -> None:
    whole = data(text_chunk("grüße")) + data(STOP) + DONE
    reply, _ = await _complete(sends(*(whole[i : i + 1] for i in range(len(whole)))))
    assert reply.content == "grüße"


async def test_invalid_utf_8_does_not_end_the_chat() -> None:
    broken = data(text_chunk("caf?")).replace(b"?", b"\xc3")
    reply, _ = await _complete(sends(broken, data(text_chunk(" ok", "stop")), DONE))
    assert reply.content == "caf� ok"


async def test_an_error_inside_the_stream() -> None:
    error = await _error(sends(data(text_chunk("Hel")), data({"error": {"message": "overload"}})))
    assert "reported an error" in str(error)
    assert "overload" in error.detail


async def test_three_megabytes_are_refused() -> None:
    piece = data(text_chunk("x" * 100_000))
    error = await _error(sends(*[piece] * 30, data(STOP), DONE))
    assert f"{MAX_REPLY_CHARS:,}" in str(error)
    assert not error.retryable


async def test_three_megabytes_in_one_line_are_refused() -> None:
    error = await _error(sends(data(text_chunk("x" * 3_000_000))))
    assert f"{MAX_REPLY_CHARS:,}" in str(error)


async def test_three_megabytes_of_arguments_are_refused() -> None:
    """A limit on text that tool calls walk around is no limit on memory."""
    call = {"index": 0, "function": {"arguments": "x" * 100_000}}
    piece = data({"choices": [{"delta": {"tool_calls": [call]}}]})
    error = await _error(sends(*[piece] * 30, data(STOP), DONE))
    assert f"{MAX_REPLY_CHARS:,}" in str(error)
