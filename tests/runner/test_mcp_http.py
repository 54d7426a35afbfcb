"""MCP servers by HTTP: a real one on loopback, the addresses that are never called, headers."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from studio.definitions.skills import McpSkillDefinition
from studio.runner.mcp_errors import ServerError
from studio.runner.mcp_transport import MAX_RESPONSE

from ..listening import listen
from .mcp_places import Place, all_of, http_server, place, skill

PUBLIC = {"host": "0.0.0.0", "token": "a-token-of-more-than-32-characters-0123"}


def at(url: str, **headers: str) -> McpSkillDefinition:
    return skill({"kind": "http", "url": url, "headers": headers})


async def chosen(here: Place, url: str, **headers: str) -> McpSkillDefinition:
    found = at(url, **headers)
    return all_of(found, await here.tools(found))


def test_a_server_is_listed_called_and_found_again(tmp_path: Path) -> None:
    async def run() -> None:
        async with place(tmp_path / "home") as here:
            with http_server() as server:
                found = await chosen(here, server.url)
                assert [t.name for t in found.offered] == ["add", "wait", "who", "large"]
                added = await here.call(found, "add", a=1, b=2)
                assert (added.content, added.value) == ("3", {"result": 3})
                wrong = await here.call(found, "add", a="one")
                assert (wrong.ok, wrong.content[:7]) == (False, "Error: ")
                large = await here.call(found, "large")
                assert (large.ok, f"{MAX_RESPONSE // 2**20} MB" in large.content) == (False, True)
                here.mcp.call_seconds = 1
                late = await here.call(found, "wait", seconds=30)
                assert (late.ok, late.limit) == (False, "the time limit of 1 s")
                here.mcp.call_seconds = 20
                assert (await here.call(found, "add", a=2, b=2)).content == "4"
                call = asyncio.create_task(here.call(found, "wait", seconds=30))
                assert (await here.call(found, "add", a=0, b=0)).ok
                server.end()
                cut = await call
                assert (cut.ok, cut.content[:7]) == (False, "Error: ")
            gone = await here.call(found, "add", a=1, b=2)
            assert (gone.ok, "connection" in gone.content) == (False, True)
            with http_server(server.port):
                assert (await here.call(found, "add", a=1, b=2)).content == "3"

    asyncio.run(run())


def test_stop_does_not_wait_for_a_server(tmp_path: Path) -> None:
    async def run() -> None:
        async with place(tmp_path / "home") as here:
            with http_server() as server:
                found = await chosen(here, server.url)
                call = asyncio.create_task(here.call(found, "wait", seconds=60))
                await here.call(found, "add", a=1, b=1)
                started = time.monotonic()
                call.cancel()
                await asyncio.wait([call])
                await here.mcp.close()
                assert time.monotonic() - started < 3

    asyncio.run(run())


def test_headers_hold_secrets_which_go_to_one_host_only(tmp_path: Path) -> None:
    async def run() -> None:
        async with place(tmp_path / "home") as here:
            with http_server() as server:
                await here.keep("TOKEN", "abc-123456")
                found = await chosen(here, server.url, Authorization="TOKEN")
                assert (await here.call(found, "who")).content == "Bearer abc-123456"
                await here.mcp.close()
                await here.keep("TOKEN", "Basic abc", "http://elsewhere.example:80")
                told = await here.call(found, "who")
                assert (told.ok, "TOKEN must be entered" in told.content) == (False, True)
                await here.keep("TOKEN", "Basic abc", f"http://127.0.0.1:{server.port}")
                assert (await here.call(found, "who")).content == "Basic abc"
                await here.mcp.close()
                await here.keep("TOKEN", "two\nlines")
                told = await here.call(found, "who")
                assert (told.ok, "two" in told.content) == (False, False)

    asyncio.run(run())


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/mcp", "http://0.0.0.0:1/mcp", "http://[fe80::1]/mcp",
        "http://[::ffff:169.254.169.254]/mcp",
    ],
)  # fmt: skip
def test_some_addresses_are_never_called(tmp_path: Path, url: str) -> None:
    async def run() -> None:
        async with place(tmp_path / "home") as here:
            with pytest.raises(ServerError, match="never calls"):
                await here.tools(at(url))

    asyncio.run(run())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_studio_for_others_calls_private_hosts_that_are_named(tmp_path: Path, host: str) -> None:
    async def run() -> None:
        with http_server() as server:
            url = f"http://{host}:{server.port}/mcp"
            async with place(tmp_path / "home", **PUBLIC) as here:
                with pytest.raises(ServerError, match="private address"):
                    await here.tools(at(url))
            async with place(tmp_path / "home", allowed_hosts=host, **PUBLIC) as here:
                assert len(await here.tools(at(url))) == 4

    asyncio.run(run())


@pytest.mark.parametrize("manner", ["redirect", "gzip", "nothing", "html", "401", "endless"])
def test_a_server_that_is_none_gets_no_further(tmp_path: Path, manner: str) -> None:
    """A redirect to another host is not followed, least of all with a secret."""
    heard: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        heard.append(request.headers.get("authorization", ""))
        return web.Response(text="{}", content_type="application/json")

    async def run() -> None:
        other, port = await listen("/mcp", elsewhere)

        async def answer(_: web.Request) -> web.StreamResponse:
            match manner:
                case "redirect":
                    raise web.HTTPTemporaryRedirect(f"http://127.0.0.1:{port}/mcp")
                case "gzip":
                    packed = web.Response(body=b"x" * 100, content_type="application/json")
                    packed.headers["content-encoding"] = "gzip"
                    return packed
                case "html":
                    return web.Response(text="<h1>Hello</h1>", content_type="text/html")
                case "401":
                    return web.Response(status=401)
                case "endless":
                    return await _endless(_)
            return web.Response(text="", content_type="application/json")

        server, at_port = await listen("/mcp", answer)
        try:
            async with place(tmp_path / "home") as here:
                await here.keep("TOKEN", "abc-123456")
                with pytest.raises(ServerError, match="cannot be used") as told:
                    await here.tools(at(f"http://127.0.0.1:{at_port}/mcp", Authorization="TOKEN"))
            assert manner != "401" or "HTTP 401 Unauthorized" in str(told.value)
        finally:
            await server.cleanup()
            await other.cleanup()

    asyncio.run(run())
    assert heard == []


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    try:
        while True:
            await response.write(b": nothing\n\n" * 10_000)
    except ConnectionError:
        return response


def test_what_was_listed_is_what_is_called(tmp_path: Path) -> None:
    async def run() -> None:
        async with place(tmp_path / "home") as here:
            with http_server() as server:
                found = await chosen(here, server.url)
                other: dict[str, Any] = found.offered[0].model_dump() | {"description": "Adds one."}
                tools = [found.offered[0].model_validate(other), *found.offered[1:]]
                told = await here.call(all_of(found, tools), "add", a=1, b=2)
                assert (told.ok, "add has changed" in told.content) == (False, True)

    asyncio.run(run())
