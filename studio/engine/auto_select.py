"""Speaker selection by a model: a hidden chat that names the next speaker, with retries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .context import current_context
from .llm.call import LLM, Call, call_model
from .llm.configured import llm_of
from .llm.constrain import read_choice
from .messages import text_of
from .model_replies import on_wire
from .speakers import Selection, mentions, next_agent

if TYPE_CHECKING:
    from .agents import ConversableAgent
    from .group_chat import GroupChat
    from .manager import GroupChatManager

CHECKER = "checking_agent"
SELECTOR = "speaker_selection_agent"


async def select_by_model(
    group: GroupChat,
    manager: GroupChatManager,
    last: ConversableAgent,
    candidates: list[ConversableAgent],
) -> Selection:
    """Asks up to 1 + max_retries times; if no answer names one agent, the next in order speaks.

    Where the model's server can be held to a list of names, the first answer is always valid.
    """
    fallback = next_agent(group.agents, last, candidates)
    llm = _selecting(group, manager)
    if not llm:
        return Selection(
            fallback, candidates, "auto", f"no model to choose; next in order after {last.name}"
        )
    names = [a.name for a in candidates]
    messages = _question(group, candidates, names)
    trace: list[dict[str, Any]] = [{"role": m["role"], "content": m["content"]}
                                   for m in (messages[0], messages[-1])]  # fmt: skip
    constrained = () if current_context().compat.free_selection else tuple(names)
    for _ in range(1 + group.max_retries_for_selecting_speaker):
        call = Call(manager.name, "select", messages, names=constrained)
        with _without_cache():
            result = await call_model(llm, call)
        answer = read_choice((result["content"] or "").strip())
        trace.append({"role": "assistant", "content": answer})
        named = mentions(answer, names)
        if len(named) == 1:
            chosen = candidates[names.index(named[0])]
            return Selection(
                chosen, candidates, "auto", f"{result['model']} chose {chosen.name}", trace
            )
        template = (
            group.select_speaker_auto_multiple_template
            if named
            else group.select_speaker_auto_none_template
        )
        again = filled(template, names)
        trace.append({"role": "user", "content": again})
        messages = [
            *messages,
            {"role": "assistant", "name": SELECTOR, "content": answer},
            _asked(again, group.role_for_select_speaker_messages),
        ]
    reason = f"no answer named one agent; next in order after {last.name}"
    return Selection(fallback, candidates, "auto", reason, trace)


@contextmanager
def _without_cache() -> Iterator[None]:
    """A chat's own cache is for what its agents say; a seed of the models counts (ENGINE 2.4)."""
    context = current_context()
    kept, context.cache = context.cache, None
    try:
        yield
    finally:
        context.cache = kept


def _selecting(group: GroupChat, manager: GroupChatManager) -> LLM:
    """The group's own selecting models, or the manager's."""
    given = group.select_speaker_auto_llm_config
    return (llm_of(given) if given is not None else None) or manager.llm


def _question(
    group: GroupChat, candidates: list[ConversableAgent], names: list[str]
) -> list[dict[str, Any]]:
    roles = "\n".join(f"{a.name}: {a.description}".strip() for a in candidates)
    system = filled(group.select_speaker_message_template, names, roles)
    said = [dict(m) for m in on_wire(group.messages)]
    transforms = group.select_speaker_transform_messages
    if transforms is not None:
        said = transforms.transform(said)
    for message in said[-1:]:
        for calls in ("tool_calls", "function_call"):
            if calls in message:
                message[calls] = None
    if group.select_speaker_prompt_template:
        prompt = _asked(
            filled(group.select_speaker_prompt_template, names),
            group.role_for_select_speaker_messages,
        )
    else:
        prompt = {**said[-1], "content": text_of(said[-1].get("content"))}
    return [{"role": "system", "content": system}, *said, prompt]


def _asked(content: str, role: str) -> dict[str, Any]:
    return {"content": content, "name": CHECKER, "role": role}


def filled(template: str, names: list[str], roles: str = "") -> str:
    """Fills {roles} and {agentlist}; any other brace stays as it is."""
    values = {"roles": roles, "agentlist": repr(names)}
    return re.sub(r"\{(roles|agentlist)\}", lambda m: values[m[1]], template)
