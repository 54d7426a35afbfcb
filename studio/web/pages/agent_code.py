"""The part of an agent's form about the code that it runs, and the secrets that it shares."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...errors import Problem
from ...store.definitions import Stored
from ..forms import part, texts, words
from .agent_questions import lines

CONFIG, GROUP = "code_execution_config", "code"
STANDS_FOR = {
    f"{GROUP}.network": f"{CONFIG}.network",
    f"{GROUP}.packages": f"{CONFIG}.packages",
}
_CONTROLS = {"network": "hosts", "packages": "packages"}


def code_of(body: dict[str, Any]) -> dict[str, Any]:
    """The body with its configuration; lists come on lines. Off is False, whatever was typed."""
    given = part(body, GROUP)
    body.pop(GROUP, None)
    if body.pop("runs_code", "false") != "true":
        return body | {CONFIG: False}
    config = part(body, CONFIG)
    if "network" in given:
        hosts = {"hosts": lines(words(given.get("hosts")))}
        config["network"] = hosts if given["network"] == "hosts" else given["network"]
        config["packages"] = lines(words(given.get("packages")))
    return body | {CONFIG: config}


def ticked_of(body: dict[str, Any]) -> dict[str, Any]:
    """Check boxes. An empty one stands behind them, so that none is a value too."""
    for group in ("skills", "secrets"):
        if isinstance(body.get(group), list):
            body[group] = [one for one in body[group] if one != ""]
    return body


def code_shown(body: dict[str, Any]) -> dict[str, str]:
    config = part(body, CONFIG)
    network = config.get("network")
    hosts = network.get("hosts") if isinstance(network, dict) else []
    return {
        "runs_code": "true" if body.get(CONFIG) else "false",
        f"{CONFIG}.executor": words(config.get("executor")) or "auto",
        f"{CONFIG}.approval": words(config.get("approval")) or "never",
        f"{GROUP}.network": "hosts" if isinstance(network, dict) else words(network) or "none",
        f"{GROUP}.hosts": "\n".join(texts(hosts)),
        f"{GROUP}.packages": "\n".join(texts(config.get("packages"))),
    }


def code_problem(problem: Problem, raw: dict[str, Any]) -> Problem:
    """Problems of lines at the control that holds them, each with its line."""
    loc = problem.loc
    if len(loc) < 2 or loc[0] != CONFIG or loc[1] not in _CONTROLS:
        return problem
    control = _CONTROLS[str(loc[1])]
    typed = lines(words(part(raw, GROUP).get(control)))
    at = loc[-1]
    named = isinstance(at, int) and at < len(typed)
    msg = f"{typed[at]}: {problem.msg}" if named and isinstance(at, int) else problem.msg
    return replace(problem, loc=[GROUP, control], msg=msg)


def secrets_asked(
    skills: list[Stored], chosen: list[str], allowed: list[str]
) -> list[tuple[str, list[str], bool]]:
    """(name, the skills that ask for it, whether the agent allows it): what the agent allows, in
    its order, and what else the chosen skills ask for."""
    asking: dict[str, list[str]] = {name: [] for name in allowed if name}
    for skill in skills:
        if skill.id in chosen:
            for name in texts(skill.body.get("secrets")):
                asking.setdefault(name, []).append(skill.name)
    return [(name, users, name in allowed) for name, users in asking.items()]
