"""The conversation engine: agents, chats and group chats, with no web, database or settings.

Everything a chat asks of the outside world passes `RunContext.effects`, everything it says passes
`RunContext.sink`; apart from these a chat is plain, deterministic async code.
"""

from .agents import AssistantAgent, CodeExecution, ConversableAgent, UserProxyAgent
from .chats import ChatResult, a_initiate_chat
from .context import RunContext
from .group_chat import GroupChat, GroupChatManager

__all__ = [
    "AssistantAgent",
    "ChatResult",
    "CodeExecution",
    "ConversableAgent",
    "GroupChat",
    "GroupChatManager",
    "RunContext",
    "UserProxyAgent",
    "a_initiate_chat",
]
