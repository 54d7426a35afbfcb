"""The conversation engine: a library of agents that talk, with no web, database or settings.

Programs for AutoGen 0.2 run with one line changed: `import studio.engine as autogen`, or
`from studio.engine import ...`. The engine in ten minutes:

**Two agents.** Models come from the environment variable or file OAI_CONFIG_LIST, a JSON list of
{"model", "api_key", "base_url"?, "price"?: [USD per 1000 prompt tokens, completion tokens]}, tried
in order until one answers. Leave `base_url` out for OpenAI.

```python
from studio.engine import AssistantAgent, UserProxyAgent, config_list_from_json

llm_config = {"config_list": config_list_from_json("OAI_CONFIG_LIST"), "temperature": 0}
writer = AssistantAgent("writer", llm_config=llm_config, system_message="You write slogans.")
you = UserProxyAgent("you", human_input_mode="NEVER", code_execution_config=False)
chat = you.initiate_chat(writer, message="A slogan for a tea shop.", max_turns=1)
print(chat.summary, chat.cost["usage_including_cached_inference"]["total_cost"])
```

A chat prints itself and asks people at the terminal: `human_input_mode` is ALWAYS, TERMINATE (at
the end or at the limit of auto replies) or NEVER. It ends when an agent's `is_termination_msg` is
true of what it hears, when one has no more to say, or after `max_turns`.

**Tools.** A typed function is offered to one agent's model and run by another agent.

```python
from typing import Annotated
from studio.engine import register_function

def add(a: Annotated[int, "first"], b: Annotated[int, "second"] = 1) -> int:
    return a + b

register_function(add, caller=writer, executor=you, description="Adds two numbers.")
chat = you.initiate_chat(writer, message="What is 2 + 3?", max_turns=2)
```

**Code.** A proxy runs the code blocks it hears in `work_dir`, on this machine, because we said so;
left out, they run in Docker, and {"executor": BoxCodeExecutor("sandbox")} takes bubblewrap. The
studio itself runs code only in boxes.

```python
runner = UserProxyAgent(
    "runner", human_input_mode="NEVER", max_consecutive_auto_reply=1,
    code_execution_config={"work_dir": "coding", "use_docker": False},
)
coder = AssistantAgent("coder", llm_config=llm_config)
chat = runner.initiate_chat(coder, message="Print the sum of 1 to 10.")
```

**A group.** Everyone hears everything; the manager's models choose who speaks, or an order, chance,
a person, a graph of who may follow whom, or a function of yours.

```python
from studio.engine import GroupChat, GroupChatManager

critic = AssistantAgent("critic", llm_config=llm_config, description="Finds faults.")
group = GroupChat([writer, critic], max_round=3, speaker_selection_method="round_robin")
manager = GroupChatManager(group, llm_config=llm_config)
chat = you.initiate_chat(manager, message="A name for a bakery.")
```

**Chats in chats.** `initiate_chats` holds chats in order, each told what the ones before found;
`register_nested_chats` lets an agent ask others before it answers; `SocietyOfMindAgent` makes a
whole group one voice; `initiate_group_chat` hands over by conditions and by the model's choice.

```python
from studio.engine import initiate_chats

found = initiate_chats([
    {"sender": you, "recipient": writer, "message": "A name.", "max_turns": 1},
    {"sender": you, "recipient": critic, "message": "Judge it.", "max_turns": 1},
])
```

**Your own sink.** Everything said passes `RunContext.sink` as an event (`events.py`), everything
asked of the outside world `RunContext.effects`; apart from these a chat is plain, deterministic
async code, which is how the studio resumes one after a crash. Every method that waits has a
coroutine beside it: `a_initiate_chat`, `a_generate_reply`, `a_send`.

```python
from studio.engine import RunContext, a_initiate_chat
from studio.engine.context import NullSink

class Sink(NullSink):
    def emit(self, chat, event):
        seen.append(event.kind)

seen = []

async def main():
    return await a_initiate_chat(
        you, writer, message="Once more.", max_turns=1, context=RunContext(sink=Sink())
    )
```

**As AutoGen 0.2 exactly.** `initiate_chat(..., compat="autogen-0.2")` switches back every place
where ours is safer; each is a named option of `Compat`. Errors are `EngineError`: DefinitionError
(a ValueError) is the author's to mend, ModelError the model's server's.
"""

from .agents import AssistantAgent, ConversableAgent, UserProxyAgent
from .chats import ChatResult, a_initiate_chat
from .code_replies import CodeExecution
from .compat import Compat
from .context import RunContext
from .context_variables import ContextVariables
from .errors import DefinitionError, EngineError, ModelError
from .execution.library import BoxCodeExecutor
from .group_chat import GroupChat
from .handoffs import (
    ExpressionContextCondition,
    OnCondition,
    OnContextCondition,
    ReplyResult,
    StringContextCondition,
    StringLLMCondition,
)
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
from .patterns import (
    AutoPattern,
    DefaultPattern,
    ManualPattern,
    RandomPattern,
    RoundRobinPattern,
    a_initiate_group_chat,
    initiate_group_chat,
)
from .sequences import a_initiate_chats, initiate_chats
from .society import SocietyOfMindAgent
from .targets import (
    AgentTarget,
    NestedChatTarget,
    RevertToUserTarget,
    StayTarget,
    TerminateTarget,
)
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
    "AgentTarget",
    "AssistantAgent",
    "AutoPattern",
    "BoxCodeExecutor",
    "Cache",
    "ChatResult",
    "CodeExecution",
    "Compat",
    "ContextVariables",
    "ConversableAgent",
    "DefaultPattern",
    "DefinitionError",
    "EngineError",
    "ExpressionContextCondition",
    "GroupChat",
    "GroupChatManager",
    "ManualPattern",
    "MessageHistoryLimiter",
    "MessageTokenLimiter",
    "ModelError",
    "NestedChatTarget",
    "OnCondition",
    "OnContextCondition",
    "RandomPattern",
    "ReplyResult",
    "RevertToUserTarget",
    "RoundRobinPattern",
    "RunContext",
    "SocietyOfMindAgent",
    "StayTarget",
    "StringContextCondition",
    "StringLLMCondition",
    "TerminateTarget",
    "TextMessageContentName",
    "TransformMessages",
    "UserProxyAgent",
    "a_initiate_chat",
    "a_initiate_chats",
    "a_initiate_group_chat",
    "config_list_from_dotenv",
    "config_list_from_json",
    "config_list_from_models",
    "config_list_openai_aoai",
    "filter_config",
    "gather_usage_summary",
    "get_config_list",
    "initiate_chats",
    "initiate_group_chat",
    "register_function",
]
