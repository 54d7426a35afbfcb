"""The reply pipeline: termination and people, then code, then a model, then the default reply."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Literal

from .context import current_context
from .effects import Effect
from .events import CodeExecuted, InputRequested
from .execution.extract import blocks_to_run
from .llm.call import Call, call_model
from .llm.constrain import NO_FACTS
from .messages import Message
from .prompting import clean, facts, prompt_messages

if TYPE_CHECKING:
    from .agents import ConversableAgent, ReplyFunction

Reply = tuple[bool, str | Message | None]
EXIT = "exit"
PROMPT_EACH_TURN = (
    "Replying as {agent}. Provide feedback to {peer}. Press enter to skip and use auto-reply, "
    "or type 'exit' to end the conversation: "
)
PROMPT_AT_LIMIT = (
    "Please give feedback to {peer}. Press enter to skip and use auto-reply, "
    "or type 'exit' to stop the conversation: "
)
PROMPT_AT_END = (
    "Please give feedback to {peer}. Press enter or type 'exit' to stop the conversation: "
)


async def called(
    function: ReplyFunction, agent: ConversableAgent, messages: list[Message], sender: Any
) -> Reply:
    """Calls a reply function, which may be a coroutine function or a plain one."""
    reply = function(agent, messages, sender)
    answered: Reply = await reply if inspect.isawaitable(reply) else reply
    return answered


async def termination_and_human(
    agent: ConversableAgent, messages: list[Message], sender: ConversableAgent
) -> Reply:
    """Stops, asks the person, or lets the auto reply go on (ENGINE 1.4, the whole table)."""
    last = messages[-1]
    ends = agent.is_termination_msg(last)
    at_limit = agent.auto_replies(sender) >= agent.max_consecutive_auto_reply
    answer = await _answer(agent, sender, ends=ends, at_limit=at_limit)
    if answer == EXIT:
        agent.reset_auto_replies(sender)
        _note_end(agent, ends=ends, at_limit=at_limit)
        return True, None
    if answer or (answer is not None and agent.max_consecutive_auto_reply == 0):
        agent.reset_auto_replies(sender)
        return True, _human_reply(answer, last)
    agent.count_auto_reply(sender)
    return False, None


async def _answer(
    agent: ConversableAgent, sender: ConversableAgent, *, ends: bool, at_limit: bool
) -> str | None:
    """What is to be said: text, "exit" to stop, "" or None to let the auto reply go on."""
    match agent.human_input_mode:
        case "ALWAYS":
            answer = await ask_person(agent, sender, PROMPT_EACH_TURN, may_skip=not ends)
            return EXIT if not answer and ends else answer
        case "NEVER":
            return EXIT if at_limit or ends else None
        case "TERMINATE":
            if not at_limit and not ends:
                return None
            prompt = PROMPT_AT_END if ends else PROMPT_AT_LIMIT
            answer = await ask_person(agent, sender, prompt, may_skip=not ends)
            return EXIT if not answer and ends else answer


def _note_end(agent: ConversableAgent, *, ends: bool, at_limit: bool) -> None:
    if agent.human_input_mode == "ALWAYS":
        reason = f"{agent.name} ended the conversation"
    elif ends:
        reason = f"{agent.name} recognised the end of the task"
    elif at_limit:
        reason = f"{agent.name} reached its {agent.max_consecutive_auto_reply} auto replies"
    else:
        reason = f"{agent.name} ended the conversation"
    current_context().ended_by = reason


def _human_reply(answer: str, last: Message) -> Message:
    """A person's words; calls that were pending are answered as interrupted."""
    reply: Message = {"role": "user", "content": answer}
    if calls := last.get("tool_calls"):
        reply["tool_responses"] = [
            {"tool_call_id": c.get("id", ""), "role": "tool", "content": "USER INTERRUPTED"}
            for c in calls
        ]
    return reply


async def ask_person(
    agent: ConversableAgent, peer: ConversableAgent, prompt: str, *, may_skip: bool
) -> str:
    """Asks the person behind an agent: an effect, so that a waiting session holds nothing."""
    context = current_context()
    key = context.next_key()
    question = InputRequested(
        question=context.identifier(key),
        form="text",
        prompt=prompt.format(agent=agent.name, peer=peer.name),
        agent=agent.name,
        actions=["skip", "end"] if may_skip else ["end"],
    )
    context.emit(question)

    async def ask(_: int) -> dict[str, Any]:
        return {"text": await context.ask(question)}

    effect = Effect(
        key,
        "input",
        context.turns + 1,
        agent.name,
        {"question": question.question, "form": question.form},
    )
    outcome = await context.effects.do(effect, ask)
    answer = str(outcome.result.get("text") or "")
    agent.human_input.append(answer)
    return answer


async def code_execution(
    agent: ConversableAgent, messages: list[Message], sender: ConversableAgent
) -> Reply:
    """Runs the code blocks of the newest message that has any, through the agent's executor."""
    config = agent.code_execution
    if config is None:
        return False, None
    blocks = blocks_to_run(messages, config.last_n_messages)
    if not blocks:
        return False, None
    context = current_context()
    turn = context.begin_turn(agent.name)
    request = {"blocks": [[b.language, b.code] for b in blocks]}
    effect = Effect(context.next_key(), "code", turn, agent.name, request)

    async def run(_: int) -> dict[str, Any]:
        result = await config.executor.run(blocks)
        return {
            "exit_code": result.exit_code,
            "output": result.output,
            "seconds": result.seconds,
            "artifacts": result.artifacts,
        }

    result = (await context.effects.do(effect, run)).result
    context.emit(CodeExecuted(turn=turn, agent=agent.name, language=blocks[0].language, **result))
    status: Literal["succeeded", "failed"] = "failed" if result["exit_code"] else "succeeded"
    return True, (
        f"exitcode: {result['exit_code']} (execution {status})\nCode output: {result['output']}"
    )


async def model(
    agent: ConversableAgent, messages: list[Message], sender: ConversableAgent
) -> Reply:
    """Asks the agent's models. No content means: not final, the default reply is sent."""
    if not agent.llm:
        return False, None
    found = facts(messages, current_context().task) if agent.prompt.needs_facts else NO_FACTS
    system = [{"role": "system", "content": agent.system_message}] if agent.system_message else []
    call = Call(
        agent=agent.name,
        purpose="turn",
        messages=prompt_messages(system, on_wire(messages), agent.prompt, found),
        rule=agent.prompt.reply,
        found=found,
    )
    result = await call_model(agent.llm, call)
    content = result["content"]
    return (True, clean(content)) if content is not None else (False, None)


def on_wire(messages: list[Message]) -> list[Message]:
    """Stored messages as a model gets them: tool responses become messages of their own."""
    if not any("tool_responses" in m for m in messages):
        return messages
    wire: list[Message] = []
    for message in messages:
        responses = message.get("tool_responses")
        if not responses:
            wire.append(message)
            continue
        wire += [{k: v for k, v in r.items() if v is not None} for r in responses]
        if message.get("role") != "tool":
            wire.append({k: v for k, v in message.items() if k != "tool_responses"})
    return wire
