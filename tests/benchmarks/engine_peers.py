"""One engine's chats and bare calls, measured in a process and an environment of its own.

    PYTHON -m tests.benchmarks.engine_peers ours|autogen|ag2 ADDRESS-OF-THE-MODEL 50,200,1000

Prints one line of JSON for each chat: what `Measured` holds. Imports nothing that an engine's own
environment does not have. A chat of N turns is its opening and N - 1 replies of models; the bare
calls ask for the same replies, with the same messages, from the client that the engine uses.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from inspect import isawaitable
from typing import Any

NAMES = {"group of 4": ("planner", "writer", "critic", "editor"), "two agents": ("ada", "bob")}
OPENING = "Plan a small magazine that real readers want to keep"
MODEL = "gpt-4o"
WARM_UP = 50  # turns
TIMES = 3  # the best of them; more often until AT_LEAST, but not again after ENOUGH
AT_LEAST, ENOUGH = 10.0, 20.0  # seconds of CPU: of all times together, of one
Messages = list[dict[str, Any]]
Held = Callable[[], Awaitable[Any]]


@dataclass(frozen=True)
class Measured:
    """CPU of a reply in ms.

    gross    of the whole chat
    bare     of the same calls without an engine
    outside  of the chat while none of its calls was going on: gross less bare measured within one
             run, so that it holds where that difference drowns in the noise of large figures
    """

    chat: str
    turns: int
    gross: float
    bare: float
    outside: float

    @property
    def overhead(self) -> float:
        return self.gross - self.bare


@dataclass
class Asked:
    """The model calls of a chat: their messages and their seconds of CPU.

    A speaker's list only grows, so its last one is enough.
    """

    last: dict[str, Messages] = field(default_factory=dict)
    sizes: list[tuple[str, int]] = field(default_factory=list)
    seconds: float = 0.0

    def note(self, messages: Messages) -> None:
        speaker = str(messages[0]["content"])
        self.last[speaker] = messages
        self.sizes.append((speaker, len(messages)))

    @contextmanager
    def counted(self) -> Iterator[None]:
        began = time.process_time()
        yield
        self.seconds += time.process_time() - began

    async def awaited(self, answer: Awaitable[Any]) -> Any:
        with self.counted():
            return await answer

    def again(self) -> list[Messages]:
        return [self.last[speaker][:size] for speaker, size in self.sizes]


class Engine:
    """Agents are made once, so that their connections are open when a chat is measured."""

    asked: Asked

    def __init__(self, address: str) -> None:
        self.address = address

    def agents(self, names: tuple[str, ...]) -> list[Any]:
        raise NotImplementedError

    def chat(self, agents: list[Any], turns: int) -> Held:
        raise NotImplementedError

    async def bare(self, calls: list[Any]) -> None:
        raise NotImplementedError

    def client(self) -> tuple[Any, str]:
        """The class and the method that send a model call; `asked` notes it."""
        raise NotImplementedError

    def messages(self, *_: Any, messages: Messages, **__: Any) -> Messages:
        """What a call of that method asks."""
        return messages

    async def measured(self, chat: str, turns: int) -> Measured:
        agents = self.agents(NAMES[chat])
        rounds: list[tuple[float, float, float]] = []
        await self._chat_spent(agents, WARM_UP)
        while len(rounds) < TIMES or sum(gross + bare for gross, bare, _ in rounds) < AT_LEAST:
            gross = await self._chat_spent(agents, turns)
            outside, calls = gross - self.asked.seconds, self.asked.again()
            assert [len(c) for c in calls] == list(range(2, turns + 1)), "not the chat we meant"
            bare = await _spent(partial(self.bare, calls))
            rounds.append((gross, bare, outside))
            if gross + bare > ENOUGH:
                break
        best = (min(each) * 1000 / (turns - 1) for each in zip(*rounds, strict=True))
        return Measured(chat, turns, *best)

    async def _chat_spent(self, agents: list[Any], turns: int) -> float:
        self.asked = Asked()
        with self._listening():
            return await _spent(self.chat(agents, turns))

    @contextmanager
    def _listening(self) -> Iterator[None]:
        owner, name = self.client()
        real = getattr(owner, name)

        def sent(*given: Any, **named: Any) -> Any:
            self.asked.note(self.messages(*given, **named))
            with self.asked.counted():
                answer = real(*given, **named)
            return self.asked.awaited(answer) if isawaitable(answer) else answer

        setattr(owner, name, sent)
        try:
            yield
        finally:
            setattr(owner, name, real)


async def _spent(work: Held) -> float:
    """Seconds of CPU, of all threads of this process."""
    gc.collect()
    began = time.process_time()
    await work()
    return time.process_time() - began


class Ours(Engine):
    def agents(self, names: tuple[str, ...]) -> list[Any]:
        from studio.engine import AssistantAgent

        return [
            AssistantAgent(
                name, f"You are the {name}.", llm_config={"config_list": [self._model()]},
                max_consecutive_auto_reply=sys.maxsize,
            )
            for name in names
        ]  # fmt: skip

    def chat(self, agents: list[Any], turns: int) -> Held:
        from studio.engine import GroupChat, GroupChatManager

        first, second = agents[:2]
        if len(agents) == 2:
            return lambda: first.a_initiate_chat(
                second, message=OPENING, max_turns=turns // 2, silent=True
            )
        group = GroupChat(agents, max_round=turns, speaker_selection_method="round_robin")
        manager = GroupChatManager(group)
        return lambda: first.a_initiate_chat(manager, message=OPENING, silent=True)

    def client(self) -> tuple[Any, str]:
        from studio.engine.llm.openai_client import OpenAIClient

        return OpenAIClient, "complete"

    def messages(self, *given: Any, **_: Any) -> Messages:
        asked: Messages = given[2].messages
        return asked

    async def bare(self, calls: list[Any]) -> None:
        from studio.engine.llm.configured import llm_of
        from studio.engine.llm.models import ModelRequest

        llm = llm_of(self._model())
        assert llm is not None
        spec = llm.models[0]
        client = llm.client(spec)  # the one that the chats have
        for messages in calls:
            await client.complete(spec, ModelRequest(messages, ""), lambda _, __: None)

    def _model(self) -> dict[str, str]:
        return {"model": MODEL, "api_key": "none", "base_url": self.address}


class AutoGen(Engine):
    """autogen-agentchat 0.7.5. Two agents talk as a group of two, which is its way."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        from autogen_ext.models.openai import (  # type: ignore[import-not-found]
            OpenAIChatCompletionClient,
        )
        from openai import AsyncOpenAI

        self.model = OpenAIChatCompletionClient(model=MODEL, api_key="none", base_url=address)
        self.openai = AsyncOpenAI(api_key="none", base_url=address)

    def agents(self, names: tuple[str, ...]) -> list[Any]:
        return list(names)

    def chat(self, agents: list[Any], turns: int) -> Held:
        """Made for each chat: they forget nothing, and the connections are the model's."""
        from autogen_agentchat.agents import AssistantAgent  # type: ignore[import-not-found]
        from autogen_agentchat.teams import RoundRobinGroupChat  # type: ignore[import-not-found]

        made = [
            AssistantAgent(name, self.model, system_message=f"You are the {name}.")
            for name in agents
        ]
        team = RoundRobinGroupChat(made, max_turns=turns - 1)
        return lambda: team.run(task=OPENING)

    def client(self) -> tuple[Any, str]:
        from openai.resources.chat.completions import AsyncCompletions

        return AsyncCompletions, "create"

    async def bare(self, calls: list[Any]) -> None:
        for messages in calls:
            await self.openai.chat.completions.create(model=MODEL, messages=messages)


class AG2(Engine):
    """ag2 0.14, by its sync methods, which are its shortest way, and without its cache."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        from openai import OpenAI

        self.openai = OpenAI(api_key="none", base_url=address)

    def agents(self, names: tuple[str, ...]) -> list[Any]:
        from autogen import ConversableAgent  # type: ignore[import-not-found]

        model = {"model": MODEL, "api_key": "none", "base_url": self.address}
        return [
            ConversableAgent(
                name, f"You are the {name}.", human_input_mode="NEVER", silent=True,
                llm_config={"config_list": [model], "cache_seed": None},
                max_consecutive_auto_reply=sys.maxsize,
            )
            for name in names
        ]  # fmt: skip

    def chat(self, agents: list[Any], turns: int) -> Held:
        from autogen import GroupChat, GroupChatManager

        first, second = agents[:2]

        async def two() -> None:
            first.initiate_chat(second, message=OPENING, max_turns=turns // 2, silent=True)

        async def group() -> None:
            first.initiate_chat(manager, message=OPENING, silent=True)

        if len(agents) == 2:
            return two
        chat = GroupChat(agents, [], max_round=turns, speaker_selection_method="round_robin")
        manager = GroupChatManager(chat, llm_config=False, silent=True)
        return group

    def client(self) -> tuple[Any, str]:
        from openai.resources.chat.completions import Completions

        return Completions, "create"

    async def bare(self, calls: list[Any]) -> None:
        for messages in calls:
            self.openai.chat.completions.create(model=MODEL, messages=messages)


ENGINES: dict[str, type[Engine]] = {"ours": Ours, "autogen": AutoGen, "ag2": AG2}


async def main(name: str, address: str, lengths: list[int]) -> None:
    engine = ENGINES[name](address)
    for chat in NAMES:
        for turns in lengths:
            print(json.dumps(asdict(await engine.measured(chat, turns))), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], [int(n) for n in sys.argv[3].split(",")]))
