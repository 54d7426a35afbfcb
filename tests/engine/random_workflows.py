"""Random workflows of every kind, inside each other to a depth of three, with scripted models.

Made from a number, evenly: what a shrinking strategy draws is mostly flat, and then nothing runs
side by side.
"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]
NAMES = ("ann", "bob", "cid", "dee")
WORDS = ("yes", "no", "again", "1. tea\n2. milk", '{"mood": "bad"}', "well", "hm", "oh", "",
         "done TERMINATE")  # fmt: skip
CONDITIONS = ("always", "always", "else", {"contains": "yes"}, {"contains": "again"},
              {"context": {"name": "mood", "op": "==", "value": "bad"}},
              {"model": "Is it good?"})  # fmt: skip
LENGTH = 80  # of a script: more than any of these conversations asks for


class _Maker:
    """Gathers the definitions of one session."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.agents: dict[str, Json] = {}
        self.workflows: dict[str, Json] = {}

    def among(self, *options: Any) -> Any:
        return self.random.choice(options)

    def number(self, least: int, most: int) -> int:
        return self.random.randint(least, most)

    def keep(self, bodies: dict[str, Json], body: Json) -> str:
        one = f"{'a' if bodies is self.agents else 'w'}{len(bodies)}"
        bodies[one] = body
        return one

    # -- agents

    def agent(self, name: str, depth: int) -> str:
        kinds = ["assistant", "assistant", "assistant", "stand_in", "person", "json"]
        kind = self.among(*kinds, *(["team", "nested"] if depth else []))
        body: Json = {"name": name, "kind": "assistant", "models": ["m"], "system_message": "Hm."}
        if kind == "stand_in":
            body |= {"kind": "user_proxy", "models": [], "human_input_mode": "NEVER",
                     "default_auto_reply": self.among("Go on.", "yes")}  # fmt: skip
        elif kind == "person":
            body |= {"kind": "user_proxy", "models": [], "human_input_mode": "ALWAYS"}
            body["question"] = self.among({}, {"form": "choice", "choices": ["yes", "no"]})
        elif kind == "json":
            body["reply"] = {"kind": "json"}
        elif kind == "team":
            inner = self.workflow(depth - 1)
            body |= {"kind": "workflow", "workflow": inner, "models": self.among([], ["m"])}
        elif kind == "nested":
            body["nested"] = [{"workflow": self.workflow(depth - 1),
                               "message": self.among(None, "About {last}", "Think."),
                               "trigger": None}]  # fmt: skip
        return self.keep(self.agents, body)

    # -- workflows

    def workflow(self, depth: int, *, is_root: bool = False) -> str:
        kinds = [self._pair, self._group, self._handoffs]
        if depth:
            kinds += [self._sequence, self._graph, self._graph]
        if is_root:  # in a simple one little can stand: most shall be deep
            kinds += [self._sequence, self._graph, self._graph]
        body = self.among(*kinds)(depth)
        body |= {"name": f"W{len(self.workflows)}", "models": ["m"]}
        body.setdefault("termination", self._termination())
        body["summary_method"] = self.among("last_msg", "last_msg", "none", "reflection_with_llm")
        return self.keep(self.workflows, body)

    def _termination(self) -> Json | None:
        if self.among(True, True, False):
            return None
        leaves = ({"max_messages": 4}, {"max_messages": 9}, {"text": "done"}, {"stale": 2},
                  {"tokens": 90}, {"text": "again"})  # fmt: skip
        some = [self.among(*leaves) for _ in range(self.number(1, 2))]
        tree: Json = self.among(some[0], {"any": some}, {"all": some})
        return tree

    def _pair(self, depth: int) -> Json:
        first, second = self.random.sample(NAMES, 2)
        return {
            "kind": "two_agent", "initiator": self.agent(first, depth),
            "recipient": self.agent(second, depth), "max_turns": self.number(1, 2),
        }  # fmt: skip

    def _group(self, depth: int) -> Json:
        names = self.random.sample(NAMES, self.number(2, 3))
        agents = [self.agent(name, depth if i == 0 else 0) for i, name in enumerate(names)]
        return {
            "kind": "group_chat", "initiator": agents[0], "agents": agents,
            "speaker_selection_method": self.among("round_robin", "random", "auto"),
            "max_round": self.number(3, 5),
        }  # fmt: skip

    def _handoffs(self, depth: int) -> Json:
        """hal hands over by calling tools, the others by conditions."""
        user, first, second = (self.agent(name, 0) for name in NAMES[:3])
        hal = self.keep(self.agents, {
            "name": "hal", "kind": "assistant", "models": ["m"],
            "handoffs": [{"to": first, "when": "whenever it likes"}],
        })  # fmt: skip
        self.agents[first]["handoffs"] = [
            {"to": second, "when": self.among("always", *CONDITIONS[3:6])},
            {"to": hal, "when": {"contains": "yes"}},
        ]
        return {
            "kind": "group_chat", "initiator": user, "agents": [hal, first, second],
            "speaker_selection_method": self.among("handoff", "round_robin", "random"),
            "max_round": self.number(3, 6),
        }  # fmt: skip

    def _sequence(self, depth: int) -> Json:
        methods = ("last_msg", "none", "reflection_with_llm")
        return {
            "kind": "sequential",
            "steps": [
                {
                    "workflow": self.workflow(depth - 1),
                    "message": self.among("", "Now {task}", "Go on"),
                    "summary_method": self.among(*methods),
                }
                for _ in range(self.number(1, 3))
            ],
        }  # fmt: skip

    def _graph(self, depth: int) -> Json:
        """Edges lead forward; one may lead back, a number of times."""
        number = self.number(2, 4)
        nodes = []
        for i in range(number):
            holds = self.among("agent", "agent", "workflow")
            inner = self.workflow(depth - 1) if holds == "workflow" else self.agent(
                NAMES[i], depth - 1
            )  # fmt: skip
            nodes.append({"id": f"n{i}", holds: inner})
        edges = [
            {"from": f"n{i}", "to": f"n{j}", "when": self.among(*CONDITIONS)}
            for i in range(number)
            for j in range(i + 1, number)
            if self.among(True, True, True, False)
        ]
        if self.among(True, False):
            back = {"from": f"n{number - 1}", "to": f"n{self.number(0, number - 1)}"}
            edges.append({**back, "when": self.among(*CONDITIONS), "max_times": self.number(1, 2)})
        ends = self.among(None, [f"n{number - 1}"])
        return {"kind": "graph", "nodes": nodes, "edges": edges, "start": "n0", "end": ends}


def snapshot_of(seed: int, depth: int = 3) -> Json:
    """A whole session's snapshot; its root stands `depth` deep."""
    maker = _Maker(Random(seed))
    root = maker.workflow(depth, is_root=True)
    scripts: dict[str, list[Any]] = {
        name: _long([maker.among(*WORDS) for _ in range(maker.number(4, 7))])
        for name in (*NAMES, "hal", *_names(maker))
    }
    scripts["hal"] = _long([*scripts["hal"][:2], {"tool_calls": [{"name": "transfer_to_bob_1"}]}])
    return {
        "v": 1,
        "workflow": {"id": root, **maker.workflows[root], "context_variables": {"mood": "good"}},
        "agents": maker.agents,
        "workflows": maker.workflows,
        "models": {"m": {"name": "script", "provider": "scripted", "replies": scripts}},
        "skills": {},
    }


snapshots = st.integers(0, 2**32 - 1).map(snapshot_of)


def _names(maker: _Maker) -> list[str]:
    """Workflows ask too: for summaries, and whether an edge is taken."""
    return ["chat_manager", *(body["name"] for body in maker.workflows.values())]


def _long(words: list[Any]) -> list[Any]:
    return (words * LENGTH)[:LENGTH]
