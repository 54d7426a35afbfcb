"""A1, mathematics with code: an assistant that programs and a proxy that runs what it writes.

The paper: of 120 problems of MATH's level 5 AutoGen's two built-in agents solve 52.5 %, ChatGPT
with Code Interpreter 48.33 %, with a plugin 45 %, GPT-4 alone 30 %, Multi-Agent Debate 26.67 %,
LangChain's ReAct 23.33 %; of the whole test set 69.48 % against GPT-4's 55.18 %.

Reproduced here is the structure, not the accuracy: the same scripted model three times. With a
proxy it writes a program, reads the error, mends it and answers; where code runs only once it never
gets to run the mended program; without code it cannot compute, and says the last number it read.
The programs run for real, in `work_dir` on this machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from studio.engine import AssistantAgent, UserProxyAgent
from studio.engine.messages import Message

from .coder import block, is_result, last_code, output_of, repaired
from .math_problems import DRAFTS, PROBLEMS, Problem
from .rule_models import RULE_CONFIG, Held, following, hold
from .table import Row, percent

MOST_RUNS = 5
WITH_CODE = "Solve the problem. Write Python for it, read what it prints, and end with TERMINATE."
WITHOUT_CODE = "Solve the problem without any tool, and end with TERMINATE."


@dataclass(frozen=True)
class Tally:
    """One policy over all problems."""

    asked: int
    solved: int
    runs: int
    failed_runs: int
    model_calls: int


@dataclass(frozen=True)
class MathFigures:
    """With runs as many as needed, with one run, and without code."""

    loop: Tally
    once: Tally
    alone: Tally


def mathematician(messages: list[Message]) -> str:
    """Programs the draft it has, mends it by the error it reads, and answers what was printed."""
    heard = messages[-1]["content"]
    if is_result(heard):
        result = output_of(heard)
        if result is not None:
            return _answer(result)
        return block(repaired(last_code(messages, "assistant"), heard), "I correct it.")
    if messages[0]["content"] == WITHOUT_CODE:
        return _answer(re.findall(r"\d+", heard)[-1])
    return block(DRAFTS[heard])


def _answer(value: str) -> str:
    return f"The answer is {value}. TERMINATE"


def solve(problem: Problem, work_dir: Path | None, runs: int) -> Held:
    """One chat of the two agents; without a `work_dir` the proxy runs nothing."""
    prompt = WITH_CODE if work_dir else WITHOUT_CODE
    assistant = AssistantAgent("assistant", prompt, llm_config=RULE_CONFIG)
    following(assistant, mathematician)
    proxy = UserProxyAgent(
        "user_proxy",
        human_input_mode="NEVER",
        max_consecutive_auto_reply=runs,
        is_termination_msg=lambda m: (m.get("content") or "").rstrip().endswith("TERMINATE"),
        code_execution_config=work_dir is not None
        and {"work_dir": str(work_dir), "use_docker": False},
    )
    return hold(proxy, assistant, problem.question)


def _tally(chat_about: Callable[[Problem], Held]) -> Tally:
    chats = [(problem, chat_about(problem)) for problem in PROBLEMS]
    runs = [run for _, held in chats for run in held.runs]
    return Tally(
        asked=len(chats),
        solved=sum(held.last_words == _answer(problem.answer) for problem, held in chats),
        runs=len(runs),
        failed_runs=sum(run.exit_code != 0 for run in runs),
        model_calls=sum(held.model_calls for _, held in chats),
    )


def run(work_dir: Path) -> MathFigures:
    """All problems under the three policies; code runs in `work_dir`."""
    return MathFigures(
        loop=_tally(lambda problem: solve(problem, work_dir, MOST_RUNS)),
        once=_tally(lambda problem: solve(problem, work_dir, 1)),
        alone=_tally(lambda problem: solve(problem, None, MOST_RUNS)),
    )


def rows(figures: MathFigures) -> list[Row]:
    loop, once, alone = figures.loop, figures.once, figures.alone
    return [
        Row("assistant and proxy, solved", _solved(loop), "52.5 % (level 5), 69.48 % (all)"),
        Row("code run once, solved", _solved(once), "48.33 % (Code Interpreter), 45 % (plugin)"),
        Row("no code, solved", _solved(alone), "30 % (GPT-4)"),
        Row("runs of code, failed of them", f"{loop.runs}, {loop.failed_runs}", "-"),
        Row("model calls a problem", f"{loop.model_calls / loop.asked:.1f}", "-"),
    ]


def _solved(tally: Tally) -> str:
    return f"{tally.solved}/{tally.asked} = {percent(tally.solved, tally.asked)}"
