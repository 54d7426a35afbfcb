"""What a definition refers to, and whether its models can be asked at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..errors import Problem
from .agents import AgentDefinition
from .models import ModelDefinition
from .skills import SkillDefinition
from .workflows import WorkflowDefinition

Loc = list[str | int]


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Why an agent's code or a skill cannot run here; `words` go on behind its name."""

    words: str
    code: str
    field: str = ""
    blocking: bool = False


@dataclass(frozen=True)
class Surroundings:
    """Everything that a workflow refers to, by id, which models lack a key they need, and what
    hinders code and skills, by the ids of agents and skills."""

    models: dict[str, ModelDefinition]
    skills: dict[str, SkillDefinition]
    agents: dict[str, AgentDefinition]
    workflows: dict[str, WorkflowDefinition]
    without_key: frozenset[str] = frozenset()
    unready: frozenset[str] = frozenset()
    hindrances: Mapping[str, list[Hindrance]] = field(default_factory=dict)


def check_model(loc: Loc, one: str, around: Surroundings, agent: str = "") -> Iterator[Problem]:
    model = around.models.get(one)
    if model is None:
        yield Problem(loc, "This model does not exist any more", "not_found")
        return
    whose = f" (used by {agent})" if agent else ""
    if not model.model and model.provider not in ("scripted", "local"):
        yield Problem(loc, f"{model.name} does not say which model to ask for{whose}",
                      "model_unnamed")  # fmt: skip
    if model.provider == "scripted":
        if not model.replies:
            yield Problem(loc, f"{model.name} is scripted but has no replies{whose}",
                          "no_replies")  # fmt: skip
    elif model.provider != "local" and not model.address:
        yield Problem(loc, f"{model.name} has no address{whose}", "address_missing")
    if one in around.without_key:
        yield Problem(loc, f"{model.name} needs its key{whose}", "secret_missing")
    if one in around.unready:
        yield Problem(
            loc, f"{model.name} is not on this machine yet{whose}: fetch it on the models page",
            "model_not_fetched",
        )  # fmt: skip
