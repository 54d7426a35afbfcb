"""A3, a world in words: an assistant that plans, an executor, and a grounding agent.

The paper: on the 134 unseen tasks of ALFWorld, three agents succeed in 69 % on average and in 77 %
with the best of three attempts; two agents in 54 % and 63 %, ReAct in 54 % and 66 %. The grounding
agent adds common sense facts when the assistant says the same action three times in a row.

Reproduced here is the structure: a scripted planner that overlooks preconditions (`planner.py`), a
household of our own (`household.py`), and the same attempts with two agents and with three.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from studio.engine import AssistantAgent, ConversableAgent, GroupChat, GroupChatManager
from studio.engine.messages import Message

from .household import CHANGERS, KINDS, Goal, Household
from .planner import FACTS, Planner
from .rule_models import RULE_CONFIG, following, hold
from .table import Row, percent

MOST_ACTIONS = 30
ATTEMPTS = 3
SAME = 3  # as many equal actions in a row call for a fact
DONE = "The task is solved."
TARGETS = ("desk 1", "shelf 1", "cabinet 1", "sidetable 1")
CHANGES = (None, *CHANGERS)
GOALS = tuple(
    Goal(KINDS[(2 * i + j) % len(KINDS)], target, change)
    for i, change in enumerate(CHANGES)
    for j, target in enumerate(TARGETS)
)


@dataclass(frozen=True)
class WorldFigures:
    """Of all goals: the mean of the attempts, and the goals that one attempt or more reached."""

    goals: int
    mean_of_two: float
    best_of_two: float
    mean_of_three: float
    best_of_three: float
    facts_told: int


@dataclass(frozen=True)
class Attempt:
    """One attempt at a goal, and who said what in it."""

    solved: bool
    said: list[tuple[str, str]]

    @property
    def facts_told(self) -> int:
        return sum(agent == "grounding" for agent, _ in self.said)


def _executor(world: Household) -> ConversableAgent:
    """Performs the last action of the assistant and says what is seen."""

    def perform(
        agent: ConversableAgent, messages: list[Message], sender: Any, config: Any
    ) -> tuple[bool, str]:
        seen = world.act(messages[-1]["content"])
        return True, f"{seen} {DONE}" if world.solved else seen

    executor = ConversableAgent(
        "executor", human_input_mode="NEVER", max_consecutive_auto_reply=MOST_ACTIONS
    )
    executor.register_reply(ConversableAgent, perform, position=2)
    return executor


def _assistant(seed: str) -> AssistantAgent:
    assistant = AssistantAgent("assistant", llm_config=RULE_CONFIG, is_termination_msg=_is_done)
    return following(assistant, Planner(seed))


def _is_done(message: Message) -> bool:
    return str(message["content"]).endswith(DONE)


def is_stuck(messages: list[Message]) -> bool:
    """Whether the assistant said the same action again and again since the last fact."""
    actions: list[str] = []
    for message in reversed(messages):
        if message["name"] == "grounding":
            break
        if message["name"] == "assistant":
            actions.append(message["content"])
    return len(actions) >= SAME and len(set(actions[:SAME])) == 1


def with_two(goal: Goal, seed: str) -> Attempt:
    """Assistant and executor."""
    world = Household(goal, seed)
    held = hold(_executor(world), _assistant(seed), world.opening())
    return Attempt(world.solved, held.log.said)


def with_three(goal: Goal, seed: str) -> Attempt:
    """The same two, and a third who says the facts to an assistant that is stuck."""
    world = Household(goal, seed)
    executor, assistant = _executor(world), _assistant(seed)
    grounding = ConversableAgent(
        "grounding", human_input_mode="NEVER", default_auto_reply=" ".join(FACTS)
    )

    def next_speaker(last: ConversableAgent, group: GroupChat) -> ConversableAgent:
        if last is not assistant:
            return assistant
        return grounding if is_stuck(group.messages) else executor

    group = GroupChat(
        [assistant, executor, grounding],
        max_round=3 * MOST_ACTIONS,
        speaker_selection_method=next_speaker,
    )
    manager = GroupChatManager(group, is_termination_msg=_is_done)
    held = hold(executor, manager, world.opening())
    return Attempt(world.solved, held.log.said)


def attempts(team: Callable[[Goal, str], Attempt]) -> list[list[Attempt]]:
    """By goal; the seed fixes the world and the planner."""
    return [[team(goal, f"{goal}, {i}") for i in range(ATTEMPTS)] for goal in GOALS]


def _mean(made: list[list[Attempt]]) -> float:
    return sum(a.solved for of_goal in made for a in of_goal) / (len(GOALS) * ATTEMPTS)


def _best(made: list[list[Attempt]]) -> float:
    return sum(any(a.solved for a in of_goal) for of_goal in made) / len(GOALS)


def run() -> WorldFigures:
    """Both teams make the same attempts, with the same worlds and the same planners."""
    two, three = attempts(with_two), attempts(with_three)
    return WorldFigures(
        goals=len(GOALS),
        mean_of_two=_mean(two),
        best_of_two=_best(two),
        mean_of_three=_mean(three),
        best_of_three=_best(three),
        facts_told=sum(a.facts_told for of_goal in three for a in of_goal),
    )


def rows(figures: WorldFigures) -> list[Row]:
    three, two = figures.mean_of_three, figures.mean_of_two
    return [
        Row("three agents, mean and best of 3", _pair(three, figures.best_of_three), "69 %, 77 %"),
        Row("two agents, mean and best of 3", _pair(two, figures.best_of_two), "54 %, 63 %"),
    ]


def _pair(mean: float, best: float) -> str:
    return f"{percent(mean)}, {percent(best)}"
