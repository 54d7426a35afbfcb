"""What a model would be sent for an agent, in a made-up conversation."""

from __future__ import annotations

from typing import Any

from ..definitions.agents import AGENT
from ..engine.agents import ASSISTANT_SYSTEM_MESSAGE
from ..engine.llm.models import estimate_tokens
from ..engine.prompting import facts, prompt_messages
from .build import prompt_rules

TASK = "a coffee shop on a boat"
LIST = "1. Wave Boat\n2. Biscuit Barn\n3. Sweet Treats"
READ = ("kind", "system_message", "examples", "history", "ask", "parameters", "models")


def preview(body: dict[str, Any]) -> dict[str, Any] | None:
    """Messages with their estimated tokens; None while the body cannot be read."""
    known = {k: v for k, v in body.items() if k in READ}
    try:
        agent = AGENT.validate_python({**known, "name": "preview"})
    except ValueError:
        return None
    system = agent.system_message
    if system is None:
        system = ASSISTANT_SYSTEM_MESSAGE if agent.kind == "assistant" else ""
    history = [
        {"role": "user", "name": "You", "content": TASK},
        {"role": "user", "name": "Namer", "content": LIST},
    ]
    head = [{"role": "system", "content": system}] if system else []
    messages = prompt_messages(head, history, prompt_rules(agent), facts(history, TASK))
    shown = [{**m, "tokens": estimate_tokens(str(m["content"]))} for m in messages]
    return {
        "messages": shown,
        "tokens": sum(m["tokens"] for m in shown),
        "parameters": agent.parameters.given(),
        "asks_model": agent.kind == "assistant" or bool(agent.models),
    }
