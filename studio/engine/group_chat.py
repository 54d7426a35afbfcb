"""GroupChat and GroupChatManager: select a speaker, let it speak, tell everyone, check the end."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Literal

from .agents import ConversableAgent
from .context import current_context
from .errors import DefinitionError
from .events import SpeakerSelected
from .llm.call import LLM
from .messages import Message, as_message, text_of
from .speakers import NoEligibleSpeakerError, Selection, select
from .termination import Predicate

SELECT_MESSAGE = (
    "You are in a role play game. The following roles are available:\n"
    "                {roles}.\n"
    "                Read the following conversation.\n"
    "                Then select the next role from {agentlist} to play. Only return the role."
)
SELECT_PROMPT = (
    "Read the above conversation. Then select the next role from {agentlist} to play. "
    "Only return the role."
)
_RULES = (
    "determine the speaker use these prioritised rules:\n"
    '    1. If the context refers to themselves as a speaker e.g. "As the..." , choose that '
    "speaker's name\n"
    '    2. If it refers to the "next" speaker name, choose that name\n'
    "    3. Otherwise, choose the first provided speaker's name in the context\n"
    "    The names are case-sensitive and should not be abbreviated or changed.\n"
)
_ONLY_NAME = "    Respond with ONLY the name of the speaker and DO NOT provide a reason."
SELECT_MULTIPLE = (
    "You provided more than one name in your text, please return just the name of the next "
    f"speaker. To {_RULES}{_ONLY_NAME}"
)
SELECT_NONE = (
    f"You didn't choose a speaker. As a reminder, to {_RULES}"
    f"    The only names that are accepted are {{agentlist}}.\n{_ONLY_NAME}"
)
INTRODUCTION = (
    "Hello everyone. We have assembled a great team today to answer questions and solve tasks. "
    "In attendance are:"
)


@dataclass
class GroupChat:
    """The members and the rules of a group chat; `messages` is what everybody heard.

    max_round                   messages in all, the opening one included
    allow_repeat_speaker        True, False, or the agents that may; None is True without a graph
    allowed_or_disallowed_speaker_transitions   agent -> agents; speaker_transitions_type says which
    Raises DefinitionError for rules that contradict each other.
    """

    agents: list[ConversableAgent]
    messages: list[Message] = field(default_factory=list)
    max_round: int = 10
    speaker_selection_method: str = "auto"
    max_retries_for_selecting_speaker: int = 2
    allow_repeat_speaker: bool | list[ConversableAgent] | None = None
    allowed_or_disallowed_speaker_transitions: (
        dict[ConversableAgent, list[ConversableAgent]] | None
    ) = None
    speaker_transitions_type: Literal["allowed", "disallowed"] | None = None
    send_introductions: bool = False
    select_speaker_message_template: str = SELECT_MESSAGE
    select_speaker_prompt_template: str | None = SELECT_PROMPT
    select_speaker_auto_multiple_template: str = SELECT_MULTIPLE
    select_speaker_auto_none_template: str = SELECT_NONE
    role_for_select_speaker_messages: str = "system"
    transitions: dict[ConversableAgent, list[ConversableAgent]] | None = field(
        init=False, default=None
    )

    def __post_init__(self) -> None:
        given = self.allowed_or_disallowed_speaker_transitions
        if given is not None and self.allow_repeat_speaker is not None:
            raise DefinitionError(
                "Give either allow_repeat_speaker or speaker transitions, not both"
            )
        if given is not None and self.speaker_transitions_type not in ("allowed", "disallowed"):
            raise DefinitionError("speaker_transitions_type must be allowed or disallowed")
        if self.max_retries_for_selecting_speaker < 0:
            raise DefinitionError("max_retries_for_selecting_speaker must be 0 or more")
        if self.allow_repeat_speaker is None:
            self.allow_repeat_speaker = True
        if given is not None:
            self.transitions = (
                given if self.speaker_transitions_type == "allowed" else self._inverted(given)
            )

    def _inverted(
        self, given: dict[ConversableAgent, list[ConversableAgent]]
    ) -> dict[ConversableAgent, list[ConversableAgent]]:
        return {a: [b for b in self.agents if b not in given.get(a, [])] for a in self.agents}

    def append(self, message: str | Message, speaker: ConversableAgent) -> Message:
        """Adds what a speaker said, content flattened to text and named."""
        said = as_message(message)
        if said.get("role") != "function":
            said["name"] = speaker.name
        said["content"] = text_of(said.get("content"))
        said.setdefault("role", "user")
        self.messages.append(said)
        return said


class GroupChatManager(ConversableAgent):
    """Runs a group chat: whoever sends it a message opens one. Its own llm selects speakers."""

    default_human_input_mode = "NEVER"

    def __init__(
        self,
        groupchat: GroupChat,
        name: str = "chat_manager",
        *,
        llm: LLM | None = None,
        is_termination_msg: Predicate | None = None,
        system_message: str = "Group chat manager.",
    ) -> None:
        super().__init__(
            name,
            system_message,
            llm=llm,
            is_termination_msg=is_termination_msg,
            max_consecutive_auto_reply=sys.maxsize,
        )
        self.groupchat = groupchat
        self.register_reply(run_chat)

    def clear_history(self, peer: ConversableAgent) -> None:
        """Forgets the whole group: its messages and every member's list with the manager."""
        super().clear_history(peer)
        self.groupchat.messages.clear()
        for agent in self.groupchat.agents:
            agent.chat_messages[self].clear()
            self.chat_messages[agent].clear()


async def run_chat(
    manager: GroupChatManager, messages: list[Message], sender: ConversableAgent
) -> tuple[bool, None]:
    """One group chat, from the message that `sender` gave the manager (ENGINE 2.2)."""
    group = manager.groupchat
    context = current_context()
    speaker, message = sender, messages[-1]
    if group.send_introductions:
        _introduce(manager)
    for i in range(group.max_round):
        said = group.append(message, speaker)
        _broadcast(manager, said, speaker)
        if manager.is_termination_msg(said):
            context.ended_by = f"{speaker.name} ended the conversation"
            break
        if i == group.max_round - 1:
            context.ended_by = f"{group.max_round} messages, the most allowed"
            break
        if not context.compat and _two_empty(group.messages):
            context.ended_by = "two empty messages in a row"
            break
        try:
            selection = await select(group, manager, speaker)
        except NoEligibleSpeakerError as nobody:
            context.ended_by = str(nobody)
            break
        _tell(selection)
        speaker = selection.agent
        reply = await speaker.a_generate_reply(manager)
        if reply is None:
            context.ended_by = context.ended_by or f"{speaker.name} had nothing to say"
            break
        speaker.deliver(reply, manager)
        message = manager.chat_messages[speaker][-1]
    return True, None


def _tell(selection: Selection) -> None:
    current_context().emit(
        SpeakerSelected(
            agent=selection.agent.name,
            method=selection.method,
            candidates=[a.name for a in selection.candidates],
            reason=selection.reason,
            trace=selection.trace or None,
        )
    )


def _broadcast(manager: GroupChatManager, message: Message, speaker: ConversableAgent) -> None:
    for agent in manager.groupchat.agents:
        if agent is not speaker:
            manager.deliver(message, agent, silent=True)


def _introduce(manager: GroupChatManager) -> None:
    lines = "\n".join(f"{a.name}: {a.description}" for a in manager.groupchat.agents)
    text = f"{INTRODUCTION}\n\n{lines}"
    for agent in manager.groupchat.agents:
        manager.deliver(text, agent, silent=True)


def _two_empty(messages: list[Message]) -> bool:
    return len(messages) > 1 and not any(m.get("content") for m in messages[-2:])
