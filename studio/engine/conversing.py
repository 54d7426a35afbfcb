"""The face of an agent: AutoGen 0.2's methods to send, reply and hold chats, sync and async."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import chats, replies
from .chats import ChatRequest, ChatResult
from .errors import DefinitionError
from .library import in_context
from .memory import Memory
from .messages import Message
from .nested import nested_reply
from .pipeline import HOOKS, Entry, Pipeline, ReplyFunction, Trigger
from .sequences import a_initiate_chats, initiate_chats
from .steps import functions_of
from .sync import call_plain, is_sync, run
from .usage import Usage

if TYPE_CHECKING:
    from .agents import ConversableAgent

NESTED_POSITION = 2  # after the check of the end, before tools, code and model


class Conversing:
    """The part of an agent that talks. Methods without a_ wait; those with a_ are coroutines."""

    name: str
    pipeline: Pipeline
    chat_messages: dict[ConversableAgent, list[Message]]
    reply_at_receive: dict[ConversableAgent, bool]
    hook_lists: dict[str, list[Callable[..., Any]]]
    chat_results: list[ChatResult]
    usage: Usage

    # -- sending

    async def a_send(
        self: ConversableAgent,
        message: str | Mapping[str, Any],
        recipient: ConversableAgent,
        request_reply: bool | None = None,
        silent: bool | None = False,
    ) -> None:
        """Sends; the recipient answers when asked to, or when a chat with us is going on."""
        await chats.send(self, message, recipient, request_reply, bool(silent))

    def send(
        self: ConversableAgent,
        message: str | Mapping[str, Any],
        recipient: ConversableAgent,
        request_reply: bool | None = None,
        silent: bool | None = False,
    ) -> None:
        run(self.a_send(message, recipient, request_reply, silent))

    async def a_receive(
        self: ConversableAgent,
        message: str | Mapping[str, Any],
        sender: ConversableAgent,
        request_reply: bool | None = None,
        silent: bool | None = False,
    ) -> None:
        """Stores a message of `sender` and answers it, as `a_send` says."""
        self.store(message, sender, own=False)
        if request_reply or (request_reply is None and self.reply_at_receive[sender]):
            reply = await replies.reply_of(self, sender)
            if reply is not None:
                await self.a_send(reply, sender, silent=silent)

    def receive(
        self: ConversableAgent,
        message: str | Mapping[str, Any],
        sender: ConversableAgent,
        request_reply: bool | None = None,
        silent: bool | None = False,
    ) -> None:
        run(self.a_receive(message, sender, request_reply, silent))

    def stop_reply_at_receive(self, sender: ConversableAgent | None = None) -> None:
        if sender is None:
            self.reply_at_receive.clear()
        else:
            self.reply_at_receive[sender] = False

    # -- replying

    async def a_generate_reply(
        self: ConversableAgent,
        messages: list[Message] | None = None,
        sender: ConversableAgent | None = None,
        exclude: Sequence[ReplyFunction] = (),
    ) -> str | Message | None:
        """The reply to the last of `messages`, or of the chat with `sender`; None is silence."""
        if messages is None:
            if sender is None:
                raise AssertionError("Either messages or sender must be provided.")
            messages = self.chat_messages[sender]
        excluded = functions_of(exclude)
        with in_context():
            heard = await replies.heard(self, messages)
            for entry in list(self.pipeline.entries):
                if entry.function in excluded or not entry.fires(sender):
                    continue
                final, reply = await entry.called(self, heard, sender)
                if final:
                    return reply
        return self.default_auto_reply

    def generate_reply(
        self: ConversableAgent,
        messages: list[Message] | None = None,
        sender: ConversableAgent | None = None,
        exclude: Sequence[ReplyFunction] = (),
    ) -> str | Message | None:
        """The same, waiting. A subclass that overrides this is asked by every chat."""
        return run(self.a_generate_reply(messages, sender, exclude))

    def register_reply(
        self,
        trigger: Trigger,
        reply_func: ReplyFunction,
        position: int = 0,
        config: Any = None,
        reset_config: Callable[[Any], Any] | None = None,
        *,
        ignore_async_in_sync_chat: bool = False,
        remove_other_reply_funcs: bool = False,
    ) -> None:
        """Puts `reply_func(recipient, messages, sender, config) -> (final, reply)` into the
        pipeline; the latest is asked first. `trigger` says for which senders (see pipeline.py).
        """
        if not isinstance(trigger, type | str | list | tuple) and not callable(trigger):
            is_agent = hasattr(trigger, "chat_messages")
            if trigger is not None and not is_agent:
                raise DefinitionError(
                    "trigger must be a class, a string, an agent, a callable or a list."
                )
        if remove_other_reply_funcs:
            self.pipeline.remove_all()
        [function] = functions_of([reply_func])
        own, ignored = copy.copy(config), ignore_async_in_sync_chat
        entry = Entry(function, trigger, own, config, reset_config, ignored)
        entry.anywhere = function is not reply_func
        self.pipeline.insert(entry, position)

    def register_nested_chats(
        self,
        chat_queue: list[dict[str, Any]],
        trigger: Trigger,
        reply_func_from_nested_chats: str | ReplyFunction = "summary_from_nested_chats",
        position: int = NESTED_POSITION,
        use_async: bool | None = None,
        **kwargs: Any,
    ) -> None:
        """When `trigger` speaks to us, these chats are held and the last summary is our reply."""
        if reply_func_from_nested_chats == "summary_from_nested_chats":
            function = nested_reply(chat_queue, use_async=bool(use_async))
        elif callable(reply_func_from_nested_chats):
            own = reply_func_from_nested_chats

            def function(agent: Any, messages: Any, sender: Any, config: Any) -> Any:
                return own(chat_queue, agent, messages, sender, config)
        else:
            raise DefinitionError("reply_func_from_nested_chats must be a callable")
        config, reset = kwargs.get("config"), kwargs.get("reset_config")
        entry = Entry(function, trigger, copy.copy(config), config, reset, anywhere=True)
        self.pipeline.insert(entry, position)

    def register_hook(self, hookable_method: str, hook: Callable[..., Any]) -> None:
        """Changes what is heard or said; see `HOOKS`. Raises AssertionError for another name."""
        if hookable_method not in HOOKS:
            raise AssertionError(f"{hookable_method} is not a hookable method.")
        if hook in self.hook_lists[hookable_method]:
            raise AssertionError(f"{hook} is already registered as a hook.")
        self.hook_lists[hookable_method].append(hook)

    async def a_get_human_input(self, prompt: str) -> str:
        """What the person behind this agent says; override it, or `get_human_input`."""
        return await call_plain(self.get_human_input, prompt)

    def get_human_input(self, prompt: str) -> str:
        """Asks at the terminal; a chat asks here only when a subclass overrides it."""
        return input(prompt)

    async def ask_itself(self, prompt: str) -> str:
        """What the agent's own method says: in a sync chat the sync one, where both are its own."""
        is_plain = is_overridden(self, "get_human_input")
        if is_plain and (is_sync() or not is_overridden(self, "a_get_human_input")):
            return await call_plain(self.get_human_input, prompt)
        return await self.a_get_human_input(prompt)

    @property
    def asks_itself(self) -> bool:
        """Whether a subclass, or an attribute of this one agent, says how its person is asked."""
        return any(is_overridden(self, n) for n in ("get_human_input", "a_get_human_input"))

    # -- chats

    async def a_initiate_chat(
        self: ConversableAgent,
        recipient: ConversableAgent,
        clear_history: bool = True,
        silent: bool | None = False,
        cache: Any = None,
        max_turns: int | None = None,
        summary_method: Any = "last_msg",
        summary_args: Mapping[str, Any] | None = None,
        message: Any = None,
        compat: Any = None,
        termination: Any = None,
        **context: Any,
    ) -> ChatResult:
        """Opens a chat and holds it until someone is silent; see `chats.ChatRequest`.

        Further arguments (`carryover`, and what a callable message reads) are its context.
        """
        request = ChatRequest(
            message=message, clear_history=clear_history, silent=bool(silent), cache=cache,
            max_turns=max_turns, summary_method=summary_method,
            summary_args=dict(summary_args or {}), compat=compat, termination=termination,
            context=context,
        )  # fmt: skip
        return await chats.hold(self, recipient, request)

    def initiate_chat(
        self: ConversableAgent, recipient: ConversableAgent, *arguments: Any, **named: Any
    ) -> ChatResult:
        """`a_initiate_chat`, waiting. Async reply functions raise RuntimeError here."""
        return run(self.a_initiate_chat(recipient, *arguments, **named))

    def initiate_chats(
        self: ConversableAgent, chat_queue: list[dict[str, Any]]
    ) -> list[ChatResult]:
        """Chats of this agent one after the other; see `sequences.initiate_chats`."""
        self.chat_results = initiate_chats([{"sender": self, **chat} for chat in chat_queue])
        return self.chat_results

    async def a_initiate_chats(
        self: ConversableAgent, chat_queue: list[dict[str, Any]]
    ) -> dict[int, ChatResult]:
        found = await a_initiate_chats([{"sender": self, **chat} for chat in chat_queue])
        self.chat_results = list(found.values())
        return found

    def get_chat_results(self, chat_index: int | None = None) -> Any:
        """Results of the last `initiate_chats`, or one of them."""
        return self.chat_results if chat_index is None else self.chat_results[chat_index]

    # -- usage

    def get_total_usage(self) -> dict[str, Any] | None:
        """Tokens and USD by model, cached replies included; None before the first call."""
        return self.usage.total or None

    def get_actual_usage(self) -> dict[str, Any] | None:
        return self.usage.actual or None

    def print_usage_summary(self, mode: str | Sequence[str] = ("actual", "total")) -> None:
        """Prints what the models cost: `mode` is "actual" (without cached replies), "total", "both"
        or a list of these."""
        asked = [mode] if isinstance(mode, str) else list(mode)
        asked = ["actual", "total"] if asked == ["both"] else asked
        if not set(asked) <= {"actual", "total"}:
            raise DefinitionError(f"mode is {mode!r}; it can be actual, total or both")
        found = {"actual": self.usage.actual, "total": self.usage.total}
        for kind in asked:
            print(f"{self.name}, {kind} usage: {found[kind] or 'none'}")  # noqa: T201 - its purpose

    def reset(self: ConversableAgent) -> None:
        """Forgets all chats; reply functions get the configuration they were registered with."""
        Memory.reset(self)
        self.pipeline.reset()


def is_overridden(agent: Any, name: str) -> bool:
    """Whether a subclass, or an attribute of this one agent, replaces a method of the face."""
    return name in vars(agent) or inspect.getattr_static(type(agent), name) is not getattr(
        Conversing, name
    )
