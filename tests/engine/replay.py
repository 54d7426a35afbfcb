"""Replays recorded AutoGen 0.2 scenarios against our engine, through real HTTP.

    python -m tests.engine.replay FILE... [--compat] [--only PREFIX...]

Prints one line per failing scenario (name, first difference) and last
`transcripts N/M wire K/M`. A scenario's scripted replies are served by an OpenAI-compatible server
on 127.0.0.1; every agent has an address of its own there, so the server knows who asks.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.engine import (
    AssistantAgent,
    CodeExecution,
    ConversableAgent,
    GroupChat,
    GroupChatManager,
    RunContext,
    UserProxyAgent,
)
from studio.engine.chats import a_initiate_chat
from studio.engine.events import Delta, Event, InputRequested, MessageSent
from studio.engine.llm.call import LLM
from studio.engine.llm.models import Endpoint, ModelSpec
from studio.engine.llm.openai_client import OpenAIClient
from studio.engine.termination import predicate

from .scripted_server import ScriptedServer

TYPES = {
    "conversable": ConversableAgent,
    "assistant": AssistantAgent,
    "user_proxy": UserProxyAgent,
}
COMPARED_MESSAGE_KEYS = ("speaker", "to", "content", "role", "tool_calls", "tool_responses")


@dataclass
class Recorder:
    """Keeps the messages that everybody sees, and answers for the people."""

    inputs: dict[str, list[str]]
    seen: list[dict[str, Any]] = field(default_factory=list)
    human_log: list[dict[str, str]] = field(default_factory=list)

    def emit(self, chat: str, event: Event) -> None:
        if isinstance(event, MessageSent):
            said = {"speaker": event.agent, "to": event.to, "content": event.content}
            if event.tool_calls:
                said["tool_calls"] = event.tool_calls
            if event.tool_responses:
                said["tool_responses"] = event.tool_responses
            self.seen.append(said)

    def report(self, chat: str, event: Event) -> None: ...

    def delta(self, event: Delta) -> None: ...

    async def ask(self, question: InputRequested) -> str:
        queue = self.inputs.get(question.agent) or []
        text = queue.pop(0) if queue else "exit"
        self.human_log.append({"agent": question.agent, "prompt": question.prompt, "input": text})
        return text


class Builder:
    """The agents of a scenario, by name."""

    def __init__(self, port: int, client: OpenAIClient) -> None:
        self.port, self.client = port, client
        self.agents: dict[str, ConversableAgent] = {}

    def build(self, definition: dict[str, Any]) -> None:
        """Managers last: they need their members."""
        later = []
        for item in definition["agents"]:
            if item["type"] == "group_manager":
                later.append(item)
            else:
                self.agents[item["name"]] = self._agent(item)
        for item in later:
            self.agents[item["name"]] = self._manager(item)

    def _llm(self, item: dict[str, Any]) -> LLM | None:
        if not item.get("llm"):
            return None
        given = item["llm"]
        names = given["models"] if isinstance(given, dict) and "models" in given else [item["name"]]
        return LLM(tuple(self._spec(name) for name in names), lambda _: self.client)

    def _spec(self, name: str) -> ModelSpec:
        """A model whose address says whose queue of replies it reads."""

        async def endpoint() -> Endpoint:
            return Endpoint(f"http://127.0.0.1:{self.port}/{name}/v1", "key")

        return ModelSpec(id=name, name="gpt-4", model="gpt-4", endpoint=endpoint, timeout=10)

    def _agent(self, item: dict[str, Any]) -> ConversableAgent:
        stop = item.get("is_termination_msg")
        code = item.get("code_execution_config")
        return TYPES[item["type"]](
            item["name"],
            item.get("system_message"),
            llm=self._llm(item),
            is_termination_msg=predicate(stop["kind"], stop.get("text", "TERMINATE"))
            if stop
            else None,
            max_consecutive_auto_reply=item.get("max_consecutive_auto_reply"),
            human_input_mode=item.get("human_input_mode"),
            default_auto_reply=item.get("default_auto_reply", ""),
            description=item.get("description"),
            code_execution=CodeExecution() if code else None,
        )

    def _manager(self, item: dict[str, Any]) -> GroupChatManager:
        rules = dict(item["group"])
        rules["agents"] = [self.agents[name] for name in rules["agents"]]
        if isinstance(rules.get("allow_repeat_speaker"), list):
            rules["allow_repeat_speaker"] = [
                self.agents[name] for name in rules["allow_repeat_speaker"]
            ]
        if graph := rules.get("allowed_or_disallowed_speaker_transitions"):
            rules["allowed_or_disallowed_speaker_transitions"] = {
                self.agents[a]: [self.agents[b] for b in after] for a, after in graph.items()
            }
        stop = item.get("is_termination_msg")
        return GroupChatManager(
            GroupChat(**rules),
            item["name"],
            llm=self._llm(item),
            is_termination_msg=predicate(stop["kind"], stop.get("text", "TERMINATE"))
            if stop
            else None,
        )


async def play(scenario: dict[str, Any], *, compat: bool) -> dict[str, Any]:
    """Runs one scenario and returns what it did, in the shape of the recording."""
    recorder = Recorder({k: list(v) for k, v in scenario["human_inputs"].items()})
    summaries: list[str] = []
    error = None
    client = OpenAIClient()
    async with ScriptedServer(scenario["scripted_replies"]) as server:
        builder = Builder(server.port, client)
        context = RunContext(
            sink=recorder,
            ask=recorder.ask,
            compat=compat,
            random=random.Random(scenario["definition"].get("seed")),
        )
        try:
            builder.build(scenario["definition"])
            for step in scenario["definition"]["run"]:
                result = await a_initiate_chat(
                    builder.agents[step["initiator"]],
                    builder.agents[step["recipient"]],
                    message=step.get("message"),
                    clear_history=step.get("clear_history", True),
                    max_turns=step.get("max_turns"),
                    summary_method=step.get("summary_method", "last_msg"),
                    summary_prompt=step.get("summary_args", {}).get("summary_prompt"),
                    context=context,
                )
                summaries.append(result.summary)
        except Exception as failure:  # noqa: BLE001 - the kind of error is part of the result
            error = type(failure).__name__
        finally:
            await client.close()
    groups = {
        name: agent.groupchat.messages
        for name, agent in builder.agents.items()
        if isinstance(agent, GroupChatManager)
    }
    return {
        "expected": recorder.seen,
        "summaries": summaries,
        "human_log": recorder.human_log,
        "group_messages": groups,
        "unused_replies": {k: len(v) for k, v in server.replies.items() if v},
        "error": error,
        "llm_calls": server.calls,
    }


def difference(scenario: dict[str, Any], got: dict[str, Any]) -> str:
    """The first difference in the transcript part of a recording; "" when there is none."""
    if bool(scenario.get("error")) != bool(got["error"]):
        return f"error: recorded {scenario.get('error')}, got {got['error']}"
    wanted = [{k: m[k] for k in COMPARED_MESSAGE_KEYS if k in m} for m in scenario["expected"]]
    parts = {
        "transcript": (wanted, got["expected"]),
        "summaries": (scenario["summaries"], got["summaries"]),
        "human_log": (scenario["human_log"], got["human_log"]),
        "group_messages": (scenario["group_messages"], got["group_messages"]),
        "unused_replies": (scenario["unused_replies"], got["unused_replies"]),
    }
    for name, (recorded, ours) in parts.items():
        if recorded != ours:
            return f"{name}: {_first(recorded, ours)}"
    return ""


def wire_difference(scenario: dict[str, Any], got: dict[str, Any]) -> str:
    recorded, ours = scenario["llm_calls"], got["llm_calls"]
    return "" if recorded == ours else f"wire: {_first(recorded, ours)}"


def _first(recorded: Any, ours: Any) -> str:
    if isinstance(recorded, list) and isinstance(ours, list):
        for i, (a, b) in enumerate(zip(recorded, ours, strict=False)):
            if a != b:
                return f"[{i}] recorded {json.dumps(a)[:400]}, got {json.dumps(b)[:400]}"
        return f"recorded {len(recorded)} items, got {len(ours)}"
    return f"recorded {json.dumps(recorded)[:400]}, got {json.dumps(ours)[:400]}"


def load(paths: list[Path], only: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    scenarios = [s for path in paths for s in json.loads(path.read_text())]
    return [s for s in scenarios if not only or s["name"].startswith(only)]


async def replay(scenarios: list[dict[str, Any]], *, compat: bool) -> int:
    counts: dict[str, int] = defaultdict(int)
    for scenario in scenarios:
        got = await play(scenario, compat=compat)
        told = difference(scenario, got)
        wire = wire_difference(scenario, got)
        counts["transcripts"] += not told
        counts["wire"] += not wire
        if told or wire:
            print(f"{scenario['name']}: {told or wire}")
    total = len(scenarios)
    print(f"transcripts {counts['transcripts']}/{total} wire {counts['wire']}/{total}")
    return 0 if counts["transcripts"] == counts["wire"] == total else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--compat", action="store_true")
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    scenarios = load(options.files, tuple(options.only))
    return asyncio.run(replay(scenarios, compat=options.compat))


if __name__ == "__main__":
    sys.exit(main())
