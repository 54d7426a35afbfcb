"""Brings an earlier group chat back from its messages."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .context import current_context
from .errors import DefinitionError
from .messages import Message

if TYPE_CHECKING:
    from .agents import ConversableAgent
    from .manager import GroupChatManager


def replayed(
    manager: GroupChatManager,
    given: list[Message] | str,
    remove: str | Callable[[str], str] | None,
    *,
    silent: bool = False,
) -> tuple[ConversableAgent, Message]:
    """Tells members and group all but the last message; see `GroupChatManager.resume`."""
    group = manager.groupchat
    messages = _read(given)
    speakers = [_speaker(manager, message) for message in messages]
    last_speaker = speakers[-1]
    if last_speaker is None:
        raise DefinitionError(f"{messages[-1]['name']} is not an agent of this group chat")
    manager.clear_history()
    for agent in group.agents:
        agent.clear_history()
    group.send_introductions = False
    own_as_others = current_context().compat.own_turns_as_others
    for message, speaker in zip(messages[:-1], speakers[:-1], strict=True):
        for agent in group.agents:
            manager.store(message, agent, own=True)
            agent.store(message, manager, own=agent is speaker and not own_as_others)
        group.messages.append(dict(message))
    last = dict(messages[-1])
    if remove is not None and isinstance(last.get("content"), str):
        content = last["content"]
        last["content"] = remove(content) if callable(remove) else content.replace(remove, "")
    if not silent and manager.is_termination_msg(last):
        warnings.warn("The last message ends the group chat at once: give "
                      "remove_termination_string to go on", stacklevel=4)  # fmt: skip
    return last_speaker, last


def _read(given: list[Message] | str) -> list[Message]:
    messages: Any = given
    if isinstance(given, str):
        try:
            messages = json.loads(given)
        except ValueError:
            raise DefinitionError("The messages to resume are not JSON") from None
    if not isinstance(messages, list) or not messages:
        raise DefinitionError("There are no messages to resume from")
    return messages


def _speaker(manager: GroupChatManager, message: Message) -> ConversableAgent | None:
    """Who said a message; without a name the manager, None for an admin outside the group.

    Raises DefinitionError for a stranger.
    """
    name = message.get("name") or manager.name
    if name == manager.name:
        return manager
    found = manager.groupchat.agent_by_name(name)
    if found is None and name != manager.groupchat.admin_name:
        raise DefinitionError(f"{name} is not an agent of this group chat")
    return found
