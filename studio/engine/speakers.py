"""Who may speak next, and the strategies that choose: round robin, random, manual, auto."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .boxed import has_the_word
from .context import current_context
from .effects import Effect
from .errors import DefinitionError, SkippedChoiceError
from .events import InputRequested
from .sync import call_plain

if TYPE_CHECKING:
    from .agents import ConversableAgent
    from .group_chat import GroupChat
    from .manager import GroupChatManager

MANUAL_PROMPT = (
    "Enter the number of the next speaker (enter nothing or `q` to use auto selection): "
)
METHODS = ("auto", "manual", "random", "round_robin")


@dataclass(frozen=True, slots=True)
class Selection:
    """The speaker chosen from `candidates`; `trace` is the hidden chat with a selecting model."""

    agent: ConversableAgent
    candidates: list[ConversableAgent]
    method: str
    reason: str
    trace: list[dict[str, Any]] = field(default_factory=list)


class NoEligibleSpeakerError(Exception):
    """Nobody may speak after the last speaker: the group chat ends quietly."""


def eligible(
    group: GroupChat,
    last: ConversableAgent,
    *,
    compat: bool,
    among: list[ConversableAgent] | None = None,
) -> list[ConversableAgent]:
    """The agents that repeat rules and the transition graph allow after `last`.

    A member without a key in the graph ends the chat; an outsider may be followed by anyone.
    With nobody left, AutoGen 0.2 considers all agents (compat); otherwise the chat ends.
    """
    agents = group.agents if among is None else among
    repeat = group.allow_repeat_speaker
    may_repeat = last in repeat if isinstance(repeat, list) else bool(repeat)
    candidates = agents if may_repeat else [a for a in agents if a is not last]
    graph = group.transitions
    if graph is not None and last in group.agents:
        if last not in graph:
            raise NoEligibleSpeakerError(f"nobody may follow {last.name}")
        candidates = [a for a in candidates if a in graph[last]]
    if not candidates:
        if compat:
            return group.agents
        raise NoEligibleSpeakerError(f"nobody may follow {last.name}")
    return candidates


def next_agent(
    agents: Sequence[ConversableAgent],
    last: ConversableAgent,
    subset: Sequence[ConversableAgent],
) -> ConversableAgent:
    """The first of `subset` after `last` in group order, wrapping; after an outsider the first."""
    start = agents.index(last) + 1 if last in agents else 0
    for i in range(len(agents)):
        agent = agents[(start + i) % len(agents)]
        if agent in subset:
            return agent
    raise DefinitionError("The group chat has no agent that may speak")


def mentions(text: str, names: Sequence[str]) -> list[str]:
    """The distinct names that stand in a text as whole words, case-sensitively.

    Underscores of a name may be written as spaces or escaped, as models like to do.
    """
    found = []
    for name in names:
        variants = {name, name.replace("_", " "), name.replace("_", r"\_")}
        pattern = "|".join(re.escape(v) for v in sorted(variants, key=len, reverse=True))
        if re.search(rf"(?<!\w)(?:{pattern})(?!\w)", text):
            found.append(name)
    return found


async def select(group: GroupChat, manager: GroupChatManager, last: ConversableAgent) -> Selection:
    """Chooses the next speaker (ENGINE 2.3). Raises NoEligibleSpeakerError, DefinitionError."""
    given: Any = group.speaker_selection_method
    if callable(given):
        given = await _by_function(group, given, last)
        if isinstance(given, Selection):
            return given
    method = str(given).lower()
    if method not in METHODS:
        raise DefinitionError(
            f"speaker_selection_method is {given!r}; it must be one of {', '.join(METHODS)}"
        )
    if len(group.agents) < 2:
        raise DefinitionError("A group chat needs at least two agents")
    context = current_context()
    if why := has_the_word(group, last):
        return Selection(last, [last], method, why)
    able = _able(group, last, compat=context.compat.unknown_call_raises)
    if len(able) == 1:
        return Selection(able[0], able, method, f"only {able[0].name} can run what was called")
    candidates = eligible(
        group, last, compat=context.compat.nobody_means_everybody, among=able or None
    )
    if len(candidates) == 1:
        return Selection(
            candidates[0], candidates, method, f"only {candidates[0].name} may follow {last.name}"
        )
    if method == "round_robin":
        chosen = next_agent(group.agents, last, candidates)
        return Selection(chosen, candidates, method, f"next in order after {last.name}")
    if method == "random":
        return Selection(context.random.choice(candidates), candidates, method, "drawn at random")
    if method == "manual":
        return await _manual(group, last, candidates)
    from .auto_select import select_by_model

    return await select_by_model(group, manager, last, candidates)


async def _by_function(group: GroupChat, function: Any, last: ConversableAgent) -> Any:
    """What a selecting function says: a Selection, or the name of a method for this turn."""
    chosen = await call_plain(function, last, group)
    if inspect.isawaitable(chosen):
        chosen = await chosen
    if chosen is None:
        raise NoEligibleSpeakerError("the selecting function chose nobody")
    if isinstance(chosen, str | Selection):
        return chosen
    if not hasattr(chosen, "chat_messages"):
        raise DefinitionError(
            "Custom speaker selection function returned an object of type "
            f"{type(chosen)} instead of Agent or str."
        )
    if chosen not in group.agents:
        raise DefinitionError(
            f"Custom speaker selection function returned an agent {chosen.name} not in the "
            "group chat."
        )
    return Selection(chosen, [chosen], "function", "chosen by a function")


def _able(group: GroupChat, last: ConversableAgent, *, compat: bool) -> list[ConversableAgent]:
    """Who can run what the last message calls; empty when it calls nothing.

    Where nobody can, the caller is told so in the answer to its call.
    """
    if not group.func_call_filter or not group.messages:
        return []
    said = group.messages[-1]
    names = [str(c["function"]["name"]) for c in said.get("tool_calls") or []]
    if said.get("function_call"):
        names.append(str(said["function_call"]["name"]))
    if not names:
        return []
    able = [a for a in group.agents if a.can_execute_function(names)]
    able = able or [a for a in group.agents if a.function_map]
    if not able and not compat and last in group.agents:
        return [last]
    if not able:
        raise DefinitionError(
            f"No agent can execute the function {', '.join(names)}. "
            "Please check the function_map of the agents."
        )
    return able


async def _manual(
    group: GroupChat, last: ConversableAgent, candidates: list[ConversableAgent]
) -> Selection:
    """Asks a person, twice at most; without a choice the next agent of the whole group speaks."""
    for _ in range(2):
        answer = (await ask_manual(candidates)).strip()
        if answer in ("", "q"):
            break
        if re.fullmatch("[0-9]{1,4}", answer) and 1 <= int(answer) <= len(candidates):
            return Selection(
                candidates[int(answer) - 1], candidates, "manual", "chosen by a person"
            )
        for agent in candidates:
            if agent.name == answer:
                return Selection(agent, candidates, "manual", "chosen by a person")
    compat = current_context().compat
    if compat.skipped_manual_crashes and group.speaker_selection_method != "manual":
        raise SkippedChoiceError("A choice that a function asked for was skipped")
    pool = group.agents if compat.nobody_means_everybody else candidates
    chosen = next_agent(group.agents, last, pool)
    return Selection(chosen, candidates, "manual", f"nobody chose; next in order after {last.name}")


async def ask_manual(candidates: list[ConversableAgent]) -> str:
    context = current_context()
    key = context.next_key()
    question = InputRequested(
        question=context.identifier(key),
        form="choice",
        prompt=MANUAL_PROMPT,
        agent="*manual*",
        actions=["skip"],
        choices=[a.name for a in candidates],
    )
    context.emit(question)

    async def ask(_: int) -> dict[str, Any]:
        return {"text": await context.ask(question)}

    effect = Effect(
        key,
        "input",
        context.turns + 1,
        "*manual*",
        {"question": question.question, "form": question.form},
    )
    outcome = await context.effects.do(effect, ask)
    return str(outcome.result.get("text") or "")
