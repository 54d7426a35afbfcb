"""What a user's program has: a model server at an address, configurations, plain agents."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from studio.engine import AssistantAgent, ConversableAgent
from studio.engine.llm.configured import close_clients
from studio.engine.sync import run

from .scripted_server import ScriptedServer


@contextmanager
def serving(**replies: list[Any]) -> Iterator[ScriptedServer]:
    """A model server in a thread of its own, so that a test may wait in plain functions."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = ScriptedServer(replies)
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
    try:
        yield server
    finally:
        run(close_clients())
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def entry(server: ScriptedServer, name: str, **options: Any) -> dict[str, Any]:
    """One configuration: the queue of `name` at the server, without retries."""
    address = f"http://127.0.0.1:{server.port}/{name}/v1"
    known = {"model": f"script/{name}", "api_key": "key", "base_url": address, "max_retries": 0}
    return {**known, **options}


def config(server: ScriptedServer, *names: str, **options: Any) -> dict[str, Any]:
    """An llm_config with one configuration for each name."""
    return {"config_list": [entry(server, n) for n in names], "cache_seed": None, **options}


def speaker(server: ScriptedServer, name: str, **arguments: Any) -> AssistantAgent:
    """An assistant whose model is the queue of its own name."""
    return AssistantAgent(name, f"You are {name}.", llm_config=config(server, name), **arguments)


def plain(name: str, reply: str = "", **arguments: Any) -> ConversableAgent:
    """An agent without a model that always says the same and asks nobody."""
    given = {"human_input_mode": "NEVER", "default_auto_reply": reply, **arguments}
    return ConversableAgent(name, f"You are {name}.", **given)


def said(result: Any) -> list[tuple[str, Any]]:
    """(name, content) of a chat's history."""
    return [(m.get("name", m["role"]), m["content"]) for m in result.chat_history]


async def closing(coroutine: Any) -> Any:
    """The result of a coroutine, with this event loop's connections closed behind it."""
    try:
        return await coroutine
    finally:
        await close_clients()
