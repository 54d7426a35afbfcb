"""A5, dynamic group chat: who speaks next is decided while the conversation goes on.

The paper: twelve tasks, with two agents, with a group whose selector is told to play roles, and
with one whose selector is told to serve the task. Successes are 8, 9, 7 with GPT-3.5 and 9, 11, 8
with GPT-4; model calls, and conversations that did not end by themselves, are 9.9 and 9, 5.3 and 0,
4 and 0 with GPT-3.5, and 6.8 and 3, 4.5 and 0, 4 and 0 with GPT-4 (authors' evaluation notes).

Reproduced here is the structure, with one scripted engineer for all three policies:

- A pair ends when the assistant says TERMINATE. After a task of several parts ("... and ...") it
  offers to go on instead, and the proxy has nothing to say: so it goes on to the limit, and what
  that costs in calls is the limit's.
- The role play selector reads the last message: code goes to the executor, an error back to the
  engineer, a result without output to the critic, and a result to the user proxy, which ends.
- The task-style selector looks at who is needed for the task and not at what was said: engineer,
  executor, user proxy, once each. It ends early, with whatever the first program gave.

Programs run for real in `work_dir`. Model calls are counted from the events of each chat, those
that select a speaker included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from studio.engine import AssistantAgent, GroupChat, GroupChatManager, UserProxyAgent
from studio.engine.events import ModelCalled
from studio.engine.messages import Message

from .coder import block, code_in, is_result, last_code, output_of, repaired
from .group_tasks import TASKS, Task
from .rule_models import RULE_CONFIG, Held, Rule, following, hold
from .table import Row

MOST_MESSAGES = 22  # the limit of every conversation
REMARK = "The program printed nothing. Please print the result."
OFFER = "Shall I go on with the next part?"
TASK_STYLE = (
    "A task is to be done. These agents can be chosen:\n{roles}.\n"
    "Select from {agentlist} the agent that the task needs next. Only return its name."
)
CODES = {task.text: task.code for task in TASKS}


@dataclass(frozen=True)
class PolicyFigures:
    """One policy over all tasks; `calls` is the mean of model calls, `selecting` those of them that
    chose a speaker."""

    tasks: int
    successes: int
    calls: float
    selecting: float
    termination_failures: int


@dataclass(frozen=True)
class GroupFigures:
    pair: PolicyFigures
    role_play: PolicyFigures
    task_style: PolicyFigures


def engineer(messages: list[Message]) -> str:
    """Programs, mends what an error or a remark names, and reports a result."""
    task, heard = messages[1]["content"], messages[-1]["content"]
    code = last_code(messages, "Engineer")
    if is_result(heard):
        output = output_of(heard)
        return block(repaired(code, heard)) if output is None else _report(task, output)
    if heard == REMARK:
        name = code.splitlines()[-1].partition(" = ")[0]
        return block(f"{code}\nprint({name})")
    if heard == task:
        return block(CODES[task]) if CODES[task] else _report(task, "not known to me")
    return OFFER


def _report(task: str, output: str) -> str:
    return f"The result is {output}. {OFFER if ' and ' in task else 'TERMINATE'}"


def critic(messages: list[Message]) -> str:
    """Says what is missing from the last result."""
    return REMARK if output_of(messages[-1]["content"]) == "" else "I see no fault."


def selector(messages: list[Message]) -> str:
    """Reads the question as it was put: as a role play, or for the sake of the task."""
    said = messages[1:-1]
    is_role_play = "role play" in messages[0]["content"]
    return _by_what_was_said(said[-1]) if is_role_play else _by_the_task(said)


def _by_what_was_said(last: Message) -> str:
    content = last["content"]
    if code_in(content):
        return "Code_executor"
    if last["name"] in ("User_proxy", "Critic"):
        return "Engineer"
    if not is_result(content):
        return "User_proxy"
    output = output_of(content)
    return "Engineer" if output is None else "User_proxy" if output else "Critic"


def _by_the_task(said: list[Message]) -> str:
    spoken = {message["name"] for message in said[1:]}
    return next(n for n in ("Engineer", "Code_executor", "User_proxy") if n not in spoken)


def _thinking(name: str, rule: Rule, description: str) -> AssistantAgent:
    agent = AssistantAgent(name, llm_config=RULE_CONFIG, description=description)
    return following(agent, rule)


def _engineer() -> AssistantAgent:
    return _thinking("Engineer", engineer, "Writes programs for tasks.")


def with_pair(task: Task, work_dir: Path) -> Held:
    """The assistant and a proxy that runs its code."""
    proxy = UserProxyAgent(
        "User_proxy",
        human_input_mode="NEVER",
        max_consecutive_auto_reply=MOST_MESSAGES // 2 - 1,
        is_termination_msg=lambda m: (m.get("content") or "").rstrip().endswith("TERMINATE"),
        code_execution_config={"work_dir": str(work_dir), "use_docker": False},
    )
    return hold(proxy, _engineer(), task.text)


def with_group(task: Task, work_dir: Path, **prompts: str) -> Held:
    """User proxy, engineer, executor and critic; the manager's model selects by `prompts`."""
    user = UserProxyAgent(
        "User_proxy",
        human_input_mode="NEVER",
        max_consecutive_auto_reply=0,  # it has the first word, and ends when it is asked
        code_execution_config=False,
        description="Has the task, and gets the result.",
    )
    executor = UserProxyAgent(
        "Code_executor",
        human_input_mode="NEVER",
        code_execution_config={"work_dir": str(work_dir), "use_docker": False},
    )
    group = GroupChat(
        [user, _engineer(), executor, _thinking("Critic", critic, "Finds what is missing.")],
        max_round=MOST_MESSAGES,
        speaker_selection_method="auto",
        allow_repeat_speaker=False,
        **prompts,  # type: ignore[arg-type]
    )
    manager = following(GroupChatManager(group, llm_config=RULE_CONFIG), selector)
    return hold(user, manager, task.text)


def _result(held: Held) -> str | None:
    """What the last program printed, if it ran to its end."""
    results = [content for _, content in held.log.said if is_result(content)]
    return output_of(results[-1]) if results else None


def _figures(chat_about: Callable[[Task], Held]) -> PolicyFigures:
    chats = [(task, chat_about(task)) for task in TASKS]
    selecting = [
        event
        for _, held in chats
        for _, event in held.log.events
        if isinstance(event, ModelCalled) and event.purpose == "select"
    ]
    return PolicyFigures(
        tasks=len(chats),
        successes=sum(bool(task.code) and _result(h) == task.expected for task, h in chats),
        calls=sum(held.model_calls for _, held in chats) / len(chats),
        selecting=len(selecting) / len(chats),
        termination_failures=sum(len(held.log.said) >= MOST_MESSAGES for _, held in chats),
    )


def run(work_dir: Path) -> GroupFigures:
    """All tasks under the three policies."""
    return GroupFigures(
        pair=_figures(lambda task: with_pair(task, work_dir)),
        role_play=_figures(lambda task: with_group(task, work_dir)),
        task_style=_figures(
            lambda task: with_group(task, work_dir, select_speaker_message_template=TASK_STYLE)
        ),
    )


def rows(figures: GroupFigures) -> list[Row]:
    published = (
        ("two agents", figures.pair, "8, 9.9, 9", "9, 6.8, 3"),
        ("role play", figures.role_play, "9, 5.3, 0", "11, 4.5, 0"),
        ("task-style", figures.task_style, "7, 4, 0", "8, 4, 0"),
    )
    return [
        Row(
            f"{name}: successes of {f.tasks}, model calls, termination failures",
            f"{f.successes}, {f.calls:.1f}, {f.termination_failures}",
            f"{gpt_3} (GPT-3.5); {gpt_4} (GPT-4)",
        )
        for name, f, gpt_3, gpt_4 in published
    ]
