"""ConversableAgent, AssistantAgent, UserProxyAgent: participants that send, receive and reply.

An agent keeps one list of messages per peer. What it sends is stored with role "assistant", what it
receives with role "user"; `name` is always the true author. A reply is made by a pipeline of reply
functions; the first that calls itself final wins (see `replies.py`). The constructors take AutoGen
0.2's arguments with its defaults; the studio gives `llm`, `code_execution` and `prompt` instead.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

from .asking import TEXT, AskRule
from .code_replies import CodeExecution, code_execution_of
from .conversing import Conversing
from .errors import DefinitionError
from .handoffs import HandsOver
from .llm.call import LLM
from .llm.configured import llm_of
from .memory import Memory
from .messages import Message
from .pipeline import HOOKS, Pipeline
from .prompting import PromptRules
from .steps import Steps
from .termination import Predicate, exact
from .tooling import Tooling
from .usage import Usage

HumanInputMode = Literal["ALWAYS", "TERMINATE", "NEVER"]
NO_LLM = LLM((), lambda _: (_ for _ in ()).throw(DefinitionError("no model")))

DEFAULT_SYSTEM_MESSAGE = "You are a helpful AI Assistant."
ASSISTANT_SYSTEM_MESSAGE = """You are a helpful AI assistant who solves tasks with code and words.
Work step by step and say which step you are at. When you need facts or a computation, write one \
complete code block, python or sh, that prints what you need; it is run for you as it stands, so \
leave no gaps and ask nobody to edit it. To have a block saved first, make its first line \
"# filename: <name>".
Read the result before you go on. If it shows an error, send the whole corrected block. When the \
task is done and checked, answer with the result and end your message with TERMINATE."""
ASSISTANT_DESCRIPTION = "An assistant that solves tasks with words and with code for others to run."


class ConversableAgent(Conversing, Steps, Memory, Tooling, HandsOver):
    """A participant of chats. Omitted arguments have AutoGen 0.2's defaults.

    is_termination_msg   stops this agent from answering; default: exactly "TERMINATE"
    max_consecutive_auto_reply  auto replies per sender before a person is asked or it stops
    human_input_mode     ALWAYS, TERMINATE (at the end or the limit) or NEVER
    function_map         functions that this agent runs for others, by name
    code_execution_config  how code blocks it hears are run; False for not at all
    llm_config           models to answer with: {"config_list": [...], ...}; False or None for none
    default_auto_reply   what is sent when no reply function is final
    chat_messages        what was said before, per peer
    llm, code_execution, prompt   the same as the studio builds them
    asking               how the person behind the agent is asked
    Raises DefinitionError (a ValueError) for arguments that cannot work.
    """

    default_human_input_mode: ClassVar[HumanInputMode] = "TERMINATE"
    default_system_message: ClassVar[str] = DEFAULT_SYSTEM_MESSAGE
    DEFAULT_CONFIG: ClassVar[Any] = False

    def __init__(
        self,
        name: str,
        system_message: str | list[Any] | None = None,
        is_termination_msg: Predicate | None = None,
        max_consecutive_auto_reply: int | None = None,
        human_input_mode: HumanInputMode | None = None,
        function_map: Mapping[str, Callable[..., Any]] | None = None,
        code_execution_config: Mapping[str, Any] | Literal[False] | None = False,
        llm_config: Mapping[str, Any] | Literal[False] | None = None,
        default_auto_reply: str | Message = "",
        description: str | None = None,
        chat_messages: Mapping[ConversableAgent, list[Message]] | None = None,
        silent: bool | None = None,
        *,
        llm: LLM | None = None,
        code_execution: CodeExecution | None = None,
        prompt: PromptRules | None = None,
        asking: AskRule = TEXT,
    ) -> None:
        mode = human_input_mode or self.default_human_input_mode
        if mode not in ("ALWAYS", "TERMINATE", "NEVER"):
            raise DefinitionError(f"human_input_mode {mode!r} is not ALWAYS, TERMINATE or NEVER")
        self.name = name
        self.system_message = (
            self.default_system_message if system_message is None else system_message
        )
        self.description = self._described(description)
        self.llm_config = _copied(self.DEFAULT_CONFIG if llm_config is None else llm_config)
        self.llm = llm or llm_of(self.llm_config) or NO_LLM
        self.tools, self.functions = _declared(self.llm_config)
        self.function_map = dict(function_map or {})
        self.is_termination_msg: Predicate = is_termination_msg or exact()
        self.human_input_mode: HumanInputMode = mode
        self.code_execution = code_execution or code_execution_of(code_execution_config)
        self.default_auto_reply = default_auto_reply
        self.prompt = prompt or PromptRules()
        self.asking = asking
        self.silent = bool(silent)
        self.usage = Usage()
        self.hook_lists: dict[str, list[Callable[..., Any]]] = {name: [] for name in HOOKS}
        self.chat_results: list[Any] = []
        self.begin_memory(chat_messages or {}, max_consecutive_auto_reply)
        self.pipeline = Pipeline.standard(runs_code=self.code_execution is not None)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def update_system_message(self, system_message: str) -> None:
        self.system_message = system_message

    def _described(self, given: str | None) -> str:
        return str(self.system_message) if given is None else given


class AssistantAgent(ConversableAgent):
    """Answers with a model and never asks a person."""

    default_human_input_mode: ClassVar[HumanInputMode] = "NEVER"
    default_system_message: ClassVar[str] = ASSISTANT_SYSTEM_MESSAGE

    def __init__(
        self,
        name: str,
        system_message: str | None = None,
        llm_config: Mapping[str, Any] | Literal[False] | None = None,
        is_termination_msg: Predicate | None = None,
        max_consecutive_auto_reply: int | None = None,
        human_input_mode: HumanInputMode | None = None,
        description: str | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(
            name,
            system_message,
            is_termination_msg,
            max_consecutive_auto_reply,
            human_input_mode,
            llm_config=llm_config,
            description=description,
            **arguments,
        )

    def _described(self, given: str | None) -> str:
        is_default = given is None and self.system_message == self.default_system_message
        return ASSISTANT_DESCRIPTION if is_default else super()._described(given)


class UserProxyAgent(ConversableAgent):
    """Stands for a person, who is asked each turn unless told otherwise; runs code it hears."""

    default_human_input_mode: ClassVar[HumanInputMode] = "ALWAYS"
    default_system_message: ClassVar[str] = ""
    descriptions: ClassVar[Mapping[HumanInputMode, str]] = {
        "ALWAYS": "A person who answers questions, gives feedback and decides.",
        "TERMINATE": "A person's stand-in, who asks the person when the task seems done.",
        "NEVER": "Runs the code that others write and reports what it printed.",
    }

    def __init__(
        self,
        name: str,
        is_termination_msg: Predicate | None = None,
        max_consecutive_auto_reply: int | None = None,
        human_input_mode: HumanInputMode | None = None,
        function_map: Mapping[str, Callable[..., Any]] | None = None,
        code_execution_config: Mapping[str, Any] | Literal[False] | None = None,
        default_auto_reply: str | Message = "",
        llm_config: Mapping[str, Any] | Literal[False] | None = False,
        system_message: str | list[Any] | None = None,
        description: str | None = None,
        **arguments: Any,
    ) -> None:
        mode = human_input_mode or self.default_human_input_mode
        super().__init__(
            name,
            system_message,
            is_termination_msg,
            max_consecutive_auto_reply,
            mode,
            function_map,
            {} if code_execution_config is None else code_execution_config,
            llm_config,
            default_auto_reply,
            self.descriptions.get(mode) if description is None else description,
            **arguments,
        )


def _copied(config: Any) -> Any:
    """A deep copy, so that what an agent registers concerns no other agent."""
    if not config:
        return config
    try:
        return copy.deepcopy(dict(config))
    except TypeError as error:
        raise TypeError(
            f"llm_config holds something that cannot be copied ({error}); give a client by "
            "model_client_cls and register_model_client instead"
        ) from error


def _declared(config: Any) -> tuple[list[Message], list[Message]]:
    """The tools and legacy functions that a configuration declares."""
    if not config:
        return [], []
    return list(config.get("tools") or []), list(config.get("functions") or [])
