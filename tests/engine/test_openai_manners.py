"""Time, stream_options and the environment: how the client behaves towards a server."""

from __future__ import annotations

import time

import pytest
from aiohttp import web

from studio.engine.errors import ModelError
from studio.engine.llm.models import Endpoint, ModelReply, ModelRequest, ModelSpec
from studio.engine.llm.retry import complete_with_retries

from .builders import KEY, Clients, spec_at
from .model_server import Act, ModelServer, answers, data, hangs, refuses, text_chunk

REQUEST = ModelRequest(messages=[{"role": "user", "content": "Hello there"}], agent="a")


async def _complete(*acts: Act) -> tuple[ModelReply, ModelServer]:
    async with ModelServer(*acts) as server, Clients() as client:
        return await client.complete(spec_at(server.url), REQUEST, lambda *_: None), server


@pytest.mark.parametrize(
    "pieces", [(), (data(text_chunk("Hel")),)], ids=["at once", "after a chunk"]
)
async def test_a_server_that_hangs_is_left_within_the_timeout(pieces: tuple[bytes, ...]) -> None:
    async with ModelServer(answers("warm"), hangs(*pieces)) as server, Clients() as client:
        warm = spec_at(server.url)  # the import is not the server's time
        await client.complete(warm, REQUEST, lambda *_: None)
        spec = spec_at(server.url, timeout=1.0)
        started = time.monotonic()
        with pytest.raises(ModelError, match="no full answer within 1 s") as caught:
            await complete_with_retries(client, spec, REQUEST, lambda *_: None, lambda *_: None)
    assert caught.value.code == "timeout"
    assert time.monotonic() - started < 10


STREAM_OPTIONS = {"message": "Unrecognized request argument supplied: stream_options"}


async def _picky(server: ModelServer, request: web.Request) -> web.StreamResponse:
    """A server that knows no stream_options, today and tomorrow."""
    knows = "stream_options" not in await request.json()
    act = answers("ok", usage=None) if knows else refuses(400, STREAM_OPTIONS)
    return await act(server, request)


async def test_a_server_without_stream_options_is_asked_once_more_without() -> None:
    reply, server = await _complete(_picky, _picky)
    assert ["stream_options" in body for body in server.bodies] == [True, False]
    assert (reply.content, reply.estimated) == ("ok", True)


async def test_such_a_server_is_remembered() -> None:
    """The second call must work too, and not ask for what the server refused before."""
    async with ModelServer(_picky, _picky, _picky) as server, Clients() as client:
        spec = spec_at(server.url)
        replies = [await client.complete(spec, REQUEST, lambda *_: None) for _ in range(2)]
    assert [r.content for r in replies] == ["ok", "ok"]
    assert ["stream_options" in body for body in server.bodies] == [True, False, False]


async def test_any_other_400_is_not_repeated() -> None:
    with pytest.raises(ModelError) as caught:
        await _complete(refuses(400, "max_tokens is too large"))
    assert caught.value.status == 400


async def test_the_environment_does_not_reach_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Organisation and project of OpenAI are nobody else's business."""
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "from-the-environment")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Mine: from-the-environment")
    _, server = await _complete(answers("ok"))
    assert "from-the-environment" not in str(server.received[0].headers)


async def test_a_server_without_a_key_is_not_sent_one() -> None:
    async def endpoint() -> Endpoint:
        return Endpoint(server.url, "")

    async with ModelServer(answers("ok")) as server, Clients() as client:
        spec = ModelSpec(id="m", name="m", model="m", endpoint=endpoint)
        assert (await client.complete(spec, REQUEST, lambda *_: None)).content == "ok"
    assert KEY not in str(server.received[0].headers)
