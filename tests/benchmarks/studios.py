"""The studios that the benchmark can drive: ours, and AutoGen Studio 0.4.2.2 beside it.

Each knows how to start itself on an empty folder, make a team, begin a session and tell what its
stream says, in the same words for both.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import aiohttp
import orjson
import psutil

TOKEN = "token-of-the-benchmark-0123456789-abcdef"
USER = "guestuser@gmail.com"


@dataclass(frozen=True, slots=True)
class Heard:
    """`at` is time.perf_counter; `text` is a streamed token or how it ended."""

    kind: Literal["turn", "token", "end"]
    at: float
    text: str = ""


class Studio:
    """A studio as a child process. CPU and memory are those of its whole process tree."""

    name = ""
    api = "/api/health"
    headers: dict[str, str] = {}

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder.mkdir(parents=True, exist_ok=True)
        # bytecode may be written: an installed program has it, and so shall a checkout
        not_theirs = ("STUDIO_", "PYTHONDONTWRITEBYTECODE")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(not_theirs)}
        env = {**inherited, "HOME": str(self.folder), "STUDIO_TOKEN": TOKEN}
        self.began = time.perf_counter()
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, env=env)

    def stop(self) -> None:
        """Ends what was started, by its own process id."""
        if self.process is None:
            return
        family = self._family()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            for one in family:
                if one.is_running():
                    one.kill()
            self.process.wait(10)
        self.process = None

    def _family(self) -> list[psutil.Process]:
        assert self.process is not None
        one = psutil.Process(self.process.pid)
        return [one, *one.children(recursive=True)]

    def megabytes(self) -> float:
        return float(sum(p.memory_info().rss for p in self._family()) / 1e6)

    def cpu_seconds(self) -> float:
        return float(sum(sum(p.cpu_times()[:2]) for p in self._family()))

    async def ready(self, http: aiohttp.ClientSession, path: str) -> float:
        """Seconds from the start until `path` answers with 200."""
        while time.perf_counter() < self.began + 120:
            try:
                async with http.get(self.url + path, headers=self.headers) as answer:
                    await answer.read()
                    if answer.status == 200:
                        return time.perf_counter() - self.began
            except (aiohttp.ClientError, OSError):
                pass
            await asyncio.sleep(0.005)
        raise TimeoutError(f"{self.name} did not answer; see {self.folder / 'server.log'}")

    async def call(self, http: aiohttp.ClientSession, method: str, path: str, body: Any) -> Any:
        async with http.request(method, self.url + path, json=body, headers=self.headers) as got:
            data = await got.read()
            if got.status >= 400:
                raise RuntimeError(f"{method} {path}: {got.status} {data[:500]!r}")
            return orjson.loads(data) if data else None

    # -- what each studio does in its own way

    async def make_team(
        self, http: aiohttp.ClientSession, model: str, agents: int, turns: int
    ) -> Any:
        """A round robin of `agents`, who make `turns` model calls together."""
        raise NotImplementedError

    async def begin(self, http: aiohttp.ClientSession, team: Any) -> Any:
        raise NotImplementedError

    def listen(self, http: aiohttp.ClientSession, team: Any, run: Any) -> AsyncIterator[Heard]:
        raise NotImplementedError

    def crud(
        self, http: aiohttp.ClientSession, team: Any
    ) -> dict[str, Callable[[], Awaitable[Any]]]:
        raise NotImplementedError


class Ours(Studio):
    name = "ours"
    headers = {"authorization": f"Bearer {TOKEN}"}

    def command(self) -> list[str]:
        where = ["--port", str(self.port), "--home", str(self.folder)]
        return [sys.executable, "-m", "studio", "serve", *where, "--no-open"]

    async def make_team(
        self, http: aiohttp.ClientSession, model: str, agents: int, turns: int
    ) -> Any:
        tag = f"{time.time_ns():x}"
        fields = {"provider": "openai_compatible", "model": "gpt-4o", "base_url": model}
        made = await self.call(
            http, "POST", "/api/models", {"name": f"m{tag}", "api_key": "sk-bench", **fields}
        )
        ids = []
        for i in range(agents):
            agent = {
                "name": f"a{i}_{tag}", "kind": "assistant", "system_message": f"You are a{i}.",
                "models": [made["id"]], "max_consecutive_auto_reply": 10_000,
            }  # fmt: skip
            ids.append((await self.call(http, "POST", "/api/agents", agent))["id"])
        # max_round counts the opening message, as AutoGen 0.2 does
        team = {
            "name": f"w{tag}", "kind": "group_chat", "initiator": ids[-1], "agents": ids,
            "speaker_selection_method": "round_robin", "max_round": turns + 1,
        }  # fmt: skip
        return (await self.call(http, "POST", "/api/workflows", team))["id"]

    async def begin(self, http: aiohttp.ClientSession, team: Any) -> Any:
        body = {"workflow": team, "message": "Begin."}
        return (await self.call(http, "POST", "/api/sessions", body))["id"]

    async def listen(
        self, http: aiohttp.ClientSession, team: Any, run: Any
    ) -> AsyncIterator[Heard]:
        kind, opening = "", True
        path = f"{self.url}/api/sessions/{run}/stream"
        async with http.get(path, headers=self.headers) as stream:
            async for line in stream.content:
                at = time.perf_counter()
                if line.startswith(b"event:"):
                    kind = line[6:].strip().decode()
                elif line.startswith(b"data:"):
                    if kind == "delta":
                        yield Heard("token", at, orjson.loads(line[5:])["text"])
                    elif kind == "message":
                        if not opening:
                            yield Heard("turn", at)
                        opening = False
                    elif kind == "session_finished":
                        yield Heard("end", at, orjson.loads(line[5:])["status"])

    def crud(
        self, http: aiohttp.ClientSession, team: Any
    ) -> dict[str, Callable[[], Awaitable[Any]]]:
        def create() -> Awaitable[Any]:
            agent = {"name": f"c{time.time_ns():x}", "kind": "assistant", "models": []}
            return self.call(http, "POST", "/api/agents", agent)

        return {
            "create a definition": create,
            "list definitions": lambda: self.call(http, "GET", "/api/agents", None),
            "list sessions": lambda: self.call(http, "GET", "/api/sessions", None),
        }


class AutoGenStudio(Studio):
    name = "AutoGen Studio"

    def __init__(self, folder: Path, program: str) -> None:
        super().__init__(folder)
        self.program = program

    def command(self) -> list[str]:
        return [self.program, "ui", "--port", str(self.port), "--appdir", str(self.folder)]

    async def make_team(
        self, http: aiohttp.ClientSession, model: str, agents: int, turns: int
    ) -> Any:
        client = _component(
            "autogen_ext.models.openai.OpenAIChatCompletionClient", "model",
            {"model": "gpt-4o", "api_key": "x", "base_url": model},
        )  # fmt: skip
        context = _component(
            "autogen_core.model_context.UnboundedChatCompletionContext",
            "chat_completion_context", {},
        )  # fmt: skip
        members = [
            _component("autogen_agentchat.agents.AssistantAgent", "agent", {
                "name": f"a{i}", "model_client": client, "tools": [], "model_context": context,
                "description": f"agent a{i}", "system_message": f"You are a{i}.",
                "model_client_stream": True, "reflect_on_tool_use": False,
                "tool_call_summary_format": "{result}",
            })
            for i in range(agents)
        ]  # fmt: skip
        end = _component(
            "autogen_agentchat.conditions.MaxMessageTermination", "termination",
            {"max_messages": turns + 1, "include_agent_event": False},
        )  # fmt: skip
        team = _component(
            "autogen_agentchat.teams.RoundRobinGroupChat", "team",
            {"participants": members, "termination_condition": end},
        )  # fmt: skip
        made = await self.call(http, "POST", "/api/teams/", {"user_id": USER, "component": team})
        return {"id": made["data"]["id"], "component": team}

    async def begin(self, http: aiohttp.ClientSession, team: Any) -> Any:
        session = {"user_id": USER, "team_id": team["id"], "name": "s"}
        made = await self.call(http, "POST", "/api/sessions/", session)
        run = {"user_id": USER, "session_id": made["data"]["id"]}
        return (await self.call(http, "POST", "/api/runs/", run))["data"]["run_id"]

    async def listen(
        self, http: aiohttp.ClientSession, team: Any, run: Any
    ) -> AsyncIterator[Heard]:
        path = f"ws://127.0.0.1:{self.port}/api/ws/runs/{run}"
        start = {"type": "start", "task": "Begin.", "files": [], "team_config": team["component"]}
        async with http.ws_connect(path, max_msg_size=0) as wire:
            await wire.send_json(start)
            async for message in wire:
                at = time.perf_counter()
                if message.type != aiohttp.WSMsgType.TEXT:
                    break
                data = orjson.loads(message.data)
                match data.get("type"):
                    case "message" if data["data"].get("source") not in ("user", "llm_call_event"):
                        yield Heard("turn", at)
                    case "message_chunk":
                        yield Heard("token", at, data["data"]["content"])
                    case "result" | "completion":
                        status = str(data.get("status"))
                        yield Heard("end", at, "finished" if status == "complete" else status)
                        return
                    case "error":
                        yield Heard("end", at, str(data.get("error"))[:80])
                        return

    def crud(
        self, http: aiohttp.ClientSession, team: Any
    ) -> dict[str, Callable[[], Awaitable[Any]]]:
        body = {"user_id": USER, "component": team["component"]}
        return {
            "create a definition": lambda: self.call(http, "POST", "/api/teams/", body),
            "list definitions": lambda: self.call(http, "GET", f"/api/teams/?user_id={USER}", None),
            "list sessions": lambda: self.call(http, "GET", f"/api/sessions/?user_id={USER}", None),
        }


def _component(provider: str, kind: str, config: dict[str, Any]) -> dict[str, Any]:
    return {
        "provider": provider, "component_type": kind, "version": 1, "component_version": 1,
        "label": provider.rpartition(".")[2], "description": "", "config": config,
    }  # fmt: skip
