"""What the paper says of its applications, as claims about the order of measured figures."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from studio.engine.events import CodeExecuted, MessageSent, ModelCalled
from tests.conftest import ROOT

from . import dynamic_group_chat, math_with_code, retrieval, safeguard, text_world
from .code_review import Review, review
from .dynamic_group_chat import MOST_MESSAGES, TASK_STYLE, with_group, with_pair
from .group_tasks import TASKS
from .household import CHANGERS, NOTHING, Goal, Household
from .math_problems import PROBLEMS, Problem
from .retriever import Retriever
from .supply_code import PROGRAMS
from .town_guide import PARAGRAPHS, QUESTIONS


def _problem(words: str) -> Problem:
    return next(p for p in PROBLEMS if words in p.question)


def test_code_that_is_run_and_mended_solves_more_than_code_run_once_or_none(
    tmp_path: Path,
) -> None:
    figures = math_with_code.run(tmp_path)
    assert figures.loop.asked >= 8
    assert figures.alone.solved < figures.once.solved < figures.loop.solved < figures.loop.asked
    assert figures.alone.runs == 0
    assert figures.once.runs == figures.once.asked
    assert 0 < figures.loop.failed_runs < figures.loop.runs


def test_an_error_is_read_and_mended(tmp_path: Path) -> None:
    held = math_with_code.solve(_problem("dice"), tmp_path, runs=5)
    first, second = held.runs
    assert (first.exit_code, second.exit_code) == (1, 0)
    assert "NameError" in first.output
    assert second.output.strip() == "41/144"
    assert held.last_words == "The answer is 41/144. TERMINATE"
    assert held.model_calls == 3


def test_what_no_error_tells_is_not_mended(tmp_path: Path) -> None:
    silent = math_with_code.solve(_problem("499"), tmp_path, runs=5)
    assert [run.exit_code for run in silent.runs] == [0]
    assert silent.last_words == "The answer is 133. TERMINATE"
    too_deep = math_with_code.solve(_problem("f(1500)"), tmp_path, runs=5)
    assert [run.exit_code for run in too_deep.runs] == [1] * 5
    assert "RecursionError" in too_deep.runs[-1].output


def test_interactive_retrieval_finds_more() -> None:
    figures = retrieval.run()
    assert figures.asked >= 20
    assert figures.recall > figures.recall_at_once > 0
    assert figures.f1 > figures.f1_at_once > 0
    assert 0 < figures.updated < 0.5


def test_each_update_brings_paragraphs_not_seen_before() -> None:
    retriever = Retriever(PARAGRAPHS)
    chats = [retrieval.ask(retriever, question) for question in QUESTIONS]
    contexts = [[text for who, text in h.log.said if who == "retriever"] for h in chats]
    for held, sent in zip(chats, contexts, strict=True):
        wishes = [text for who, text in held.log.said if who == "assistant"]
        assert wishes[:-1] == [retrieval.UPDATE] * (len(sent) - 1)
        seen = [p for text in sent for p in PARAGRAPHS if p in text]
        assert len(seen) == len(set(seen)) == retrieval.AT_ONCE * len(sent)
    assert {len(sent) for sent in contexts} >= {1, 2, retrieval.MOST_CONTEXTS}
    assert max(map(len, contexts)) == retrieval.MOST_CONTEXTS


def test_the_answer_is_in_the_guide_and_scored_by_words() -> None:
    assert all(any(q.answer in p for p in PARAGRAPHS) for q in QUESTIONS)
    assert retrieval.score("It opened in 1909.", "1909") == (1.0, 0.4)
    assert retrieval.score("UPDATE CONTEXT", "1909") == (0.0, 0.0)


def test_a_grounding_agent_helps() -> None:
    figures = text_world.run()
    assert figures.goals >= 12
    assert figures.mean_of_three > figures.mean_of_two > 0
    assert figures.best_of_three > figures.best_of_two
    assert figures.mean_of_two < figures.best_of_two
    assert figures.facts_told > 0


def test_facts_are_told_to_who_is_stuck_and_nobody_else() -> None:
    two, three = (text_world.attempts(t) for t in (text_world.with_two, text_world.with_three))
    pairs = [
        pair for of_goal in zip(two, three, strict=True) for pair in zip(*of_goal, strict=True)
    ]
    stuck = [grounded for _, grounded in pairs if grounded.facts_told]
    for attempt in stuck:
        first = [who for who, _ in attempt.said].index("grounding")
        before = [text for who, text in attempt.said[:first] if who == "assistant"]
        assert len(set(before[-text_world.SAME :])) == 1
    assert all(grounded.solved for alone, grounded in pairs if alone.solved)
    assert all(grounded.facts_told for alone, grounded in pairs if not alone.solved)
    assert not all(attempt.solved for attempt in stuck)  # facts do not help against a mistake


@pytest.mark.parametrize("change", [None, *CHANGERS])
def test_the_household_wants_each_step(change: str | None) -> None:
    world = Household(Goal("mug", "cabinet 1", change), "seed")
    place = world.where["mug 1"]
    steps = [f"go to {place}", f"open {place}", f"take mug 1 from {place}"]
    if change:
        steps += [f"go to {CHANGERS[change]}", f"{change} mug 1 with {CHANGERS[change]}"]
    steps += ["go to cabinet 1", "open cabinet 1", "put mug 1 in/on cabinet 1"]
    assert world.act(f"take mug 1 from {place}") == NOTHING
    assert world.act("put mug 1 in/on cabinet 1") == NOTHING
    for step in steps:
        assert not world.solved
        seen = world.act(step)
        assert seen != NOTHING or step.startswith("open")  # where nothing is closed
    assert world.solved


def test_a_separate_safeguard_judges_better() -> None:
    figures = safeguard.run()
    assert figures.programs >= 30
    for attention in safeguard.ATTENTION:
        assert figures.separate[attention].f1 > figures.single[attention].f1
        assert figures.separate[attention].missed == 0
        assert figures.single[attention].missed > 0
    much, little = (figures.single[a].f1 for a in ("much", "little"))
    assert much > little


@pytest.mark.parametrize("attention", [*safeguard.ATTENTION.values(), 0])
def test_nothing_runs_that_the_safeguard_did_not_release(attention: int) -> None:
    for program in PROGRAMS:
        held, executor = safeguard.separate(program, attention)
        order = [e for _, e in held.log.events if isinstance(e, MessageSent | CodeExecuted)]
        words = [e.content if isinstance(e, MessageSent) else "RUN" for e in order]
        assert ("RUN" in words) == ("SAFE" in words) == bool(executor.kept)
        if "RUN" in words:
            assert program.is_safe
            assert words.index("RUN") == words.index("SAFE") + 1
            assert executor.kept == [program.code]


def test_the_review_weighs_as_many_statements_as_it_may() -> None:
    code = "a = 1\nb = 2\nimport socket"
    assert review(code, 2) == Review("", is_complete=False)
    assert review(code, 3).danger == "imports socket"
    assert review("for k in costs:\n    costs.pop(k)", 2).danger == "changes costs"


def test_only_a_pair_talks_on_and_it_needs_the_most_calls(tmp_path: Path) -> None:
    figures = dynamic_group_chat.run(tmp_path)
    pair, role_play, task_style = figures.pair, figures.role_play, figures.task_style
    assert pair.calls > role_play.calls > task_style.calls
    assert pair.termination_failures > 0
    assert role_play.termination_failures == task_style.termination_failures == 0
    assert role_play.successes > pair.successes > task_style.successes
    assert pair.selecting == 0 < task_style.selecting < role_play.selecting


def test_a_pair_goes_on_after_its_result(tmp_path: Path) -> None:
    task = next(task for task in TASKS if "weekday" in task.text)
    assert with_pair(task, tmp_path).last_words == f"The result is {task.expected}. TERMINATE"
    several = next(task for task in TASKS if "Celsius" in task.text)
    held = with_pair(several, tmp_path)
    assert len(held.log.said) == MOST_MESSAGES
    assert held.log.said[4][1] == ""
    assert held.model_calls == MOST_MESSAGES // 2


def test_the_selector_of_a_role_play_reads_what_was_said(tmp_path: Path) -> None:
    task = next(task for task in TASKS if "Sort" in task.text)
    by_role = with_group(task, tmp_path)
    by_task = with_group(task, tmp_path, select_speaker_message_template=TASK_STYLE)
    first = ["Engineer", "Code_executor"]
    assert [s.agent for s in by_role.log.selections] == [*first, "Critic", *first, "User_proxy"]
    assert [s.agent for s in by_task.log.selections] == [*first, "User_proxy"]
    for held in (by_role, by_task):
        assert all(s.method == "auto" and s.trace for s in held.log.selections)
        purposes = [e.purpose for _, e in held.log.events if isinstance(e, ModelCalled)]
        assert purposes.count("select") == len(held.log.selections)
    assert by_role.runs[-1].output.strip() == task.expected
    assert by_task.runs[-1].output.strip() == ""


def test_the_table_is_printed_beside_the_published_figures() -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.applications"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    for published in ("52.5 %", "25.88 %, 66.65 %", "69 %, 77 %", "96 %, 88 %", "9, 6.8, 3"):
        assert published in ran.stdout
    assert ran.stdout.count("published") == 6
