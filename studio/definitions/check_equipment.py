"""What agents run: their code, and the functions of their skills."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Problem
from .agents import AgentDefinition, TeamDefinition
from .skills import SkillDefinition
from .surroundings import Loc, Surroundings


def check_equipment(
    loc: Loc, one: str, agent: AgentDefinition, around: Surroundings
) -> Iterator[Problem]:
    if agent.code_execution_config:
        place: Loc = [*loc, "code_execution_config"]
        for found in around.hindrances.get(one, ()):
            where = [*place, found.field] if found.field else place
            words = f"The code of {agent.name} {found.words}"
            yield Problem(where, words, found.code, blocking=found.blocking)
    if not agent.skills:
        return
    if isinstance(agent, TeamDefinition) or not agent.models:
        words = f"{agent.name} has no model that could call its skills"
        yield Problem([*loc, "skills"], words, "skills_idle", blocking=False)
        return
    offered: dict[str, str] = {}
    for i, skill_id in enumerate(agent.skills):
        skill = around.skills.get(skill_id)
        at: Loc = [*loc, "skills", i]
        if skill is None:
            yield Problem(at, f"A skill of {agent.name} does not exist any more", "not_found")
            continue
        yield from _skill(at, skill_id, skill, agent, around)
        for schema in skill.schemas():
            other = offered.setdefault(schema.name, skill.name)
            if other != skill.name:
                words = f"{other} and {skill.name} both have a function {schema.name}"
                yield Problem(at, f"{words}: a model could not tell them apart", "same_function")


def _skill(
    at: Loc, one: str, skill: SkillDefinition, agent: AgentDefinition, around: Surroundings
) -> Iterator[Problem]:
    if not skill.schemas():
        yield Problem(at, f"{skill.name} offers nothing: choose its tools", "no_tools_chosen",
                      blocking=False)  # fmt: skip
    if skill.kind == "mcp" and (unlisted := skill.unlisted()):
        words = f"{skill.name} was never seen to offer {', '.join(unlisted)}: list its tools"
        yield Problem(at, words, "tools_unlisted", blocking=False)
    for found in around.hindrances.get(one, ()):
        words = f"The skill {skill.name} {found.words}"
        yield Problem(at, words, found.code, blocking=found.blocking)
    if refused := [name for name in skill.secrets if name not in agent.secrets]:
        words = f"{agent.name} does not let {skill.name} use {', '.join(refused)}"
        yield Problem([*at[:-2], "secrets"], words, "secret_consent", blocking=False)
