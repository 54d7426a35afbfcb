"""GroupChat: the members of a group chat, its rules, and what everybody heard."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from . import group_texts as texts
from .agents import ConversableAgent
from .errors import DefinitionError
from .messages import Message, as_message, text_of, told
from .speakers import next_agent

SelectionMethod = str | Callable[[ConversableAgent, "GroupChat"], Any]
Graph = dict[ConversableAgent, list[ConversableAgent]]


@dataclass
class GroupChat:
    """The members and the rules of a group chat; `messages` is what everybody heard.

    max_round                   messages in all, the opening one included
    admin_name                  who speaks when a person interrupts (Ctrl-C)
    func_call_filter            a call may only be answered by who can run its function
    speaker_selection_method    auto, manual, random, round_robin, or a function (last speaker,
                                group) -> agent, one of these names, or None to end
    allow_repeat_speaker        True, False, or the agents that may; None is True without a graph
    allowed_or_disallowed_speaker_transitions   agent -> agents; speaker_transitions_type says which
    enable_clear_history        a person may say "clear history [agent] [messages to keep]"
    select_speaker_auto_llm_config   models that select instead of the manager's
    Raises DefinitionError for rules that contradict each other.
    """

    agents: list[ConversableAgent]
    messages: list[Message] = field(default_factory=list)
    max_round: int = 10
    admin_name: str = "Admin"
    func_call_filter: bool = True
    speaker_selection_method: SelectionMethod = "auto"
    max_retries_for_selecting_speaker: int = 2
    allow_repeat_speaker: bool | list[ConversableAgent] | None = None
    allowed_or_disallowed_speaker_transitions: Graph | None = None
    speaker_transitions_type: Literal["allowed", "disallowed"] | None = None
    enable_clear_history: bool = False
    send_introductions: bool = False
    select_speaker_message_template: str = texts.SELECT_MESSAGE
    select_speaker_prompt_template: str | None = texts.SELECT_PROMPT
    select_speaker_auto_multiple_template: str = texts.SELECT_MULTIPLE
    select_speaker_auto_none_template: str = texts.SELECT_NONE
    select_speaker_transform_messages: Any = None
    select_speaker_auto_verbose: bool = False
    select_speaker_auto_model_client_cls: Any = None
    select_speaker_auto_llm_config: Any = None
    role_for_select_speaker_messages: str = "system"
    transitions: Graph | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._check_choices()
        given = self.allowed_or_disallowed_speaker_transitions
        if given is not None:
            self._check_graph(given)
        if self.allow_repeat_speaker is None:
            self.allow_repeat_speaker = True
        if given is None:
            return
        is_allowed = self.speaker_transitions_type == "allowed"
        self.transitions = given if is_allowed else self._inverted(given)

    def _check_choices(self) -> None:
        retries = self.max_retries_for_selecting_speaker
        if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
            raise DefinitionError("max_retries_for_selecting_speaker must be 0 or more")
        if not isinstance(self.allow_repeat_speaker, bool | list | None):
            raise DefinitionError("allow_repeat_speaker must be True, False or a list of agents")
        if not isinstance(self.select_speaker_auto_verbose, bool):
            raise DefinitionError("select_speaker_auto_verbose must be True or False")
        needed = (
            "select_speaker_message_template", "select_speaker_auto_multiple_template",
            "select_speaker_auto_none_template", "role_for_select_speaker_messages",
        )  # fmt: skip
        for name in needed:
            if not getattr(self, name):
                raise DefinitionError(f"{name} cannot be empty or None.")
        self.select_speaker_prompt_template = self.select_speaker_prompt_template or None

    def _check_graph(self, given: Graph) -> None:
        if self.allow_repeat_speaker is not None:
            raise DefinitionError(
                "Give either allow_repeat_speaker or speaker transitions, not both"
            )
        if self.speaker_transitions_type not in ("allowed", "disallowed"):
            raise DefinitionError("speaker_transitions_type must be allowed or disallowed")
        for agent, after in given.items():
            if not isinstance(after, list):
                raise DefinitionError(f"The agents that may follow {agent.name} must be a list")
            if strangers := [a.name for a in (agent, *after) if a not in self.agents]:
                raise DefinitionError(f"{strangers[0]} is not a member of the group chat")

    def _inverted(self, given: Graph) -> Graph:
        return {a: [b for b in self.agents if b not in given.get(a, [])] for a in self.agents}

    @property
    def agent_names(self) -> list[str]:
        return [agent.name for agent in self.agents]

    def reset(self) -> None:
        """Forgets what was said; the members' own lists are theirs."""
        self.messages.clear()

    def agent_by_name(self, name: str) -> ConversableAgent | None:
        return next((agent for agent in self.agents if agent.name == name), None)

    def next_agent(
        self, agent: ConversableAgent, agents: list[ConversableAgent] | None = None
    ) -> ConversableAgent:
        """The first of `agents` after `agent` in the order of the group."""
        return next_agent(self.agents, agent, self.agents if agents is None else agents)

    def random_select_speaker(
        self, agents: list[ConversableAgent] | None = None
    ) -> ConversableAgent:
        return random.choice(self.agents if agents is None else agents)  # noqa: S311 - no secret

    def introductions_msg(self, agents: list[ConversableAgent] | None = None) -> str:
        members = self.agents if agents is None else agents
        lines = "\n".join(f"{a.name}: {a.description}".strip() for a in members)
        return f"{texts.INTRODUCTION}\n\n{lines}"

    def append(self, message: str | Message, speaker: ConversableAgent) -> Message:
        """Adds what a speaker said, content flattened to text and named."""
        said = as_message(message)
        if said.get("role") != "function":
            said["name"] = speaker.name
        said["content"] = text_of(told(said))
        said.setdefault("role", "user")
        self.messages.append(said)
        return said
