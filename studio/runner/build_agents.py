"""The agents of one conversation, from their definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from ..definitions.agents import (
    AgentDefinition,
    AssistantDefinition,
    NestedChat,
    TeamDefinition,
    UserProxyDefinition,
)
from ..engine.agents import AssistantAgent, ConversableAgent, UserProxyAgent
from ..engine.code_replies import CodeExecution
from ..engine.conversations import Conversation, Pair
from ..engine.errors import DefinitionError
from ..engine.teams import Nested, TeamAgent, nest
from .rules import ask_rule, end_of, prompt_rules

if TYPE_CHECKING:
    from .build import Builder


class Members:
    """Makes each agent once; conversations inside it are made when they are first held."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self._made: dict[str, ConversableAgent] = {}

    def of(self, one: str) -> ConversableAgent:
        if one not in self._made:
            definition = self.builder.agent_definitions.get(one)
            if definition is None:
                raise DefinitionError("An agent of this workflow is missing")
            agent = self._made[one] = self._agent(definition)
            self._equip(agent, definition)
            if definition.nested:
                nest(agent, [self._nested(chat) for chat in definition.nested])
        return self._made[one]

    def _agent(self, agent: AgentDefinition) -> ConversableAgent:
        builder = self.builder
        shared: dict[str, Any] = {
            "system_message": agent.system_message,
            "llm": builder.llm(agent.models, agent.parameters.given(), agent.cache_seed),
            "is_termination_msg": end_of(agent.is_termination_msg),
            "max_consecutive_auto_reply": agent.max_consecutive_auto_reply,
            "human_input_mode": agent.human_input_mode,
            "code_execution_config": False,
            "code_execution": self._code(agent),
            "default_auto_reply": agent.default_auto_reply,
            "description": agent.description or None,
            "prompt": prompt_rules(agent),
            "asking": ask_rule(agent),
        }
        match agent:
            case AssistantDefinition():
                return AssistantAgent(agent.name, **shared)
            case UserProxyDefinition():
                return UserProxyAgent(agent.name, **shared)
            case TeamDefinition(workflow=one):
                shared["system_message"] = agent.system_message or ""
                return TeamAgent(
                    agent.name, lambda: builder.inner(one), agent.response_preparer, **shared
                )
            case _:
                assert_never(agent)

    def _code(self, agent: AgentDefinition) -> CodeExecution | None:
        config = agent.code_execution_config
        if not config:
            return None
        workshop = self.builder.workshop
        if workshop is None:
            return CodeExecution(last_n_messages=config.last_n_messages)
        return workshop.code(agent, config)

    def _equip(self, agent: ConversableAgent, definition: AgentDefinition) -> None:
        """Offers the functions of its skills to an agent's model, and lets it run them."""
        workshop = self.builder.workshop
        if workshop is None or isinstance(definition, TeamDefinition):
            return
        for one in definition.skills:
            skill = self.builder.skill_definitions.get(one)
            if skill is None:
                raise DefinitionError(f"A skill of {definition.name} is missing")
            for schema, tool in workshop.tools(definition, one, skill):
                if agent.llm:
                    agent.update_tool_signature(schema, is_remove=False)
                agent.function_map[tool.name] = tool

    def _nested(self, chat: NestedChat) -> Nested:
        def make() -> Conversation:
            inner = self.builder.inner(chat.workflow)
            if chat.max_turns is not None and isinstance(inner, Pair):
                inner.max_turns = chat.max_turns
            return inner

        return Nested(
            make,
            trigger=self.builder.name_of(chat.trigger) if chat.trigger else None,
            message=chat.message or "",
            summary_method=chat.summary_method,
        )
