"""What a model would be sent for an agent, in a made-up conversation."""

from __future__ import annotations

from typing import Any

from ..definitions.agents import AGENT, AgentDefinition
from ..definitions.references import USER
from ..engine.agents import ASSISTANT_SYSTEM_MESSAGE
from ..engine.llm.models import estimate_tokens
from ..engine.prompting import facts, prompt_messages
from ..engine.society import LEAD_IN, PREPARE
from .rules import prompt_rules

TASK = "a coffee shop on a boat"
LIST = "1. Wave Boat\n2. Biscuit Barn\n3. Sweet Treats"
HISTORY = [
    {"role": "user", "name": "You", "content": TASK},
    {"role": "user", "name": "Namer", "content": LIST},
]
READ = (
    "kind", "system_message", "examples", "history", "ask", "parameters", "models",
    "response_preparer",
)  # fmt: skip


def preview(body: dict[str, Any], names: dict[str, str] | None = None) -> dict[str, Any] | None:
    """Messages with their estimated tokens; None while the body cannot be read.

    names      of agents and workflows by id
    hands_to   (whom, in which words) for each handoff that the model itself decides
    inside     (trigger, workflow) for each nested chat that answers in the model's place
    """
    known = {k: v for k, v in body.items() if k in READ}
    try:
        agent = AGENT.validate_python({**known, "name": "preview"})
    except ValueError:
        return None
    sent = _messages(agent)
    shown = [{**m, "tokens": estimate_tokens(str(m["content"]))} for m in sent]
    called = names or {}
    return {
        "kind": agent.kind,
        "messages": shown,
        "tokens": sum(m["tokens"] for m in shown),
        "parameters": agent.parameters.given(),
        "asks_model": agent.kind == "assistant" or bool(agent.models),
        "hands_to": [
            ("the person" if row.get("to") == USER else called.get(str(row.get("to")), ""), when)
            for row in _rows(body.get("handoffs"))
            if (when := _words(row.get("when"))) not in ("", "always")
        ],
        "inside": [
            (called.get(str(row.get("trigger")), ""), called[str(row.get("workflow"))])
            for row in _rows(body.get("nested"))
            if str(row.get("workflow")) in called
        ],
    }


def _messages(agent: AgentDefinition) -> list[dict[str, Any]]:
    if agent.kind == "workflow":
        asked = {"role": "system", "content": agent.response_preparer or PREPARE}
        return [{"role": "system", "content": LEAD_IN}, *HISTORY, asked]
    system = agent.system_message
    if system is None:
        system = ASSISTANT_SYSTEM_MESSAGE if agent.kind == "assistant" else ""
    head = [{"role": "system", "content": system}] if system else []
    return prompt_messages(head, HISTORY, prompt_rules(agent), facts(HISTORY, TASK))


def _words(when: Any) -> str:
    """What the model decides by; nothing for conditions that no model is asked about."""
    asked = when.get("model") if isinstance(when, dict) else when
    return asked if isinstance(asked, str) else ""


def _rows(value: Any) -> list[dict[str, Any]]:
    """A form that is half typed has rows of any shape."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
