"""Types that several definitions share."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from .hosts import host_entry

_NAME = re.compile(r"[\w .-]{1,64}")


def _named(name: str) -> str:
    name = name.strip()
    if not name:
        raise ValueError("a name is needed")
    if not _NAME.fullmatch(name):
        raise ValueError("use up to 64 letters, digits, spaces, dots, dashes and underscores")
    return name


def _one_word(name: str) -> str:
    if " " in name:
        raise ValueError("no spaces in an agent's name: model servers refuse them")
    return name


Name = Annotated[str, AfterValidator(_named)]
AgentName = Annotated[str, AfterValidator(_named), AfterValidator(_one_word)]
Line = Annotated[str, StringConstraints(max_length=1_000)]
Text = Annotated[str, StringConstraints(max_length=100_000)]
# an id, or in a bundle "workflows/" and a name
Reference = Annotated[str, StringConstraints(min_length=1, max_length=80)]


_VERSION = r"(===|==|~=|!=|<=|>=|<|>)[A-Za-z0-9.*+!_-]+"
_PACKAGE = re.compile(
    rf"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._,-]+\])?({_VERSION}(,{_VERSION})*)?"
)
_ARCHIVES = (".whl", ".zip", ".tar", ".tgz", ".gz", ".bz2", ".tbz", ".xz", ".txz", ".tlz", ".lz",
             ".lzma")  # fmt: skip


def _requirement(text: str) -> str:
    """Never an option of pip, an address or a file."""
    if not _PACKAGE.fullmatch(text) or text.lower().endswith(_ARCHIVES):
        raise ValueError("give packages of the index by name, like pandas or pandas>=2,<3")
    return text


Requirement = Annotated[
    str,
    StringConstraints(max_length=100),
    AfterValidator(_requirement),
    WithJsonSchema({"type": "string", "pattern": f"^{_PACKAGE.pattern}$", "maxLength": 100}),
]
HostEntry = Annotated[
    str,
    StringConstraints(max_length=300),
    AfterValidator(host_entry),
    WithJsonSchema({"type": "string", "pattern": r"^[A-Za-z0-9*_.:\[\]-]+$", "maxLength": 300}),
]
SecretName = Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]*$", max_length=64)]


def web_address(value: str, place_of_secrets: str) -> SplitResult:
    """The parts of an address that programs call. Raises ValueError for what is none, and for one
    that holds a user or a password: `place_of_secrets` says where those belong."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("this is not an address") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("an address begins with http:// or https:// and a host")
    if parts.username or parts.password:
        raise ValueError(f"put {place_of_secrets}, not into the address")
    return parts


class Strict(BaseModel):
    """Unknown fields are errors; infinities and NaN are not numbers; no text holds a NUL."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _no_nul(cls, value: Any) -> Any:
        if has_nul(value):
            raise ValueError("a NUL character is not allowed")
        return value


def has_nul(value: Any) -> bool:
    """Whether a NUL stands anywhere in a JSON value: databases refuse it."""
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any(has_nul(k) or has_nul(v) for k, v in value.items())
    return isinstance(value, list) and any(has_nul(v) for v in value)


class Hosts(Strict):
    """The hosts that code may reach: names, *.names or addresses, each with a port or for 80 and
    443."""

    hosts: list[HostEntry] = Field(max_length=50)

    @model_validator(mode="after")
    def _no_host_twice(self) -> Hosts:
        for at, entry in enumerate(self.hosts):
            if entry in self.hosts[:at]:
                raise error_at(("hosts", at), entry, f"{entry} stands here twice")
        return self


def error_at(loc: tuple[str | int, ...], given: Any, message: str) -> ValidationError:
    """To be raised in a validator, where the error stands deeper than the validator does."""
    return ValidationError.from_exception_data(
        "", [{"type": PydanticCustomError("value_error", "{message}", {"message": message}),
              "loc": loc, "input": given}],
    )  # fmt: skip


class Definition(Strict):
    """What every definition has. Read-only fields of a response may be sent back unchanged."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {"id", "revision", "created_at", "updated_at", "has_draft"}
    )
    v: Literal[1] = 1
    name: Name
    description: Line = ""

    @model_validator(mode="before")
    @classmethod
    def _drop_read_only(cls, value: Any) -> Any:
        if isinstance(value, dict) and not cls.read_only.isdisjoint(value):
            return {k: v for k, v in value.items() if k not in cls.read_only}
        return value


class TerminationMessage(Strict):
    """When a message ends the chat for an agent, or for the manager of a group."""

    kind: Literal["exact", "endswith", "contains", "never"]
    text: Annotated[str, StringConstraints(min_length=1, max_length=500)] = "TERMINATE"


class Limits(Strict):
    """A session pauses when one is reached; waiting for a person does not count as time."""

    max_messages: Annotated[int, Field(ge=1, le=100_000)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    max_cost_usd: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    max_seconds: Annotated[int, Field(ge=1, le=31_536_000)] | None = None

    def within(self, other: Limits) -> Limits:
        """The stricter of both, limit by limit."""
        chosen: dict[str, Any] = {}
        for name in type(self).model_fields:
            values = [v for v in (getattr(self, name), getattr(other, name)) if v is not None]
            chosen[name] = min(values) if values else None
        return Limits(**chosen)


class Parameters(Strict):
    """Sampling parameters, with the names of the chat completions API. None is not sent."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0, le=1000)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    stop: list[Line] | None = Field(default=None, max_length=4)
    repeat_penalty: Annotated[float, Field(ge=0.5, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high"] | None = None

    def given(self) -> dict[str, Any]:
        return self.model_dump(exclude_none=True)


CacheSeed = Annotated[int, Field(ge=0, le=2**31 - 1)]
JsonScalar = str | int | float | bool | None
# Lengths stand beside the patterns, not in them: "\w{1,64}" costs 7 MB and 30 ms to compile.
Word = Annotated[str, StringConstraints(pattern=r"^\w+$", max_length=64)]
ContextVariables = dict[Word, JsonScalar]
