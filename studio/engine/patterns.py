"""Group chats by handoffs: a pattern says who is in the group and what is next when no one does.

    result, variables, last = initiate_group_chat(AutoPattern(triage, [triage, tech]), "Help me")

AG2's names and behaviour (version 0.9.9; ENGINE section 6).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .agents import ConversableAgent
from .chats import ChatRequest, ChatResult, hold
from .compat import Compat, CompatName
from .context import RunContext
from .context_variables import ContextVariables
from .errors import DefinitionError
from .handoff_group import HandoffGroup
from .handoffs import OnContextCondition
from .library import in_context
from .messages import Message
from .sync import run
from .targets import (
    AgentTarget,
    AskUserTarget,
    GroupManagerTarget,
    RandomAgentTarget,
    Target,
    TerminateTarget,
)

MAX_ROUNDS = 20
Outcome = tuple[ChatResult, ContextVariables, ConversableAgent]
"""The chat, the variables as they are now, and who spoke last."""


class Pattern:
    """Who is in a group, who begins, and what is next when an agent's own handoffs say nothing.

    user_agent               stands for the person; without it the task comes from nobody
    group_manager_args       arguments of the GroupChatManager, like llm_config
    context_variables        what tools and conditions share; the very object is used
    group_after_work         what is next; default: the chat ends
    exclude_transit_message  agents do not see the calls that handed off
    summary_method           see `ChatRequest`
    """

    def __init__(
        self,
        initial_agent: ConversableAgent,
        agents: Sequence[ConversableAgent],
        user_agent: ConversableAgent | None = None,
        group_manager_args: Mapping[str, Any] | None = None,
        context_variables: ContextVariables | None = None,
        group_after_work: Target | None = None,
        exclude_transit_message: bool = True,
        summary_method: Any = "last_msg",
    ) -> None:
        self.initial_agent = initial_agent
        self.agents = [agent for agent in agents if agent is not user_agent]
        self.user_agent = user_agent
        self.group_manager_args = dict(group_manager_args or {})
        self.context_variables = (
            ContextVariables() if context_variables is None else context_variables
        )
        self.group_after_work: Target = group_after_work or self.default_after_work
        self.exclude_transit_message = exclude_transit_message
        self.summary_method = summary_method

    @property
    def default_after_work(self) -> Target:
        return TerminateTarget()

    def after_works_of(self, agent: ConversableAgent) -> Sequence[OnContextCondition]:
        """What is next after an agent spoke, before the group's own after work."""
        return agent.handoffs.after_works

    def _in_order(self) -> list[ConversableAgent]:
        """Everybody, the initial agent first, the user last."""
        order = [a for a in self.agents if a is not self.initial_agent]
        user = [self.user_agent] if self.user_agent not in (None, self.initial_agent) else []
        return [self.initial_agent, *order, *(agent for agent in user if agent)]


class DefaultPattern(Pattern):
    """Only what the agents' handoffs say; then the chat ends."""


class AutoPattern(Pattern):
    """The manager's model chooses when no handoff does."""

    @property
    def default_after_work(self) -> Target:
        return GroupManagerTarget()


class ManualPattern(Pattern):
    """A person chooses when no handoff does."""

    @property
    def default_after_work(self) -> Target:
        return AskUserTarget()


class RoundRobinPattern(Pattern):
    """One after the other, in place of the agents' own after works."""

    def after_works_of(self, agent: ConversableAgent) -> Sequence[OnContextCondition]:
        order = self._in_order()
        following = order[(order.index(agent) + 1) % len(order)]
        return [OnContextCondition(AgentTarget(following))]


class RandomPattern(Pattern):
    """Anybody else, in place of the agents' own after works."""

    def after_works_of(self, agent: ConversableAgent) -> Sequence[OnContextCondition]:
        others = [other for other in self._in_order() if other is not agent]
        return [OnContextCondition(RandomAgentTarget(others))]


async def a_initiate_group_chat(
    pattern: Pattern,
    messages: str | list[Message],
    max_rounds: int = MAX_ROUNDS,
    *,
    silent: bool = False,
    compat: Compat | CompatName | None = None,
    context: RunContext | None = None,
) -> Outcome:
    """Opens a group by a pattern and holds its chat.

    messages    the task, or messages of an earlier chat, the last of which opens this one; those
                without a name are the user's
    max_rounds  messages in all, the opening one included
    Raises DefinitionError for handoffs that cannot work, KeyError for an expression over a variable
    that there is not, and what `initiate_chat` raises.
    """
    group = HandoffGroup(pattern, max_rounds)
    said = _named(messages, group)
    with (
        in_context(context, compat=compat, silent=silent, kind="group") as running,
        group.attached(),
    ):
        opener, opening = _opened(group, said)
        request = ChatRequest(
            opening, clear_history=len(said) == 1, summary_method=pattern.summary_method
        )
        result = await hold(opener, group.manager, request, running)
    if pattern.user_agent is None:
        for message in result.chat_history:
            if message.get("name") == group.user.name:
                del message["name"]
    speakers = [group.group.agent_by_name(message["name"]) for message in group.group.messages]
    return result, pattern.context_variables, (speakers and speakers[-1]) or opener


def initiate_group_chat(
    pattern: Pattern, messages: str | list[Message], max_rounds: int = MAX_ROUNDS, **named: Any
) -> Outcome:
    """`a_initiate_group_chat`, waiting."""
    return run(a_initiate_group_chat(pattern, messages, max_rounds, **named))


def _named(messages: str | list[Message], group: HandoffGroup) -> list[Message]:
    given = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
    if not given:
        raise DefinitionError("A group chat needs a message to open with")
    if len(given) == 1:
        return [dict(given[0])]
    return [{"name": group.user.name, **message} for message in given]


def _opened(group: HandoffGroup, said: list[Message]) -> tuple[ConversableAgent, Message]:
    """Who opens the chat, and with what; what was said before is told to everybody."""
    if len(said) > 1:
        return group.manager.resume(said)
    opening = said[0]
    opener = group.group.agent_by_name(opening.get("name", group.user.name))
    if opener is None:
        raise DefinitionError(f"{opening['name']} is not an agent of this group chat")
    return opener, opening
