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
import typing
import warnings
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import studio.engine
from studio.engine import (
    AssistantAgent,
    Cache,
    ChatResult,
    ConversableAgent,
    GroupChat,
    GroupChatManager,
    RunContext,
    SocietyOfMindAgent,
    TransformMessages,
    UserProxyAgent,
    a_initiate_chats,
    initiate_chats,
)
from studio.engine.compat import AUTOGEN_0_2, SAFE
from studio.engine.context import entered
from studio.engine.events import Delta, Event, InputRequested, MessageSent
from studio.engine.llm.configured import close_clients
from studio.engine.sync import run
from studio.engine.termination import predicate

from .scripted_server import ScriptedServer

TYPES = {
    "conversable": ConversableAgent,
    "assistant": AssistantAgent,
    "user_proxy": UserProxyAgent,
}
COMPARED_MESSAGE_KEYS = (
    "speaker", "to", "content", "role", "tool_calls", "tool_responses", "function_call"
)  # fmt: skip
OUR_ERRORS = {
    "InternalServerError": "ModelError", "RateLimitError": "ModelError",
    "BadRequestError": "ModelError", "InvalidCarryOverType": "CarryoverError",
}  # fmt: skip


@dataclass
class Recorder:
    """Keeps the messages that everybody sees, and answers for the people."""

    inputs: dict[str, list[str]]
    seen: list[dict[str, Any]] = field(default_factory=list)
    human_log: list[dict[str, str]] = field(default_factory=list)

    def emit(self, chat: str, event: Event) -> None:
        if isinstance(event, MessageSent):
            said = {"speaker": event.agent, "to": event.to, "content": event.content}
            for key in ("tool_calls", "tool_responses", "function_call", "role"):
                if value := getattr(event, key):
                    said[key] = value
            self.seen.append(said)

    def report(self, chat: str, event: Event) -> None: ...

    def delta(self, event: Delta) -> None: ...

    async def ask(self, question: InputRequested) -> str:
        queue = self.inputs.get(question.agent) or []
        text = queue.pop(0) if queue else "exit"
        self.human_log.append({"agent": question.agent, "prompt": question.prompt, "input": text})
        return text


class Builder:
    """The agents of a scenario, by name, built as a user of the library builds them."""

    def __init__(self, port: int, work: Path) -> None:
        self.port, self.work = port, work
        self.agents: dict[str, ConversableAgent] = {}

    def build(self, definition: dict[str, Any]) -> None:
        """Managers and societies last: they need their members."""
        order = {"group_manager": 1, "society_of_mind": 2}
        for item in sorted(definition["agents"], key=lambda i: order.get(i["type"], 0)):
            self.agents[item["name"]] = self._agent(dict(item))
        for tool in definition.get("tools", []):
            self._tool(tool)
        for nested in definition.get("nested", []):
            chats = [self.filled(chat) for chat in nested["chats"]]
            place = {"position": nested["position"]} if "position" in nested else {}
            self.agents[nested["agent"]].register_nested_chats(
                chats, trigger=self.function(nested["trigger"]), **place
            )

    def filled(self, info: dict[str, Any]) -> dict[str, Any]:
        """An entry of a queue of chats with agents for names and functions for sources."""
        info = {k: self.function(v) for k, v in info.items()}
        for key in ("sender", "recipient"):
            if key in info:
                info[key] = self.agents[info[key]]
        return info

    def function(self, given: Any) -> Any:
        """{"python": source} as the function it defines."""
        if not isinstance(given, dict) or set(given) != {"python"}:
            return given
        space: dict[str, Any] = {**vars(typing), "asyncio": asyncio, "AGENTS": self.agents}
        before = set(space)
        exec(given["python"], space)
        [name] = [n for n in space if n not in before and n != "__builtins__"]
        return space[name]

    def _tool(self, tool: dict[str, Any]) -> None:
        function = self.function({"python": tool["python"]})
        name = tool.get("name")
        for caller in tool["callers"]:
            self.agents[caller].register_for_llm(
                name=name, description=tool.get("description", "d"),
                api_style=tool.get("api_style", "tool"),
            )(function)  # fmt: skip
        for executor in tool["executors"]:
            self.agents[executor].register_for_execution(name=name)(function)

    def _llm(self, given: Any, name: str) -> Any:
        if not given:
            return given
        options = dict(given) if isinstance(given, dict) else {}
        entries = [
            {"model": f"script/{one}", "api_key": "key", "max_retries": 0,
             "base_url": f"http://127.0.0.1:{self.port}/{one}/v1"}
            for one in options.pop("models", [name])
        ]  # fmt: skip
        price = {"price": options.pop("price")} if "price" in options else {}
        entries = [entry | price for entry in entries]
        return {"config_list": entries, "cache_seed": None, "timeout": 10, **options}

    def _code(self, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        config = dict(given)
        if "executor" in config:
            own = config.get(config["executor"], {})
            config[config["executor"]] = {**own, "work_dir": str(self.work)}
        else:
            config["work_dir"] = str(self.work)
        return config

    def _agent(self, item: dict[str, Any]) -> ConversableAgent:
        kind, name = item.pop("type"), item.pop("name")
        transforms = item.pop("transforms", [])
        if stop := item.get("is_termination_msg"):
            item["is_termination_msg"] = predicate(stop["kind"], stop.get("text", "TERMINATE"))
        item["llm_config"] = self._llm(item.pop("llm", None), name)
        if "code_execution_config" in item:
            item["code_execution_config"] = self._code(item["code_execution_config"])
        if kind == "group_manager":
            agent: ConversableAgent = GroupChatManager(
                self._group(item.pop("group")), name=name, **item
            )
        elif kind == "society_of_mind":
            manager = self.agents[item.pop("chat_manager")]
            agent = SocietyOfMindAgent(name, chat_manager=manager, **item)
        else:
            if kind == "user_proxy":
                item.setdefault("code_execution_config", False)  # recorded without Docker
            agent = TYPES[kind](name, **item)
        for one in transforms:
            made = getattr(studio.engine, one["class"])(**one["args"])
            TransformMessages([made], verbose=False).add_to_agent(agent)
        return agent

    def _group(self, given: dict[str, Any]) -> GroupChat:
        rules = {k: self.function(v) for k, v in given.items()}
        rules["agents"] = [self.agents[name] for name in rules["agents"]]
        if isinstance(rules.get("allow_repeat_speaker"), list):
            rules["allow_repeat_speaker"] = [
                self.agents[name] for name in rules["allow_repeat_speaker"]
            ]
        if graph := rules.get("allowed_or_disallowed_speaker_transitions"):
            rules["allowed_or_disallowed_speaker_transitions"] = {
                self.agents[a]: [self.agents[b] for b in after] for a, after in graph.items()
            }
        return GroupChat(**rules)


class Play:
    """One scenario, run in a thread of its own as a user's program is."""

    def __init__(self, scenario: dict[str, Any], port: int, work: Path, compat: bool) -> None:
        self.scenario = scenario
        self.builder = Builder(port, work)
        self.recorder = Recorder({k: list(v) for k, v in scenario["human_inputs"].items()})
        self.context = RunContext(
            sink=self.recorder,
            ask=self.recorder.ask,
            compat=AUTOGEN_0_2 if compat else SAFE,
            random=random.Random(scenario["definition"].get("seed")),
            open_cache=lambda seed: Cache.disk(seed, work.parent / "cache"),
        )
        self.results: list[ChatResult] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        definition = self.scenario["definition"]
        with entered(self.context), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about the scenarios' own choices
            try:
                self.builder.build(definition)
                for step in definition["run"]:
                    self.results += self._step(dict(step))
            except BaseException as error:  # noqa: BLE001 - its kind is part of the result
                self.error = error
            finally:
                run(close_clients())

    def _step(self, step: dict[str, Any]) -> list[ChatResult]:
        op, agents = step.pop("op", "initiate_chat"), self.builder.agents
        match op:
            case "initiate_chats":
                return initiate_chats([self.builder.filled(c) for c in step["chats"]])
            case "a_initiate_chats":
                chats = [self.builder.filled(c) for c in step["chats"]]
                return list(in_own_loop(a_initiate_chats(chats)).values())
            case "resume":
                manager = agents[step.pop("manager")]
                assert isinstance(manager, GroupChatManager)
                last, message = manager.resume(
                    step["messages"],
                    remove_termination_string=step.get("remove_termination_string"),
                )
                return [last.initiate_chat(manager, message=message, clear_history=False)]
            case _:
                is_async = step.pop("async", False)
                initiator = agents[step.pop("initiator")]
                info = self.builder.filled(step)
                recipient = info.pop("recipient")
                if is_async:
                    return [in_own_loop(initiator.a_initiate_chat(recipient, **info))]
                return [initiator.initiate_chat(recipient, **info)]


def in_own_loop(coroutine: Any) -> Any:
    async def held() -> Any:
        try:
            return await coroutine
        finally:
            await close_clients()

    return asyncio.run(held())


async def play(scenario: dict[str, Any], *, compat: bool) -> dict[str, Any]:
    """Runs one scenario and returns what it did, in the shape of the recording."""
    with TemporaryDirectory() as folder, TemporaryDirectory(dir=folder) as inner:
        work = Path(inner)
        async with ScriptedServer(scenario["scripted_replies"]) as server:
            one = Play(scenario, server.port, work, compat)
            await asyncio.to_thread(one.run)
        files = _files(work)
    groups = {
        name: agent.groupchat.messages
        for name, agent in one.builder.agents.items()
        if isinstance(agent, GroupChatManager)
    }
    got = {
        "expected": one.recorder.seen,
        "summaries": [r.summary for r in one.results],
        "human_log": one.recorder.human_log,
        "group_messages": groups,
        "unused_replies": {k: len(v) for k, v in server.replies.items() if v},
        "files": files,
        "costs": [r.cost for r in one.results],
        "error": one.error,
        "llm_calls": server.calls,
    }
    error = got.pop("error")
    return {**_without(got, str(work)), "error": error}


def _files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def _without(value: Any, path: str) -> Any:
    """The same with <WORK> for the working directory, as it is recorded."""
    if isinstance(value, str):
        return value.replace(path, "<WORK>")
    if isinstance(value, list):
        return [_without(item, path) for item in value]
    if isinstance(value, dict):
        return {k: _without(v, path) for k, v in value.items()}
    return value


def difference(scenario: dict[str, Any], got: dict[str, Any]) -> str:
    """The first difference in the transcript part of a recording; "" when there is none."""
    if not _same_error(scenario.get("error"), got["error"]):
        return f"error: recorded {scenario.get('error')}, got {got['error']!r}"
    wanted = [{k: m[k] for k in COMPARED_MESSAGE_KEYS if k in m} for m in scenario["expected"]]
    parts = {
        "transcript": (wanted, got["expected"]),
        "summaries": (scenario["summaries"], got["summaries"]),
        "human_log": (scenario["human_log"], got["human_log"]),
        "group_messages": (scenario["group_messages"], got["group_messages"]),
        "unused_replies": (scenario["unused_replies"], got["unused_replies"]),
        "files": (scenario["files"], got["files"]),
        "costs": (scenario.get("costs"), got["costs"] if "costs" in scenario else None),
    }
    for name, (recorded, ours) in parts.items():
        if _portable(recorded) != _portable(ours):
            return f"{name}: {_first(recorded, ours)}"
    return ""


def _same_error(recorded: dict[str, str] | None, got: BaseException | None) -> bool:
    """Whether our error is of the recorded kind, or of our own kind for it."""
    if recorded is None or got is None:
        return recorded is None and got is None
    names = {one.__name__ for one in type(got).__mro__}
    return OUR_ERRORS.get(recorded["type"], recorded["type"]) in names


def _portable(value: Any) -> Any:
    """Without the words of Python's own errors, which differ from version to version."""
    if isinstance(value, str) and value.startswith("Error: "):
        return "Error: "
    if isinstance(value, list):
        return [_portable(item) for item in value]
    if isinstance(value, dict):
        return {k: _portable(v) for k, v in value.items()}
    return value


def wire_difference(scenario: dict[str, Any], got: dict[str, Any]) -> str:
    recorded, ours = scenario["llm_calls"], got["llm_calls"]
    return "" if _portable(recorded) == _portable(ours) else f"wire: {_first(recorded, ours)}"


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
