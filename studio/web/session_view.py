"""A session's log as its page shows it: rows go in one by one, blocks of the transcript come out.

The page and the stream use the same fold and the same templates, so what is seen live and what is
seen after a reload cannot differ.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ..store.events import Row
from ..store.sessions import TERMINAL, Session
from .formats import parse_time

FOLDED = ("limit_reached", "error")
NARROWEST = 0.8  # per cent of the timeline
UNKNOWN = {"hue": 265, "role": "", "kind": "assistant", "id": ""}


@dataclass
class Turn:
    """One message in the making or made. `state` is live, held, done, cut or failed."""

    id: str
    number: int
    chat: str
    agent: str
    at: str
    state: str = "live"
    attempt: int = 1
    content: str = ""
    to: str = ""
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
    retries: list[dict[str, Any]] = field(default_factory=list)
    template = "message"


@dataclass
class Ask:
    """A question to a person; `answer` is None while it is open."""

    id: str
    at: str
    question: dict[str, Any]
    answer: dict[str, Any] | None = None
    state: str = "open"
    template = "input_requested"


@dataclass
class Note:
    """A line between turns: a failure, a limit, a follow-up, the end."""

    id: str
    at: str
    template: str
    data: dict[str, Any]
    state: str = "done"


Block = Turn | Ask | Note


@dataclass
class Usage:
    calls: int = 0
    tokens: int = 0
    cost: float = 0.0

    def add(self, data: dict[str, Any]) -> None:
        self.calls += 1
        self.tokens += data["prompt_tokens"] + data["completion_tokens"]
        self.cost += data["cost_usd"]


class SessionView:
    """Folds rows; `blocks` is the transcript in order, the rest is for the panel."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.status = "queued"
        self.reason = ""
        self.run = 1
        self.cast = {member["name"]: member for member in session.agents}
        self.blocks: dict[str, Block] = {}
        self.turns = 0
        self.usage = Usage()
        self.by_agent: dict[str, Usage] = {}
        self.choosing = Usage()
        self.edges: Counter[tuple[str, str]] = Counter()
        self.speaker = ""
        self.last_speaker = ""
        self.started_at = session.created_at
        self.task = ""
        self.seq = 0
        self._selections: dict[str, dict[str, Any]] = {}
        self._models: set[str] = set()

    def member(self, name: str) -> dict[str, Any]:
        return self.cast.get(name, UNKNOWN)

    @property
    def is_over(self) -> bool:
        return self.status in TERMINAL

    @property
    def open_turn(self) -> Turn | None:
        for block in reversed(self.blocks.values()):
            if isinstance(block, Turn):
                return block if block.state == "live" else None
        return None

    @property
    def open_asks(self) -> list[Ask]:
        if self.is_over:
            return []
        return [b for b in self.blocks.values() if isinstance(b, Ask) and b.state == "open"]

    @property
    def turn_list(self) -> list[Turn]:
        return [b for b in self.blocks.values() if isinstance(b, Turn)]

    def fold(self, rows: list[Row]) -> SessionView:
        for row in rows:
            self.apply(row)
        return self

    def apply(self, row: Row) -> list[tuple[Block, bool]]:
        """Takes one row; says which blocks are new (True) or changed (False)."""
        data = row.data()
        self.seq = row.seq
        handler = getattr(self, f"_on_{row.kind}", None)
        return [] if handler is None else handler(data)

    # -- one method per kind of event

    def _on_session_started(self, data: dict[str, Any]) -> list[tuple[Block, bool]]:
        self.run = data["run"]
        if self.run == 1:
            self.task, self.started_at = data["message"], data["at"]
            return []
        return [self._note("session_started", data)]

    def _on_status_changed(self, data: dict[str, Any]) -> list[tuple[Block, bool]]:
        self.status, self.reason = data["to"], data["reason"]
        changed: list[tuple[Block, bool]] = []
        if data["to"] == "running":  # what held the session up is over
            for block in self.blocks.values():
                if isinstance(block, Note) and block.template in FOLDED and block.state == "done":
                    block.state = "over"
                    changed.append((block, False))
        turn = self.open_turn
        if data["to"] == "paused" and turn is not None:
            turn.state = "held"
            changed.append((turn, False))
        return changed

    def _on_speaker_selected(self, data: dict[str, Any]) -> list[tuple[Block, bool]]:
        self._selections[data["chat"]] = data
        self.speaker = data["agent"]
        return []

    def _on_turn_started(self, data: dict[str, Any]) -> list[tuple[Block, bool]]:
        self.speaker = data["agent"]
        turn, is_new = self._turn(data)
        turn.state, turn.attempt, turn.content = "live", data["attempt"], ""
        return [(turn, is_new)]

    def _on_model_called(self, data: dict[str, Any]) -> list[tuple[Block, bool]]:
        self.usage.add(data)
        self._models.add(data["model"])
        if data["purpose"] != "turn":
            self.choosing.add(data)
            return []
        self.by_agent.setdefault(data["agent"], Usage()).add(data)
        turn, is_new = self._turn(data)
        turn.tokens += data["prompt_tokens"] + data["completion_tokens"]
        turn.cost += data["cost_usd"]
        turn.latency_ms = (turn.latency_ms or 0) + data["latency_ms"]
        turn.call, turn.model = data["seq"], data["model"]
        turn.left_out = data.get("left_out", 0)
        turn.is_kept = data["cached"]
        return [(turn, True)] if is_new else []

    def _on_message(self, data: dict[str, Any]) -> list[tuple[Block, bool]]:
        self.turns += 1
        turn, is_new = self._turn(data)
        turn.content = _plain(data["content"])
        turn.to, turn.state, turn.attempt = data["to"], "done", data["attempt"]
        turn.calls = [call["function"] for call in data.get("tool_calls", [])]
        if "function_call" in data:
            turn.calls.append(data["function_call"])
        turn.ended_at = data["at"]
        if self.last_speaker:
            self.edges[(self.last_speaker, turn.agent)] += 1
        self.last_speaker, self.speaker = turn.agent, ""
        return [(turn, is_new)]

    def _on_code_executed(self, data: dict[str, Any]) -> list[tuple[Block, bool]]:
        turn, is_new = self._turn(data)
        turn.codes.append(data)
        return [(turn, is_new)]

    def _on_input_requested(self, data: dict[str, Any]) -> list[tuple[Block, bool]]:
        ask = Ask(id=f"ask-{data['question']}", at=data["at"], question=data)
        self.blocks[ask.id] = ask
        return [(ask, True)]

    def _on_input_received(self, data: dict[str, Any]) -> list[tuple[Block, bool]]:
        ask = self.blocks.get(f"ask-{data['question']}")
        if not isinstance(ask, Ask):
            return []
        ask.answer, ask.state = data, "answered"
        return [(ask, False)]

    def _on_error(self, data: dict[str, Any]) -> list[tuple[Block, bool]]:
        turn = self.open_turn
        if data.get("turn") is not None and turn is not None and turn.number == data["turn"]:
            turn.retries.append(data)
            return [(turn, False)]
        return [self._note("error", data)]

    def _on_limit_reached(self, data: dict[str, Any]) -> list[tuple[Block, bool]]:
        return [self._note("limit_reached", data)]

    def _on_session_finished(self, data: dict[str, Any]) -> list[tuple[Block, bool]]:
        self.status, self.reason, self.speaker = data["status"], data["reason"], ""
        changed: list[tuple[Block, bool]] = []
        turn = self.open_turn
        if turn is not None:
            turn.state = "failed" if data["status"] == "failed" else "cut"
            changed.append((turn, False))
        for ask in [b for b in self.blocks.values() if isinstance(b, Ask) and b.state == "open"]:
            ask.state = "dropped"
            changed.append((ask, False))
        return [*changed, self._note("session_finished", data)]

    # -- helpers

    def _turn(self, data: dict[str, Any]) -> tuple[Turn, bool]:
        chat = data["chat"]
        key = turn_id(data["run"], chat, data["turn"])
        found = self.blocks.get(key)
        if isinstance(found, Turn):
            return found, False
        turn = Turn(id=key, number=data["turn"], chat=chat, agent=data["agent"], at=data["at"])
        selection = self._selections.pop(chat, None)
        if selection is not None and selection["agent"] == turn.agent:
            turn.selection = selection
        self.blocks[key] = turn
        return turn, True

    def _note(self, template: str, data: dict[str, Any]) -> tuple[Block, bool]:
        note = Note(id=f"note-{data['seq']}", at=data["at"], template=template, data=data)
        self.blocks[note.id] = note
        return note, True

    # -- for the panel

    @property
    def seconds(self) -> float:
        turns = self.turn_list
        if not turns:
            return 0.0
        end = max(t.ended_at or t.at for t in turns)
        return (parse_time(end) - parse_time(self.started_at)).total_seconds()

    def timeline(self) -> list[dict[str, Any]]:
        """A lane for each agent: spans as percentages of the whole time.

        Spans that touch are one, so there are never more than can be told apart: this is sent
        again at every turn.
        """
        turns = self.turn_list
        if not turns:
            return []
        start = parse_time(turns[0].at)
        total = max(
            0.001, (parse_time(max(t.ended_at or t.at for t in turns)) - start).total_seconds()
        )
        lanes: dict[str, list[dict[str, float]]] = {}
        for turn in turns:
            at = (parse_time(turn.at) - start).total_seconds()
            end = (parse_time(turn.ended_at or turn.at) - start).total_seconds()
            left, width = 100 * at / total, max(NARROWEST, 100 * (end - at) / total)
            lane = lanes.setdefault(turn.agent, [])
            if lane and left <= lane[-1]["left"] + lane[-1]["width"]:
                lane[-1]["width"] = round(left + width - lane[-1]["left"], 2)
            else:
                lane.append({"left": round(left, 2), "width": round(width, 2)})
        return [{"agent": name, "spans": spans} for name, spans in lanes.items()]


def turn_id(run: int, chat: str, number: int) -> str:
    """Where a turn stands on the page. A turn that was cut keeps its number free for the next run,
    so the run is part of it."""
    place = [f"r{run}"] if run > 1 else []
    return "-".join(["turn", *place, *([chat.replace("/", "-")] if chat else []), str(number)])


def _plain(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(p.get("text", "[image]")) for p in content if isinstance(p, dict))
    return ""
