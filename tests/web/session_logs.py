"""Logs of sessions written by hand, and a small DOM that takes what the stream sends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import orjson

from studio.engine import events as e
from studio.store.events import Row, new_row
from studio.store.sessions import Session

BEGUN = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
NAMES = ("Triage", "Treasurer", "Author", "Reviewer", "Host", "Scout", "Skeptic", "Writer", "Boss")
FORM = {
    "type": "object",
    "properties": {
        "verdict": {"type": "string", "title": "Verdict", "enum": ["approve", "reject"]},
        "budget": {"type": "integer", "title": "Budget", "minimum": 0},
        "urgent": {"type": "boolean", "title": "Urgent"},
    },
    "required": ["verdict", "budget"],
}
GRAPH: dict[str, Any] = {
    "kind": "graph", "name": "Desk",
    "nodes": [{"id": "triage", "agent": "Triage"}, {"id": "research", "workflow": "w1"},
              {"id": "budget", "agent": "Treasurer"}, {"id": "write", "agent": "Author"},
              {"id": "press", "agent": "Writer"}],
    "edges": [{"from": "triage", "to": "research"}, {"from": "triage", "to": "budget"},
              {"from": "research", "to": "write"}, {"from": "budget", "to": "write"},
              {"from": "write", "to": "press", "when": "else"}],
    "start": "triage", "end": "write",
}  # fmt: skip
GROUP: dict[str, Any] = {
    "kind": "group_chat", "name": "Desk", "agents": ["Host", "Scout"], "initiator": "Host",
    "max_round": 10,
}  # fmt: skip


def snapshot(workflow: dict[str, Any]) -> dict[str, Any]:
    agents = {name: {"name": name, "kind": "assistant"} for name in NAMES}
    return {"workflow": workflow, "agents": agents, "models": {},
            "workflows": {"w1": {"name": "Research group"}}}  # fmt: skip


def session() -> Session:
    cast = [
        {
            "id": name,
            "name": name,
            "kind": "assistant",
            "hue": 40 * i,
            "role": "Assistant",
            **({} if name in ("Host", "Scout") else {"inner": True}),
        }
        for i, name in enumerate(NAMES)
    ]
    at = BEGUN.isoformat()
    return Session(
        id="s1", owner="o", workflow_id="w", workflow_name="Desk", revision=1, name="A session",
        status="queued", reason="", run=1, seed="x", agents=cast, limits={}, tags=[], pace="full",
        last_seq=0, epoch=0, turns=0, prompt_tokens=0, completion_tokens=0, cost_nano=0,
        active_ms=0, parent=None, created_at=at, updated_at=at,
    )  # fmt: skip


class Log:
    """Rows as the store would give them, a second apart."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.run = 1
        self.at = BEGUN

    def add(self, event: e.Event, chat: str = "", seconds: float = 1.0) -> Log:
        self.at += timedelta(seconds=seconds)
        made = new_row(event, self.run, chat)
        seq = len(self.rows) + 1
        body = {"seq": seq, **orjson.loads(made.body), "at": self.at.isoformat()}
        self.rows.append(Row(seq, made.kind, orjson.dumps(body).decode()))
        return self

    def begun(self, task: str = "Begin.") -> Log:
        self.add(e.SessionStarted("Desk", 1, task, "you"))
        return self.add(e.StatusChanged("queued", "running", ""))

    def ended(self, status: str = "finished") -> Log:
        self.add(e.StatusChanged("running", status, "It is over"))
        return self.add(e.SessionFinished(self.run, status, "It is over", ""))

    def starts(self, chat: str, number: int, agent: str) -> Log:
        return self.add(e.TurnStarted(number, 1, agent), chat)

    def says(
        self, chat: str, number: int, agent: str, text: str = "", attempt: int = 1, **more: Any
    ) -> Log:
        said = e.MessageSent(number, attempt, agent, "all", text or f"{agent} says", **more)
        return self.add(said, chat)

    def turn(self, chat: str, number: int, agent: str, text: str = "") -> Log:
        self.starts(chat, number, agent)
        self.add(e.ModelCalled(number, agent, "m", "turn", 10, 5, 0.0, 900, 90, False, "#1"), chat)
        return self.says(chat, number, agent, text)

    def inside(
        self, chat: str, form: Any, title: str, agent: str | None = None, of: str | None = None,
        visit: int = 1,
    ) -> Log:  # fmt: skip
        return self.add(e.ChatStarted(form, title, agent, of, visit), chat)

    def left(self, chat: str, reason: str = "Done") -> Log:
        return self.add(e.ChatEnded(reason), chat)

    def asks(self, chat: str, question: str, agent: str, form: Any = "text", **more: Any) -> Log:
        given = {"prompt": "What now?", "actions": ["skip", "end"], **more}
        return self.add(e.InputRequested(question, form, agent=agent, **given), chat)


def graph_log() -> Log:
    """Two branches side by side, one with chats inside chats; two questions; a loop."""
    log = Log().begun()
    log.add(e.ContextChanged({"priority": "low"}, ""))
    log.inside("node:triage", "node", "Triage", "Triage", "triage")
    log.turn("node:triage", 1, "Triage").left("node:triage")
    for to in ("research", "budget"):
        log.add(e.EdgeTaken("triage", to, 1, "always"), "node:triage")
    log.inside("node:research", "node", "Research group", None, "research")
    log.inside("node:budget", "node", "Treasurer", "Treasurer", "budget")
    log.says("node:research", 1, "Host")
    log.asks("node:budget", "q1", "Treasurer", "fields", schema=FORM)
    log.add(e.SpeakerSelected("Scout", "auto", ["Scout"], "chosen"), "node:research")
    log.turn("node:research", 2, "Scout")
    inner = "node:research/3/nested0"
    log.inside(inner, "nested", "Fact check", "Skeptic").turn(inner, 1, "Skeptic")
    deep = f"{inner}/2/team0"
    log.inside(deep, "team", "Copy desk", "Editor").turn(deep, 1, "Writer")
    log.asks(deep, "q2", "Boss", "choice", choices=["red", "blue"])
    log.add(e.StatusChanged("running", "waiting", "A person is asked"))
    log.add(e.InputReceived("q2", "you", text="blue"), deep)
    log.add(e.StatusChanged("waiting", "running", ""))
    log.says(deep, 2, "Boss", "blue").left(deep)
    log.says(inner, 2, "Editor").left(inner, "The limit of 2 turns is reached")
    log.says("node:research", 3, "Skeptic").left("node:research")
    log.add(e.EdgeTaken("research", "write", 1, "always"), "node:research")
    values = {"verdict": "approve", "budget": 7, "urgent": True}
    log.add(e.InputReceived("q1", "you", values=values), "node:budget")
    log.add(e.ContextChanged({"budget": 7}, "Treasurer"), "node:budget")
    log.says("node:budget", 1, "Treasurer", "Verdict: approve").left("node:budget")
    log.add(e.EdgeTaken("budget", "write", 1, "always"), "node:budget")
    for visit in (1, 2):
        chat = "node:write" if visit == 1 else "node:write:2"
        log.inside(chat, "node", "Author", "Author", "write", visit).turn(chat, 1, "Author")
        log.left(chat).add(e.EdgeTaken("write", "write", visit, "said AGAIN"), chat)
    return log.ended()


def nested_log() -> Log:
    """A group with nested and team chats, a failure that is taken up again, and a second run."""
    log = Log().begun()
    log.says("", 1, "Host").turn("", 2, "Scout")
    log.inside("3/nested0", "nested", "Review", "Host").turn("3/nested0", 1, "Host")
    log.starts("3/nested0", 2, "Reviewer")
    log.add(e.Failure("model", "The model is busy", True, turn=2, agent="Reviewer"), "3/nested0")
    log.add(e.Failure("model", "The model gave up", True)).ended("failed")
    log.add(e.StatusChanged("failed", "queued", "Resumed"))
    log.add(e.StatusChanged("queued", "running", ""))
    log.add(e.TurnStarted(2, 2, "Reviewer"), "3/nested0")
    log.says("3/nested0", 2, "Reviewer", attempt=2)
    log.add(e.StatusChanged("running", "paused", "Paused by you"))
    log.add(e.StatusChanged("paused", "queued", "Resumed"))
    log.add(e.StatusChanged("queued", "running", ""))
    log.left("3/nested0").says("", 3, "Host").ended()
    log.run = 2
    log.add(e.SessionStarted("Desk", 1, "More.", "you"))
    log.add(e.StatusChanged("finished", "queued", "A follow-up message"))
    log.add(e.StatusChanged("queued", "running", "")).says("", 1, "Host")
    log.inside("2/team0", "team", "Review", "Scout").turn("2/team0", 1, "Writer")
    log.asks("2/team0", "q9", "*manual*", "choice", choices=["Writer", "Boss"], actions=["skip"])
    return log.ended("stopped")


def steps_log() -> Log:
    """A sequence whose second step is a graph, without most rows that begin its chats."""
    log = Log().begun().turn("step:1", 1, "Host").turn("step:1", 2, "Scout")
    log.inside("step:2", "step", "Refine", None, "2")
    log.turn("step:2/node:a-b", 1, "Author").turn("step:2/node:a-b:2", 1, "Author")
    log.add(e.LimitReached("max_messages", 4, 4))
    log.add(e.StatusChanged("running", "paused", "The limit of 4 messages is reached"))
    return log


def handoff_log() -> Log:
    """A model hands over by a tool, an agent by context, and back to the person."""
    log = Log().begun().says("", 1, "Host", "My bill is wrong")
    call = {"id": "c", "function": {"name": "transfer_to_Scout_1", "arguments": "{}"}}
    log.says("", 2, "Triage", " ", tool_calls=[call])
    answers = [{"tool_call_id": "c", "role": "tool", "content": "Transfer to Scout"}]
    log.says("", 3, "_Group_Tool_Executor", "Transfer to Scout", tool_responses=answers)
    log.turn("", 4, "Scout").says("", 5, "Skeptic", "[Handing off to Revert to User]")
    log.turn("", 6, "Writer", "[Handing off to Boss]")
    return log


VOID = {"input", "br", "hr", "img"}


@dataclass(eq=False)
class Element:
    tag: str
    attributes: dict[str, str | None]
    parent: Element | None = None
    children: list[Element | str] = field(default_factory=list)

    def walk(self) -> Iterator[Element]:
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.walk()

    def text(self) -> str:
        words = [c if isinstance(c, str) else c.text() for c in self.children]
        return re.sub(r"\s+", " ", " ".join(words)).strip()

    def written(self) -> str:
        """As markup; what a reader may have folded is left out."""
        shown = {k: v for k, v in self.attributes.items() if k != "open" or self.tag != "details"}
        inner = "".join(c if isinstance(c, str) else c.written() for c in self.children)
        return f"<{self.tag} {sorted(shown.items(), key=str)}>{inner}</{self.tag}>\n"


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.top = self.here = Element("", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, dict(attrs), self.here)
        self.here.children.append(made)
        if tag not in VOID:
            self.here = made

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.here.children.append(Element(tag, dict(attrs), self.here))

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.here.tag, f"</{tag}> closes <{self.here.tag}>"
        assert self.here.parent is not None
        self.here = self.here.parent

    def handle_data(self, data: str) -> None:
        if words := re.sub(r"\s+", " ", data).strip():
            self.here.children.append(words)


def read(markup: str) -> Element:
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    assert reader.here is reader.top, f"<{reader.here.tag}> is not closed"
    return reader.top


class Page:
    """The transcript in a browser: it takes the partials of the stream, and misses none."""

    def __init__(self, markup: str) -> None:
        self.top = read(markup)

    def find(self, one: str) -> Element:
        found = [n for n in self.top.walk() if n.attributes.get("id") == one]
        assert len(found) == 1, f"{len(found)} elements have the id {one}"
        return found[0]

    def take(self, stream: bytes) -> None:
        for message in stream.decode().split("\n\n"):
            lines = [x[5:].removeprefix(" ") for x in message.split("\n") if x.startswith("data:")]
            for partial in read("\n".join(lines)).children:
                assert isinstance(partial, Element)
                assert partial.tag == "hx-partial"
                self._swap(partial)

    def _swap(self, partial: Element) -> None:
        target = self.find(str(partial.attributes["hx-target"]).removeprefix("#"))
        match partial.attributes["hx-swap"]:
            case "beforeend":
                target.children += _adopted(partial.children, target)
            case "innerHTML":
                target.children = _adopted(partial.children, target)
            case "outerHTML":
                assert target.parent is not None
                at = target.parent.children.index(target)
                target.parent.children[at : at + 1] = _adopted(partial.children, target.parent)
            case other:
                raise AssertionError(other)


def _adopted(children: list[Element | str], parent: Element) -> list[Element | str]:
    for child in children:
        if isinstance(child, Element):
            child.parent = parent
    return children
