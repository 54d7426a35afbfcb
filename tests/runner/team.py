"""Teams whose members have names that stand in transcripts, each with a queue of replies."""

from __future__ import annotations

from typing import Any

from ..builders import Json, check_log
from ..conftest import InProcess
from ..engine.scripted_server import ScriptedServer

Said = list[tuple[str, str, str]]


class Team:
    """Definitions of one studio, with models at one server that keeps what they were sent."""

    def __init__(self, studio: InProcess, server: ScriptedServer) -> None:
        self.studio, self.server = studio, server

    def model(self, name: str, *replies: Any) -> str:
        self.server.replies[name] = list(replies)
        url = f"http://127.0.0.1:{self.server.port}/{name}/v1"
        fields = {"provider": "openai_compatible", "model": "x", "base_url": url}
        return str(self.studio.create("models", **fields)["id"])

    def assistant(self, name: str, *replies: Any, **fields: Any) -> str:
        models = [self.model(name, *replies)]
        given = {"kind": "assistant", "system_message": f"I am {name}.", "models": models}
        return str(self.studio.create("agents", name=name, **given | fields)["id"])

    def stand_in(self, name: str, reply: str = "", **fields: Any) -> str:
        return self.studio.stand_in(name=name, default_auto_reply=reply, **fields)

    def workflow(self, kind: str, **fields: Any) -> str:
        return str(self.studio.create("workflows", kind=kind, **fields)["id"])

    def played(self, workflow: str, message: str = "Begin.", status: str = "finished") -> str:
        one = self.studio.start(workflow, message)
        return self.rested(one, status)

    def rested(self, one: str, status: str = "finished") -> str:
        session = self.studio.wait(one, "finished", "failed", "waiting", "paused")
        check_log(session, self.studio.events(one))
        assert session["status"] == status, session["reason"]
        return one

    def said(self, one: str) -> Said:
        """(chat, agent, content) of every message; a call is told by its name."""
        return [(e["chat"], e["agent"], _words(e)) for e in self.studio.messages(one)]

    def asked(self, agent: str) -> list[list[tuple[str, str]]]:
        """(author or role, content) of the messages of every call that its model got."""
        return [
            [(m.get("name") or m["role"], m["content"]) for m in call["messages"]]
            for call in self.server.calls
            if call["agent"] == agent
        ]


def _words(event: Json) -> str:
    calls = [c["function"]["name"] for c in event.get("tool_calls") or []]
    return ", ".join(calls) if calls else str(event["content"])


def call(name: str) -> Json:
    return {"tool_calls": [{"name": name, "arguments": {}}]}
