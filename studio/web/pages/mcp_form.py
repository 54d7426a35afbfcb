"""The form of a skill that is an MCP server: how it is reached, and which of its tools are used."""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from ...definitions.skills import OfferedTool, by_function, schema_of
from ...errors import InvalidError, Problem
from ...runner.skill_tests import ListedTool
from ..call_forms import Parameter, parameters
from ..forms import FormState, part, texts, words

LONG = 1_000  # characters of a description, beyond which a person is told to read it
_OFFERED: TypeAdapter[list[OfferedTool]] = TypeAdapter(list[OfferedTool])


@dataclass(frozen=True, slots=True)
class ToolRow:
    """A tool in the list, with what a person should know before choosing it.

    state   "new", "changed" or "gone", where the server was just asked
    was     what it said of the tool before it changed
    """

    tool: OfferedTool
    controls: list[Parameter]
    is_chosen: bool
    state: str = ""
    was: OfferedTool | None = None

    @property
    def is_long(self) -> bool:
        return len(self.tool.description) > LONG

    @property
    def hides(self) -> bool:
        """Whether a model reads characters that a person does not see."""
        text = orjson.dumps(self.tool.model_dump()).decode()
        return any(unicodedata.category(c) in ("Cf", "Co", "Cn") for c in text)


def from_form(body: dict[str, Any]) -> dict[str, Any]:
    """What the form sent, as the body of a definition; the other kind of transport left out."""
    given = {k: v for k, v in body.items() if k not in ("headers", "offered_json", "source")}
    transport, rows = part(body, "transport"), body.get("headers")
    if transport.get("kind") == "http":
        headers = {
            words(row.get("name")).strip(): words(row.get("secret")).strip()
            for row in (rows if isinstance(rows, list) else [])
            if isinstance(row, dict)
        }
        kept = {k: transport[k] for k in ("kind", "url") if k in transport}
        given["transport"] = {**kept, "headers": headers}
    else:
        command = _words_of(words(transport.get("command")))
        given["transport"] = {"kind": "stdio", **({"command": command} if command else {})}
    given["tools"] = texts(body.get("tools"))
    given["offered"] = [t.model_dump() for t in read_offered(words(body.get("offered_json")))]
    return given


def _words_of(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        problem = Problem(["transport", "command"], "A quotation mark is not closed", "command")
        raise InvalidError([problem]) from None


def to_form(body: dict[str, Any]) -> dict[str, str]:
    transport = part(body, "transport")
    headers = transport.get("headers")
    shown = {
        "transport.command": shlex.join(texts(transport.get("command"))),
        "offered_json": written(body.get("offered")),
    }
    for at, (name, secret) in enumerate(headers.items() if isinstance(headers, dict) else ()):
        shown |= {f"headers.{at}.name": str(name), f"headers.{at}.secret": str(secret)}
    return shown


def written(offered: Any) -> str:
    """What was offered, as the form carries it: what a person sees is what is saved."""
    if not isinstance(offered, list) or not offered:
        return ""
    return orjson.dumps([o.model_dump() if isinstance(o, OfferedTool) else o for o in offered]
                        ).decode()  # fmt: skip


def read_offered(text: str) -> list[OfferedTool]:
    if not text:
        return []
    try:
        return _OFFERED.validate_json(text)
    except ValidationError:
        problem = Problem(["offered"], "List the tools again", "offered")
        raise InvalidError([problem]) from None


def values(form: FormState) -> dict[str, Any]:
    """What the template needs beside; never raises for what a browser sent."""
    form.values.setdefault("transport.kind", "stdio")
    offered, chosen = _shown(form)
    return {
        "template": "skills/mcp.html",
        "rows": [ToolRow(t, _controls(t), t.name in chosen) for t in offered],
        "gone": [name for name in chosen if name not in {t.name for t in offered}],
        "has_listed": False,
        **call_values(form, "", {}),
    }


def listed_values(found: Iterable[ListedTool], before: list[OfferedTool]) -> dict[str, Any]:
    """The list after the server was asked: what is new, what has changed, what is gone."""
    known = {tool.name: tool for tool in before}
    rows = [
        ToolRow(
            tool=one.tool,
            controls=_controls(one.tool),
            is_chosen=one.chosen and not one.changed,
            state="changed" if one.changed else "" if one.tool.name in known else "new",
            was=known[one.tool.name] if one.changed and one.chosen else None,
        )
        for one in found
    ]
    if not before:
        rows = [ToolRow(row.tool, row.controls, row.is_chosen) for row in rows]
    return {"rows": rows, "offered_json": written([row.tool for row in rows]), "has_listed": True}


def call_values(
    form: FormState, function: str, typed: dict[str, str], problems: Any = ()
) -> dict[str, Any]:
    """What the form of a call is made from."""
    offered, chosen = _shown(form)
    named = by_function(chosen, offered)
    shown = [schema_of(name, tool).as_json() for name, tool in named.items()]
    one = next((f for f in shown if f["name"] == function), shown[0] if shown else None)
    return {
        "read": {"functions": shown, "error": "", "line": 1},
        "chosen": one,
        "parameters": parameters(one, typed, problems) if one else [],
    }


def _shown(form: FormState) -> tuple[list[OfferedTool], list[str]]:
    """What was offered and what is chosen, as it stands in the form."""
    try:
        offered = read_offered(form.value("offered_json"))
    except InvalidError:
        offered = []
    chosen = [v for k, v in form.values.items() if k.startswith("tools.") and v]
    return offered, chosen


def _controls(tool: OfferedTool) -> list[Parameter]:
    return parameters(schema_of(tool.name, tool).as_json(), {})
