"""Where we deviate from AutoGen 0.2 on purpose (ENGINE 10), and that compat takes it back."""

from __future__ import annotations

import pytest

from studio.engine import GroupChat, a_initiate_chat
from studio.engine.events import MessageSent

from .builders import Log, context_of, manager_of, scripted, silent


async def test_two_empty_messages_end_a_two_agent_chat() -> None:
    log = Log()
    context = context_of(log)
    await a_initiate_chat(silent("a"), silent("b"), message="Hello", context=context)
    assert log.said == [("a", "Hello"), ("b", "")]
    assert context.ended_by == "two empty messages in a row"


async def test_with_compat_empty_messages_go_on_to_the_limit() -> None:
    log = Log()
    a, b = silent("a", max_consecutive_auto_reply=2), silent("b", max_consecutive_auto_reply=2)
    await a_initiate_chat(a, b, message="Hello", context=context_of(log, compat=True))
    assert log.said == [("a", "Hello"), ("b", ""), ("a", ""), ("b", ""), ("a", "")]


async def test_one_empty_message_between_others_ends_nothing() -> None:
    log = Log()
    a = scripted("a", "More, please", "TERMINATE")
    await a_initiate_chat(a, silent("b"), message="Hello", context=context_of(log))
    assert [text for _, text in log.said] == ["Hello", "", "More, please", "", "TERMINATE"]


async def test_two_empty_messages_end_a_group() -> None:
    log = Log()
    a, b, c = scripted("a", "x"), silent("b"), silent("c")
    group = GroupChat([a, b, c], speaker_selection_method="round_robin", max_round=8)
    context = context_of(log)
    await a_initiate_chat(a, manager_of(group), message="Hello", context=context)
    assert log.said == [("a", "Hello"), ("b", ""), ("c", "")]
    assert context.ended_by == "two empty messages in a row"


async def test_with_compat_a_group_goes_on_after_empty_messages() -> None:
    log = Log()
    a, b, c = scripted("a", "x"), silent("b"), silent("c")
    group = GroupChat([a, b, c], speaker_selection_method="round_robin", max_round=4)
    context = context_of(log, compat=True)
    await a_initiate_chat(a, manager_of(group), message="Hello", context=context)
    assert log.said == [("a", "Hello"), ("b", ""), ("c", ""), ("a", "x")]


def _dead_end() -> tuple[Log, GroupChat]:
    """After b nobody is eligible: b has a key in the graph, but an empty list."""
    a, b, c = scripted("a", "a1", "a2"), scripted("b", "b1", "b2"), scripted("c", "c1", "c2")
    graph = {a: [b], b: [], c: [a]}
    return Log(), GroupChat(
        [a, b, c],
        max_round=4,
        speaker_selection_method="round_robin",
        allowed_or_disallowed_speaker_transitions=graph,
        speaker_transitions_type="allowed",
    )


async def test_zero_eligible_speakers_end_the_group() -> None:
    log, group = _dead_end()
    context = context_of(log)
    await a_initiate_chat(group.agents[0], manager_of(group), message="Hello", context=context)
    assert log.said == [("a", "Hello"), ("b", "b1")]
    assert context.ended_by == "nobody may follow b"


async def test_with_compat_zero_eligible_speakers_mean_everybody() -> None:
    log, group = _dead_end()
    context = context_of(log, compat=True)
    await a_initiate_chat(group.agents[0], manager_of(group), message="Hello", context=context)
    assert log.said == [("a", "Hello"), ("b", "b1"), ("c", "c1"), ("a", "a1")]


@pytest.mark.parametrize(("compat", "summary"), [(False, "b says "), (True, "Hello")])
async def test_summary_of_a_group_that_an_outsider_opened(compat: bool, summary: str) -> None:
    """AutoGen 0.2 gives the outsider its own opening back; ours is what was said last."""
    a, b = scripted("a", "a says"), scripted("b", "b says TERMINATE")
    group = GroupChat([a, b], speaker_selection_method="round_robin", max_round=3)
    result = await a_initiate_chat(
        silent("outsider"),
        manager_of(group),
        message="Hello",
        context=context_of(compat=compat),
    )
    assert result.summary == summary


async def test_skipped_manual_choice_keeps_to_the_graph() -> None:
    """Recorded: the reference ignores the graph there. Ours stays inside it without compat."""
    from .builders import People

    a, b, c = scripted("a", "x"), scripted("b", "b1"), scripted("c", "c1")
    group = GroupChat(
        [a, b, c],
        max_round=2,
        speaker_selection_method="manual",
        allowed_or_disallowed_speaker_transitions={a: [a, c]},
        speaker_transitions_type="allowed",
    )
    log = Log()
    await a_initiate_chat(
        a, manager_of(group), message="Hello", context=context_of(log, People([""]))
    )
    assert log.said == [("a", "Hello"), ("c", "c1")]


async def test_the_turns_are_numbered_through() -> None:
    log, group = _dead_end()
    await a_initiate_chat(
        group.agents[0], manager_of(group), message="Hello", context=context_of(log)
    )
    messages = [e for _, e in log.events if isinstance(e, MessageSent)]
    assert [m.turn for m in messages] == [1, 2]
