"""Nested chats: an agent that holds other chats before it answers."""

from __future__ import annotations

import inspect
from typing import Any

from .errors import DefinitionError
from .library import in_context
from .messages import Message
from .pipeline import ReplyFunction
from .sequences import a_initiate_chats, chats_in_order
from .sync import call_plain


def nested_reply(queue: list[dict[str, Any]], *, use_async: bool) -> ReplyFunction:
    """A reply function that holds the chats of `queue` and answers with the last summary."""

    async def summary_from_nested_chats(
        agent: Any, messages: list[Message], sender: Any, config: Any
    ) -> tuple[bool, str | None]:
        to_run = await _chats_to_run(queue, agent, messages, sender, config)
        if not to_run:
            return True, None
        with in_context(kind="nested"):
            if use_async:
                if any("chat_id" not in chat for chat in to_run):
                    raise DefinitionError("chat_id is required for async nested chats")
                results = list((await a_initiate_chats(to_run)).values())
            else:
                results = await chats_in_order(to_run)
        return True, results[-1].summary

    return summary_from_nested_chats


async def _chats_to_run(
    queue: list[dict[str, Any]], agent: Any, messages: list[Message], sender: Any, config: Any
) -> list[dict[str, Any]]:
    """The first chat opens with what was last heard; later ones without a message are left out."""
    to_run = []
    for i, chat in enumerate(queue):
        message = chat.get("message")
        if callable(message):
            message = await call_plain(message, agent, messages, sender, config)
            message = await message if inspect.isawaitable(message) else message
        if message is None and i == 0:
            message = messages[-1].get("content")
        if message:
            to_run.append({"sender": agent, **chat, "message": message})
    return to_run
