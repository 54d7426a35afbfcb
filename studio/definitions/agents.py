"""Agents: the participants of a conversation."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag, TypeAdapter

from .common import (
    AgentName,
    CacheSeed,
    ContextVariables,
    Definition,
    Hosts,
    Line,
    Parameters,
    Reference,
    Requirement,
    SecretName,
    Strict,
    TerminationMessage,
    Text,
)
from .conditions import Condition
from .questions import HumanTimeout, QuestionDefinition

HumanInputMode = Literal["ALWAYS", "TERMINATE", "NEVER"]


class CodeExecutionConfig(Strict):
    """How code blocks are run: always in a box.

    image     of Docker; None is the usual one
    packages  of the package index, prepared before a session starts and never while it runs
    """

    executor: Literal["auto", "docker", "sandbox"] = "auto"
    image: Line | None = None
    timeout: Annotated[int, Field(ge=1, le=3600)] = 60
    last_n_messages: Literal["auto"] | Annotated[int, Field(ge=1, le=100)] = "auto"
    approval: Literal["never", "always"] = "never"
    network: Literal["none", "open"] | Hosts = "none"
    packages: list[Requirement] = Field(default=[], max_length=50)


class ExampleDefinition(Strict):
    user: Text
    assistant: Text


class ReplyDefinition(Strict):
    """The form an answer must have. `{list}` in starts_with stands for any item of the list."""

    starts_with: list[Annotated[str, StringConstraints(min_length=1, max_length=200)]] = Field(
        default=[], max_length=10
    )
    kind: Literal["text", "sentence", "list", "choice", "json"] = "text"
    count: Annotated[int, Field(ge=1, le=20)] = 3
    min_words: Annotated[int, Field(ge=1, le=100)] = 1
    max_words: Annotated[int, Field(ge=1, le=2000)] | None = None
    commas: bool = True
    capitals: bool = False
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")

    model_config = Strict.model_config | {"serialize_by_alias": True, "validate_by_name": True}


class NestedChat(Strict):
    """A workflow that runs inside the agent when `trigger` speaks to it; None: whoever speaks.

    Those that are triggered run in order, and what the last one comes to is the agent's answer. The
    first opens with what was heard, unless it has a `message` ({last} stands for what was heard);
    later ones need a message, and are told what those before came to.
    """

    trigger: Reference | None = None
    workflow: Reference
    message: Text | None = None
    max_turns: Annotated[int, Field(ge=1, le=1000)] | None = None
    summary_method: Literal["last_msg", "reflection_with_llm", "none"] = "last_msg"


class Handoff(Strict):
    """Passes the conversation to another agent, or back to a person ("user").

    when  words: the agent's model decides by them, as a tool; "always": after each of its answers;
          a condition: `context` is looked at before the agent answers, `contains` at its answer
    """

    to: Reference
    when: Annotated[Line, StringConstraints(min_length=1)] | Condition


class _Agent(Definition):
    """With a `cache_seed` an answer that was paid for is given again to the same request.

    `secrets` are those that its skills may be given, of those that they ask for: consent.
    """

    name: AgentName
    models: list[Reference] = Field(default=[], max_length=20)
    skills: list[Reference] = Field(default=[], max_length=50)
    secrets: list[SecretName] = Field(default=[], max_length=50)
    max_consecutive_auto_reply: Annotated[int, Field(ge=0, le=10_000)] | None = None
    default_auto_reply: Text = ""
    is_termination_msg: TerminationMessage | None = None
    code_execution_config: Literal[False] | CodeExecutionConfig = False
    examples: list[ExampleDefinition] = Field(default=[], max_length=50)
    history: Literal["all", "none"] | Annotated[int, Field(ge=1, le=1000)] = "all"
    ask: Text = ""
    reply: ReplyDefinition = ReplyDefinition()
    parameters: Parameters = Parameters()
    cache_seed: CacheSeed | None = None
    question: QuestionDefinition = QuestionDefinition()
    human_timeout: HumanTimeout | None = None
    nested: list[NestedChat] = Field(default=[], max_length=20)
    handoffs: list[Handoff] = Field(default=[], max_length=20)
    context_variables: ContextVariables = {}


class AssistantDefinition(_Agent):
    """Answers with a model."""

    kind: Literal["assistant"] = "assistant"
    system_message: Text | None = None
    human_input_mode: HumanInputMode = "NEVER"


class UserProxyDefinition(_Agent):
    """A person, or a stand-in for one."""

    kind: Literal["user_proxy"]
    system_message: Text | None = ""
    human_input_mode: HumanInputMode = "ALWAYS"


class TeamDefinition(_Agent):
    """A whole workflow that speaks as one agent (a society of mind).

    With `models` one of them turns the inner conversation into the answer, asked as
    `response_preparer` says; without, what the workflow came to is the answer.
    """

    kind: Literal["workflow"]
    workflow: Reference | None = None
    response_preparer: Text = ""
    system_message: Text | None = None
    human_input_mode: HumanInputMode = "NEVER"


def _kind(value: Any) -> str:
    """An agent that does not say its kind is an assistant."""
    if isinstance(value, dict):
        return str(value.get("kind", "assistant"))
    return str(getattr(value, "kind", "assistant"))


AgentDefinition = Annotated[
    Annotated[AssistantDefinition, Tag("assistant")]
    | Annotated[UserProxyDefinition, Tag("user_proxy")]
    | Annotated[TeamDefinition, Tag("workflow")],
    Discriminator(_kind),
]
AGENT: TypeAdapter[AgentDefinition] = TypeAdapter(AgentDefinition)
