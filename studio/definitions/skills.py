"""Skills: what agents may call. Typed Python functions, or tools that an MCP server offers.

Both are stored and read, not run; both say with `schemas()` what a model is offered.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import (
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    TypeAdapter,
    field_validator,
    model_validator,
)

from ..engine.schema import FunctionSchema, SchemaError, functions
from ..engine.tool_text import MAX_NAME, normalize_name
from .common import Definition, Hosts, Requirement, SecretName, Strict, Text, web_address
from .tool_schemas import as_bytes, put_right

MAX_OFFERED = 500  # tools of one server
MAX_OFFERED_SIZE = 500_000  # characters of all of them
_OURS = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "host",
     "transfer-encoding"}
)  # fmt: skip

ToolName = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class _Skill(Definition):
    """What every skill says of its calls.

    network     what a function, or a server that runs in a box, may reach
    packages    of the package index, prepared before a session starts and never while it runs
    secrets     given as environment variables, where the agent that calls allows it
    idempotent  a call that was cut off may be made again without asking
    """

    read_only: ClassVar[frozenset[str]] = Definition.read_only | {"functions"}
    approval: Literal["never", "always", "once"] = "always"
    network: Literal["none", "open"] | Hosts = "none"
    packages: list[Requirement] = Field(default=[], max_length=50)
    secrets: list[SecretName] = Field(default=[], max_length=50)
    idempotent: bool = False


class PythonSkillDefinition(_Skill):
    """`source` holds one or more typed functions; their docstrings are what models read."""

    kind: Literal["python"] = "python"
    source: Text

    @field_validator("source")
    @classmethod
    def _has_functions(cls, value: str) -> str:
        try:
            functions(value)
        except SchemaError as error:
            raise ValueError(str(error)) from None
        return value

    def schemas(self) -> list[FunctionSchema]:
        return functions(self.source)


class OfferedTool(Strict):
    """A tool as its server described it; `parameters` is the JSON schema of its arguments."""

    name: ToolName
    description: Annotated[str, StringConstraints(max_length=20_000)] = ""
    parameters: dict[str, Any] = {}

    @field_validator("parameters")
    @classmethod
    def _put_right(cls, value: dict[str, Any]) -> dict[str, Any]:
        return put_right(value)

    def same_as(self, other: OfferedTool) -> bool:
        """Whether both are the same to a model."""
        return as_bytes(self.model_dump()) == as_bytes(other.model_dump())

    @property
    def size(self) -> int:
        """Characters that a definition keeps of it."""
        return len(as_bytes(self.model_dump()))


class StdioTransport(Strict):
    """A program that runs in a box, and speaks on its standard input and output."""

    kind: Literal["stdio"]
    command: list[Annotated[str, StringConstraints(min_length=1, max_length=1_000)]] = Field(
        min_length=1, max_length=50
    )


class HttpTransport(Strict):
    """A server elsewhere. The values of `headers` are names of secrets, never their values."""

    kind: Literal["http"]
    url: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]
    headers: dict[
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$", max_length=100)], SecretName
    ] = Field(default={}, max_length=20)

    @field_validator("url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        parts = web_address(value, "what is secret into a secret")
        if parts.fragment or any(c.isspace() or not c.isprintable() for c in value):
            raise ValueError("an address has no # and no spaces")
        return value

    @field_validator("headers")
    @classmethod
    def _are_free(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name.lower() in _OURS or name.lower().startswith("mcp-"):
                raise ValueError(f"{name} is set by the studio itself")
        return value

    @property
    def destination(self) -> str:
        """Scheme, host and port: what a secret that is bound must be bound to."""
        parts = urlsplit(self.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return f"{parts.scheme}://{parts.hostname}:{port}"


Transport = Annotated[StdioTransport | HttpTransport, Field(discriminator="kind")]


class McpSkillDefinition(_Skill):
    """Tools of an MCP server, by the names that the server gives them.

    offered  what the server said of its tools when a person last looked. Models are told this and
             nothing else; a tool that the server describes otherwise by now is not called.
    tools    those of them that were chosen
    """

    kind: Literal["mcp"]
    transport: Transport
    tools: list[ToolName] = Field(default=[], max_length=128)
    offered: list[OfferedTool] = Field(default=[], max_length=MAX_OFFERED)

    @model_validator(mode="before")
    @classmethod
    def _packages_of_the_command(cls, value: Any) -> Any:
        """Packages may be written beside the command that needs them."""
        if not isinstance(value, dict) or not isinstance(value.get("transport"), dict):
            return value
        transport = dict(value["transport"])
        if transport.get("kind") != "stdio" or "packages" not in transport:
            return value
        packages = transport.pop("packages")
        return {**value, "transport": transport, "packages": value.get("packages") or packages}

    @field_validator("tools")
    @classmethod
    def _chosen_once(cls, value: list[str]) -> list[str]:
        return list(dict.fromkeys(value))

    @field_validator("offered")
    @classmethod
    def _told_apart(cls, value: list[OfferedTool]) -> list[OfferedTool]:
        if len({tool.name for tool in value}) < len(value):
            raise ValueError("two tools have the same name")
        if sum(tool.size for tool in value) > MAX_OFFERED_SIZE:
            raise ValueError(f"all tools have at most {MAX_OFFERED_SIZE:,} characters together")
        return value

    def by_function(self) -> dict[str, OfferedTool]:
        return by_function(self.tools, self.offered)

    def schemas(self) -> list[FunctionSchema]:
        return [schema_of(name, tool) for name, tool in self.by_function().items()]

    def unlisted(self) -> list[str]:
        """Tools that were chosen, but that the server was never seen to offer."""
        known = {tool.name for tool in self.offered}
        return [tool for tool in self.tools if tool not in known]


def by_function(chosen: list[str], offered: list[OfferedTool]) -> dict[str, OfferedTool]:
    """The chosen tools by names that function calls allow, each of its own."""
    known = {tool.name: tool for tool in offered}
    named: dict[str, OfferedTool] = {}
    for tool in chosen:
        if tool not in known:
            continue
        name, number = normalize_name(tool), 1
        while name in named:
            number += 1
            name = f"{normalize_name(tool)[: MAX_NAME - len(str(number)) - 1]}_{number}"
        named[name] = known[tool]
    return named


def schema_of(name: str, tool: OfferedTool) -> FunctionSchema:
    parameters = tool.parameters or {"type": "object", "properties": {}}
    return FunctionSchema(name, tool.description, parameters, is_async=True)


def _kind(value: Any) -> str:
    """A skill that does not say its kind is Python."""
    if isinstance(value, dict):
        return str(value.get("kind", "python"))
    return str(getattr(value, "kind", "python"))


SkillDefinition = Annotated[
    Annotated[PythonSkillDefinition, Tag("python")] | Annotated[McpSkillDefinition, Tag("mcp")],
    Discriminator(_kind),
]
SKILL: TypeAdapter[SkillDefinition] = TypeAdapter(SkillDefinition)


def read_source(source: str) -> tuple[list[FunctionSchema], str]:
    """The functions of a source, or what keeps them from being read. Nothing is run."""
    if not source.strip():
        return [], ""
    try:
        return functions(source), ""
    except SchemaError as error:
        return [], str(error)
