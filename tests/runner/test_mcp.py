"""MCP servers that are programs: real ones in real boxes, and one that misbehaves."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from studio.definitions.bundle import load_bundle
from studio.definitions.gallery import bundles
from studio.definitions.skills import McpSkillDefinition
from studio.engine.errors import SandboxError
from studio.engine.execution.box import Kind
from studio.engine.execution.calls import MAX_TEXT
from studio.runner.mcp_errors import ServerError
from studio.store.tables import OWNER

from ..boxes import KINDS
from ..builders import until
from .mcp_places import ROOT, SESSION, all_of, place, skill

TIME = load_bundle(bundles()["skill-time-zones"]).bodies["skills"][0]


@pytest.mark.timeout(300)  # an index gives it in its own time
@pytest.mark.parametrize("kind", KINDS)
def test_the_server_of_the_gallery_is_fetched_listed_and_called(tmp_path: Path, kind: Kind) -> None:
    async def run() -> None:
        async with place(tmp_path / "home", kind) as here:
            found = McpSkillDefinition.model_validate(TIME)
            preparations, wanted = here.boxes.preparations, here.wanted(found)
            await preparations.forget(wanted)
            with pytest.raises(SandboxError, match="mcp-server-time"):
                await here.tools(found)
            await preparations.prepare(wanted)
            tools = await here.tools(found)
            assert all(
                chosen.same_as(tool) for chosen, tool in zip(found.offered, tools, strict=True)
            )
            told = await here.call(found, "get_current_time", timezone="Europe/Paris")
            assert told.ok
            assert told.value["timezone"] == "Europe/Paris"
            told = await here.call(found, "get_current_time", timezone="No/Where")
            assert (told.ok, told.content[:7]) == (False, "Error: ")
            assert "No/Where" in told.content
            await here.mcp.close_session(SESSION)
            await here.boxes.close_session(SESSION)
            await preparations.forget(wanted)

    asyncio.run(run())


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_server_answers_becomes_text(tmp_path: Path, kind: Kind) -> None:
    async def run() -> None:
        async with place(tmp_path / "home", kind) as here:
            found = await here.chosen()
            said = {t: await here.say(found, t) for t in ("structured", "image", "hello")}
            assert (said["hello"].ok, said["hello"].content) == (True, "hello")
            assert said["structured"].value == {"sum": 3}
            assert json.loads(said["structured"].content) == {"sum": 3}
            assert said["image"].content == "[image/png, 3 bytes, not shown]\na picture"
            failed = await here.say(found, "fail")
            assert (failed.ok, failed.content) == (False, "Error: it did not work")
            unknown = await here.call(found, "something_else")
            assert (unknown.ok, "something_else" in unknown.content) == (False, True)

    asyncio.run(run())


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_crashes_or_hangs_is_started_again(tmp_path: Path, kind: Kind) -> None:
    async def run() -> None:
        async with place(tmp_path / "home", kind) as here:
            found = await here.chosen()
            crashed = await here.say(found, "crash")
            assert not crashed.ok
            assert "the reason for the crash" in crashed.content
            assert "the reason for the crash" in crashed.errors
            assert (await here.say(found, "hello")).content == "hello"
            usual, here.mcp.call_seconds = here.mcp.call_seconds, 2
            hung = await here.say(found, "hang")
            here.mcp.call_seconds = usual
            assert (hung.ok, hung.limit) == (False, "the time limit of 2 s")
            assert 2 <= hung.seconds < 10
            assert (await here.say(found, "again")).content == "again"

    asyncio.run(run())


@pytest.mark.parametrize("idempotent", [True, False])
def test_only_what_is_idempotent_is_called_twice(tmp_path: Path, *, idempotent: bool) -> None:
    async def run() -> None:
        async with place(tmp_path / "home") as here:
            found = await here.chosen(idempotent=idempotent)
            told = await here.say(found, "crash once")
            assert told.ok is idempotent
            calls = here.boxes.files.work_dir(SESSION).with_name("mcp-odd") / "calls"
            assert calls.read_text().count("\n") == (2 if idempotent else 1)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("manner", "words"),
    [
        ("poisoned", "say.it/back has changed since it was chosen"),
        ("fewer", "does not offer say.it/back any more"),
    ],
)
def test_a_tool_that_is_described_otherwise_is_not_called(
    tmp_path: Path, manner: str, words: str
) -> None:
    async def run() -> None:
        async with place(tmp_path / "home") as here:
            found = await here.chosen(manner)
            told = await here.say(found, "hello")
            assert (told.ok, words in told.content) == (False, True)
            assert not (here.boxes.files.work_dir(SESSION).with_name("mcp-odd") / "calls").exists()
            others = await here.call(found, "do")
            assert others.ok
            again = all_of(found, await here.tools(found))
            assert (await here.call(again, "do")).ok
            assert manner == "fewer" or (await here.say(again, "hello")).ok

    asyncio.run(run())


def test_a_server_that_changes_its_tools_in_a_session_is_seen_through(tmp_path: Path) -> None:
    async def run() -> None:
        async with place(tmp_path / "home") as here:
            found = await here.chosen("poisoned later")
            assert (await here.call(found, "do")).ok
            told = await here.call(found, "do")
            assert (told.ok, "has changed" in told.content) == (False, True)
            assert (await here.say(found, "hello")).ok

    asyncio.run(run())


def test_too_much_of_anything_is_held(tmp_path: Path) -> None:
    async def run() -> None:
        async with place(tmp_path / "home") as here:
            found = await here.chosen()
            giant = await here.say(found, "giant")
            assert giant.ok
            assert MAX_TEXT < len(giant.content) < MAX_TEXT + 100
            assert giant.content.endswith("(cut: 3,000,000 characters)")
            larger = await here.say(found, "too giant")
            assert (larger.ok, "4 MB" in larger.content) == (False, True)
            flood = await here.say(found, "flood")
            assert (flood.ok, "10,000 messages" in flood.content) == (False, True)
            noisy = await here.say(found, "stderr")
            assert (noisy.ok, noisy.content) == (True, "still here")
            crashed = await here.say(found, "crash")
            assert len(crashed.errors) < 20_000

    asyncio.run(run())


def test_a_server_that_prints_beside_its_messages_is_understood(tmp_path: Path) -> None:
    async def run() -> None:
        async with place(tmp_path / "home") as here:
            found = await here.chosen("garbage")
            assert (await here.say(found, "hello")).content == "hello"
            assert (await here.say(found, "nonsense")).content.endswith("what the protocol says")
            assert (await here.say(found, "wrong")).content.endswith("it answered: not like this")
            large = await here.tools(here.odd("huge schema", "large"), "large")
            assert [t.name for t in large] == ["say.it/back"]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["python3", "odd_mcp_server.py", "ends"], "No module named greetings"),
        (["python3", "odd_mcp_server.py", "never speaks"], "did not begin to speak within 2 s"),
        (["python3", "odd_mcp_server.py", "other protocol"], "did not begin to speak within 2 s"),
        (["python3", "-m", "no_such_module"], "No module named no_such_module"),
        (["no-such-program"], "No such file or directory"),
        (["cat"], "cannot be used"),
    ],
)
def test_a_server_that_cannot_be_spoken_to_says_why(
    tmp_path: Path, command: list[str], words: str
) -> None:
    async def run() -> None:
        async with place(tmp_path / "home") as here:
            here.odd()
            if "within 2 s" in words:
                here.mcp.open_seconds = 2
            found = skill({"kind": "stdio", "command": command})
            started = time.monotonic()
            with pytest.raises(ServerError, match=words):
                await here.tools(found)
            assert time.monotonic() - started < 10

    asyncio.run(run())


def test_a_server_asks_the_studio_for_nothing(tmp_path: Path) -> None:
    """No words of a model, no folders: it is refused, and goes on."""

    async def run() -> None:
        async with place(tmp_path / "home") as here:
            told = await here.say(await here.chosen(), "asks")
            assert [error["code"] < 0 for error in json.loads(told.content)] == [True, True]

    asyncio.run(run())


def test_calls_go_on_side_by_side(tmp_path: Path) -> None:
    async def run() -> None:
        async with place(tmp_path / "home") as here:
            found = await here.chosen()
            told = await asyncio.gather(*(here.say(found, f"n{i}") for i in range(20)))
            assert [t.content for t in told] == [f"n{i}" for i in range(20)]
            folders = [p.name for p in here.boxes.files.work_dir(SESSION).parent.iterdir()]
            assert sorted(folders) == ["files", "mcp-look", "mcp-odd"]

    asyncio.run(run())


@pytest.mark.parametrize("kind", KINDS)
def test_stop_and_the_end_of_a_session_leave_nothing(tmp_path: Path, kind: Kind) -> None:
    async def run() -> None:
        async with place(tmp_path / "home", kind) as here:
            found = await here.chosen()
            await here.say(found, "hello")
            call = asyncio.create_task(here.say(found, "hang"))
            calls = here.boxes.files.work_dir(SESSION).with_name("mcp-odd") / "calls"
            await asyncio.to_thread(until, lambda: calls.read_text().count("\n") == 2)
            started = time.monotonic()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await here.mcp.close_session(SESSION)
            await here.boxes.close_session(SESSION)
            assert time.monotonic() - started < 3
            assert _odd_processes() == []

    asyncio.run(run())
    assert _odd_processes() == []


def _odd_processes() -> list[int]:
    """Those of this machine, inside of boxes too, that run the server of these tests."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "odd_mcp_server.py" in words:
            found.append(process.pid)
    return found


def test_secrets_reach_the_program_and_no_command_line(tmp_path: Path) -> None:
    async def run() -> None:
        async with place(tmp_path / "home") as here:
            found = await here.chosen()
            mark = "s3cret-of-the-test"

            async def asked() -> str:
                told = await here.mcp.call(
                    SESSION, "odd", found, "say_it_back", {"text": "environment"}, {"KEY": mark},
                    owner=OWNER,
                )  # fmt: skip
                return str(told.content)

            await asked()  # makes the folder: agents with other secrets have a server of their own
            here.lay_out()
            seen = json.loads(await asked())
            assert seen["KEY"] == mark
            assert "STUDIO_HOME" not in seen
            lines = [" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
            assert not [line for line in lines if mark in line]
            without = await here.say(found, "environment")
            assert "KEY" not in json.loads(without.content)

    asyncio.run(run())


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_reaches_the_hosts_that_are_named(tmp_path: Path, kind: Kind) -> None:
    """And after it was started again; who calls it is told what it asked for, also before."""
    heard: list[tuple[str, bool]] = []

    async def run() -> None:
        async with place(tmp_path / "home", kind) as here:
            found = await here.chosen(network={"hosts": ["named.example"]})

            async def say(text: str) -> str:
                told = await here.mcp.call(
                    SESSION, "odd", found, "say_it_back", {"text": text}, {}, owner=OWNER,
                    told=lambda asked: heard.append((asked.host, asked.allowed)),
                )  # fmt: skip
                return str(told.content)

            assert "403" in await say("http://other.example/")
            await say("crash")
            assert "403" in await say("http://another.example/")
            await say("later http://late.example/")
            file = here.boxes.files.work_dir(SESSION).with_name("mcp-odd") / "later"
            await asyncio.to_thread(until, lambda: file.exists() and "403" in file.read_text())
            await say("hello")
            shut = await here.chosen()
            await here.mcp.close_session(SESSION)
            assert "not fetched" in (await here.say(shut, "http://other.example/")).content

    asyncio.run(run())
    assert heard == [(f"{name}.example", False) for name in ("other", "another", "late")]


def test_a_look_leaves_nothing_behind(tmp_path: Path) -> None:
    async def run() -> None:
        async with place(tmp_path / "home") as here:
            found = skill({"kind": "stdio", "command": ["python3", "-c", "import time"]})
            async with here.mcp.aside() as session_id:
                with pytest.raises(ServerError):
                    await here.mcp.tools(session_id, "odd", found, {}, owner=OWNER)
                assert [p.name for p in (tmp_path / "home" / "work").iterdir()] == [session_id]
            assert list((tmp_path / "home" / "work").iterdir()) == []

    asyncio.run(run())


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "sys.modules['mcp'] = None\n"
        "import studio.app\n"
        "from studio.runner.mcp import McpServers\n"
        "from studio.definitions.skills import McpSkillDefinition\n"
        "server = {'kind': 'http', 'url': 'http://127.0.0.1:1/mcp'}\n"
        "body = {'kind': 'mcp', 'name': 'x', 'transport': server}\n"
        "skill = McpSkillDefinition.model_validate(body)\n"
        "call = McpServers(None, None, None).tools('s', 'k', skill, {}, owner='o')\n"
        "try:\n    asyncio.run(call)\nexcept Exception as error:\n    print(error)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "pip install 'roundtable-studio[mcp]'" in told.stdout
