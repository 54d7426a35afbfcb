"""The engine as a library: without a studio a chat prints itself and asks at the terminal."""

# ruff: noqa: T201 - printing the conversation is what this file is for

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .compat import Compat, CompatName, compat_of
from .context import NullSink, RunContext, entered, has_context
from .events import (
    CodeExecuted,
    Delta,
    Event,
    Failure,
    InputRequested,
    MessageSent,
    SpeakerSelected,
)
from .messages import text_of
from .sync import call_plain

if TYPE_CHECKING:
    from .llm.cache import Cache

RULE = "-" * 80


class PrintingSink:
    """Prints each turn as AutoGen 0.2 does: who, to whom, what was said, and a line."""

    def emit(self, chat: str, event: Event) -> None:
        match event:
            case MessageSent():
                print(f"{event.agent} (to {event.to}):\n\n{_said(event)}\n\n{RULE}", flush=True)
            case SpeakerSelected():
                print(f"\nNext speaker: {event.agent}\n", flush=True)
            case CodeExecuted():
                print(f"\n>>>>>>>> EXECUTED CODE ({event.language or 'unknown'})", flush=True)
            case _:
                pass

    def report(self, chat: str, event: Event) -> None:
        if isinstance(event, Failure):
            print(f">>>>>>>> {event.message}", flush=True)

    def delta(self, event: Delta) -> None: ...


def _said(event: MessageSent) -> str:
    parts = [text_of(event.content)] if event.content and not event.tool_responses else []
    calls = [(c.get("id") or "", c["function"]) for c in event.tool_calls or []]
    if event.function_call:
        calls.append(("", event.function_call))
    for one, function in calls:
        title = f"***** Suggested call ({one}): {function['name']} *****"
        parts.append(f"{title}\nArguments: \n{function['arguments']}\n{'*' * len(title)}")
    for answer in event.tool_responses or []:
        title = f"***** Response from calling ({answer.get('tool_call_id', '')}) *****"
        parts.append(f"{title}\n{answer['content']}\n{'*' * len(title)}")
    return "\n".join(parts)


async def ask_at_terminal(question: InputRequested) -> str:
    """Asks with `input`, in the thread of whoever waits; at the end of the input: "exit"."""
    choices = "".join(f"{i}: {name}\n" for i, name in enumerate(question.choices or (), 1))
    try:
        return await call_plain(input, choices + question.prompt)
    except EOFError:
        return "exit"


@contextmanager
def in_context(
    given: RunContext | None = None,
    *,
    compat: Compat | CompatName | None = None,
    silent: bool = False,
    cache: Cache | None = None,
    kind: str = "",
) -> Iterator[RunContext]:
    """The context that a chat runs in: the one given, a child of the running one, or a new one.

    `kind` names a child ("chat", "nested"); without it the running context itself goes on.
    """
    changes: dict[str, Any] = {}
    if silent:
        changes["sink"] = NullSink()
    if cache is not None:
        changes["cache"] = cache
    if given is not None:
        context = given
    elif has_context():
        from .context import current_context

        context = current_context().child(kind, **changes) if kind else current_context()
    else:
        made: dict[str, Any] = {"sink": PrintingSink(), "ask": ask_at_terminal}
        context = RunContext(**made | changes, compat=compat_of(compat))
    with entered(context):
        yield context
