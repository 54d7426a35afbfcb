"""One page of builders: a log of what was said, people with prepared answers, scripted agents."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from studio.engine import AssistantAgent, ConversableAgent, GroupChat, GroupChatManager, RunContext
from studio.engine.compat import AUTOGEN_0_2, SAFE
from studio.engine.events import (
    Delta,
    Event,
    Failure,
    InputRequested,
    MessageSent,
    SpeakerSelected,
    as_row,
)
from studio.engine.llm.call import LLM
from studio.engine.llm.models import Endpoint, ModelSpec, Profile
from studio.engine.llm.openai_client import OpenAIClient
from studio.engine.llm.scripted import ScriptedClient


@dataclass
class Log:
    """A sink that keeps everything."""

    events: list[tuple[str, Event]] = field(default_factory=list)
    reports: list[Event] = field(default_factory=list)
    deltas: list[Delta] = field(default_factory=list)

    def emit(self, chat: str, event: Event) -> None:
        self.events.append((chat, event))

    def report(self, chat: str, event: Event) -> None:
        self.reports.append(event)

    def delta(self, event: Delta) -> None:
        self.deltas.append(event)

    @property
    def said(self) -> list[tuple[str, str]]:
        """(agent, content) of every message, in order."""
        return [(e.agent, e.content) for _, e in self.events if isinstance(e, MessageSent)]

    @property
    def selections(self) -> list[SpeakerSelected]:
        return [e for _, e in self.events if isinstance(e, SpeakerSelected)]

    @property
    def failures(self) -> list[str]:
        return [e.message for e in self.reports if isinstance(e, Failure)]

    def rows(self) -> list[tuple[str, dict[str, Any]]]:
        return [(chat, as_row(event)) for chat, event in self.events]


@dataclass
class People:
    """Answers questions in order; one question too many fails the test, so does one too few."""

    answers: list[str]
    asked: list[InputRequested] = field(default_factory=list)

    async def __call__(self, question: InputRequested) -> str:
        assert self.answers, f"nobody expected the question {question.prompt!r}"
        self.asked.append(question)
        return self.answers.pop(0)


def scripted_llm(replies: list[str] | dict[str, list[str]], name: str = "script") -> LLM:
    """A model of the `scripted` provider."""
    client = ScriptedClient()
    spec = ModelSpec(
        id=name, name=name, model=name, provider="scripted", script={"replies": replies}
    )
    return LLM((spec,), lambda _: client)


def scripted(name: str, *replies: str, **arguments: Any) -> AssistantAgent:
    """An assistant that says these replies, then has no more."""
    return AssistantAgent(
        name, f"You are {name}.", llm=scripted_llm(list(replies)) if replies else None, **arguments
    )


def silent(name: str, **arguments: Any) -> ConversableAgent:
    """An agent without a model that never asks a person: it sends its default reply."""
    return ConversableAgent(name, f"You are {name}.", human_input_mode="NEVER", **arguments)


def manager_of(group: GroupChat, llm: LLM | None = None, **arguments: Any) -> GroupChatManager:
    return GroupChatManager(group, llm=llm, **arguments)


def context_of(
    log: Log | None = None, people: People | None = None, **arguments: Any
) -> RunContext:
    """A context that keeps everything in `log` and asks `people`; compat=True is AutoGen's way."""
    arguments["compat"] = AUTOGEN_0_2 if arguments.get("compat") else SAFE
    return RunContext(sink=log or Log(), ask=people or People([]), seed="seed", **arguments)


def spec_at(url: str, name: str = "model", **arguments: Any) -> ModelSpec:
    """A model at an address, with a key that nobody may see."""

    async def endpoint() -> Endpoint:
        return Endpoint(url, KEY)

    return ModelSpec(
        id=name,
        name=name,
        model=f"{name}-1",
        endpoint=endpoint,
        **{"timeout": 20.0, "profile": Profile(), **arguments},
    )


KEY = "sk-very-secret-key-000111222"


class Clients:
    """`async with Clients() as client`: one OpenAI client that is closed at the end."""

    def __init__(self) -> None:
        self.client = OpenAIClient()

    async def __aenter__(self) -> OpenAIClient:
        return self.client

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()


def llm_of(client: OpenAIClient, *specs: ModelSpec, **parameters: Any) -> LLM:
    return LLM(specs, lambda _: client, parameters)


def ids(cases: Iterable[Any], name: Callable[[Any], str]) -> list[str]:
    """Readable parameter names: what a failing case is called."""
    return [name(case) or "empty" for case in cases]
