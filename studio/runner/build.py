"""Builds a live chat from a session's snapshot: one match per union, no import named by data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, assert_never

from ..definitions.agents import (
    AGENT,
    AgentDefinition,
    AssistantDefinition,
    CodeExecutionConfig,
    TeamDefinition,
    UserProxyDefinition,
)
from ..definitions.common import TerminationMessage
from ..definitions.models import FREE, ModelDefinition
from ..definitions.workflows import (
    WORKFLOW,
    GraphDefinition,
    GroupChatDefinition,
    SequentialDefinition,
    TwoAgentDefinition,
    WorkflowDefinition,
)
from ..engine.agents import AssistantAgent, ConversableAgent, UserProxyAgent
from ..engine.chats import a_initiate_chat
from ..engine.code_replies import CodeExecution
from ..engine.compat import compat_of
from ..engine.context import RunContext
from ..engine.errors import DefinitionError
from ..engine.execution.executor import CodeExecutor, RefusingExecutor
from ..engine.group_chat import GroupChat
from ..engine.group_texts import SELECT_MESSAGE, SELECT_PROMPT
from ..engine.llm.call import LLM, NANO
from ..engine.llm.shape import shape
from ..engine.manager import GroupChatManager
from ..engine.prompting import Example, PromptRules, ReplyRule
from ..engine.termination import Predicate, predicate
from .models import Models

NOT_YET = "cannot run yet"
HUES = (250, 300, 160, 70, 215, 25, 345, 190, 115, 275, 45, 325, 138, 92, 232)


@dataclass
class LiveChat:
    """A built workflow, ready to be played; `play` is called once for each run."""

    initiator: ConversableAgent
    recipient: ConversableAgent
    max_turns: int | None
    summary_method: str
    summary_prompt: str | None
    context: RunContext

    async def play(self, task: str, *, first: bool) -> str:
        """Holds one run and returns its summary. Later runs keep what was said before."""
        self.context.ended_by = ""
        result = await a_initiate_chat(
            self.initiator,
            self.recipient,
            message=task,
            clear_history=first,
            max_turns=self.max_turns,
            summary_method=self.summary_method,
            summary_prompt=self.summary_prompt,
            context=self.context,
        )
        return result.summary


ExecutorOf = Callable[[CodeExecutionConfig], CodeExecutor]
"""What runs the code of an agent with these settings."""


def refuse(_: CodeExecutionConfig) -> CodeExecutor:
    """Where there is no sandbox, code does not run."""
    return RefusingExecutor()


class Builder:
    """Reads a snapshot; `parsed` agents and models are built once each."""

    def __init__(
        self,
        models: Models,
        owner: str,
        snapshot: dict[str, Any],
        executor_of: ExecutorOf = refuse,
    ) -> None:
        self.models, self.owner, self.executor_of = models, owner, executor_of
        self.workflow: WorkflowDefinition = WORKFLOW.validate_python(snapshot["workflow"])
        self.model_definitions = {
            one: ModelDefinition.model_validate(body) for one, body in snapshot["models"].items()
        }
        self.agent_definitions: dict[str, AgentDefinition] = {
            one: AGENT.validate_python(body) for one, body in snapshot["agents"].items()
        }
        self.agents: dict[str, ConversableAgent] = {}

    def chat(self, context: RunContext) -> LiveChat:
        workflow = self.workflow
        context.compat = compat_of(workflow.compat)
        match workflow:
            case TwoAgentDefinition():
                initiator, recipient = workflow.initiator, workflow.recipient
                if initiator is None or recipient is None:
                    raise DefinitionError("The workflow lacks an initiator or a recipient")
                other: ConversableAgent = self._agent(recipient)
                max_turns = workflow.max_turns
            case GroupChatDefinition():
                initiator, max_turns = workflow.initiator, None
                if initiator is None:
                    raise DefinitionError("The workflow lacks an initiator")
                other = self._manager(workflow)
            case SequentialDefinition() | GraphDefinition():
                raise DefinitionError(f"A {workflow.kind} workflow {NOT_YET}")
            case _:
                assert_never(workflow)
        return LiveChat(
            initiator=self._agent(initiator),
            recipient=other,
            max_turns=max_turns,
            summary_method=workflow.summary_method,
            summary_prompt=workflow.summary_prompt,
            context=context,
        )

    def _manager(self, group: GroupChatDefinition) -> GroupChatManager:
        members = [self._agent(one) for one in group.agents]
        repeat = group.allow_repeat_speaker
        graph = group.allowed_or_disallowed_speaker_transitions
        chat = GroupChat(
            agents=members,
            max_round=group.max_round,
            speaker_selection_method=group.speaker_selection_method,
            max_retries_for_selecting_speaker=group.max_retries_for_selecting_speaker,
            allow_repeat_speaker=(
                [self._agent(one) for one in repeat] if isinstance(repeat, list) else repeat
            ),
            allowed_or_disallowed_speaker_transitions=(
                None
                if graph is None
                else {
                    self._agent(one): [self._agent(other) for other in after]
                    for one, after in graph.items()
                }
            ),
            speaker_transitions_type=group.speaker_transitions_type,
            send_introductions=group.send_introductions,
            select_speaker_message_template=(
                group.select_speaker_message_template or SELECT_MESSAGE
            ),
            select_speaker_prompt_template=(group.select_speaker_prompt_template or SELECT_PROMPT),
        )
        return GroupChatManager(
            chat,
            llm=self._llm(group.models, {}, group.cache_seed),
            is_termination_msg=_predicate(group.is_termination_msg),
        )

    def _agent(self, one: str) -> ConversableAgent:
        if one not in self.agents:
            self.agents[one] = self._made(self.agent_definitions[one])
        return self.agents[one]

    def _made(self, agent: AgentDefinition) -> ConversableAgent:
        match agent:
            case AssistantDefinition():
                kind: type[ConversableAgent] = AssistantAgent
            case UserProxyDefinition():
                kind = UserProxyAgent
            case TeamDefinition():
                raise DefinitionError(f"{agent.name} is a whole workflow, which {NOT_YET}")
            case _:
                assert_never(agent)
        code = agent.code_execution_config
        return kind(
            agent.name,
            system_message=agent.system_message,
            llm=self._llm(agent.models, agent.parameters.given(), agent.cache_seed),
            is_termination_msg=_predicate(agent.is_termination_msg),
            max_consecutive_auto_reply=agent.max_consecutive_auto_reply,
            human_input_mode=agent.human_input_mode,
            code_execution_config=False,
            code_execution=(
                CodeExecution(self.executor_of(code), code.last_n_messages) if code else None
            ),
            default_auto_reply=agent.default_auto_reply,
            description=agent.description or None,
            prompt=prompt_rules(agent),
        )

    def _llm(self, ids: list[str], parameters: dict[str, Any], seed: int | None) -> LLM:
        specs = tuple(self.models.spec(self.owner, one, self.model_definitions[one]) for one in ids)
        return LLM(specs, self.models.client, parameters, cache_seed=seed)


def exact_call(builder: Builder, call: dict[str, Any]) -> dict[str, Any]:
    """A recorded model call with the messages shaped as the model's server got them."""
    result = call["result"]
    told = {k: call[k] for k in ("agent", "turn", "attempt")}
    if result is None:
        return {**told, "request": {"messages": call["messages"]}, "response": None}
    one = result["model_id"]
    spec = builder.models.spec(builder.owner, one, builder.model_definitions[one])
    sent = result["sent"]
    said = [*call["messages"], *result["appended"]]
    messages = shape(said, spec, sent.get("max_tokens"))[0] if sent else said
    hidden = ("sent", "appended", "model_id", "calls", "cost_nano")
    response = {k: v for k, v in result.items() if k not in hidden}
    return {
        **told,
        "model": result["model"],
        "purpose": call["request"]["purpose"],
        "request": {**sent, "messages": messages},
        "response": response | {"cost_usd": result["cost_nano"] / NANO},
    }


def _predicate(given: TerminationMessage | None) -> Predicate | None:
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


def cast(snapshot: dict[str, Any]) -> list[dict[str, Any]]:
    """The agents of a session for its pages: name, kind, role and a hue of their own."""
    workflow = snapshot["workflow"]
    order = [*workflow.get("agents", []), workflow.get("initiator"), workflow.get("recipient")]
    members: list[dict[str, Any]] = []
    for one in dict.fromkeys(o for o in order if o):
        body = snapshot["agents"][one]
        i = len(members)
        hue = HUES[i] if i < len(HUES) else (i * 47) % 360
        opens = one not in workflow.get("agents", [one])
        member = {"id": one, "name": body["name"], "kind": body["kind"], "hue": hue}
        free = all(
            snapshot["models"][m]["provider"] in FREE
            for m in body.get("models", [])
            if m in snapshot["models"]
        )
        members.append(member | {"role": "Opens the chat" if opens else role(body), "free": free})
    return members


def role(agent: dict[str, Any]) -> str:
    """What an agent is, in one or two words for a page."""
    if agent["kind"] == "user_proxy":
        if agent["human_input_mode"] != "NEVER":
            return "Person"
        return "Runs code" if agent.get("code_execution_config") else "Stand-in"
    return "Team" if agent["kind"] == "workflow" else "Assistant"
