"""What the page of a session is made of: turns, questions, notes, and threads that hold them.

A thread is a conversation inside another one. The root is a thread too: it holds all others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from .formats import parse_time
from .session_approvals import Payload
from .session_files import Made

CHOOSES = "*manual*"  # who asks a person for the next speaker
RUNS_TOOLS = "_Group_Tool_Executor"  # the hidden member of a group that follows handoffs
_HANDING = re.compile(r"\[Handing off to ([^\n]+)\]")
_TRANSFER = re.compile(r"Transfer to ([^\n]+)|(Revert to User|Ask User)")
_TO = {"Revert to User": "the person", "Ask User": "the person"}


@dataclass(eq=False)
class Turn:
    """One message in the making or made. `state` is live, held, done, cut or failed.

    number    within its chat, from 1
    place     within the session, from 1, in the order in which turns began
    order     among all blocks of the session
    hands_to  who has the word now, where the message only says so; `hands_from` had it before
    """

    id: str
    number: int
    place: int
    order: int
    thread: Thread = field(repr=False)
    agent: str
    at: str
    state: str = "live"
    attempt: int = 1
    content: str = ""
    to: str = ""
    hands_to: str = ""
    hands_from: str = ""
    ended_at: str = ""
    tokens: int = 0
    cost: float = 0.0
    latency_ms: int | None = None
    call: int | None = None
    left_out: int = 0
    model: str = ""
    selection: dict[str, Any] | None = None
    is_kept: bool = False
    codes: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    approvals: list[Ask] = field(default_factory=list, repr=False)
    returned: list[dict[str, Any]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    retries: list[dict[str, Any]] = field(default_factory=list)
    files: list[Made] = field(default_factory=list)

    @property
    def who(self) -> str:
        return "Tools" if self.agent == RUNS_TOOLS else self.agent

    @property
    def waits(self) -> bool:
        return any(ask.state == "open" for ask in self.approvals)

    @property
    def template(self) -> str:
        return "handoff" if self.hands_to else "message"


@dataclass(eq=False)
class Ask:
    """A question to a person; `answer` is None while it is open. `state` is open, answered,
    passed (the conversation went on without an answer) or dropped (it ended). An approval belongs
    to the `turn` that is being made."""

    id: str
    at: str
    order: int
    thread: Thread = field(repr=False)
    question: dict[str, Any]
    answer: dict[str, Any] | None = None
    state: str = "open"
    waits_for_ever: bool = False
    turn: Turn | None = field(default=None, repr=False)
    template = "input_requested"

    @property
    def run(self) -> int:
        return int(self.question["run"])

    @property
    def agent(self) -> str:
        return str(self.question["agent"])

    @property
    def chooses_speaker(self) -> bool:
        return self.agent == CHOOSES

    @property
    def payload(self) -> Payload | None:
        """What is to be approved, None where nothing is."""
        given = self.question.get("payload")
        return Payload(given) if given else None

    @property
    def title(self) -> str:
        if self.payload is not None:
            return self.payload.title(self.agent)
        return "Who speaks next?" if self.chooses_speaker else f"You speak as {self.agent}"

    @property
    def prompt(self) -> str:
        """What is asked in the words of the definition; the engine's own speak of keys to press."""
        if self.payload is not None:
            return ""
        words = str(self.question.get("prompt") or "").strip()
        return "" if self.chooses_speaker or words == ">" or "Press enter" in words else words

    @property
    def deadline(self) -> str:
        """When the question answers itself, "" for never."""
        limit = self.question.get("timeout")
        if not limit or self.waits_for_ever:
            return ""
        return (parse_time(self.at) + timedelta(seconds=limit["seconds"])).isoformat()

    @property
    def repeats(self) -> bool:
        """Whether the answer says no more than the message that follows from it, or than the turn
        that it belongs to."""
        if self.turn is not None:
            return self.state != "open"
        text = (self.answer or {}).get("text")
        said = bool(text) and text != "exit" and not self.chooses_speaker
        return self.state == "answered" and said and not self.prompt

    @property
    def answers(self) -> list[tuple[str, str]]:
        """The values of a form with their titles, in its order."""
        fields = (self.question.get("schema") or {}).get("properties", {})
        values = (self.answer or {}).get("values") or {}
        names = [*fields, *(name for name in values if name not in fields)]
        return [
            (fields.get(name, {}).get("title") or name, shown(values[name]))
            for name in names
            if name in values
        ]


@dataclass(eq=False)
class Note:
    """A line between turns: a failure, a limit, a follow-up, the end."""

    id: str
    at: str
    order: int
    thread: Thread = field(repr=False)
    template: str
    data: dict[str, Any]
    state: str = "done"


@dataclass(eq=False)
class Thread:
    """A conversation inside another one. `state` is live, held, done or cut.

    id      "t1", "t2", ... in the order in which chats began: a path has letters that ids have not
    form    nested, team, step or node
    turns   made in it and in the threads inside, by `agents`; `rounds` only in it, by `speakers`
    asks    questions that are open in it and inside
    taken   how often each edge of a graph was taken, where the thread holds one
    """

    id: str
    at: str
    order: int
    run: int
    path: str
    parent: Thread | None = field(repr=False)
    form: str = ""
    title: str = ""
    agent: str = ""
    of: str = ""
    visit: int = 1
    state: str = "live"
    reason: str = ""
    ended_at: str = ""
    turns: int = 0
    rounds: int = 0
    asks: int = 0
    speaker: str = ""
    last_speaker: str = ""
    last_order: int = 0
    agents: dict[str, None] = field(default_factory=dict)
    speakers: dict[str, None] = field(default_factory=dict)
    edges: Counter[tuple[str, str]] = field(default_factory=Counter)
    taken: Counter[tuple[str, str]] = field(default_factory=Counter)
    blocks: dict[str, Block] = field(default_factory=dict, repr=False)
    template = "thread"

    @property
    def list_id(self) -> str:
        return f"{self.id}-list" if self.parent else "turns"

    @property
    def is_plain(self) -> bool:
        """A node that holds one agent: its turn stands like any other, with the node's name."""
        return self.form == "node" and bool(self.agent)

    @property
    def was_cut(self) -> bool:
        """Whether it stopped without an end of its own, so that it may go on."""
        return self.state == "cut" and not self.ended_at

    @property
    def is_open(self) -> bool:
        """Whether it is unfolded as long as the reader has not said otherwise."""
        return self.form in ("step", "node") or self.state != "done" or self.asks > 0

    @property
    def name(self) -> str:
        match self.form:
            case "nested":
                words = ["Nested", self.title]
            case "team":
                words = [f"Team {self.agent}".strip(), self.title]
            case "step":
                words = [f"Step {self.of}", self.title]
            case _:
                words = [f"node {self.of}" if self.is_plain else self.title or self.of]
        return ": ".join(word for word in words if word)

    @property
    def upwards(self) -> Iterator[Thread]:
        """Itself and all that it stands in, the root included."""
        one: Thread | None = self
        while one is not None:
            yield one
            one = one.parent


Block = Turn | Ask | Note | Thread


@dataclass
class Usage:
    calls: int = 0
    tokens: int = 0
    cost: float = 0.0

    def add(self, data: dict[str, Any]) -> None:
        self.calls += 1
        self.tokens += data["prompt_tokens"] + data["completion_tokens"]
        self.cost += data["cost_usd"]


@dataclass(frozen=True, slots=True)
class Known:
    """The value of a context variable and who set it last."""

    value: Any
    by: str
    at: str
    seq: int

    @property
    def words(self) -> str:
        return shown(self.value)


def turn_id(run: int, thread: Thread, number: int) -> str:
    """Where a turn stands on the page. A turn that was cut keeps its number free for the next run,
    so the run is part of it; a thread has a name of its own in each run."""
    if thread.parent is not None:
        return f"turn-{thread.id}-{number}"
    return f"turn-r{run}-{number}" if run > 1 else f"turn-{number}"


def form_of(path: str) -> tuple[str, str, int]:
    """The form, the node or step, and the visit that the last part of a chat's path tells."""
    last = path.rpartition("/")[2]
    kind, _, rest = last.partition(":")
    if kind in ("step", "node") and rest:
        of, _, visit = rest.partition(":")
        return kind, of, int(visit) if visit.isdecimal() else 1
    return ("team" if last.startswith(("team", "society")) else "nested"), "", 1


def handed_to(turn: Turn) -> str:
    """To whom a message hands the word, when it says nothing else and no model wrote it."""
    pattern = _TRANSFER if turn.agent == RUNS_TOOLS else _HANDING
    found = None if turn.calls or turn.call is not None else pattern.fullmatch(turn.content)
    to = next((name for name in found.groups() if name), "") if found else ""
    return _TO.get(to, to)


def plain(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(p.get("text", "[image]")) for p in content if isinstance(p, dict))
    return ""


def shown(value: Any) -> str:
    """A value as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None or value == "" else str(value)
