"""A group chat whose speakers follow handoffs (ENGINE section 6, "AG2 classic group patterns")."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, assert_never

from .agents import ConversableAgent
from .context import current_context
from .errors import DefinitionError
from .group_chat import GroupChat
from .guardrails import Activation, first_activated
from .handoff_plans import Plan, Wrapped, hold_chats_for, plan_of
from .handoff_tools import GroupTools, without_transit, without_variables
from .handoffs import OnContextCondition, holds
from .manager import GroupChatManager
from .messages import Message, text_of
from .pipeline import Entry
from .speakers import NoEligibleSpeakerError, Selection
from .targets import (
    AgentNameTarget,
    AgentTarget,
    AskUserTarget,
    GroupChatTarget,
    GroupManagerTarget,
    NestedChatTarget,
    RandomAgentTarget,
    RevertToUserTarget,
    StayTarget,
    Target,
    TerminateTarget,
    title,
)

if TYPE_CHECKING:
    from .patterns import Pattern

TEMPORARY_USER = "_User"
Speaker = ConversableAgent | str | None
"""Who speaks next, the name of a way to choose, or nobody: the chat ends."""


class HandoffGroup:
    """One group chat of a pattern: the hidden executor, the agents, members for chats, the user.

    Raises DefinitionError for handoffs that cannot work in this group.
    """

    def __init__(self, pattern: Pattern, max_rounds: int) -> None:
        self.pattern = pattern
        self.variables = pattern.context_variables
        self.user = pattern.user_agent or ConversableAgent(
            TEMPORARY_USER, human_input_mode="ALWAYS"
        )
        self.speaking = [*pattern.agents, *([self.user] if pattern.user_agent else [])]
        self._wrapped: Wrapped = {}
        self.plans = {
            a: plan_of(a, pattern.after_works_of(a), self._wrapped) for a in self.speaking
        }
        for member, (parent, _) in self._wrapped.items():
            self.plans[member] = Plan(after=[OnContextCondition(AgentTarget(parent))])
        self.members = [*pattern.agents, *self._wrapped]
        self.tools = GroupTools(self.speaking, self.variables)
        agents = [self.tools.executor, *self.members, self.user]
        self.group = GroupChat(
            agents,
            max_round=max_rounds,
            speaker_selection_method=self._next_speaker,
            allowed_or_disallowed_speaker_transitions=dict.fromkeys(agents, self.speaking),
            speaker_transitions_type="allowed",
        )
        self.manager = GroupChatManager(self.group, **pattern.group_manager_args)
        self._begun = False
        self._target: Target | None = None
        self._transit = frozenset(t.name for p in self.plans.values() for t in p.transfers)
        self._check()

    def begins(self, *, anew: bool) -> None:
        """Before a chat: the initial agent speaks first, unless an earlier chat goes on."""
        self._begun = self._begun and not anew
        self._target = None

    def _check(self) -> None:
        if self.pattern.initial_agent not in self.plans:
            raise DefinitionError("The initial agent is not in the group")
        self._possible(self.pattern.group_after_work)
        for agent, plan in self.plans.items():
            if plan.transfers and not agent.llm:
                raise DefinitionError(f"{agent.name} has LLM conditions but no model")
            for guardrail in (*agent.input_guardrails, *agent.output_guardrails):
                self._possible(guardrail.target)
            for target in plan.targets:
                self._possible(target)

    def _possible(self, target: Target) -> None:
        """Raises DefinitionError for a target that this group cannot follow."""
        match target:
            case AgentTarget(agent=agent) if agent not in self.group.agents:
                raise DefinitionError(f"{agent.name} is handed off to but is not in the group")
            case AgentNameTarget(agent_name=name) if self.group.agent_by_name(name) is None:
                raise DefinitionError(f"{name} is handed off to but is not in the group")
            case RandomAgentTarget(agents=agents) if not set(agents) <= set(self.group.agents):
                raise DefinitionError("A random agent to hand off to is not in the group")
            case RevertToUserTarget() if self.pattern.user_agent is None:
                raise DefinitionError("RevertToUserTarget needs the pattern's user_agent")
            case GroupManagerTarget() if not self.manager.llm:
                raise DefinitionError("GroupManagerTarget needs group_manager_args' llm_config")
            case NestedChatTarget() | GroupChatTarget():
                raise DefinitionError(f"Only an agent's own handoff can lead to {title(target)}")
            case _:
                pass

    # -- while the chat runs, the agents follow their handoffs

    @contextmanager
    def attached(self) -> Iterator[None]:
        """The agents know this group inside the block, and nothing of it afterwards."""
        before = {agent: list(agent.tools) for agent in self.plans}
        try:
            self._attach()
            yield
        finally:
            for agent, tools in before.items():
                self._detach(agent, tools)

    def _attach(self) -> None:
        self.tools.executor.pipeline.remove_all()
        self.tools.executor.pipeline.insert(Entry(self._run_tools, self.manager, anywhere=True))
        for agent in self.speaking:
            agent.pipeline.insert(Entry(self._before_reply, self.manager, anywhere=True))
        for member, (_, target) in self._wrapped.items():
            hold_chats_for(member, target, self.manager)
        for agent in self.plans:
            agent.tools[:] = [without_variables(schema) for schema in agent.tools]
            if self.pattern.exclude_transit_message and self._transit:
                agent.register_hook("process_all_messages_before_reply", self._heard)
            if agent.output_guardrails:
                agent.register_hook("process_message_before_send", self._guarded)

    def _detach(self, agent: ConversableAgent, tools: list[Message]) -> None:
        """Tools that were registered during the chat stay."""
        names = {tool["function"]["name"] for tool in tools} | self._transit
        new = [tool for tool in agent.tools if tool["function"]["name"] not in names]
        agent.tools[:] = [*tools, *new]
        entries = agent.pipeline.entries
        entries[:] = [entry for entry in entries if entry.function != self._before_reply]
        for hook in (self._heard, self._guarded):
            for hooks in agent.hook_lists.values():
                hooks[:] = [one for one in hooks if one != hook]

    async def _before_reply(
        self, agent: ConversableAgent, messages: list[Message], sender: Any, config: Any
    ) -> tuple[bool, str | None]:
        """Guardrails, then handoffs by context; otherwise the tools of this turn are offered."""
        heard = messages[-1].get("content") if messages else None
        if activation := await first_activated(agent, agent.input_guardrails, heard):
            self._target = activation.target
            return True, activation.reply
        for one in self.plans[agent].context:
            if self._applies(one):
                self._target = one.target
                return True, f"[Handing off to {title(one.target)}]"
        others = [t for t in agent.tools if t["function"]["name"] not in self._transit]
        agent.tools[:] = others
        for transfer in self.plans[agent].transfers:
            if holds(transfer.on.available, self.variables):
                agent.update_tool_signature(transfer.schema(self.variables), is_remove=False)
        return False, None

    async def _run_tools(
        self, agent: ConversableAgent, messages: list[Message], sender: Any, config: Any
    ) -> tuple[bool, Message | None]:
        if not messages[-1].get("tool_calls"):
            return False, None
        caller = self._last_member()
        transfers = self.plans[caller].transfers if caller else ()
        reply, self._target = await self.tools.run(caller, transfers, messages[-1], sender)
        return True, reply

    def _heard(self, messages: list[Message]) -> list[Message]:
        return without_transit(messages, self._transit)

    async def _guarded(
        self, sender: ConversableAgent, message: Any, recipient: ConversableAgent, silent: bool
    ) -> Any:
        if recipient is not self.manager:
            return message
        content = message if isinstance(message, str) else message.get("content")
        activation: Activation | None = await first_activated(
            sender, sender.output_guardrails, content
        )
        if activation is None:
            return message
        self._target = activation.target
        return activation.reply

    # -- who speaks next

    async def _next_speaker(self, last: ConversableAgent, group: GroupChat) -> Selection | str:
        speaker, reason = self._next(last)
        if speaker is None:
            raise NoEligibleSpeakerError(reason)
        if why := current_context().strand.stop_reason:  # handed to whom it ends at
            raise NoEligibleSpeakerError(why)
        if isinstance(speaker, str):
            return speaker
        candidates = [agent for agent in group.agents if agent in self.speaking]
        return Selection(speaker, candidates, "handoff", reason)

    def _next(self, last: ConversableAgent) -> tuple[Speaker, str]:
        """Who speaks next, and why."""
        message = self.group.messages[-1]
        if not self._begun:
            self._begun = True
            return self.pattern.initial_agent, "speaks first in this group"
        if message.get("tool_calls"):
            return self.tools.executor, f"runs what {last.name} called"
        current = self._last_member() or last
        if self._target is not None:
            target, self._target = self._target, None
            speaker = self._speaker(target, current)
            self._tell_of(speaker)
            return speaker, f"{current.name} handed over: {title(target)}"
        if message.get("role") == "tool":
            return current, "goes on with what its tools returned"
        if last is self.user and last in self.plans:
            if not self.plans[last].after:
                return current, f"{last.name} has answered"
            current = last
        after = self._after_work(current)
        if isinstance(after, TerminateTarget):
            return None, f"{current.name} handed over to nobody"
        speaker = self._speaker(after, current)
        if any(one.target is after for one in current.handoffs.after_works):
            self._tell_of(speaker)
        return speaker, f"comes after {current.name}"

    def _tell_of(self, speaker: Speaker) -> None:
        if isinstance(speaker, ConversableAgent):
            current_context().handed_to(speaker.name)

    def _last_member(self) -> ConversableAgent | None:
        """The last agent that spoke, neither the user nor the executor."""
        names = {agent.name: agent for agent in self.members}
        said = (names.get(str(m.get("name"))) for m in reversed(self.group.messages))
        return next((agent for agent in said if agent is not None), None)

    def _after_work(self, agent: ConversableAgent) -> Target:
        plan = self.plans.get(agent, Plan())
        found = (one.target for one in plan.after if self._applies(one))
        return next(found, self.pattern.group_after_work)

    def _applies(self, one: OnContextCondition) -> bool:
        said = self.group.messages[-1].get("content") if self.group.messages else ""
        return holds(one.available, self.variables) and holds(
            one.condition, self.variables, text_of(said)
        )

    def _speaker(self, target: Target, current: ConversableAgent) -> Speaker:
        self._possible(target)
        match target:
            case AgentTarget(agent=agent):
                return agent
            case AgentNameTarget(agent_name=name):
                return self.group.agent_by_name(name)
            case StayTarget():
                return current
            case RevertToUserTarget():
                return self.user
            case TerminateTarget() | NestedChatTarget() | GroupChatTarget():
                return None  # _possible has refused the latter two
            case RandomAgentTarget(agents=agents):
                others = [agent for agent in agents if agent is not current]
                return current_context().random.choice(others) if others else None
            case AskUserTarget():
                return "manual"
            case GroupManagerTarget():
                return "auto"
            case _:
                assert_never(target)
