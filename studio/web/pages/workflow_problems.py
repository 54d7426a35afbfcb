"""Problems of a workflow at the controls of its form, in the words of what is chosen there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...errors import Problem
from ..context_rows import GROUP, NOT_A_NUMBER, at_rows
from ..formats import field_name
from ..forms import FormState, unflatten
from . import workflow_ends
from .workflow_rows import Flat, numbers, without_empty

Loc = list[str | int]
EMPTY = ("missing", "string_too_short")
NEEDED = {
    "workflow": "Choose a workflow", "from": "Choose a node", "to": "Choose a node",
    "id": "A node needs a name", "contains": "Say which words", "name": "Say which variable",
    "model": "Ask something that yes or no answers",
}  # fmt: skip
LETTERS = {
    "id": "Letters, digits, dashes and underscores", "name": "Letters, digits and underscores",
}  # fmt: skip
NODE = "Choose an agent or a workflow"


def place(form: FormState) -> None:
    """Gives every problem the place of the control that can mend it; rows without a word go."""
    form.values = without_empty(form.values)
    found: dict[str, Problem] = {}
    variables = unflatten(i for i in form.values.items() if i[0].startswith(f"{GROUP}."))
    whole = [] if form.value("kept.graph") else list(_of_whole(form))
    for problem in [*whole, *at_rows(form.problems, variables.get(GROUP))]:
        placed = None if whole and _is_of_whole(problem) else _placed(problem, form.values)
        if placed is not None:
            name = field_name(placed.loc)
            if placed.loc:
                form.values.setdefault(name, "")
            found.setdefault(name or placed.msg, placed)
    form.problems = list(found.values())


def _of_whole(form: FormState) -> Iterator[Problem]:
    """What a graph as a whole is refused for, where it comes from."""
    if not any(_is_of_whole(p) for p in form.problems):
        return
    values, ids = form.values, set[str]()
    for n in numbers(values, "nodes"):
        one = values.get(f"nodes.{n}.id", "")
        if one in ids:
            yield Problem(["nodes", n, "id"], f"There is a node {one} already", "node_twice")
        ids.add(one)
    for n in numbers(values, "edges"):
        for end in ("from", "to"):
            one = values.get(f"edges.{n}.{end}", "")
            if one and one not in ids:
                yield Problem(["edges", n, end], f"There is no node {one}", "node_missing")
    if values.get("start") and values["start"] not in ids:
        yield Problem(["start"], f"There is no node {values['start']}", "node_missing")


def _is_of_whole(problem: Problem) -> bool:
    return problem.loc in ([], ["graph"]) and "node" in problem.msg.lower()


def _placed(problem: Problem, values: Flat) -> Problem | None:
    match problem.loc:
        case ["edges" | "nodes", *_] if "kept.graph" in values:
            return problem
        case ["edges", int(n), "when", *rest]:
            return _of_condition(problem, n, rest)
        case ["edges" | "steps", int(), str(name)]:
            return _worded(problem, problem.loc, name)
        case ["nodes", int(n), "id"]:
            return _worded(problem, ["nodes", n, "id"], "id")
        case ["nodes", int(n)] | ["nodes", int(n), "agent" | "workflow"]:
            words = problem.msg if problem.code == "unknown_reference" else NODE
            return replace(problem, loc=["nodes", n, "holds"], msg=words)
        case ["termination", *rest]:
            return _of_ending(problem, tuple(rest), values)
    return problem


def _of_condition(problem: Problem, n: int, rest: Loc) -> Problem | None:
    row: Loc = ["edges", n]
    match rest:
        case []:  # "neither always nor else": the branch of the union that was not meant
            return None if problem.code == "literal_error" else replace(problem, loc=[*row, "kind"])
        case ["contains" | "model" as kind, *_]:
            return _worded(problem, [*row, kind], kind)
        case ["context", "value", *_]:
            return replace(problem, loc=[*row, "context", "value"], msg=NOT_A_NUMBER)
        case ["context", str(name), *_]:
            return _worded(problem, [*row, "context", name], name)
    return replace(problem, loc=[*row, "kind"])


def _of_ending(problem: Problem, rest: tuple[str | int, ...], values: Flat) -> Problem:
    name = workflow_ends.field_of(rest, values)
    loc: Loc = [int(part) if part.isdigit() else part for part in name.split(".")]
    words = problem.msg
    if problem.code == "too_short":
        words = "Add a condition, or remove the group"
    elif problem.code in EMPTY:
        words = "Choose an agent" if name.endswith(".agent") else NEEDED["contains"]
    return replace(problem, loc=loc, msg=words)


def _worded(problem: Problem, loc: Loc, name: str) -> Problem:
    words = problem.msg
    if problem.code in EMPTY:
        words = NEEDED.get(name, words)
    elif problem.code == "string_pattern_mismatch":
        words = LETTERS.get(name, words)
    return replace(problem, loc=loc, msg=words)
