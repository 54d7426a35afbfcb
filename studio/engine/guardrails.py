"""Guardrails: what an agent of a group must not hear or say; such a message goes elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import DefinitionError, ModelError
from .llm.call import Call, call_model
from .llm.configured import llm_of
from .messages import text_of
from .targets import Target

if TYPE_CHECKING:
    from .agents import ConversableAgent

JUDGE = (
    "You guard a conversation. Say whether this condition is met by the message you are given, "
    "and why.\n\nCondition: "
)


@dataclass(frozen=True)
class RegexGuardrail:
    """Activated when the pattern is found in a message. Raises DefinitionError for a bad one."""

    name: str
    condition: str
    target: Target
    activation_message: str | None = None

    def __post_init__(self) -> None:
        try:
            re.compile(self.condition)
        except re.error as error:
            why = f"The pattern of guardrail {self.name} is wrong: {error}"
            raise DefinitionError(why) from None


@dataclass(frozen=True)
class LLMGuardrail:
    """Activated when a model says that the condition, in plain words, is met."""

    name: str
    condition: str
    target: Target
    llm_config: Mapping[str, Any]
    activation_message: str | None = None


Guardrail = RegexGuardrail | LLMGuardrail


class Verdict(BaseModel):
    """What a judging model answers."""

    model_config = ConfigDict(extra="forbid")
    activated: bool
    justification: str


@dataclass(frozen=True)
class Activation:
    """What is said instead of the agent's own reply, and who goes on."""

    reply: str
    target: Target


async def first_activated(
    agent: ConversableAgent, guardrails: Sequence[Guardrail], content: Any
) -> Activation | None:
    """The first guardrail that a message's content activates.

    Raises ModelError when a judging model does not answer as it was asked to.
    """
    text = text_of(content)
    for guardrail in guardrails if text else ():
        if why := await _why(agent, guardrail, text):
            said = guardrail.activation_message
            said = said or f"Guardrail '{guardrail.name}' has been activated."
            return Activation(f"{said}\nJustification: {why}", guardrail.target)
    return None


async def _why(agent: ConversableAgent, guardrail: Guardrail, text: str) -> str:
    match guardrail:
        case RegexGuardrail(condition=pattern):
            found = re.search(pattern, text)
            return f"Match found -> {found[0]}" if found else ""
        case LLMGuardrail():
            verdict = await _verdict(agent, guardrail, text)
            return (verdict.justification or "none given") if verdict.activated else ""
        case _:
            assert_never(guardrail)


async def _verdict(agent: ConversableAgent, guardrail: LLMGuardrail, text: str) -> Verdict:
    llm = llm_of({**guardrail.llm_config, "response_format": Verdict})
    if llm is None:
        raise DefinitionError(f"The guardrail {guardrail.name} has no model")
    asked = [
        {"role": "system", "content": JUDGE + guardrail.condition},
        {"role": "user", "content": text},
    ]
    result = await call_model(llm, Call(agent.name, "select", asked))
    agent.usage.add(result)
    try:
        return Verdict.model_validate_json(result["content"] or "")
    except ValidationError:
        raise ModelError(
            f"The model of guardrail {guardrail.name} gave no verdict",
            detail=str(result["content"])[:500],
        ) from None
