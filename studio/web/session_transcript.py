"""The transcript of a session as it grows: blocks in threads, and what the last row did to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ..store.sessions import Session
from .session_blocks import RUNS_TOOLS, Ask, Block, Note, Thread, Turn, form_of, turn_id


class Transcript:
    """`root` holds the blocks in their threads, `all` every one of them by its id.

    threads    by run and path, in the order in which their chats began
    turn_list  in the order in which turns began, whichever thread they are in
    asks       the questions that are open
    """

    def __init__(self, session: Session) -> None:
        self.run = 1
        self.root = Thread("t0", session.created_at, 0, 1, "", None)
        self.threads: dict[tuple[int, str], Thread] = {}
        self.all: dict[str, Block] = {}
        self.turn_list: list[Turn] = []
        self.asks: dict[str, Ask] = {}
        self.turns = 0
        self.edges: Counter[tuple[str, str]] = Counter()
        self._selections: dict[str, dict[str, Any]] = {}
        self._changes: dict[str, tuple[Block, bool]] = {}

    @property
    def blocks(self) -> dict[str, Block]:
        """The outermost conversation, with its threads."""
        return self.root.blocks

    @property
    def at_work(self) -> list[tuple[str, Thread]]:
        """Who makes a turn now, and in which thread; not who waits for a chat inside its own."""
        asking = {ask.thread.id for ask in self.asks.values()}
        every = (self.root, *self.threads.values())
        busy = [t for t in every if t.state == "live" and (t.speaker or t.id in asking)]
        outer = {one.id for thread in busy for one in thread.upwards if one is not thread}
        return [(t.speaker, t) for t in busy if t.id not in outer and t.id not in asking]

    def thread_at(self, chat: str) -> Thread | None:
        """The thread of a chat in the present run, if it has begun."""
        return self.threads.get((self.run, chat)) if chat else self.root

    def before(self, most: int) -> set[str]:
        """The ids of all that stands before the last `most` turns and will not change any more."""
        if len(self.turn_list) <= most:
            return set()
        first = self.turn_list[-most].order
        return {b.id for b in self.all.values() if b.order < first and not _may_change(b, first)}

    # -- for the fold: what it changes is gathered in `_changes`

    def _changed(self, block: Block) -> None:
        self._changes.setdefault(block.id, (block, False))

    def _next(self) -> int:
        return len(self.all) + 1

    def _add(self, block: Block, holder: Thread) -> None:
        """Puts a block at the end of a thread."""
        self.all[block.id] = holder.blocks[block.id] = block
        for one in holder.upwards:
            one.last_order = block.order
        self._changes[block.id] = (block, True)

    def _thread(self, data: dict[str, Any]) -> Thread:
        """The thread of an event; a new one stands in the innermost thread around it."""
        run, path = data["run"], data["chat"]
        if not path:
            return self.root
        if (run, path) in self.threads:
            return self.threads[run, path]
        parent = next(
            (self.threads[run, o] for o in _outer(path) if (run, o) in self.threads), None
        )
        holder = parent or self.root
        number, order = len(self.threads) + 1, self._next()
        thread = Thread(f"t{number}", data["at"], order, run, path, holder, last_order=order)
        thread.form, thread.of, thread.visit = form_of(path)
        self.threads[run, path] = thread
        self._add(thread, holder)
        return thread

    def _turn(self, data: dict[str, Any]) -> Turn:
        thread = self._thread(data)
        key = turn_id(data["run"], thread, data["turn"])
        found = self.all.get(key)
        if isinstance(found, Turn):
            return found
        place = len(self.turn_list) + 1
        turn = Turn(key, data["turn"], place, self._next(), thread, data["agent"], data["at"])
        selection = self._selections.pop(data["chat"], None)
        if selection is not None and selection["agent"] == turn.agent:
            turn.selection = selection
        self.turn_list.append(turn)
        self._add(turn, thread)
        return turn

    def _ask(self, data: dict[str, Any]) -> None:
        thread = self._thread(data)
        ask = Ask(f"ask-{data['question']}", data["at"], self._next(), thread, data)
        self._add(ask, thread)
        if ask.payload is not None:
            ask.turn = self._live_turn(thread, ask.agent)
            if ask.turn is not None:
                ask.turn.approvals.append(ask)
                self._changed(ask.turn)
        self.asks[ask.id] = ask
        self._count_asks(thread, 1)

    def _live_turn(self, thread: Thread, agent: str) -> Turn | None:
        """The turn that an agent is making in a chat."""
        for block in reversed(thread.blocks.values()):
            if isinstance(block, Turn) and block.agent == agent:
                return block if block.state in ("live", "held") else None
        return None

    def _note(self, template: str, data: dict[str, Any]) -> None:
        thread = self.thread_at(data["chat"]) or self.root
        note = Note(f"note-{data['seq']}", data["at"], self._next(), thread, template, data)
        self._add(note, thread)

    def _count(self, turn: Turn) -> None:
        """Counts a message in its thread and in those around it, and who spoke after whom."""
        self.turns += 1
        thread = turn.thread
        thread.rounds += 1
        thread.speaker = ""
        for one in thread.upwards:
            one.turns += 1
            if turn.agent != RUNS_TOOLS:
                one.agents.setdefault(turn.agent)
            if one.parent is not None:
                self._changed(one)
        if turn.agent == RUNS_TOOLS:
            return
        thread.speakers.setdefault(turn.agent)
        if thread.last_speaker:
            thread.edges[thread.last_speaker, turn.agent] += 1
            self.edges[thread.last_speaker, turn.agent] += 1
        thread.last_speaker = turn.agent

    def _count_asks(self, thread: Thread, by: int) -> None:
        for one in thread.upwards:
            one.asks += by
            if one.parent is not None:
                self._changed(one)

    def _close(self, ask: Ask, state: str) -> None:
        ask.state = state
        if self.asks.pop(ask.id, None) is not None:
            self._count_asks(ask.thread, -1)
        self._changed(ask)
        if ask.turn is not None:
            self._changed(ask.turn)

    def _reopen(self, ask: Ask) -> None:
        """The session failed with this question open and goes on: it is waited for, for ever."""
        ask.state, ask.waits_for_ever = "open", True
        self.asks[ask.id] = ask
        self._count_asks(ask.thread, 1)
        self._changed(ask)

    def _pass_over(self, thread: Thread) -> None:
        """A chat that goes on waits for nobody: its question answered itself."""
        for ask in [ask for ask in self.asks.values() if ask.thread is thread]:
            self._close(ask, "passed")

    def _move(self, before: str, after: str) -> None:
        """Turns and threads that are being made change their state together."""
        for block in self.all.values():
            if isinstance(block, Turn | Thread) and block.state == before:
                block.state = "cut" if isinstance(block, Thread) and after == "failed" else after
                self._changed(block)

    def _end(self, thread: Thread) -> None:
        """What is still open in a chat that is over was left: nobody goes on with it."""
        thread.speaker = ""
        for block in thread.blocks.values():
            if isinstance(block, Ask) and block.state == "open":
                self._close(block, "passed")
            elif isinstance(block, Turn | Thread) and block.state in ("live", "held"):
                block.state, block.ended_at = "cut", thread.ended_at
                self._changed(block)
                if isinstance(block, Thread):
                    self._end(block)


def _outer(path: str) -> Iterator[str]:
    """The paths around a path, innermost first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _may_change(block: Block, first: int) -> bool:
    """Whether a block that began before `first` is still being made, or holds what came later."""
    if isinstance(block, Thread):
        return block.state in ("live", "held") or block.last_order >= first
    return block.state in ("open", "live", "held")
