"""An agent's whole answer where nobody else is there to run what it calls."""

from __future__ import annotations

from . import replies, tools
from .agents import ConversableAgent
from .boxed import runs_for_itself
from .messages import Message


async def answer(agent: ConversableAgent, peer: ConversableAgent) -> Message | None:
    """What an agent says to `peer` once it has run all that it called itself; None for nothing."""
    while True:
        reply = await replies.reply_of(agent, peer)
        if reply is None:
            return None
        await replies.say(agent, reply, peer)
        said = agent.chat_messages[peer][-1]
        if not runs_for_itself(agent, said):
            return said
        _, returned = await tools.tool_calls(agent, [said], peer)
        assert returned is not None
        await replies.say(agent, returned, peer)
