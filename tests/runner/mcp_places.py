"""Places for tests of MCP servers: the studio's real boxes, and a real server on HTTP."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.config import load_settings
from studio.definitions.skills import McpSkillDefinition, OfferedTool
from studio.engine.execution.box import Kind
from studio.runner.boxes import Boxes, wanted_of
from studio.runner.mcp import McpServers
from studio.runner.packages import Preparations, Wanted
from studio.runner.workshop import skill_needs
from studio.store import secrets
from studio.store.database import Database
from studio.store.files import Files
from studio.store.known_secrets import KnownSecrets
from studio.store.secrets import Vault
from studio.store.tables import OWNER

from ..boxes import needed

ODD = Path(__file__).with_name("odd_mcp_server.py")
ROOT = Path(__file__).resolve().parents[2]
SESSION = "session1"


class Place:
    """The servers of one studio whose code runs in boxes of one kind."""

    def __init__(self, home: Path, kind: Kind, **settings: Any) -> None:
        self.home, self.kind = home, kind
        given = load_settings(home=home, boxes=needed(kind), **settings)
        home.mkdir(mode=0o700, exist_ok=True)
        self.vault = Vault(secrets.load_keys(home, None, None))
        self.database = Database(given.database)
        self.boxes = Boxes(given, Files(home), Preparations(home))
        known = KnownSecrets(self.database, self.vault)
        self.mcp = McpServers(self.boxes, given, known, open_seconds=30, call_seconds=20)

    def odd(self, manner: str = "well", skill_id: str = "odd", **more: Any) -> McpSkillDefinition:
        """A skill of the server that misbehaves, which is laid into its working folder."""
        folder = self.boxes.files.work_dir(SESSION).with_name(f"mcp-{skill_id}")
        folder.mkdir(exist_ok=True)
        shutil.copy(ODD, folder)
        command = ["python3", ODD.name, manner]
        return skill({"kind": "stdio", "command": command}, **more)

    def lay_out(self) -> None:
        """Puts the program into the folders of all servers."""
        for folder in self.boxes.files.work_dir(SESSION).parent.glob("mcp-*"):
            shutil.copy(ODD, folder)

    async def chosen(self, manner: str = "well", **more: Any) -> McpSkillDefinition:
        """The same with all the tools that it offers while it behaves well."""
        well = self.odd("well", "look")
        tools = await self.tools(well, "look")
        await self.mcp.close_session(SESSION)
        return self.odd(manner, offered=tools, tools=[t.name for t in tools], **more)

    async def tools(
        self, skill: McpSkillDefinition, skill_id: str = "odd", **secrets: str
    ) -> list[OfferedTool]:
        return await self.mcp.tools(SESSION, skill_id, skill, secrets, owner=OWNER)

    async def call(self, skill: McpSkillDefinition, function: str, **arguments: Any) -> Any:
        return await self.mcp.call(SESSION, "odd", skill, function, arguments, {}, owner=OWNER)

    async def say(self, skill: McpSkillDefinition, text: str) -> Any:
        return await self.call(skill, "say_it_back", text=text)

    def wanted(self, skill: McpSkillDefinition) -> Wanted:
        return wanted_of(self.kind, skill_needs(skill), self.boxes.probes)

    async def keep(self, name: str, value: str, destination: str = "") -> None:
        await self.database.write(
            lambda c: secrets.put(c, self.vault, OWNER, name, value, destination=destination)
        )


@asynccontextmanager
async def place(home: Path, kind: Kind = "sandbox", **settings: Any) -> AsyncIterator[Place]:
    made = Place(home, kind, **settings)
    try:
        await made.boxes.known()
        yield made
    finally:
        await made.mcp.close()
        await made.boxes.close()
        await made.boxes.preparations.close()
        made.database.close()


def skill(transport: dict[str, Any], **more: Any) -> McpSkillDefinition:
    given = {k: [t.model_dump() for t in v] if k == "offered" else v for k, v in more.items()}
    body = {"kind": "mcp", "name": "a server", "transport": transport, **given}
    return McpSkillDefinition.model_validate(body)


def all_of(given: McpSkillDefinition, tools: list[OfferedTool]) -> McpSkillDefinition:
    """A skill with every tool of its server chosen."""
    return given.model_copy(update={"offered": tools, "tools": [t.name for t in tools]})


PROGRAM = '''
import asyncio, socket, sys, uvicorn
from mcp.server.mcpserver import Context, MCPServer
server = MCPServer("sums")
@server.tool(description=sys.argv[2])
def add(a: int, b: int) -> int:
    return a + b
@server.tool()
async def wait(seconds: float) -> str:
    """Waits."""
    await asyncio.sleep(seconds)
    return "waited"
@server.tool()
def who(ctx: Context) -> str:
    """Tells who asked."""
    return ctx.request_context.request.headers.get("authorization", "nobody")
@server.tool()
def large() -> str:
    """Says too much."""
    return "y" * 20_000_000
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print(listening.getsockname()[1], flush=True)
config = uvicorn.Config(server.streamable_http_app(), log_level="critical")
uvicorn.Server(config).run(sockets=[listening])
'''


@dataclass
class HttpServer:
    """A server of the SDK as a child process."""

    process: subprocess.Popen[str]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    def end(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=10)


@contextmanager
def http_server(port: int = 0, words: str = "Adds two numbers.") -> Iterator[HttpServer]:
    """`words` describe its first tool."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(port), words], stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    server = HttpServer(process, int(process.stdout.readline()))
    try:
        yield server
    finally:
        server.end()
