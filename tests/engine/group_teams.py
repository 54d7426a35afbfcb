"""The teams of the recorded ag2 0.9.9 group chats, by hand: definitions are not recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from studio.engine import ConversableAgent, UserProxyAgent
from studio.engine.context_variables import ContextExpression, ContextVariables
from studio.engine.handoffs import (
    ExpressionContextCondition,
    OnCondition,
    OnContextCondition,
    ReplyResult,
    StringContextCondition,
    StringLLMCondition,
)
from studio.engine.patterns import DefaultPattern, Pattern, RoundRobinPattern
from studio.engine.targets import AgentTarget, NestedChatTarget, RevertToUserTarget


class Desk:
    """Three agents with a model each, at their own addresses of one scripted server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.triage, self.tech, self.billing = (
            self.agent(name, f"You are {name}.") for name in ("triage", "tech", "billing")
        )
        self.all = [self.triage, self.tech, self.billing]

    def model(self, name: str) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.port}/{name}/v1"
        return {"config_list": [{"model": f"script/{name}", "api_key": "x", "base_url": url}]}

    def agent(self, name: str, system_message: str | None = None) -> ConversableAgent:
        return ConversableAgent(
            name, system_message, human_input_mode="NEVER", llm_config=self.model(name)
        )

    def pattern(self, **arguments: Any) -> Pattern:
        return DefaultPattern(self.triage, self.all, **arguments)


Team = Callable[[Desk], Pattern]


def llm_handoff(desk: Desk) -> Pattern:
    desk.triage.handoffs.add_llm_conditions(
        [
            OnCondition(AgentTarget(desk.tech), StringLLMCondition("Technical issue")),
            OnCondition(AgentTarget(desk.billing), StringLLMCondition("Billing issue")),
        ]
    )
    return desk.pattern()


def after_work_chain(desk: Desk) -> Pattern:
    desk.triage.handoffs.set_after_work(AgentTarget(desk.tech))
    return desk.pattern()


def context_condition(desk: Desk) -> Pattern:
    desk.triage.handoffs.add_context_condition(
        OnContextCondition(AgentTarget(desk.billing), StringContextCondition("vip"))
    )
    return desk.pattern(context_variables=ContextVariables({"vip": True}))


def reply_result(desk: Desk) -> Pattern:
    def bump(x: int, context_variables: ContextVariables) -> ReplyResult:
        """bump it"""
        n = context_variables.get("n", 0) + x
        return ReplyResult(f"n is now {n}", AgentTarget(desk.tech), ContextVariables({"n": n}))

    desk.triage.register_for_llm(description="bump it")(bump)
    desk.triage.register_for_execution()(bump)
    return desk.pattern(context_variables=ContextVariables({"n": 0}))


def revert_to_user(desk: Desk) -> Pattern:
    desk.triage.handoffs.set_after_work(RevertToUserTarget())
    return desk.pattern(user_agent=UserProxyAgent("customer", code_execution_config=False))


def pattern_round_robin(desk: Desk) -> Pattern:
    return RoundRobinPattern(desk.triage, desk.all)


def context_expression(desk: Desk) -> Pattern:
    def expression(text: str) -> ExpressionContextCondition:
        return ExpressionContextCondition(ContextExpression(text))

    to_tech, to_billing = AgentTarget(desk.tech), AgentTarget(desk.billing)
    desk.triage.handoffs.add_context_conditions(
        [
            OnContextCondition(to_billing, StringContextCondition("missing")),
            OnContextCondition(to_billing, expression("len(${items}) > 0")),
            OnContextCondition(to_tech, expression("${score} > 5 and not ${items}")),
            OnContextCondition(to_billing, expression("${score} == 7")),
        ]
    )
    return desk.pattern(context_variables=ContextVariables({"score": 7, "items": []}))


def nested_target(desk: Desk) -> Pattern:
    chat = {"recipient": desk.agent("inner"), "message": "deep", "max_turns": 1}
    target = NestedChatTarget({"chat_queue": [chat]})
    desk.triage.handoffs.add_llm_condition(OnCondition(target, StringLLMCondition("deep dive")))
    return desk.pattern()


OPENINGS = {"group_llm_handoff": "My PC is broken"}
ROUNDS = {"group_pattern_round_robin": 5}
TEAMS: dict[str, Team] = {
    f"group_{team.__name__}": team
    for team in (
        llm_handoff,
        after_work_chain,
        context_condition,
        reply_result,
        revert_to_user,
        pattern_round_robin,
        context_expression,
        nested_target,
    )
}
