"""Who takes part in a session, for its pages: names, roles and a hue for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..definitions.models import FREE

HUES = (250, 300, 160, 70, 215, 25, 345, 190, 115, 275, 45, 325, 138, 92, 232)


def hue_of(number: int) -> int:
    return HUES[number] if number < len(HUES) else (number * 47) % 360


def cast(snapshot: dict[str, Any]) -> list[dict[str, Any]]:
    """The agents of a snapshot: {id, name, kind, role, hue, free}; `inner` marks those that only
    speak in a conversation inside another one."""
    workflow = snapshot["workflow"]
    own = list(dict.fromkeys(_members(workflow)))
    everybody = list(dict.fromkeys([*own, *_inside(workflow, snapshot, set())]))
    members: list[dict[str, Any]] = []
    for one in everybody:
        body = snapshot["agents"].get(one)
        if body is None:
            continue
        opens = one not in workflow.get("agents", [one]) and one in own
        free = all(
            snapshot["models"][m]["provider"] in FREE
            for m in body.get("models", [])
            if m in snapshot["models"]
        )
        member = {
            "id": one,
            "name": body["name"],
            "kind": body["kind"],
            "hue": hue_of(len(members)),
            "role": "Opens the chat" if opens else role(body),
            "free": free,
        }
        members.append(member if one in own else member | {"inner": True})
    return members


def _members(workflow: dict[str, Any]) -> Iterator[str]:
    """The agents that a workflow names itself."""
    yield from workflow.get("agents", [])
    for name in ("initiator", "recipient"):
        if workflow["kind"] in ("two_agent", "group_chat") and workflow.get(name):
            yield workflow[name]
    for node in workflow.get("nodes", []):
        if node.get("agent"):
            yield node["agent"]


def _inside(workflow: dict[str, Any], snapshot: dict[str, Any], known: set[str]) -> Iterator[str]:
    """The agents of steps, nodes, nested chats and teams, at every depth."""
    inner = [s.get("workflow") for s in workflow.get("steps", [])]
    inner += [n.get("workflow") for n in workflow.get("nodes", [])]
    for one in _members(workflow):
        body = snapshot["agents"].get(one, {})
        inner += [n["workflow"] for n in body.get("nested", [])]
        inner.append(body.get("workflow"))
    for one in inner:
        if one and one not in known and one in snapshot["workflows"]:
            known.add(one)
            yield from _members(snapshot["workflows"][one])
            yield from _inside(snapshot["workflows"][one], snapshot, known)


def role(agent: dict[str, Any]) -> str:
    """What an agent is, in one or two words for a page."""
    if agent["kind"] == "workflow":
        return "Team"
    if agent["human_input_mode"] == "ALWAYS":
        return "Person"
    if agent["kind"] == "user_proxy":
        if agent["human_input_mode"] != "NEVER":
            return "Person"
        return "Runs code" if agent.get("code_execution_config") else "Stand-in"
    return "Assistant"
