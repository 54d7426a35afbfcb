"""Questions to a person: a text, one of several choices, or a form from a JSON schema."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    create_model,
    model_validator,
)

from ..errors import InvalidError, Problem
from .common import Line, Strict, Text, Word
from .problems import problems_of

Choice = Annotated[str, StringConstraints(min_length=1, max_length=200)]
MAX_FIELDS = 30


class FormField(Strict):
    """One field of a form, in JSON schema's words. `format` textarea asks for a long text."""

    type: Literal["string", "integer", "number", "boolean"] = "string"
    title: Line = ""
    description: Line = ""
    enum: list[Choice] | None = Field(default=None, min_length=1, max_length=50)
    format: Literal["textarea"] | None = None
    default: str | int | float | bool | None = None
    minimum: float | None = None
    maximum: float | None = None

    @model_validator(mode="after")
    def _fits(self) -> FormField:
        if self.enum is not None and self.type != "string":
            raise ValueError("only a string can be one of a list")
        if self.default is not None:
            fault = field_fault(self, self.default)
            if fault:
                raise ValueError(f"the default does not fit: {fault}")
        return self


class FormSchema(Strict):
    """A flat object in JSON schema's words; the fields are asked in this order."""

    type: Literal["object"] = "object"
    properties: dict[Word, FormField] = Field(min_length=1, max_length=MAX_FIELDS)
    required: list[Word] = Field(default=[], max_length=MAX_FIELDS)

    @model_validator(mode="after")
    def _known(self) -> FormSchema:
        for name in self.required:
            if name not in self.properties:
                raise ValueError(f"the required field {name!r} is not among the properties")
        return self


class QuestionDefinition(Strict):
    """How the person behind an agent is asked: `choices` for a choice, `schema` for fields."""

    form: Literal["text", "choice", "fields"] = "text"
    prompt: Line = ""
    choices: list[Choice] = Field(default=[], max_length=20)
    schema_: FormSchema | None = Field(default=None, alias="schema")

    model_config = Strict.model_config | {"serialize_by_alias": True, "validate_by_name": True}


class HumanTimeout(Strict):
    """What happens when a person does not answer in time: the agent answers by itself, the
    conversation ends there, or the session fails."""

    seconds: Annotated[int, Field(ge=1, le=31_536_000)]
    then: Literal["auto_reply", "end", "fail"] = "auto_reply"


def _model(schema: FormSchema) -> type[BaseModel]:
    """A class that checks the values; made of the schema's names only, nothing is run."""
    fields: dict[str, Any] = {}
    for i, (name, field) in enumerate(schema.properties.items()):
        kind = _type(field)
        given = Field(alias=name) if name in schema.required else Field(default=None, alias=name)
        fields[f"f{i}"] = (kind if name in schema.required else kind | None, given)
    return create_model("Values", __config__=ConfigDict(extra="forbid"), **fields)


def _type(field: FormField) -> Any:
    if field.enum is not None:
        return Literal[tuple(field.enum)]
    match field.type:
        case "string":
            return Text
        case "boolean":
            return bool
        case "integer":
            least = None if field.minimum is None else math.ceil(field.minimum)
            most = None if field.maximum is None else math.floor(field.maximum)
            return Annotated[int, Field(ge=least, le=most)]
        case "number":
            return Annotated[float, Field(ge=field.minimum, le=field.maximum, allow_inf_nan=False)]


def field_fault(field: FormField, value: Any) -> str:
    """Why a value does not fit, or nothing."""
    try:
        _model(FormSchema.model_construct(properties={"x": field}, required=["x"]))(x=value)
    except ValidationError as error:
        return str(error.errors()[0]["msg"])
    return ""


def checked_values(schema: FormSchema, values: dict[str, Any]) -> dict[str, Any]:
    """The values as their types say, in the order of the form; what was left out is left out.

    Texts that write a number or a truth are read, as a browser sends nothing else. An empty text
    in a field that may be left out counts as left out. Raises InvalidError at ["values", name].
    """
    given = {
        name: value
        for name, value in values.items()
        if not (value in ("", None) and name not in schema.required)
    }
    problems = [
        Problem(["values", name], "This field is needed", "missing")
        for name in schema.required
        if isinstance(given.get(name, ""), str) and not given.get(name, "").strip()
    ]
    if problems:
        raise InvalidError(problems)
    try:
        model = _model(schema)(**given)
    except ValidationError as error:
        found = problems_of(error)
        raise InvalidError([replace(p, loc=["values", *p.loc]) for p in found]) from None
    read = model.model_dump(by_alias=True)
    return {name: read[name] for name in schema.properties if read[name] is not None}
