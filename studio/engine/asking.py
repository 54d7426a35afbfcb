"""Questions to the person behind an agent: effects, so that a waiting session holds nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .context import current_context
from .context_variables import filled_in
from .effects import Effect
from .events import InputRequested

if TYPE_CHECKING:
    from .agents import ConversableAgent

EXIT = "exit"


@dataclass(frozen=True, slots=True)
class AskRule:
    """How a person is asked.

    form     text; choice, one of `choices`; fields, the values of a JSON schema's object
    prompt   what is asked, in place of AutoGen 0.2's words; {name} is a context variable
    timeout  {"seconds", "then"}: after that time the agent answers by itself (auto_reply), the
             conversation ends (end), or the session fails (fail)
    """

    form: Literal["text", "choice", "fields"] = "text"
    prompt: str = ""
    choices: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None
    timeout: dict[str, Any] | None = None


TEXT = AskRule()


async def ask_person(
    agent: ConversableAgent, peer: ConversableAgent | None, prompt: str, *, may_skip: bool
) -> str:
    """What the person behind an agent says; "" to skip, "exit" to end.

    The values of a form become lines "name: value"; those that context variables are named after
    set them.
    """
    context = current_context()
    key = context.next_key()
    rule = agent.asking
    question = InputRequested(
        question=context.identifier(key),
        form=rule.form,
        prompt=filled_in(rule.prompt, context.strand.variables)
        or prompt.format(agent=agent.name, peer=peer.name if peer else "the sender"),
        agent=agent.name,
        actions=["skip", "end"] if may_skip else ["end"],
        choices=list(rule.choices) or None if rule.form == "choice" else None,
        schema=rule.schema if rule.form == "fields" else None,
        timeout=rule.timeout,
    )
    return await _asked(agent, question, key)


async def ask_opening(agent: ConversableAgent) -> str:
    """Asks the person behind an agent for the first message of a chat."""
    context = current_context()
    key = context.next_key()
    question = InputRequested(context.identifier(key), "text", ">", agent.name, [])
    return await _asked(agent, question, key)


async def _asked(agent: ConversableAgent, question: InputRequested, key: str) -> str:
    context = current_context()
    context.emit(question)

    async def ask(_: int) -> dict[str, Any]:
        if agent.asks_itself:
            return {"text": await agent.ask_itself(question.prompt)}
        return {"text": await context.ask(question)}

    request: dict[str, Any] = {"question": question.question, "form": question.form}
    if question.timeout is not None:
        request["timeout"] = question.timeout
    effect = Effect(key, "input", context.turns + 1, agent.name, request)
    outcome = await context.effects.do(effect, ask)
    answer = _in_words(agent, question, outcome.result)
    agent.human_input.append(answer)
    return answer


def _in_words(agent: ConversableAgent, question: InputRequested, result: dict[str, Any]) -> str:
    values = result.get("values")
    if not isinstance(values, dict):
        return str(result.get("text") or "")
    current_context().set_variables(values, agent.name)
    properties = (question.schema or {}).get("properties", {})
    return "\n".join(
        f"{properties.get(name, {}).get('title') or name}: {_shown(value)}"
        for name, value in values.items()
    )


def _shown(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
