"""Chats one after the other, or as a graph of prerequisites, each told what the others found."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Sequence
from typing import Any

from . import chats
from .chats import ChatRequest, ChatResult
from .errors import DefinitionError
from .library import in_context
from .sync import Outcome, outcome_of, run

Tasks = dict[int, asyncio.Task[Outcome]]
EXCLUDED = "finished_chat_indexes_to_exclude_from_carryover"


def initiate_chats(chat_queue: list[dict[str, Any]]) -> list[ChatResult]:
    """Holds chats in order, waiting; see `chats_in_order`."""
    return run(_root(chat_queue))


async def _root(queue: list[dict[str, Any]]) -> list[ChatResult]:
    with in_context(kind="chats"):
        return await chats_in_order(queue)


async def chats_in_order(queue: Sequence[dict[str, Any]]) -> list[ChatResult]:
    """Each chat: {"sender", "recipient", ...the arguments of initiate_chat}.

    What a chat carries over is its own carryover, then the summaries of all earlier chats but those
    it excludes by index. A missing message is asked of the person behind the sender.
    Raises DefinitionError for a chat without sender or recipient.
    """
    _check(queue)
    finished: list[ChatResult] = []
    for chat in queue:
        excluded = chat.get(EXCLUDED, ())
        found = [r.summary for i, r in enumerate(finished) if i not in excluded]
        finished.append(await _held(chat, found))
    return finished


async def a_initiate_chats(chat_queue: list[dict[str, Any]]) -> dict[int, ChatResult]:
    """Holds chats as their `prerequisites` (chat_ids) allow, independent ones together.

    A chat carries over the summaries of its prerequisites only. Returns the results by chat_id, in
    the order of the queue. A circle of prerequisites runs nothing of it.
    Raises DefinitionError for a missing chat_id or one that nobody has.
    """
    _check(chat_queue)
    by_id = {chat["chat_id"]: chat for chat in chat_queue if "chat_id" in chat}
    if len(by_id) != len(chat_queue):
        raise DefinitionError(
            "Each chat must have a unique chat_id for async multi-chat execution."
        )
    for chat in chat_queue:
        if unknown := [one for one in chat.get("prerequisites", ()) if one not in by_id]:
            raise DefinitionError(f"There is no chat with the id {unknown[0]}")
    tasks: Tasks = {}
    with in_context(kind="chats"):
        for one in _in_order(by_id):
            tasks[one] = asyncio.create_task(outcome_of(_after(by_id[one], tasks)))
        try:
            await _all_done(tasks)
        finally:
            for task in tasks.values():
                task.cancel()
    return {one: _result(tasks[one]) for one in by_id if one in tasks}


async def _all_done(tasks: Tasks) -> None:
    """Waits for all, or until the first fails; what it raised is raised."""
    for task in asyncio.as_completed(tasks.values()):
        _, error = await task
        if error is not None:
            raise error


def _result(task: asyncio.Task[Outcome]) -> ChatResult:
    result, _ = task.result()
    assert isinstance(result, ChatResult)
    return result


async def _after(chat: dict[str, Any], tasks: Tasks) -> ChatResult:
    before = [tasks[one] for one in chat.get("prerequisites", ())]
    found = []
    for task in before:
        result, error = await task
        if error is not None:
            raise error
        found.append(result.summary)
    with in_context(kind="chat"):
        return await _held(chat, found)


def _in_order(by_id: dict[int, dict[str, Any]]) -> list[int]:
    """Chat ids so that prerequisites come first; those in a circle, or behind one, are missing."""
    order: list[int] = []
    waiting = list(by_id)
    while ready := [o for o in waiting if set(by_id[o].get("prerequisites", ())) <= set(order)]:
        order += ready
        waiting = [one for one in waiting if one not in ready]
    return order


async def _held(chat: dict[str, Any], found: list[str]) -> ChatResult:
    """One chat of a queue, with what was found before added to its carryover."""
    info = dict(chat)
    sender, recipient = info.pop("sender"), info.pop("recipient")
    own = info.pop("carryover", [])
    own = [own] if isinstance(own, str) else list(own) if isinstance(own, list) else own
    info.pop(EXCLUDED, None)
    info.pop("prerequisites", None)
    request = ChatRequest.of(info, carryover=own + found if isinstance(own, list) else own)
    if request.silent or request.cache is not None:
        return await chats.hold(sender, recipient, request)
    return await chats.converse(sender, recipient, request)


def _check(queue: Sequence[dict[str, Any]]) -> None:
    recipients = set()
    for chat in queue:
        if "recipient" not in chat:
            raise DefinitionError("Each chat in the queue must have a recipient")
        if "sender" not in chat:
            raise DefinitionError("Each chat in the queue must have a sender")
        if chat["recipient"] in recipients:
            name = chat["recipient"].name
            warnings.warn(
                f"{name} is the recipient of several chats: its history is cleared by default",
                stacklevel=2,
            )
        recipients.add(chat["recipient"])
