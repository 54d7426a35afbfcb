"""GroupChatManager: selects a speaker, lets it speak, tells everyone, checks the end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from . import replies
from .agents import ConversableAgent, HumanInputMode
from .chats import counted
from .context import current_context
from .errors import DefinitionError
from .events import SpeakerSelected
from .forgetting import cleared
from .group_chat import GroupChat
from .library import in_context
from .messages import Message
from .resuming import replayed
from .speakers import NoEligibleSpeakerError, Selection, select
from .sync import run, was_interrupted
from .termination import holds


class GroupChatManager(ConversableAgent):
    """Runs a group chat: whoever sends it a message opens one. Its models select speakers.

    Takes the arguments of a ConversableAgent. Its own human_input_mode and limit of replies do not
    concern the group. Raises DefinitionError for tools among its models' settings.
    """

    default_human_input_mode = "NEVER"

    def __init__(
        self,
        groupchat: GroupChat,
        name: str = "chat_manager",
        max_consecutive_auto_reply: int | None = None,
        human_input_mode: HumanInputMode | None = None,
        system_message: str = "Group chat manager.",
        silent: bool = False,
        **arguments: Any,
    ) -> None:
        limit = sys.maxsize if max_consecutive_auto_reply is None else max_consecutive_auto_reply
        super().__init__(
            name, system_message, max_consecutive_auto_reply=limit,
            human_input_mode=human_input_mode, silent=silent, **arguments,
        )  # fmt: skip
        if self.tools or self.functions:
            raise DefinitionError(
                "GroupChatManager is not allowed to make function/tool calls. "
                "Please remove the 'functions' or 'tools' config in 'llm_config' you passed in."
            )
        self.groupchat = groupchat
        self.register_reply(ConversableAgent, run_chat, config=groupchat)
        self.pipeline.entries[0].built_in = True

    def chat_messages_for_summary(self, agent: ConversableAgent) -> list[Message]:
        return self.groupchat.messages

    def clear_history(
        self,
        recipient: ConversableAgent | None = None,
        nr_messages_to_preserve: int | None = None,
    ) -> None:
        """Forgets the whole group: its messages and every member's list with the manager."""
        super().clear_history(recipient, nr_messages_to_preserve)
        self.groupchat.messages.clear()
        for agent in self.groupchat.agents:
            agent.chat_messages[self].clear()
            self.chat_messages[agent].clear()

    def resume(
        self,
        messages: list[Message] | str,
        remove_termination_string: str | Callable[[str], str] | None = None,
        silent: bool | None = False,
        compat: Any = None,
    ) -> tuple[ConversableAgent, Message]:
        """Brings an earlier group chat back: (who spoke last, the last message).

        Go on with `agent.initiate_chat(manager, message=message, clear_history=False)`. `messages`
        is `groupchat.messages` of then, or its JSON. max_round counts from the last message.
        Raises DefinitionError for messages of nobody in the group (ENGINE 2.6).
        """
        with in_context(compat=compat):
            return replayed(self, messages, remove_termination_string, silent=bool(silent))

    async def a_resume(
        self, messages: list[Message] | str, *arguments: Any, **named: Any
    ) -> tuple[ConversableAgent, Message]:
        return self.resume(messages, *arguments, **named)

    def messages_to_string(self, messages: list[Message]) -> str:
        import json

        return json.dumps(messages)

    def run_chat(
        self, messages: list[Message] | None = None, sender: Any = None, config: Any = None
    ) -> tuple[bool, str | None]:
        return run(run_chat(self, messages or self.chat_messages[sender], sender, config))


async def run_chat(
    manager: GroupChatManager, messages: list[Message], sender: ConversableAgent, config: Any
) -> tuple[bool, None]:
    """One group chat, from the message that `sender` gave the manager (ENGINE 2.2)."""
    group, context = manager.groupchat, current_context()
    speaker, message = sender, messages[-1]
    if group.send_introductions:
        for agent in group.agents:
            manager.deliver(group.introductions_msg(), agent, silent=True)
    for i in range(group.max_round):
        said = group.append(message, speaker)
        await _broadcast(manager, said, speaker)
        if why := await _why_it_ends(manager, said, speaker, i):
            context.ended_by = why
            break
        try:
            speaker, reply = await _next_turn(manager, speaker)
        except NoEligibleSpeakerError as nobody:
            context.ended_by = str(nobody)
            break
        if reply is None:
            context.ended_by = context.ended_by or f"{speaker.name} had nothing to say"
            break
        if group.enable_clear_history and isinstance(reply, dict):
            reply = cleared(group, reply)
        await replies.say(speaker, reply, manager)
        message = manager.chat_messages[speaker][-1]
    return True, None


async def _next_turn(
    manager: GroupChatManager, last: ConversableAgent
) -> tuple[ConversableAgent, str | Message | None]:
    """Who speaks next and what it says; after an interruption the admin, where there is one."""
    try:
        selection = await select(manager.groupchat, manager, last)
        _tell(selection)
        return selection.agent, await replies.reply_of(selection.agent, manager)
    except BaseException as error:
        admin = manager.groupchat.agent_by_name(manager.groupchat.admin_name)
        if admin is None or not was_interrupted(error):
            raise
    return admin, await replies.reply_of(admin, manager)


async def _why_it_ends(
    manager: GroupChatManager, said: Message, speaker: ConversableAgent, index: int
) -> str:
    group = manager.groupchat
    if await holds(manager.is_termination_msg, said):
        return f"{speaker.name} ended the conversation"
    if reason := current_context().strand.stop_reason:
        return reason
    if index == group.max_round - 1:
        return f"{counted(group.max_round, 'message')}, the most allowed"
    if not current_context().compat.empty_messages_go_on and _two_empty(group.messages):
        return "two empty messages in a row"
    return ""


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


async def _broadcast(
    manager: GroupChatManager, message: Message, speaker: ConversableAgent
) -> None:
    has_hooks = any(manager.hook_lists.values())
    for agent in manager.groupchat.agents:
        if agent is speaker:
            continue
        if has_hooks:
            await replies.say(manager, message, agent, silent=True)
        else:
            manager.deliver(message, agent, silent=True)


def _two_empty(messages: list[Message]) -> bool:
    calls = ("tool_calls", "tool_responses", "function_call")
    return len(messages) > 1 and not any(
        m.get("content") or any(m.get(key) for key in calls) for m in messages[-2:]
    )
