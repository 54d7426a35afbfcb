"""Tools and guardrails of groups by handoffs, over real HTTP: what models are offered and told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from studio.engine.context_variables import ContextExpression, ContextVariables
from studio.engine.errors import ModelError
from studio.engine.guardrails import LLMGuardrail, RegexGuardrail
from studio.engine.handoffs import (
    ContextStr,
    ContextStrLLMCondition,
    ExpressionAvailableCondition,
    OnCondition,
    ReplyResult,
    StringAvailableCondition,
    StringLLMCondition,
)
from studio.engine.llm.configured import close_clients
from studio.engine.patterns import Pattern, a_initiate_group_chat
from studio.engine.targets import AgentTarget, NestedChatTarget, StayTarget, TerminateTarget

from .builders import Log, context_of
from .group_teams import Desk
from .scripted_server import ScriptedServer


@dataclass
class Played:
    """What a group did: its turns after the opening, and what each model was sent."""

    said: list[tuple[str, Any]]
    calls: list[dict[str, Any]]
    variables: dict[str, Any]
    unused: dict[str, list[Any]] = field(default_factory=dict)

    def offered(self, call: int) -> list[str]:
        return [tool["function"]["name"] for tool in self.calls[call].get("tools", [])]


async def play(
    team: Callable[[Desk], Pattern], replies: dict[str, list[Any]], opening: str = "hi"
) -> Played:
    log = Log()
    async with ScriptedServer(replies) as server:
        try:
            pattern = team(Desk(server.port))
            _, variables, _ = await a_initiate_group_chat(pattern, opening, context=context_of(log))
        finally:
            await close_clients()
    unused = {name: left for name, left in server.replies.items() if left}
    return Played(log.said[1:], server.calls, variables.to_dict(), unused)


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


def calls(*made: dict[str, Any], content: str | None = None) -> dict[str, Any]:
    return {"content": content, "tool_calls": list(made)}


def to(target: Any, prompt: str = "go", **arguments: Any) -> OnCondition:
    return OnCondition(target, StringLLMCondition(prompt), **arguments)


async def test_a_handoff_is_offered_while_available_and_described_by_the_variables() -> None:
    def team(desk: Desk) -> Pattern:
        def unlock(context_variables: ContextVariables) -> str:
            context_variables["level"] = 2
            return "unlocked"

        desk.triage.register_for_execution()(
            desk.triage.register_for_llm(description="open up")(unlock)
        )
        level = ContextStrLLMCondition(ContextStr("Level {level}"))
        above_one = ExpressionAvailableCondition(ContextExpression("${level} > 1"))
        desk.triage.handoffs.add_many(
            [
                to(AgentTarget(desk.billing), available=StringAvailableCondition("missing")),
                OnCondition(AgentTarget(desk.tech), level, above_one),
                OnCondition(StayTarget(), level),
            ]
        )
        return desk.pattern(context_variables=ContextVariables({"level": 1}))

    replies = {
        "triage": [calls(call("unlock", context_variables={"level": 9})),
                   calls(call("transfer_to_stay_3")), calls(call("transfer_to_tech_2"))],
        "tech": ["done"],
    }  # fmt: skip
    played = await play(team, replies)
    assert played.offered(0) == ["unlock", "transfer_to_stay_3"]
    assert played.offered(1) == ["unlock", "transfer_to_tech_2", "transfer_to_stay_3"]
    assert played.calls[0]["tools"][1]["function"]["description"] == "Level 1"
    assert played.calls[2]["tools"][1]["function"]["description"] == "Level 2"
    assert played.said[1][1] == "unlocked"
    assert played.said[3][1] == "Stay with agent"
    assert (played.said[-1], played.variables, played.unused) == (
        ("tech", "done"),
        {"level": 2},
        {},
    )


async def test_a_call_that_hands_off_is_hidden_and_the_one_beside_it_is_not() -> None:
    def team(desk: Desk, **arguments: Any) -> Pattern:
        async def look_up(key: str) -> str:
            """Finds a value."""
            return f"{key} is 5"

        desk.triage.register_for_llm(description="find")(look_up)
        desk.triage.register_for_execution()(look_up)
        desk.triage.handoffs.add_llm_condition(to(AgentTarget(desk.tech)))
        return desk.pattern(**arguments)

    replies = {
        "triage": [calls(call("look_up", key="x"), call("transfer_to_tech_1"))],
        "tech": ["ok"],
    }
    hidden = (await play(team, replies)).calls[1]["messages"]
    assert [c["function"]["name"] for c in hidden[2]["tool_calls"]] == ["look_up"]
    assert [(m["tool_call_id"], m["content"]) for m in hidden[3:]] == [("call_1", "x is 5")]
    seen = await play(lambda desk: team(desk, exclude_transit_message=False), replies)
    assert [m["content"] for m in seen.calls[1]["messages"][3:]] == ["x is 5", "Transfer to tech"]
    assert seen.said[1][1] == "x is 5\nTransfer to tech"
    spoken = {"triage": [calls(call("transfer_to_tech_1"), content="One moment")], "tech": ["ok"]}
    kept = (await play(team, spoken)).calls[1]["messages"]
    assert [m["content"] for m in kept] == ["You are tech.", "hi", "One moment"]
    assert "tool_calls" not in kept[-1]


async def test_each_call_sees_what_the_one_before_changed_and_the_last_target_counts() -> None:
    def team(desk: Desk) -> Pattern:
        def add(x: int, context_variables: dict[str, Any]) -> ReplyResult:
            n = context_variables.get("n", 0) + x
            return ReplyResult(f"n={n}", AgentTarget(desk.billing), {"n": n})

        async def finish() -> AgentTarget:
            return AgentTarget(desk.tech)

        def fail() -> str:
            raise ValueError("broken")

        for tool in (add, finish, fail):
            desk.triage.register_for_llm(description="x")(tool)
            desk.triage.register_for_execution()(tool)
        return desk.pattern()

    made = [call("add", x=1), call("add", x=2), call("finish"), call("fail"), call("nothing")]
    played = await play(team, {"triage": [calls(*made)], "tech": ["ok"]})
    assert played.said[1][1].split("\n") == [
        "n=1", "n=3", "Transfer to tech", "Error: broken", "Error: Function nothing not found.",
    ]  # fmt: skip
    assert played.said[-1] == ("tech", "ok")
    assert played.variables == {"n": 3}


async def test_after_a_tool_that_names_nobody_the_caller_goes_on() -> None:
    def team(desk: Desk) -> Pattern:
        for agent in (desk.triage, desk.tech):
            agent.register_for_llm(name="who", description="x")(lambda: "")
            agent.register_for_execution(name="who")(lambda name=agent.name: name)
        desk.triage.handoffs.set_after_work(AgentTarget(desk.tech))
        return desk.pattern()

    with pytest.warns(UserWarning, match="no return annotation"):
        played = await play(
            team, {"triage": [calls(call("who")), "t"], "tech": [calls(call("who")), "x"]}
        )
    assert [text for _, text in played.said] == [None, "triage", "t", None, "tech", "x"]


async def test_a_nested_chat_opens_with_what_was_really_said() -> None:
    def team(desk: Desk) -> Pattern:
        chat = {"recipient": desk.agent("inner"), "max_turns": 1}
        desk.triage.handoffs.add_llm_condition(to(NestedChatTarget({"chat_queue": [chat]})))
        return desk.pattern()

    replies = {
        "triage": [calls(call("transfer_to_wrapped_nested_triage_1_1")), "t"],
        "inner": ["found"],
    }
    played = await play(team, replies, "Look into it")
    assert played.said[2:] == [
        ("wrapped_nested_triage_1", "Look into it"),
        ("inner", "found"),
        ("wrapped_nested_triage_1", "found"),
        ("triage", "t"),
    ]


async def test_a_regex_guards_what_is_heard_and_what_is_said() -> None:
    def team(desk: Desk) -> Pattern:
        desk.triage.handoffs.set_after_work(AgentTarget(desk.tech))
        desk.triage.register_input_guardrail(
            RegexGuardrail("secrets", "pass(word)?", AgentTarget(desk.billing), "Not here.")
        )
        desk.tech.register_output_guardrail(
            RegexGuardrail("numbers", "[0-9]{4}", AgentTarget(desk.billing))
        )
        return desk.pattern()

    heard = await play(team, {"billing": ["b"]}, "my password")
    assert heard.said == [
        ("triage", "Not here.\nJustification: Match found -> password"),
        ("billing", "b"),
    ]
    spoken = await play(team, {"triage": ["t"], "tech": ["it is 1234"], "billing": ["b"]})
    told = "Guardrail 'numbers' has been activated.\nJustification: Match found -> 1234"
    assert spoken.said == [("triage", "t"), ("tech", told), ("billing", "b")]
    assert "it is 1234" not in json.dumps(spoken.calls[-1]["messages"])
    assert (await play(team, {"triage": ["t"], "tech": ["fine"]})).said[-1] == ("tech", "fine")


async def test_a_model_guards_by_a_condition_in_words() -> None:
    def team(desk: Desk) -> Pattern:
        desk.triage.register_input_guardrail(
            LLMGuardrail("topic", "it is about cooking", TerminateTarget(), desk.model("judge"))
        )
        return desk.pattern()

    yes = json.dumps({"activated": True, "justification": "soup"})
    no = json.dumps({"activated": False, "justification": ""})
    stopped = await play(team, {"judge": [yes]}, "How long do I boil it?")
    told = "Guardrail 'topic' has been activated.\nJustification: soup"
    assert stopped.said == [("triage", told)]
    assert stopped.calls[0]["messages"][0]["content"].endswith("it is about cooking")
    assert stopped.calls[0]["response_format"]["type"] == "json_schema"
    assert (await play(team, {"judge": [no], "triage": ["t"]})).said == [("triage", "t")]
    with pytest.raises(ModelError, match="no verdict"):
        await play(team, {"judge": ["maybe"]})
