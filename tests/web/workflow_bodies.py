"""Bodies of workflows that use every field of every kind."""

from __future__ import annotations

from ..builders import Json
from ..conftest import InProcess

VARIABLES = {
    "text": "5", "number": 5, "share": 0.1, "yes": True, "no": False, "later": None, "empty": "",
    "lines": "a\nb", "7": "a row's name",
}  # fmt: skip
NODES = ("plan", "a", "b", "critic", "publish")


def made(studio: InProcess) -> dict[str, str]:
    """What the bodies refer to, by their names."""
    model = studio.scripted("Hi")
    return {
        "model": model, "second": studio.scripted("x"), "third": studio.scripted("y"),
        "agent": studio.assistant(model), "other": studio.assistant(model),
        "pair": studio.pair(model),
    }  # fmt: skip


def edges() -> list[Json]:
    tests = [("==", "5"), ("!=", 5), ("<", 0.5), (">=", True), ("==", False), ("contains", "a\nb"),
             ("==", None)]  # fmt: skip
    return [
        {"from": "plan", "to": "a"}, {"from": "plan", "to": "b"}, {"from": "a", "to": "critic"},
        {"from": "b", "to": "critic"},
        {"from": "critic", "to": "publish", "when": {"contains": "two\nlines"}},
        {"from": "critic", "to": "publish", "when": {"model": "Is it good?"}},
        {"from": "critic", "to": "a", "when": "else", "max_times": 3},
        *[{"from": "b", "to": "publish",
           "when": {"context": {"name": "score", "op": op, "value": value}}}
          for op, value in tests],
    ]  # fmt: skip


def bodies(ids: dict[str, str]) -> dict[str, Json]:
    agent, other, pair = ids["agent"], ids["other"], ids["pair"]
    nodes = [{"id": one, "agent": agent} for one in NODES[:-1]]
    nodes.append({"id": "publish", "workflow": pair, "join": "any"})
    group = {"kind": "group_chat", "agents": [agent, other]}
    graph = {"kind": "graph", "nodes": nodes, "edges": edges(), "start": "plan"}
    leaves: list[Json] = [
        {"text": "DONE"}, {"max_messages": 20}, {"tokens": 500}, {"cost_usd": 0.25},
        {"seconds": 90}, {"source": agent}, {"handoff": other}, {"stale": 3},
    ]  # fmt: skip
    return {
        "two agents": {
            "kind": "two_agent", "initiator": agent, "recipient": other, "max_turns": 4,
            "models": [ids["model"], ids["second"], ids["third"]], "cache_seed": 4,
            "limits": {"max_tokens": 5, "max_cost_usd": 0.5}, "compat": "autogen-0.2",
            "is_termination_msg": {"kind": "contains", "text": "e\nf"}, "description": "c\nd",
        },
        "nothing": {"kind": "group_chat"},
        "group": group | {
            "initiator": agent, "select_speaker_prompt_template": "y", "send_introductions": True,
            "allowed_or_disallowed_speaker_transitions": {agent: [other], other: [agent, other]},
            "summary_prompt": "s", "summary_method": "none", "context_variables": VARIABLES,
        },
        "a table of what is not allowed": group | {
            "allowed_or_disallowed_speaker_transitions": {agent: [agent]},
            "speaker_transitions_type": "disallowed",
        },
        "a table in another order": group | {
            "allowed_or_disallowed_speaker_transitions": {other: [other, agent], agent: []},
        },
        "nobody may follow": group | {
            "allowed_or_disallowed_speaker_transitions": {agent: [], other: []},
        },
        "some may repeat": group | {"allow_repeat_speaker": [other]},
        "by handoff": group | {"speaker_selection_method": "handoff", "max_round": 7},
        "no steps": {"kind": "sequential"},
        "steps": {
            "kind": "sequential", "initiator": agent, "steps": [
                {"workflow": pair, "message": "About {task}:\nfacts", "summary_method": "none"},
                {"workflow": pair, "summary_method": "reflection_with_llm"}, {"workflow": pair},
            ],
        },
        "no graph": {"kind": "graph"},
        "graph": graph | {"end": "publish"},
        "ends in order": graph | {"end": ["publish", "a"]},
        "one end in a list": graph | {"end": ["publish"]},
        "no ends in a list": graph | {"end": [], "start": None},
        "an end twice": graph | {"end": ["a", "a"]},
        "nodes alone": {"kind": "graph", "nodes": nodes},
        "too large for a form": {
            "kind": "graph", "end": ["n3"], "nodes": [
                {"id": f"n{i}", "agent": agent} for i in range(200)],
            "edges": [{"from": f"n{i}", "to": f"n{i + 1}"} for i in range(199)],
        },
        "one condition": group | {"termination": {"text": "DONE"}},
        "a list of one": group | {"termination": {"all": [{"text": "DONE"}]}},
        "every condition": {"kind": "graph", "termination": {"any": leaves}},
        "groups": {"kind": "sequential", "termination": {
            "all": [{"any": leaves[:2]}, {"text": "x"}, {"all": [{"stale": 2}]}]}},
        "a tree": {"kind": "two_agent", "termination": {
            "any": [{"all": [{"text": "a"}, {"any": [{"tokens": 5}, {"text": "b\nc"}]}]}]}},
        "a text of two lines": {"kind": "graph", "termination": {"text": "a\nb"}},
        "many conditions": group | {"termination": {
            "any": [{"all": [{"text": f"{i}.{j}"} for j in range(4)]} for i in range(12)]}},
    }  # fmt: skip
