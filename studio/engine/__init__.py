"""The conversation engine: agents, chats and group chats, with no web, database or settings.

Everything a chat asks of the outside world passes `RunContext.effects`, everything it says passes
`RunContext.sink`; apart from these a chat is plain, deterministic async code.
"""

from .agents import AssistantAgent, ConversableAgent, UserProxyAgent
from .chats import ChatResult, a_initiate_chat
from .code_replies import CodeExecution
from .compat import Compat
from .context import RunContext
from .errors import DefinitionError, EngineError, ModelError
from .group_chat import GroupChat
from .llm.cache import Cache
from .llm.config_list import (
    config_list_from_dotenv,
    config_list_from_json,
    config_list_from_models,
    config_list_openai_aoai,
    filter_config,
    get_config_list,
)
from .manager import GroupChatManager
from .sequences import a_initiate_chats, initiate_chats
from .society import SocietyOfMindAgent
from .tooling import register_function
from .transforms import (
    MessageHistoryLimiter,
    MessageTokenLimiter,
    TextMessageContentName,
    TransformMessages,
)
from .usage import gather_usage_summary

Agent = ConversableAgent

__all__ = [
    "Agent",
    "AssistantAgent",
    "Cache",
    "ChatResult",
    "CodeExecution",
    "Compat",
    "ConversableAgent",
    "DefinitionError",
    "EngineError",
    "GroupChat",
    "GroupChatManager",
    "MessageHistoryLimiter",
    "MessageTokenLimiter",
    "ModelError",
    "RunContext",
    "SocietyOfMindAgent",
    "TextMessageContentName",
    "TransformMessages",
    "UserProxyAgent",
    "a_initiate_chat",
    "a_initiate_chats",
    "config_list_from_dotenv",
    "config_list_from_json",
    "config_list_from_models",
    "config_list_openai_aoai",
    "filter_config",
    "gather_usage_summary",
    "get_config_list",
    "initiate_chats",
    "register_function",
]
