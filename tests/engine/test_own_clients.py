"""Model clients of a user's own, and how often a configuration may be called."""

from __future__ import annotations

import asyncio
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from studio.engine import AssistantAgent, ModelError, a_initiate_chats
from studio.engine.llm.gates import RateLimit

from .library_user import closing, config, entry, plain, serving

OWN = {"model": "own", "model_client_cls": "OwnClient", "params": {"depth": 3}}


class OwnClient:
    """AutoGen 0.2's protocol of a model client."""

    def __init__(self, config: dict[str, Any], **arguments: Any) -> None:
        self.config, self.arguments = config, arguments
        self.asked: list[dict[str, Any]] = []

    def create(self, params: dict[str, Any]) -> Any:
        self.asked.append(params)
        if params["messages"][-1]["content"] == "fail":
            raise OSError("out of memory")
        message = SimpleNamespace(content=f"own answer {self.arguments}", function_call=None)
        return SimpleNamespace(choices=[SimpleNamespace(message=message)], model="own")

    def message_retrieval(self, response: Any) -> list[Any]:
        return [choice.message.content for choice in response.choices]

    def cost(self, response: Any) -> float:
        return 0.0

    @staticmethod
    def get_usage(response: Any) -> dict[str, Any]:
        return {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "model": "own"}


class CallingClient(OwnClient):
    """Answers with message objects, as the openai package's are."""

    def message_retrieval(self, response: Any) -> list[Any]:
        function = SimpleNamespace(name="f", arguments="{}")
        call = SimpleNamespace(id="c1", type="function", function=function)
        return [SimpleNamespace(content=None, tool_calls=[call])]


def agent_with(*entries: dict[str, Any], **options: Any) -> AssistantAgent:
    return AssistantAgent("agent", "You.", llm_config={"config_list": list(entries), **options})


def ask(agent: Any, message: str = "Hi", **more: Any) -> Any:
    return plain("user").initiate_chat(agent, message=message, max_turns=1, **more)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_client_of_ones_own_answers(is_async: bool) -> None:
    agent = agent_with(OWN, temperature=0.5)
    agent.register_model_client(OwnClient, device="cpu")
    client = agent.llm.models[0].settings["client"]
    if is_async:
        chat = plain("user").a_initiate_chat(agent, message="Hi", max_turns=1)
        result = asyncio.run(closing(chat))
    else:
        result = ask(agent)
    assert result.summary == "own answer {'device': 'cpu'}"
    assert client.config["params"] == {"depth": 3}
    [asked] = client.asked
    assert (asked["model"], asked["temperature"], asked["params"]) == ("own", 0.5, {"depth": 3})
    assert [m["content"] for m in asked["messages"]] == ["You.", "Hi"]
    usage = agent.get_total_usage() or {}
    assert usage["own"]["total_tokens"] == 7


def test_objects_become_messages() -> None:
    agent = agent_with(OWN | {"model_client_cls": "CallingClient"})
    agent.register_model_client(CallingClient)
    result = ask(agent)
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert result.chat_history[-1]["tool_calls"] == [call]


def test_a_client_that_fails_is_passed_over() -> None:
    with serving(next=["the next one"]) as server:
        agent = agent_with(OWN, entry(server, "next"))
        agent.register_model_client(OwnClient)
        assert ask(agent, "fail").summary == "the next one"
    alone = agent_with(OWN)
    alone.register_model_client(OwnClient)
    with pytest.raises(ModelError, match="own failed: out of memory"):
        ask(alone, "fail")


def test_a_client_that_nobody_registered() -> None:
    """Wherever it stands in the list: a program fails at its first call, not at a failover."""
    with serving(first=["never asked"]) as server:
        agent = agent_with(entry(server, "first"), OWN)
        with pytest.raises(RuntimeError, match=r"\['OwnClient'\] are not activated"):
            ask(agent)
        assert server.calls == []


def test_each_configuration_has_a_client_of_its_own() -> None:
    agent = agent_with(OWN, OWN | {"model": "other"})
    agent.register_model_client(OwnClient, at=1)
    with pytest.raises(RuntimeError, match="not activated"):
        ask(agent)
    agent.register_model_client(OwnClient, at=2)
    clients = [spec.settings["client"] for spec in agent.llm.models]
    assert [(c.config["model"], c.arguments["at"]) for c in clients] == [("own", 1), ("other", 2)]
    with pytest.warns(UserWarning, match="registered already"):
        agent.register_model_client(OwnClient)
    assert [spec.settings["client"] for spec in agent.llm.models] == clients


def test_a_class_that_no_configuration_names() -> None:
    for agent in (agent_with({"model": "m"}), plain("b")):
        with pytest.raises(ValueError, match="was not found in the config_list"):
            agent.register_model_client(OwnClient)


# -- api_rate_limit


class Time:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now, self.slept = 100.0, list[float]()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))


async def test_calls_are_spaced_evenly() -> None:
    time_ = Time()
    limit = RateLimit(4, clock=lambda: time_.now, sleep=time_.sleep)
    await asyncio.gather(*(limit.wait() for _ in range(3)))
    assert time_.slept == [0.25, 0.5]
    time_.now += 10
    await limit.wait()
    assert time_.slept == [0.25, 0.5]


def test_each_configuration_is_limited_by_itself() -> None:
    """Five calls at ten a second take at least 0.4 s, whatever threads and loops they come from."""
    replies = [f"{i}" for i in range(5)]
    with serving(slow=replies, quick=replies) as server:
        slow = agent_with(entry(server, "slow", api_rate_limit=10), cache_seed=None)
        quick = agent_with(entry(server, "quick"), cache_seed=None)
        started = time.monotonic()
        threads = [threading.Thread(target=ask, args=(quick,)) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        between = time.monotonic()
        queue = [
            {"chat_id": i, "sender": plain(f"u{i}"), "recipient": slow, "message": "Hi",
             "max_turns": 1}
            for i in range(4)
        ]  # fmt: skip
        ask(slow)
        with pytest.warns(UserWarning, match="recipient of several chats"):
            asyncio.run(closing(a_initiate_chats(queue)))
        assert time.monotonic() - between >= 0.4
        assert between - started < 20
        assert len(server.calls) == 10


def test_a_limit_for_all_counts_each_configuration() -> None:
    with serving(one=["1"], two=["2"]) as server:
        shared = config(server, "one", "two", api_rate_limit=0.01)
        agent = AssistantAgent("agent", llm_config=shared)
        started = time.monotonic()
        server.replies["one"] = [{"error": {"status": 400, "message": "no"}}]
        assert ask(agent).summary == "2"
    assert time.monotonic() - started < 50
