"""Models that follow a written rule, and chats with them that keep everything that happens.

A rule takes the place of a language model: it gets the very messages that a server would get, the
system message first, and says one reply. It is reached by AutoGen 0.2's `model_client_cls`, so the
engine counts, logs and selects exactly as it does with a server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from studio.engine import ChatResult, ConversableAgent, RunContext, a_initiate_chat
from studio.engine.events import CodeExecuted, ModelCalled
from studio.engine.messages import Message
from tests.engine.builders import Log

Rule = Callable[[list[Message]], str | Message]
Thinker = TypeVar("Thinker", bound=ConversableAgent)
RULE_CONFIG = {
    "config_list": [{"model": "rule", "model_client_cls": "RuleModel"}],
    "cache_seed": None,
}


class RuleModel:
    """AutoGen 0.2's protocol of a model client, around one rule."""

    def __init__(self, config: dict[str, Any], rule: Rule) -> None:
        self._rule = rule

    def create(self, params: dict[str, Any]) -> Message:
        said = self._rule(params["messages"])
        return {"content": said} if isinstance(said, str) else said

    def message_retrieval(self, response: Message) -> list[Message]:
        return [response]

    def cost(self, response: Message) -> float:
        return 0.0


def following(agent: Thinker, rule: Rule) -> Thinker:
    """The agent, built with RULE_CONFIG, whose model follows `rule` from now on."""
    agent.register_model_client(RuleModel, rule=rule)
    return agent


@dataclass(frozen=True)
class Held:
    """A chat that is over: what it came to, and everything that happened in it."""

    result: ChatResult
    log: Log

    @property
    def model_calls(self) -> int:
        """Answered calls, those that select a speaker included."""
        return sum(isinstance(event, ModelCalled) for _, event in self.log.events)

    @property
    def runs(self) -> list[CodeExecuted]:
        return [event for _, event in self.log.events if isinstance(event, CodeExecuted)]

    @property
    def last_words(self) -> str:
        return self.log.said[-1][1]


def hold(
    initiator: ConversableAgent, recipient: ConversableAgent, message: str, **request: Any
) -> Held:
    """Holds a chat to its end; `request` has the fields of a ChatRequest."""
    log = Log()
    context = RunContext(sink=log, seed="applications")
    chat = a_initiate_chat(initiator, recipient, message=message, context=context, **request)
    return Held(asyncio.run(chat), log)
