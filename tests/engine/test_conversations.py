"""Conversations made of conversations: sequences, and nested chats inside an agent."""

from __future__ import annotations

from typing import Any

import pytest

from studio.engine import ConversableAgent, GroupChat
from studio.engine.chats import a_initiate_chat
from studio.engine.context import entered
from studio.engine.conversations import Conversation, Group, Held, Pair, SequenceStep, Steps
from studio.engine.effects import Effect, Outcome, Perform, PlainEffects
from studio.engine.errors import DefinitionError
from studio.engine.events import ChatEnded, ChatStarted
from studio.engine.llm.call import LLM
from studio.engine.stopping import MaxMessages
from studio.engine.teams import Nested, nest

from .builders import Log, context_of, manager_of, scripted, scripted_llm, silent


class Asked(PlainEffects):
    """Keeps the messages of every model call."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[Any]]] = []

    async def do(self, effect: Effect, perform: Perform) -> Outcome:
        if effect.messages is not None:
            said = [(m["role"], m["content"]) for m in effect.messages]
            self.calls.append((effect.agent, said))
        return await super().do(effect, perform)


def pair(name: str, *replies: str, max_turns: int = 1, **fields: Any) -> Pair:
    """Somebody who asks, and an expert who says these replies."""
    return Pair(
        name=name, initiator=silent(f"{name}_asks", default_auto_reply="Go on"),
        recipient=scripted(name, *replies), max_turns=max_turns, **fields,
    )  # fmt: skip


def summing_up(text: str) -> LLM:
    """A model of its own for summaries, so that it does not read the script of the agents."""
    return scripted_llm([text], "summary")


def openings(log: Log) -> list[str]:
    """The first message of every chat, in order."""
    first: dict[str, str] = {}
    for chat, event in log.events:
        if event.kind == "message":
            first.setdefault(chat, event.content)
    return list(first.values())


async def held(conversation: Conversation, log: Log | None = None, **context: Any) -> Held:
    with entered(context_of(log, **context)):
        return await conversation.hold("Tea")


async def chat(
    agent: ConversableAgent, log: Log, turns: int = 1, termination: Any = None, **context: Any
) -> Any:
    return await a_initiate_chat(
        silent("user", default_auto_reply="And then?"), agent, message="Tea", max_turns=turns,
        termination=termination, context=context_of(log, **context),
    )  # fmt: skip


# -- sequences


def steps_of(*steps: SequenceStep, **fields: Any) -> Steps:
    return Steps(name="steps", steps=list(steps), **fields)


@pytest.mark.parametrize(
    ("message", "first", "second"),
    [
        ("", "Tea", "Tea\nContext: \n1"),
        ("About {task}: {task}!", "About Tea: Tea!", "About Tea: Tea!\nContext: \n1"),
        ("A name.", "A name.\nContext: \nTea", "A name.\nContext: \nTea\n1"),
        ("{other} {task}", "{other} Tea", "{other} Tea\nContext: \n1"),
    ],
)
async def test_what_opens_a_step(message: str, first: str, second: str) -> None:
    log = Log()
    await held(
        steps_of(SequenceStep(pair("a", "1"), message), SequenceStep(pair("b", "2"), message)), log
    )
    assert openings(log) == [first, second]


async def test_each_step_hears_what_all_before_it_came_to() -> None:
    log = Log()
    found = await held(steps_of(*(SequenceStep(pair(n, n.upper())) for n in "abc")), log)
    assert openings(log)[2] == "Tea\nContext: \nA\nB"
    assert found.summary == "C"
    assert found.ended_by == "All steps are done"
    told = [(c, e.form, e.title, e.of) for c, e in log.events if isinstance(e, ChatStarted)]
    assert told == [(f"step:{i}", "step", n, str(i)) for i, n in enumerate("abc", 1)]
    turns = [(c, e.turn) for c, e in log.events if e.kind == "message"]
    assert turns == [(f"step:{i}", turn) for i in (1, 2, 3) for turn in (1, 2)]
    ended = [(c, e.reason) for c, e in log.events if isinstance(e, ChatEnded)]
    assert ended == [(f"step:{i}", "1 turn, the most allowed") for i in (1, 2, 3)]


@pytest.mark.parametrize(
    ("method", "carried"),
    [
        ("last_msg", "Tea\nContext: \n1 "),
        ("none", "Tea"),
        ("reflection_with_llm", "Tea\nContext: \nIn short"),
    ],
)
async def test_a_step_is_summed_up_by_its_own_method(method: Any, carried: str) -> None:
    log, effects = Log(), Asked()
    first = pair("a", "1 TERMINATE", summary_method="none", summary_prompt="Sum up",
                 llm=summing_up("In short"))  # fmt: skip
    steps = steps_of(SequenceStep(first, "", method), SequenceStep(pair("b", "2")))
    await held(steps, log, effects=effects)
    assert openings(log)[1] == carried
    asked = [call for call in effects.calls if call[1][-1] == ("system", "Sum up")]
    expected = [("user", "Tea"), ("assistant", "1 TERMINATE"), ("system", "Sum up")]
    assert asked == ([("a", expected)] if method == "reflection_with_llm" else [])


@pytest.mark.parametrize(
    ("method", "summary"), [("last_msg", "2"), ("none", ""), ("reflection_with_llm", "All in all")]
)
async def test_the_whole_is_summed_up(method: Any, summary: str) -> None:
    effects = Asked()
    steps = steps_of(SequenceStep(pair("a", "1")), SequenceStep(pair("b", "2")),
                     summary_method=method, llm=summing_up("All in all"))  # fmt: skip
    assert (await held(steps, effects=effects)).summary == summary
    if method == "reflection_with_llm":
        contents = [text for _, text in effects.calls[-1][1]]
        assert contents[:4] == ["Tea", "1", "Tea\nContext: \n1", "2"]


async def test_a_stop_condition_of_the_whole_ends_a_step_and_begins_no_other() -> None:
    log = Log()
    steps = steps_of(
        SequenceStep(pair("a", "1", "2", max_turns=2)), SequenceStep(pair("c", "3", "4")),
        SequenceStep(pair("d", "5")), termination=MaxMessages(6),
    )  # fmt: skip
    found = await held(steps, log)
    assert [text for _, text in log.said] == [
        "Tea", "1", "Go on", "2", "Tea\nContext: \n2", "3",
    ]  # fmt: skip
    assert (found.ended_by, found.summary) == ("6 messages were said", "3")


async def test_held_once_more_without_clearing_agents_remember() -> None:
    effects = Asked()
    steps = steps_of(SequenceStep(pair("a", "1", "2")))
    with entered(context_of(effects=effects)):
        await steps.hold("Tea")
        await steps.hold("Coffee", clear=False)
        assert [text for _, text in effects.calls[1][1]][1:] == ["Tea", "1", "Coffee"]


# -- nested chats


def nesting(*nested: Nested, own: str = "") -> ConversableAgent:
    agent = scripted("agent", own) if own else silent("agent")
    nest(agent, nested)
    return agent


async def test_a_nested_chat_answers_when_its_trigger_speaks() -> None:
    log = Log()
    agent = nesting(Nested(lambda: pair("inner", "from inside"), trigger="user"))
    assert (await chat(agent, log)).summary == "from inside"
    assert [(c, e.agent, e.content) for c, e in log.events if e.kind == "message"] == [
        ("", "user", "Tea"), ("2/nested0", "inner_asks", "Tea"),
        ("2/nested0", "inner", "from inside"), ("", "agent", "from inside"),
    ]  # fmt: skip
    [started] = [e for _, e in log.events if isinstance(e, ChatStarted)]
    assert (started.form, started.title, started.agent) == ("nested", "inner", "agent")


async def test_to_others_the_agent_answers_by_itself() -> None:
    log = Log()
    agent = nesting(Nested(lambda: pair("inner", "from inside"), trigger="somebody"), own="my own")
    assert (await chat(agent, log)).summary == "my own"
    assert not any(isinstance(e, ChatStarted) for _, e in log.events)


async def test_in_a_group_the_author_of_the_last_message_is_the_trigger() -> None:
    log = Log()
    agent = nesting(Nested(lambda: pair("inner", "about b"), trigger="b"), own="by myself")
    members = [silent("a", default_auto_reply="A"), agent, silent("b", default_auto_reply="B")]
    order = iter([agent, members[2], agent])
    group = GroupChat(members, speaker_selection_method=lambda last, _: next(order, None))
    team = Group(name="team", initiator=members[0], recipient=manager_of(group))
    await held(team, log)
    outer = [(e.agent, e.content) for c, e in log.events if e.kind == "message" and not c]
    assert outer == [("a", "Tea"), ("agent", "by myself"), ("b", "B"), ("agent", "about b")]


@pytest.mark.parametrize(
    ("first", "second", "opened"),
    [
        ("", "Judge.", ["Tea", "Judge.\nContext: \n1"]),
        ("On {last}:", "{last}?", ["On Tea:", "Tea?\nContext: \n1"]),
        ("Look.", "Judge.", ["Look.\nContext: \nTea", "Judge.\nContext: \n1"]),
        ("Look.", "", ["Look.\nContext: \nTea"]),
    ],
)
async def test_several_in_a_row(first: str, second: str, opened: list[str]) -> None:
    """The last one's summary is the answer; a later one without a message is left out."""
    log = Log()
    agent = nesting(Nested(lambda: pair("one", "1"), message=first),
                    Nested(lambda: pair("two", "2"), message=second))  # fmt: skip
    found = await chat(agent, log)
    assert openings(log)[1:] == opened
    assert found.summary == str(len(opened))


async def test_only_those_that_are_triggered_run() -> None:
    log = Log()
    agent = nesting(Nested(lambda: pair("one", "1"), trigger="other"),
                    Nested(lambda: pair("two", "2"), trigger="user"))  # fmt: skip
    assert (await chat(agent, log)).summary == "2"
    assert openings(log) == ["Tea", "Tea"]


async def test_a_nested_chat_begins_anew_each_time() -> None:
    log, effects = Log(), Asked()
    agent = nesting(Nested(lambda: pair("inner", "1", "2")))
    await chat(agent, log, turns=2, effects=effects)
    assert [len(messages) for _, messages in effects.calls] == [2, 2]
    paths = [c for c, e in log.events if isinstance(e, ChatStarted)]
    assert paths == ["2/nested0", "4/nested1"]


async def test_a_nested_chat_is_summed_up_by_its_own_method() -> None:
    agent = nesting(Nested(lambda: pair("inner", "1", llm=summing_up("In short")),
                           summary_method="reflection_with_llm"))  # fmt: skip
    assert (await chat(agent, Log())).summary == "In short"


async def test_chats_that_contain_themselves_end_in_an_error() -> None:
    def endless() -> Pair:
        agent = silent("again")
        nest(agent, [Nested(endless)])
        return Pair(name="p", initiator=silent("asks"), recipient=agent, max_turns=1)

    with pytest.raises(DefinitionError, match="contains itself"):
        await held(endless())
