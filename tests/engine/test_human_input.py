"""The decision table of ENGINE 1.4: who is asked, and what an answer does. Every row."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from studio.engine import ConversableAgent, a_initiate_chat
from studio.engine.agents import HumanInputMode
from studio.engine.context import entered
from studio.engine.errors import DefinitionError
from studio.engine.events import InputRequested
from studio.engine.replies import (
    PROMPT_AT_END,
    PROMPT_AT_LIMIT,
    PROMPT_EACH_TURN,
    termination_and_human,
)

from .builders import Log, People, context_of, ids, scripted, scripted_llm, silent

GOES_ON = "goes on"
STOPS = "stops"


@dataclass(frozen=True)
class Row:
    """One row: `before` is n, `most` is max, `answer` None means that nobody is asked."""

    mode: HumanInputMode
    term: bool
    before: int
    most: int
    answer: str | None
    then: str
    after: int
    prompt: str = ""

    def __str__(self) -> str:
        what = "term" if self.term else "open"
        return f"{self.mode}-{what}-{self.before}of{self.most}-{self.answer!r}"


EACH, LIMIT, END = PROMPT_EACH_TURN, PROMPT_AT_LIMIT, PROMPT_AT_END
TABLE = [
    # ALWAYS asks every time, whatever the limit says
    Row("ALWAYS", False, 0, 5, "", GOES_ON, 1, EACH),
    Row("ALWAYS", False, 5, 5, "", GOES_ON, 6, EACH),
    Row("ALWAYS", True, 0, 5, "", STOPS, 0, EACH),
    Row("ALWAYS", True, 5, 5, "", STOPS, 0, EACH),
    Row("ALWAYS", False, 2, 5, "exit", STOPS, 0, EACH),
    Row("ALWAYS", True, 2, 5, "exit", STOPS, 0, EACH),
    Row("ALWAYS", False, 2, 5, "go left", "go left", 0, EACH),
    Row("ALWAYS", True, 2, 5, "go left", "go left", 0, EACH),
    Row("ALWAYS", True, 5, 5, "go left", "go left", 0, EACH),
    Row("ALWAYS", False, 0, 0, "", "", 0, EACH),
    Row("ALWAYS", True, 0, 0, "", STOPS, 0, EACH),
    Row("ALWAYS", False, 0, 0, "go left", "go left", 0, EACH),
    Row("ALWAYS", False, 0, 0, "exit", STOPS, 0, EACH),
    # NEVER asks nobody
    Row("NEVER", False, 0, 5, None, GOES_ON, 1),
    Row("NEVER", False, 4, 5, None, GOES_ON, 5),
    Row("NEVER", False, 5, 5, None, STOPS, 0),
    Row("NEVER", True, 0, 5, None, STOPS, 0),
    Row("NEVER", True, 5, 5, None, STOPS, 0),
    Row("NEVER", False, 0, 0, None, STOPS, 0),
    Row("NEVER", True, 0, 0, None, STOPS, 0),
    # TERMINATE below the limit asks at the end only
    Row("TERMINATE", False, 0, 5, None, GOES_ON, 1),
    Row("TERMINATE", False, 4, 5, None, GOES_ON, 5),
    Row("TERMINATE", True, 2, 5, "", STOPS, 0, END),
    Row("TERMINATE", True, 2, 5, "exit", STOPS, 0, END),
    Row("TERMINATE", True, 2, 5, "go left", "go left", 0, END),
    # TERMINATE at the limit asks
    Row("TERMINATE", False, 5, 5, "", GOES_ON, 6, LIMIT),
    Row("TERMINATE", False, 6, 5, "", GOES_ON, 7, LIMIT),
    Row("TERMINATE", False, 5, 5, "exit", STOPS, 0, LIMIT),
    Row("TERMINATE", False, 5, 5, "go left", "go left", 0, LIMIT),
    Row("TERMINATE", True, 5, 5, "", STOPS, 0, END),
    Row("TERMINATE", True, 5, 5, "exit", STOPS, 0, END),
    Row("TERMINATE", True, 5, 5, "go left", "go left", 0, END),
    Row("TERMINATE", False, 0, 0, "", "", 0, LIMIT),
    Row("TERMINATE", True, 0, 0, "", STOPS, 0, END),
    Row("TERMINATE", False, 0, 0, "exit", STOPS, 0, LIMIT),
    Row("TERMINATE", False, 0, 0, "go left", "go left", 0, LIMIT),
]


@pytest.mark.parametrize("row", TABLE, ids=ids(TABLE, str))
async def test_row(row: Row) -> None:
    person = ConversableAgent(
        "person", human_input_mode=row.mode, max_consecutive_auto_reply=row.most
    )
    peer = silent("peer")
    for _ in range(row.before):
        person.count_auto_reply(peer)
    people = People([] if row.answer is None else [row.answer])
    message = {"role": "user", "content": "TERMINATE" if row.term else "hello"}
    with entered(context_of(people=people)):
        final, reply = await termination_and_human(person, [message], peer)
    said = reply["content"] if isinstance(reply, dict) else reply
    assert (final, said) == {GOES_ON: (False, None), STOPS: (True, None)}.get(
        row.then, (True, row.then)
    )
    assert person.auto_replies(peer) == row.after
    assert not people.answers
    assert [q.prompt for q in people.asked] == (
        [row.prompt.format(agent="person", peer="peer")] if row.answer is not None else []
    )
    assert person.human_input == ([] if row.answer is None else [row.answer])


@pytest.mark.parametrize("nearly", ["Exit", " exit", "exit ", "EXIT", "exit."])
async def test_only_the_exact_word_exit_stops(nearly: str) -> None:
    log = Log()
    person = ConversableAgent("person", human_input_mode="ALWAYS")
    await a_initiate_chat(
        silent("peer", default_auto_reply="hm"),
        person,
        message="Hello",
        context=context_of(log, People([nearly, "exit"])),
    )
    assert log.said == [("peer", "Hello"), ("person", nearly), ("peer", "hm")]


async def test_empty_at_the_limit_is_asked_again_every_following_turn() -> None:
    """The counter is not reset by an empty answer."""
    person = ConversableAgent(
        "person", llm=scripted_llm(["p1", "p2", "p3"]), max_consecutive_auto_reply=1
    )
    people = People(["", "", "exit"])
    log = Log()
    await a_initiate_chat(
        silent("peer", default_auto_reply="hm"),
        person,
        message="Hello",
        context=context_of(log, people),
    )
    assert [text for name, text in log.said if name == "person"] == ["p1", "p2", "p3"]
    assert len(people.asked) == 3


async def test_text_at_the_limit_starts_the_count_anew() -> None:
    person = ConversableAgent(
        "person", llm=scripted_llm(["p1", "p2"]), max_consecutive_auto_reply=1
    )
    log = Log()
    await a_initiate_chat(
        silent("peer", default_auto_reply="hm"),
        person,
        message="Hello",
        context=context_of(log, People(["mine", "exit"])),
    )
    assert [text for name, text in log.said if name == "person"] == ["p1", "mine", "p2"]


@pytest.mark.parametrize("most", [0, 1, 3])
async def test_a_limit_of_k_is_exactly_k_auto_replies(most: int) -> None:
    log = Log()
    limited = scripted("limited", "1", "2", "3", "4", max_consecutive_auto_reply=most)
    await a_initiate_chat(
        silent("peer", default_auto_reply="hm"), limited, message="Hello", context=context_of(log)
    )
    assert [text for name, text in log.said if name == "limited"] == ["1", "2", "3"][:most]


async def test_the_count_is_per_sender_and_reset_by_a_new_chat() -> None:
    limited = silent("limited", max_consecutive_auto_reply=1)
    one, other = silent("one"), silent("other")
    limited.count_auto_reply(one)
    assert (limited.auto_replies(one), limited.auto_replies(other)) == (1, 0)
    await a_initiate_chat(
        one, limited, message="Hi", clear_history=False, max_turns=1, context=context_of()
    )
    assert limited.auto_replies(one) == 1  # 0 by the new chat, then one reply


async def test_the_predicate_is_the_receivers() -> None:
    log = Log()
    stops = silent("stops", is_termination_msg=lambda m: m["content"] == "enough")
    await a_initiate_chat(silent("peer"), stops, message="enough", context=context_of(log))
    assert log.said == [("peer", "enough")]


async def test_pending_calls_are_answered_as_interrupted() -> None:
    person = ConversableAgent("person", human_input_mode="ALWAYS")
    calls = [{"id": "c1", "function": {"name": "f", "arguments": "{}"}}, {"id": "c2"}]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    with entered(context_of(people=People(["no, wait"]))):
        final, reply = await termination_and_human(person, [message], silent("peer"))
    assert final
    assert reply == {
        "role": "user",
        "content": "no, wait",
        "tool_responses": [
            {"tool_call_id": one, "role": "tool", "content": "USER INTERRUPTED"}
            for one in ("c1", "c2")
        ],
    }


@pytest.mark.parametrize("mode", ["ALWAYS", "TERMINATE", "NEVER"])
async def test_a_missing_opening_is_asked_in_any_mode(mode: HumanInputMode) -> None:
    people = People(["typed"])
    log = Log()
    await a_initiate_chat(
        ConversableAgent("opener", human_input_mode=mode),
        scripted("peer", "ok"),
        max_turns=1,
        context=context_of(log, people),
    )
    assert [q.prompt for q in people.asked] == [">"]
    assert log.said == [("opener", "typed"), ("peer", "ok")]


async def test_the_question_says_what_may_be_done() -> None:
    """An empty answer at the end of a task would stop, so skipping is not offered there."""
    log = Log()
    person = ConversableAgent("person", human_input_mode="ALWAYS")
    peer = scripted("peer", "TERMINATE")
    await a_initiate_chat(person, peer, message="Hi", context=context_of(log, People(["exit"])))
    await a_initiate_chat(
        silent("other"), person, message="Hi", context=context_of(log, People(["exit"]))
    )
    asked = [e for _, e in log.events if isinstance(e, InputRequested)]
    assert [q.actions for q in asked] == [["end"], ["skip", "end"]]
    assert asked[0].question != asked[1].question or asked[0].prompt != asked[1].prompt


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(DefinitionError, match="SOMETIMES"):
        ConversableAgent("a", human_input_mode="SOMETIMES")  # type: ignore[arg-type]
