"""ConversableAgent, AssistantAgent, UserProxyAgent: participants that send, receive and reply.

An agent keeps one list of messages per peer. What it sends is stored with role "assistant", what it
receives with role "user"; `name` is always the true author. A reply is made by a pipeline of reply
functions; the first that calls itself final wins (see `replies.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from . import replies
from .chats import ChatResult, a_initiate_chat
from .context import current_context
from .errors import DefinitionError
from .events import MessageSent
from .execution.executor import CodeExecutor, RefusingExecutor
from .llm.call import LLM
from .messages import KEPT_KEYS, Message, as_message, has_calls
from .prompting import PromptRules
from .termination import Predicate, exact

HumanInputMode = Literal["ALWAYS", "TERMINATE", "NEVER"]
MAX_CONSECUTIVE_AUTO_REPLY = 100
NO_LLM = LLM((), lambda _: (_ for _ in ()).throw(DefinitionError("no model")))

DEFAULT_SYSTEM_MESSAGE = "You are a helpful AI assistant."
ASSISTANT_SYSTEM_MESSAGE = """You are a helpful AI assistant who solves tasks with code and words.
Work step by step and say which step you are at. When you need facts or a computation, write one \
complete code block, python or sh, that prints what you need; it is run for you as it stands, so \
leave no gaps and ask nobody to edit it. To have a block saved first, make its first line \
"# filename: <name>".
Read the result before you go on. If it shows an error, send the whole corrected block. When the \
task is done and checked, answer with the result and end your message with TERMINATE."""


@dataclass
class CodeExecution:
    """How an agent runs code blocks it receives; `last_n_messages` says where it looks."""

    executor: CodeExecutor = field(default_factory=RefusingExecutor)
    last_n_messages: int | Literal["auto"] = "auto"


ReplyFunction = Callable[..., Any]
"""(agent, messages, sender) -> (final, reply), awaitable or not."""


class ConversableAgent:
    """A participant of chats. Omitted arguments have AutoGen 0.2's defaults.

    llm                  models to answer with, in order of preference; None for none
    is_termination_msg   stops this agent from answering; default: exactly "TERMINATE"
    max_consecutive_auto_reply  auto replies per sender before a person is asked or it stops
    human_input_mode     ALWAYS, TERMINATE (at the end or the limit) or NEVER
    default_auto_reply   what is sent when no reply function is final
    prompt               few-shot examples, part of the history, the ask, the reply's form
    Raises DefinitionError for arguments that cannot work.
    """

    default_human_input_mode: HumanInputMode = "TERMINATE"
    default_system_message = DEFAULT_SYSTEM_MESSAGE

    def __init__(
        self,
        name: str,
        system_message: str | None = None,
        *,
        llm: LLM | None = None,
        is_termination_msg: Predicate | None = None,
        max_consecutive_auto_reply: int | None = None,
        human_input_mode: HumanInputMode | None = None,
        code_execution: CodeExecution | None = None,
        default_auto_reply: str = "",
        description: str | None = None,
        prompt: PromptRules | None = None,
    ) -> None:
        mode = human_input_mode or self.default_human_input_mode
        if mode not in ("ALWAYS", "TERMINATE", "NEVER"):
            raise DefinitionError(f"human_input_mode {mode!r} is not ALWAYS, TERMINATE or NEVER")
        self.name = name
        self.system_message = (
            self.default_system_message if system_message is None else system_message
        )
        self.description = self.system_message if description is None else description
        self.llm = llm or NO_LLM
        self.is_termination_msg: Predicate = is_termination_msg or exact()
        self.max_consecutive_auto_reply = (
            MAX_CONSECUTIVE_AUTO_REPLY
            if max_consecutive_auto_reply is None
            else max_consecutive_auto_reply
        )
        self.human_input_mode: HumanInputMode = mode
        self.code_execution = code_execution
        self.default_auto_reply = default_auto_reply
        self.prompt = prompt or PromptRules()
        self.chat_messages: dict[ConversableAgent, list[Message]] = defaultdict(list)
        self.human_input: list[str] = []
        self._auto_replies: dict[ConversableAgent, int] = defaultdict(int)
        self._reply_functions: list[ReplyFunction] = [
            replies.termination_and_human,
            replies.code_execution,
            replies.model,
        ]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def register_reply(self, reply_function: ReplyFunction, position: int = 0) -> None:
        """Puts a reply function before those at `position` and after."""
        self._reply_functions.insert(position, reply_function)

    # -- sending and storing

    def store(self, message: str | Mapping[str, Any], peer: ConversableAgent, *, own: bool) -> None:
        """Keeps a message of the chat with `peer`: our own words, or theirs."""
        given = as_message(message)
        kept = {k: given[k] for k in KEPT_KEYS if given.get(k) is not None}
        if "content" not in kept:
            if not has_calls(kept) and given.get("content") is None:
                raise DefinitionError(f"{self.name} has a message with neither content nor calls")
            kept["content"] = None
        role = given.get("role")
        if role in ("tool", "function"):
            kept["role"] = role
        else:
            kept["role"] = "assistant" if own or has_calls(kept) else "user"
            if not has_calls(kept):
                kept.setdefault("name", self.name if own else peer.name)
        self.chat_messages[peer].append(kept)

    def deliver(
        self, message: str | Mapping[str, Any], recipient: ConversableAgent, *, silent: bool = False
    ) -> None:
        """Stores a message on both sides; unless silent, it is a turn that everybody sees."""
        self.store(message, recipient, own=True)
        recipient.store(message, self, own=False)
        if silent:
            return
        given = as_message(message)
        context = current_context()
        turn, attempt = context.finish_turn()
        context.emit(
            MessageSent(
                turn=turn,
                attempt=attempt,
                agent=self.name,
                to=recipient.name,
                content=given.get("content"),
                tool_calls=given.get("tool_calls"),
                tool_responses=given.get("tool_responses"),
            )
        )

    def last_message(self, peer: ConversableAgent) -> Message | None:
        messages = self.chat_messages.get(peer)
        return messages[-1] if messages else None

    # -- replying

    async def a_generate_reply(
        self, sender: ConversableAgent, messages: list[Message] | None = None
    ) -> str | Message | None:
        """The reply to the last message of the chat with `sender`; None is silence."""
        heard = self.chat_messages[sender] if messages is None else messages
        for reply_function in self._reply_functions:
            final, reply = await replies.called(reply_function, self, heard, sender)
            if final:
                return reply
        return self.default_auto_reply

    def auto_replies(self, sender: ConversableAgent) -> int:
        """How many auto replies this sender has had in a row."""
        return self._auto_replies[sender]

    def count_auto_reply(self, sender: ConversableAgent) -> None:
        self._auto_replies[sender] += 1

    def reset_auto_replies(self, sender: ConversableAgent) -> None:
        self._auto_replies[sender] = 0

    def clear_history(self, peer: ConversableAgent) -> None:
        self.chat_messages[peer].clear()
        self.human_input.clear()

    # -- chats

    async def a_initiate_chat(
        self,
        recipient: ConversableAgent,
        *,
        message: str | Mapping[str, Any] | None = None,
        clear_history: bool = True,
        max_turns: int | None = None,
        summary_method: str | None = "last_msg",
        summary_prompt: str | None = None,
    ) -> ChatResult:
        """Opens a chat and holds it until someone falls silent; see `chats.a_initiate_chat`."""
        return await a_initiate_chat(
            self,
            recipient,
            message=message,
            clear_history=clear_history,
            max_turns=max_turns,
            summary_method=summary_method,
            summary_prompt=summary_prompt,
        )


class AssistantAgent(ConversableAgent):
    """Answers with a model and never asks a person."""

    default_human_input_mode: HumanInputMode = "NEVER"
    default_system_message = ASSISTANT_SYSTEM_MESSAGE


class UserProxyAgent(ConversableAgent):
    """Stands for a person, who is asked each turn unless told otherwise."""

    default_human_input_mode: HumanInputMode = "ALWAYS"
    default_system_message = ""
    descriptions: Mapping[HumanInputMode, str] = {
        "ALWAYS": "A person who answers questions, gives feedback and decides.",
        "TERMINATE": "A person's stand-in, who asks the person when the task seems done.",
        "NEVER": "Runs the code that others write and reports what it printed.",
    }

    def __init__(self, name: str, system_message: str | None = None, **arguments: Any) -> None:
        super().__init__(name, system_message, **arguments)
        if arguments.get("description") is None:
            self.description = self.descriptions[self.human_input_mode]
