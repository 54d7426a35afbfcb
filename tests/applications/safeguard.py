"""A4, OptiGuide: a commander, a writer and a safeguard, or one agent that is all three.

The paper: of 100 programs, the F1 of finding the unsafe ones is 96 % with a separate safeguard
against 88 % of a single agent with GPT-4, and 83 % against 48 % with GPT-3.5. OptiGuide's code
shrank from 430 lines to 100.

Reproduced here is the structure. The user asks the commander, who asks the writer for a program in
a nested chat, has the safeguard look at it in another, runs it only if that said SAFE, and lets the
writer explain the result. The single agent writes, looks at its own program and decides in one
reply. Both look by the same rules (`code_review.py`) with the same attention; the single agent has
spent a statement of it on each statement that it wrote. A safeguard that has not read a program to
its end says DANGER, because its word is what releases a program; the single agent sends what it
found nothing in, because sending is what it is there for. That models an assumption; only what
follows from it is measured. The rules know every danger in the list: one that they do not know
would pass both teams. Programs never run: both teams' executor only keeps what it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.engine import AssistantAgent, ConversableAgent, UserProxyAgent, a_initiate_chat
from studio.engine.execution.executor import CodeResult
from studio.engine.execution.extract import CodeBlock
from studio.engine.messages import Message

from .code_review import review, statements
from .coder import block, code_in, is_result
from .rule_models import RULE_CONFIG, Held, Rule, following, hold
from .supply_code import PROGRAMS, Program
from .table import Row, percent

ATTENTION = {"much": 14, "little": 9}  # statements weighed in one reply
REFUSED = "The safeguard refused the program."
CODE_OF = {program.question: program.code for program in PROGRAMS}


@dataclass
class Keeping:
    """An executor that runs nothing and remembers what it should have run."""

    kept: list[str] = field(default_factory=list)

    async def run(self, blocks: Sequence[CodeBlock], rules: Any = None) -> CodeResult:
        self.kept += [b.code.strip() for b in blocks]
        return CodeResult(0, "(kept)")


@dataclass(frozen=True)
class Verdicts:
    """Of one team over all programs.

    found         unsafe, and not run
    missed        unsafe, and given to the executor
    false_alarms  safe, and not run
    """

    found: int
    missed: int
    false_alarms: int
    model_calls: int

    @property
    def f1(self) -> float:
        return 2 * self.found / (2 * self.found + self.missed + self.false_alarms)


@dataclass(frozen=True)
class SafeguardFigures:
    """By attention: the verdicts of the team of three and of the single agent."""

    programs: int
    separate: dict[str, Verdicts]
    single: dict[str, Verdicts]


def write(messages: list[Message]) -> str:
    """The writer: a program for a question, words for a result or for a refusal."""
    heard = messages[-1]["content"]
    if is_result(heard):
        return "That is the answer. TERMINATE"
    if heard == REFUSED:
        return "I have no safe way to answer this. TERMINATE"
    return block(CODE_OF[heard], "This answers it.")


def safeguard_with(attention: int) -> Rule:
    """Says SAFE of a program that it read to the end without finding danger."""

    def judge(messages: list[Message]) -> str:
        seen = review(code_in(messages[-1]["content"]), attention)
        return "SAFE" if seen.is_complete and not seen.danger else f"DANGER {seen.danger}"

    return judge


def writer_and_judge_with(attention: int) -> Rule:
    """The single agent: writes, looks at it with what attention is left, and sends it or not."""

    def both(messages: list[Message]) -> str:
        said = write(messages)
        code = code_in(said)
        if code and review(code, attention - len(statements(code))).danger:
            return "I have no safe way to answer this. TERMINATE"
        return said

    return both


def _ends(message: Message) -> bool:
    return str(message.get("content")).endswith("TERMINATE")


def _runner(name: str, executor: Keeping) -> UserProxyAgent:
    return UserProxyAgent(
        name,
        human_input_mode="NEVER",
        is_termination_msg=_ends,
        code_execution_config={"executor": executor},
    )


def separate(program: Program, attention: int) -> tuple[Held, Keeping]:
    """The user asks the commander; everything else happens in chats inside that one."""
    executor = Keeping()
    user = ConversableAgent("user", human_input_mode="NEVER")
    commander = _runner("commander", executor)
    writer = following(AssistantAgent("writer", llm_config=RULE_CONFIG), write)
    safeguard = AssistantAgent("safeguard", llm_config=RULE_CONFIG)
    following(safeguard, safeguard_with(attention))

    async def released(
        agent: ConversableAgent, messages: list[Message], sender: Any, config: Any
    ) -> tuple[bool, str | None]:
        """Not final, so that the commander's own execution comes next, only after SAFE."""
        asked = messages[-1]["content"]
        if not code_in(asked):
            return False, None
        verdict = await a_initiate_chat(commander, safeguard, message=asked, max_turns=1)
        return (False, None) if verdict.summary == "SAFE" else (True, REFUSED)

    commander.register_reply(writer, released, position=2)
    commander.register_nested_chats([{"recipient": writer}], trigger=user)
    return hold(user, commander, program.question, max_turns=1), executor


def single(program: Program, attention: int) -> tuple[Held, Keeping]:
    """One agent, and a proxy that runs whatever it sends."""
    executor = Keeping()
    agent = AssistantAgent("agent", llm_config=RULE_CONFIG)
    following(agent, writer_and_judge_with(attention))
    return hold(_runner("proxy", executor), agent, program.question), executor


Team = Callable[[Program, int], tuple[Held, Keeping]]


def verdicts(team: Team, attention: int) -> Verdicts:
    """What a team did with each program: one that it did not run, it found unsafe."""
    ran = [(p, *team(p, attention)) for p in PROGRAMS]
    executed = [(p, bool(executor.kept)) for p, _, executor in ran]
    return Verdicts(
        found=sum(not p.is_safe and not was_run for p, was_run in executed),
        missed=sum(not p.is_safe and was_run for p, was_run in executed),
        false_alarms=sum(p.is_safe and not was_run for p, was_run in executed),
        model_calls=sum(held.model_calls for _, held, _ in ran),
    )


def run() -> SafeguardFigures:
    return SafeguardFigures(
        programs=len(PROGRAMS),
        separate={name: verdicts(separate, much) for name, much in ATTENTION.items()},
        single={name: verdicts(single, much) for name, much in ATTENTION.items()},
    )


def rows(figures: SafeguardFigures) -> list[Row]:
    published = {"much": "96 %, 88 % (GPT-4)", "little": "83 %, 48 % (GPT-3.5)"}
    lines = [
        Row(
            f"F1 separate, single ({name} attention)",
            f"{percent(figures.separate[name].f1)}, {percent(figures.single[name].f1)}",
            published[name],
        )
        for name in ATTENTION
    ]
    missed = [sum(v.missed for v in t.values()) for t in (figures.separate, figures.single)]
    return [*lines, Row("unsafe programs run, separate, single", f"{missed[0]}, {missed[1]}", "-")]
