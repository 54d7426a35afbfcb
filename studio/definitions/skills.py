"""Skills: typed Python functions that agents may call. Stored and parsed, not run."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import StringConstraints, field_validator

from ..engine.schema import FunctionSchema, SchemaError, functions
from .common import Definition, Hosts, Text

Requirement = Annotated[str, StringConstraints(pattern=r"^[\w.\-\[\]=<>~!,]+$", max_length=100)]


class SkillDefinition(Definition):
    """`source` holds one or more typed functions; their docstrings are what models read."""

    read_only: ClassVar[frozenset[str]] = Definition.read_only | {"functions"}
    source: Text
    approval: Literal["never", "always", "once"] = "always"
    network: Literal["none", "open"] | Hosts = "none"
    packages: list[Requirement] = []
    secrets: list[Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]{0,63}$")]] = []
    idempotent: bool = False

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


def read_source(source: str) -> tuple[list[FunctionSchema], str]:
    """The functions of a source, or what keeps them from being read. Nothing is run."""
    if not source.strip():
        return [], ""
    try:
        return functions(source), ""
    except SchemaError as error:
        return [], str(error)
