"""The form of a skill: its editor, what models are offered, permissions, the form of a call."""

from __future__ import annotations

import re
from typing import Any

from ...definitions.skills import McpSkillDefinition, PythonSkillDefinition, read_source
from ...store import definitions, secrets
from ...store.definitions import Stored
from ..call_forms import parameters, read_typed
from ..credentials import Principal
from ..dependencies import Services
from ..forms import FormState, texts, words
from . import mcp_form
from .nouns import NounPages

TEMPLATE = '''def word_count(text: str) -> int:
    """Count the words of a text.

    text: what to read, in any language
    """
    return len(text.split())
'''
NEW: dict[str, Any] = {
    "kind": "python", "name": "", "description": "", "source": TEMPLATE, "approval": "always",
}  # fmt: skip
PERMISSIONS = ("approval", "network", "packages", "secrets", "idempotent")


def from_form(raw: dict[str, Any]) -> dict[str, Any]:
    body = dict(raw)
    for name in ("packages", "secrets"):
        if isinstance(body.get(name), str):
            body[name] = _items(body[name])
    network = body.get("network")
    if isinstance(network, dict) and "kind" in network:
        hosts = _items(words(network.get("hosts")))
        body["network"] = {"hosts": hosts} if network["kind"] == "hosts" else network["kind"]
    return mcp_form.from_form(body) if body.get("kind") == "mcp" else body


def _items(text: str) -> list[str]:
    """One a line, or several between commas; the comma of "pandas>=2,<3" stands in one of them."""
    return [one.strip(" ,") for one in re.split(r"\n|,\s|\s{2,}", text) if one.strip(" ,")]


def to_form(body: dict[str, Any]) -> dict[str, str]:
    network = body.get("network") or "none"
    hosts = network.get("hosts") if isinstance(network, dict) else []
    return {
        "packages": "\n".join(texts(body.get("packages"))),
        "secrets": ", ".join(texts(body.get("secrets"))),
        "network.kind": network if isinstance(network, str) else "hosts",
        "network.hosts": "\n".join(texts(hosts)),
        **(mcp_form.to_form(body) if body.get("kind") == "mcp" else {}),
    }


async def values(
    studio: Services, me: Principal, form: FormState, stored: Stored | None
) -> dict[str, Any]:
    if not form.values:  # the list
        return {"schemas": _schemas}

    def work(connection: Any) -> dict[str, Any]:
        known = secrets.infos(connection, studio.vault, me.owner)
        return {
            "known": {one.name for one in known if one.readable and not one.destination},
            "users": definitions.users_of(connection, me.owner, stored.id) if stored else [],
        }

    found = await studio.database.read(work)
    wanted = _items(form.value("secrets"))
    in_permissions = any(str(p.loc[0]) in PERMISSIONS for p in form.problems if p.loc)
    is_mcp = form.value("kind") == "mcp"
    typed = read_typed(form.aside.items())
    call = call_values(form, form.aside.get("_function", ""), typed)
    return {
        **(mcp_form.values(form) if is_mcp else {}),
        **call,
        "known": found["known"],
        "wanted": [(name, name in found["known"]) for name in wanted],
        "users": found["users"],
        "open_network": studio.settings.open_network,
        "probes": studio.runner.boxes.probes,
        "tab": "permissions" if in_permissions else "test",
    }


def _schemas(stored: Stored) -> list[str]:
    """The names of a skill's functions."""
    skill = stored.parsed()
    assert isinstance(skill, PythonSkillDefinition | McpSkillDefinition)
    return [f.name for f in skill.schemas()]


def call_values(
    form: FormState, function: str, typed: dict[str, str], problems: Any = ()
) -> dict[str, Any]:
    """What the schema and the form of a call are made from. Nothing of the source is run."""
    if form.value("kind") == "mcp":
        return mcp_form.call_values(form, function, typed, problems)
    found, error = read_source(form.value("source"))
    shown = [f.as_json() for f in found]
    chosen = next((f for f in shown if f["name"] == function), shown[0] if shown else None)
    line = re.match(r"Line (\d+)", error)
    return {
        "read": {"functions": shown, "error": error, "line": int(line[1]) if line else 1},
        "offered": [(f, parameters(f, {})) for f in shown],
        "chosen": chosen,
        "parameters": parameters(chosen, typed, problems) if chosen else [],
    }


STANDS_FOR = {
    "network.kind": "network", "transport.kind": "transport.headers", "offered_json": "offered",
    "_tools": "tools",
}  # fmt: skip
PAGES = NounPages("skills", NEW, from_form, to_form, values, STANDS_FOR)
