"""A session's log as its page shows it: rows go in one by one, blocks of the transcript come out.

The page and the stream use the same fold and the same templates, so what is seen live and what is
seen after a reload cannot differ.
"""

from __future__ import annotations

from typing import Any

from ..runner.runner import TIME_OUT
from ..store.events import Row
from ..store.sessions import TERMINAL, Session
from .session_blocks import (
    RUNS_TOOLS,
    Ask,
    Block,
    Known,
    Note,
    Thread,
    Turn,
    Usage,
    handed_to,
    plain,
    turn_id,
)
from .session_files import Made
from .session_timeline import lanes, seconds
from .session_transcript import Transcript

FOLDED = ("limit_reached", "error")
# A hue that there is not: the stylesheet shows whoever is not of the team in grey.
UNKNOWN = {"hue": "none", "role": "", "kind": "assistant", "id": ""}


class SessionView(Transcript):
    """Folds rows: the transcript, and beside it what the panel shows."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.session = session
        self.status = "queued"
        self.reason = ""
        self.cast = {member["name"]: member for member in session.agents}
        self.usage = Usage()
        self.by_agent: dict[str, Usage] = {}
        self.choosing = Usage()
        self.known: dict[str, Known] = {}
        self.started_at = session.created_at
        self.task = ""
        self.files: dict[str, list[Made]] = {}
        self.given: list[Made] = []
        self.seq = 0

    def member(self, name: str) -> dict[str, Any]:
        return self.cast.get(name, UNKNOWN)

    @property
    def is_over(self) -> bool:
        return self.status in TERMINAL

    @property
    def open_asks(self) -> list[Ask]:
        return [] if self.is_over else list(self.asks.values())

    @property
    def seconds(self) -> float:
        return seconds(self.turn_list, self.started_at)

    @property
    def bytes_in_all(self) -> int:
        """Of the last version of every file."""
        return sum(versions[-1].size for versions in self.files.values())

    def timeline(self) -> list[dict[str, Any]]:
        return lanes(self.turn_list)

    def fold(self, rows: list[Row]) -> SessionView:
        for row in rows:
            self.apply(row)
        return self

    def apply(self, row: Row) -> list[tuple[Block, bool]]:
        """Takes one row; says which blocks are new (True) or changed (False).

        Of a thread that changed, only the head did: its blocks are told of one by one.
        """
        data = row.data()
        self.seq = row.seq
        self._changes = {}
        handler = getattr(self, f"_on_{row.kind}", None)
        if handler is not None:
            handler(data)
        return list(self._changes.values())

    # -- one method per kind of event

    def _on_session_started(self, data: dict[str, Any]) -> None:
        self.run = data["run"]
        for one in data.get("attachments", ()):
            kept = Made(one["id"], one["name"], one["media_type"], one["bytes"], data["at"])
            self.given.append(kept)
        if self.run == 1:
            self.task, self.started_at = data["message"], data["at"]
            return
        self.root.taken.clear()
        self.root.rounds = 0
        self._note("session_started", data)

    def _on_status_changed(self, data: dict[str, Any]) -> None:
        self.status, self.reason = data["to"], data["reason"]
        if data["to"] == "paused":
            self._move("live", "held")
        elif data["to"] == "running":
            self._move("held", "live")
            self._take_up()

    def _take_up(self) -> None:
        """What held the session up is over, and what was cut off goes on."""
        for block in self.all.values():
            if isinstance(block, Note) and block.template in FOLDED and block.state == "done":
                block.state = "over"
                self._changed(block)
            elif isinstance(block, Thread) and block.run == self.run and block.was_cut:
                block.state = "live"
                self._changed(block)
            elif isinstance(block, Ask) and block.run == self.run and block.state == "dropped":
                self._reopen(block)

    def _on_chat_started(self, data: dict[str, Any]) -> None:
        thread = self._thread(data)
        thread.form, thread.title = data["form"], data["title"]
        thread.agent, thread.of = data.get("agent") or "", data.get("of") or ""
        thread.visit = data["visit"]

    def _on_chat_ended(self, data: dict[str, Any]) -> None:
        thread = self._thread(data)
        thread.state, thread.reason, thread.ended_at = "done", data["reason"], data["at"]
        self._end(thread)
        self._changed(thread)

    def _on_edge_taken(self, data: dict[str, Any]) -> None:
        thread = self._thread(data)
        holder = thread.parent or thread
        holder.taken[data["from"], data["to"]] += 1

    def _on_context_changed(self, data: dict[str, Any]) -> None:
        for name, value in data["changes"].items():
            self.known[name] = Known(value, data["by"], data["at"], data["seq"])

    def _on_speaker_selected(self, data: dict[str, Any]) -> None:
        self._selections[data["chat"]] = data
        thread = self._thread(data)
        thread.speaker = data["agent"]
        self._pass_over(thread)

    def _on_turn_started(self, data: dict[str, Any]) -> None:
        turn = self._turn(data)
        turn.thread.speaker = data["agent"]
        turn.state, turn.attempt, turn.content = "live", data["attempt"], ""
        self._changed(turn)

    def _on_model_called(self, data: dict[str, Any]) -> None:
        self.usage.add(data)
        if data["purpose"] != "turn":
            self.choosing.add(data)
            return
        self.by_agent.setdefault(data["agent"], Usage()).add(data)
        turn = self._turn(data)
        turn.tokens += data["prompt_tokens"] + data["completion_tokens"]
        turn.cost += data["cost_usd"]
        turn.latency_ms = (turn.latency_ms or 0) + data["latency_ms"]
        turn.call, turn.model = data["seq"], data["model"]
        turn.left_out = data.get("left_out", 0)
        turn.is_kept = data["cached"]

    def _on_message(self, data: dict[str, Any]) -> None:
        turn = self._turn(data)
        turn.content = plain(data["content"])
        turn.to, turn.state, turn.attempt = data["to"], "done", data["attempt"]
        turn.calls = [call["function"] for call in data.get("tool_calls", [])]
        if "function_call" in data:
            turn.calls.append(data["function_call"])
        turn.ended_at = data["at"]
        turn.hands_to = handed_to(turn)
        if turn.hands_to:
            had = turn.thread.last_speaker if turn.agent == RUNS_TOOLS else turn.agent
            turn.hands_from = had or turn.who
        self._count(turn)
        self._pass_over(turn.thread)
        self._changed(turn)

    def _on_code_executed(self, data: dict[str, Any]) -> None:
        turn = self._turn(data)
        turn.codes.append(data)
        self._changed(turn)

    def _on_artifact_saved(self, data: dict[str, Any]) -> None:
        thread = self._thread(data)
        turn = self.all.get(turn_id(data["run"], thread, data["turn"]))
        versions = self.files.setdefault(data["name"], [])
        number, maker = len(versions) + 1, turn if isinstance(turn, Turn) else None
        made = Made(data["id"], data["name"], data["media_type"], data["bytes"], data["at"],
                    data["sha256"], number, maker)  # fmt: skip
        versions.append(made)
        if maker is not None:
            maker.files.append(made)
            self._changed(maker)

    def _on_tool_returned(self, data: dict[str, Any]) -> None:
        turn = self._turn(data)
        turn.returned.append(data)
        self._changed(turn)

    def _on_network_used(self, data: dict[str, Any]) -> None:
        turn = self._turn(data)
        turn.requests.append(data)
        self._changed(turn)

    def _on_input_requested(self, data: dict[str, Any]) -> None:
        self._ask(data)

    def _on_input_received(self, data: dict[str, Any]) -> None:
        ask = self.all.get(f"ask-{data['question']}")
        if isinstance(ask, Ask):
            ask.answer = data
            self._close(ask, "passed" if data["by"] == TIME_OUT else "answered")

    def _on_error(self, data: dict[str, Any]) -> None:
        thread = self.thread_at(data["chat"])
        if data.get("turn") is not None and thread is not None:
            turn = self.all.get(turn_id(data["run"], thread, data["turn"]))
            if isinstance(turn, Turn) and turn.state == "live":
                turn.retries.append(data)
                self._changed(turn)
                return
        self._note("error", data)

    def _on_limit_reached(self, data: dict[str, Any]) -> None:
        self._note("limit_reached", data)

    def _on_session_finished(self, data: dict[str, Any]) -> None:
        self.status, self.reason = data["status"], data["reason"]
        self.root.speaker = ""
        self._move("live", "failed" if data["status"] == "failed" else "cut")
        self._move("held", "cut")
        for ask in [*self.asks.values()]:
            self._close(ask, "dropped")
        self._note("session_finished", data)
