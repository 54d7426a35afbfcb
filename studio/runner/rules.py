"""Rules of a definition as the engine has them: prompts, questions, conditions, handoffs."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from ..definitions import conditions, workflows
from ..definitions.agents import AgentDefinition, Handoff
from ..definitions.common import TerminationMessage
from ..definitions.references import USER
from ..engine.agents import ConversableAgent
from ..engine.asking import AskRule
from ..engine.context_variables import ContextTest
from ..engine.graph_plan import AskModel, Contains, EdgeCondition, GraphEdge
from ..engine.handoffs import (
    ContextCondition,
    Handoffs,
    MessageContextCondition,
    OnCondition,
    OnContextCondition,
    StringLLMCondition,
    TestContextCondition,
)
from ..engine.prompting import Example, PromptRules, ReplyRule
from ..engine.stopping import (
    AllOf,
    AnyOf,
    CostReached,
    HandedTo,
    MaxMessages,
    NothingNew,
    SpokenBy,
    StopCondition,
    TextSaid,
    TokensUsed,
    WorkedFor,
)
from ..engine.targets import AgentTarget, RevertToUserTarget, Target, TerminateTarget
from ..engine.termination import Predicate, predicate


def end_of(given: TerminationMessage | None) -> Predicate | None:
    return predicate(given.kind, given.text) if given is not None else None


def prompt_rules(agent: AgentDefinition) -> PromptRules:
    reply = agent.reply
    return PromptRules(
        examples=tuple(Example(e.user, e.assistant) for e in agent.examples),
        history=agent.history,
        ask=agent.ask,
        reply=ReplyRule(
            starts_with=tuple(reply.starts_with),
            kind=reply.kind,
            count=reply.count,
            min_words=min(reply.min_words, reply.max_words or reply.min_words),
            max_words=reply.max_words,
            commas=reply.commas,
            capitals=reply.capitals,
            schema=reply.schema_,
        ),
    )


def ask_rule(agent: AgentDefinition) -> AskRule:
    question, limit = agent.question, agent.human_timeout
    form = question.schema_
    return AskRule(
        form=question.form,
        prompt=question.prompt,
        choices=tuple(question.choices),
        schema=form.model_dump(mode="json", exclude_none=True) if form is not None else None,
        timeout=limit.model_dump() if limit is not None else None,
    )


def stop_condition(tree: conditions.Termination, name_of: Callable[[str], str]) -> StopCondition:
    """The tree with agents by name, as messages have them."""
    name, value = tree.rule
    match name:
        case "any":
            return AnyOf(tuple(stop_condition(one, name_of) for one in value))
        case "all":
            return AllOf(tuple(stop_condition(one, name_of) for one in value))
        case "max_messages":
            return MaxMessages(value)
        case "text":
            return TextSaid(value)
        case "tokens":
            return TokensUsed(value)
        case "cost_usd":
            return CostReached(value)
        case "seconds":
            return WorkedFor(value)
        case "source":
            return SpokenBy(name_of(value))
        case "handoff":
            return HandedTo(name_of(value))
        case _:
            return NothingNew(value)


def graph_edge(edge: workflows.Edge) -> GraphEdge:
    when = edge.when
    told: EdgeCondition = when if isinstance(when, str) else _edge_condition(when)
    return GraphEdge(edge.from_, edge.to, told, edge.max_times)


def _edge_condition(given: conditions.Condition) -> EdgeCondition:
    if given.contains is not None:
        return Contains(given.contains)
    if given.model is not None:
        return AskModel(given.model)
    assert given.context is not None
    return _test(given.context)


def _test(given: conditions.ContextTest) -> ContextTest:
    return ContextTest(given.name, given.op, given.value)


def add_handoffs(
    to: Handoffs,
    given: list[Handoff],
    member: Callable[[str], ConversableAgent | None],
    person: ConversableAgent,
) -> None:
    """The handoffs of one agent in one group; those to agents outside of it are left out, which
    the checks have said."""
    for one in given:
        target: Target
        if one.to == USER:
            target = RevertToUserTarget() if answers(person) else TerminateTarget()
        elif (agent := member(one.to)) is not None:
            target = RevertToUserTarget() if agent is person else AgentTarget(agent)
        else:
            continue
        _add(to, one.when, target)


def answers(person: ConversableAgent) -> bool:
    """Whether whoever opened a group says anything when the word comes back."""
    return person.human_input_mode != "NEVER" or bool(person.llm or person.default_auto_reply)


def _add(to: Handoffs, when: str | conditions.Condition, target: Target) -> None:
    match when:
        case "always":
            to.add_after_work(OnContextCondition(target))
        case str() as words:
            to.add_llm_condition(OnCondition(target, StringLLMCondition(words)))
        case conditions.Condition(model=str() as words):
            to.add_llm_condition(OnCondition(target, StringLLMCondition(words)))
        case conditions.Condition(contains=str() as text):
            said: ContextCondition = MessageContextCondition(text)
            to.add_after_work(OnContextCondition(target, said))
        case conditions.Condition(context=conditions.ContextTest() as test):
            known: ContextCondition = TestContextCondition(_test(test))
            to.add_context_condition(OnContextCondition(target, known))
        case conditions.Condition():
            raise AssertionError("a condition says exactly one thing")
        case _:
            assert_never(when)
