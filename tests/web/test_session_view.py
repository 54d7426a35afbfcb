"""What a session's page shows is the fold of its log, live and after a reload alike."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from studio.engine import events as e
from studio.engine.events import Delta
from studio.errors import InvalidError, Problem
from studio.web.pages.session_answers import Typed, answer_of
from studio.web.pages.session_parts import Parts
from studio.web.session_blocks import Ask, Thread, Turn
from studio.web.session_progress import parts, root_cast
from studio.web.session_view import SessionView
from studio.web.templating import render

from .session_logs import (
    FORM,
    GRAPH,
    GROUP,
    Log,
    Page,
    graph_log,
    handoff_log,
    nested_log,
    session,
    snapshot,
    steps_log,
)

LOGS = [graph_log, nested_log, steps_log, handoff_log]


def folded(log: Log, most: int | None = None) -> SessionView:
    return SessionView(session()).fold(log.rows[:most])


def shown(view: SessionView) -> str:
    """The transcript as the page has it after a reload."""
    values = Parts(view, snapshot(GROUP)).values()
    blocks = [render("sessions/_block.html", {**values, "block": b}) for b in view.blocks.values()]
    return f'<ol id="turns">{"".join(blocks)}</ol>'


def outline(thread: Thread) -> list[Any]:
    """[name, [...]] for a thread, the agent for a turn, the template for the rest."""
    return [
        [b.name, outline(b)] if isinstance(b, Thread)
        else b.agent if isinstance(b, Turn) else b.template
        for b in thread.blocks.values()
    ]  # fmt: skip


@pytest.mark.parametrize("make", LOGS)
def test_what_came_row_by_row_is_what_a_reload_shows(make: Callable[[], Log]) -> None:
    """For every row: the page of before, with what the stream sent for it, is the page of now."""
    log = make()
    for begin in (0, len(log.rows) // 2):
        view = folded(log, begin)
        page = Page(shown(view))
        stream = Parts(view, snapshot(GROUP), only_turns=True)
        for number, row in enumerate(log.rows[begin:], begin + 1):
            page.take(stream.messages([row]))
            again = Page(shown(folded(log, number)))
            assert page.top.written() == again.top.written(), row.json


@pytest.mark.parametrize("make", LOGS)
def test_many_rows_at_once_come_to_the_same(make: Callable[[], Log]) -> None:
    log = make()
    view = SessionView(session())
    page = Page(shown(view))
    page.take(Parts(view, snapshot(GROUP), only_turns=True).messages(log.rows))
    assert page.top.written() == Page(shown(folded(log))).top.written()


@pytest.mark.parametrize("make", LOGS)
def test_ids_are_unique_and_safe_in_a_selector(make: Callable[[], Log]) -> None:
    page = Page(shown(folded(make())))
    ids = [n.attributes["id"] for n in page.top.walk() if "id" in n.attributes]
    assert len(ids) == len(set(ids))
    assert [one for one in ids if not re.fullmatch(r"[a-z][\w.-]*", str(one))] == []


def test_chats_whose_paths_look_alike_have_turns_of_their_own() -> None:
    log = Log().begun()
    paths = ["node:a", "node:a:2", "node:a-2", "2/nested0", "2-nested0", "node:a/2/nested0", "r2"]
    for path in paths:
        log.says(path, 1, "Host", path).says(path, 12, "Host", path)
    log.says("", 1, "Host").says("", 12, "Host")
    log.run = 2
    for path in paths:
        log.says(path, 1, "Host", path)
    log.says("", 1, "Host").says("", 12, "Host")
    view = folded(log)
    assert len(view.turn_list) == len(view.all) - len(view.threads) == 3 * len(paths) + 4
    assert [turn.place for turn in view.turn_list] == list(range(1, len(view.turn_list) + 1))


def test_threads_stand_where_they_began_to_any_depth() -> None:
    view = folded(graph_log())
    assert outline(view.root) == [
        ["node triage", ["Triage"]],
        ["Research group", [
            "Host", "Scout",
            ["Nested: Fact check", [
                "Skeptic", ["Team Editor: Copy desk", ["Writer", "input_requested", "Boss"]],
                "Editor"]],
            "Skeptic"]],
        ["node budget", ["input_requested", "Treasurer"]],
        ["node write", ["Author"]],
        ["node write", ["Author"]],
        "session_finished",
    ]  # fmt: skip
    research = view.threads[1, "node:research"]
    assert (research.turns, research.rounds) == (7, 3)
    assert list(research.agents) == ["Host", "Scout", "Skeptic", "Writer", "Boss", "Editor"]
    assert view.turns == 11


def test_a_chat_without_a_first_row_is_still_shown() -> None:
    view = folded(steps_log())
    assert outline(view.root) == [
        ["Step 1", ["Host", "Scout"]],
        ["Step 2: Refine", [["a-b", ["Author"]], ["a-b", ["Author"]]]],
        "limit_reached",
    ]
    assert view.threads[1, "step:2/node:a-b:2"].visit == 2


def test_nested_chats_fold_when_they_are_done_and_steps_do_not() -> None:
    log = graph_log()
    seen: dict[str, list[bool]] = {}
    view = SessionView(session())
    for row in log.rows:
        view.apply(row)
        for thread in view.threads.values():
            kept = seen.setdefault(thread.path, [])
            if not kept or kept[-1] != thread.is_open:
                kept.append(thread.is_open)
    inner = "node:research/3/nested0"
    assert seen[inner] == seen[f"{inner}/2/team0"] == [True, False]
    assert seen["node:research"] == seen["node:write:2"] == [True]


def test_questions_in_several_threads_are_open_at_once() -> None:
    log = graph_log()
    waiting = next(i for i, row in enumerate(log.rows) if '"to":"waiting"' in row.json)
    view = folded(log, waiting + 1)
    assert [(ask.agent, ask.thread.name) for ask in view.open_asks] == [
        ("Treasurer", "node budget"),
        ("Boss", "Team Editor: Copy desk"),
    ]
    team = view.open_asks[1].thread
    assert [one.asks for one in team.upwards] == [1, 1, 1, 2]
    assert view.at_work == []
    html = Page(
        f"<div>{render('sessions/_foot.html', Parts(view, snapshot(GRAPH)).values())}</div>"
    )
    assert "2 questions are open" in html.top.text()
    card = Page(shown(view)).find("ask-q1").text()
    assert "You speak as Treasurer" in card
    assert "In node budget." in card
    assert folded(log).open_asks == []


def test_who_is_at_work_is_told_of_each_branch_but_not_of_those_who_wait_inside() -> None:
    log = Log().begun().says("", 1, "Host")
    log.add(e.SpeakerSelected("Scout", "auto", ["Scout"], "chosen"))
    log.inside("2/nested0", "nested", "Review", "Scout").starts("2/nested0", 1, "Reviewer")
    view = folded(log)
    assert [(name, thread.name) for name, thread in view.at_work] == [
        ("Reviewer", "Nested: Review")
    ]
    log.asks("2/nested0", "q", "Boss")
    assert folded(log).at_work == []
    branches = Log().begun()
    for one in ("a", "b"):
        branches.inside(f"node:{one}", "node", "Host", "Host", one).starts(f"node:{one}", 1, "Host")
    assert [thread.of for _, thread in folded(branches).at_work] == ["a", "b"]


def test_live_text_reaches_the_turn_of_its_own_chat() -> None:
    log = Log().begun().starts("node:a", 1, "Host").starts("node:b", 1, "Scout")
    view = folded(log)
    page = Page(shown(view))
    stream = Parts(view, snapshot(GROUP))
    for chat, text in (("node:a", "one <b>"), ("node:b", "two"), ("node:c", "three"), ("", "four")):
        page.take(stream.messages([Delta(chat, 1, 1, "Host", 0, text)]))
    page.take(stream.messages([Delta("node:a", 1, 1, "Host", 7, " more")]))
    assert page.find("turn-t1-1-text").text() == "one <b> more"
    assert page.find("turn-t2-1-text").text() == "two"


def test_a_question_whose_chat_went_on_was_not_answered_in_time() -> None:
    limit = {"seconds": 60, "then": "auto_reply"}
    log = Log().begun().inside("node:a", "node", "Boss", "Boss", "a")
    log.asks("node:a", "q", "Boss", timeout=limit)
    ask = folded(log).open_asks[0]
    assert ask.deadline == "2026-11-23T10:01:04+00:00"
    assert "Boss answers by itself" in Page(shown(folded(log))).find("ask-q").text()
    view = folded(log.says("node:a", 1, "Boss", "By myself"))
    assert view.open_asks == []
    assert view.threads[1, "node:a"].asks == 0
    assert "Nobody answered in time" in Page(shown(view)).find("ask-q").text()


def test_what_the_clock_answers_counts_as_nobody() -> None:
    limit = {"seconds": 60, "then": "end"}
    log = Log().begun().asks("", "q", "Boss", timeout=limit)
    log.add(e.InputReceived("q", "time-out", text="exit"))
    view = folded(log)
    assert view.open_asks == []
    words = Page(shown(view)).find("ask-q").text()
    assert words.endswith("Nobody answered in time: the conversation ended.")


def test_a_question_is_open_again_when_its_failed_session_goes_on() -> None:
    limit = {"seconds": 60, "then": "fail"}
    log = Log().begun().inside("node:a", "node", "Boss", "Boss", "a")
    log.asks("node:a", "q", "Boss", timeout=limit).ended("failed")
    assert folded(log).open_asks == []
    log.add(e.StatusChanged("failed", "queued", "Resumed"))
    log.add(e.StatusChanged("queued", "running", ""))
    view = folded(log)
    assert [(ask.id, ask.deadline) for ask in view.open_asks] == [("ask-q", "")]
    assert view.threads[1, "node:a"].asks == 1
    log.add(e.InputReceived("q", "you", text="Yes")).ended()
    assert folded(log).threads[1, "node:a"].asks == 0


def test_an_answered_form_is_told_with_its_titles() -> None:
    page = Page(shown(folded(graph_log())))
    assert page.find("ask-q1").text().endswith("Verdict approve Budget 7 Urgent yes")
    assert "What now? blue you" in page.find("ask-q2").text()
    log = Log().begun().asks("", "q", "Boss", prompt="Reply. Press enter to skip", schema=None)
    log.add(e.InputReceived("q", "you", text="Yes"))
    assert "hidden" in Page(shown(folded(log))).find("ask-q").attributes


def test_handing_over_is_a_line_and_no_link_through_the_tools() -> None:
    view = folded(handoff_log())
    lines = [(t.hands_from, t.hands_to) for t in view.turn_list if t.hands_to]
    assert lines == [("Triage", "Scout"), ("Skeptic", "the person")]
    assert ("Triage", "Scout") in view.edges
    assert [lane["agent"] for lane in view.timeline()] == ["Host", "Triage", "Scout", "Writer"]
    assert view.turn_list[5].hands_to == "", "a model that writes these words hands nothing over"


def test_work_side_by_side_overlaps_between_lanes_and_merges_within_one() -> None:
    log = Log().begun()
    for chat, agent in (("node:a", "Host"), ("node:b", "Scout"), ("node:c", "Host")):
        log.starts(chat, 1, agent)
    log.says("node:a", 1, "Host").says("node:b", 1, "Scout").says("node:c", 1, "Host")
    lanes = {lane["agent"]: lane["spans"] for lane in folded(log).timeline()}
    assert lanes["Host"] == [{"left": 0.0, "width": 100.0}]
    assert lanes["Scout"] == [{"left": 20.0, "width": 60.0}]


def test_a_thread_that_a_failure_cut_goes_on_with_its_session() -> None:
    log = nested_log()
    states = []
    view = SessionView(session())
    for row in log.rows:
        view.apply(row)
        thread = view.threads.get((1, "3/nested0"))
        if thread and (not states or states[-1] != thread.state):
            states.append(thread.state)
    assert states == ["live", "cut", "live", "held", "live", "done"]
    turn = view.all["turn-t1-2"]
    assert isinstance(turn, Turn)
    assert (turn.state, turn.attempt, len(turn.retries)) == ("done", 2, 1)
    assert view.threads[2, "2/team0"].state == "cut"
    ask = view.all["ask-q9"]
    assert isinstance(ask, Ask)
    assert ask.state == "dropped"


def test_what_a_chat_left_open_inside_ends_with_it() -> None:
    log = Log().begun().inside("step:1", "step", "Group", None, "1").starts("step:1", 1, "Host")
    log.inside("step:1/1/nested0", "nested", "Inner", "Host").starts("step:1/1/nested0", 1, "Boss")
    log.asks("step:1/1/nested0", "q", "Boss").left("step:1", "Time is up")
    view = folded(log)
    inner = view.threads[1, "step:1/1/nested0"]
    assert (inner.state, inner.asks, view.open_asks) == ("cut", 0, [])
    assert {turn.state for turn in view.turn_list} == {"cut"}
    log.add(e.StatusChanged("queued", "running", ""))
    assert folded(log).threads[1, "step:1/1/nested0"].state == "cut"


def test_the_parts_of_a_graph_tell_how_far_they_are() -> None:
    log = graph_log()
    states: dict[str, list[str]] = {}
    view = SessionView(session())
    for row in log.rows:
        view.apply(row)
        for part in parts(view, snapshot(GRAPH)):
            kept = states.setdefault(part.id, [])
            if not kept or kept[-1] != part.state:
                kept.append(part.state)
    assert states == {
        "triage": ["waiting", "running", "done"],
        "research": ["waiting", "running", "asked", "running", "done"],
        "budget": ["waiting", "running", "asked", "running", "done"],
        "write": ["waiting", "running", "done", "running", "done"],
        "press": ["waiting", "unused"],
    }
    done = {part.id: part for part in parts(view, snapshot(GRAPH))}
    assert (done["write"].visits, done["write"].title) == (2, "Author")
    assert done["research"].title == "Research group"
    assert view.root.taken["write", "write"] == 2


def test_the_round_table_seats_only_the_outermost_conversation() -> None:
    view = folded(nested_log())
    assert [m["name"] for m in root_cast(view)] == ["Host", "Scout"]
    assert set(view.root.edges) == {("Host", "Scout"), ("Scout", "Host"), ("Host", "Host")}
    assert ("Host", "Reviewer") in view.edges


def test_what_they_know_names_who_set_it_last() -> None:
    view = folded(graph_log())
    told = {name: (known.words, known.by) for name, known in view.known.items()}
    assert told == {"priority": ("low", ""), "budget": ("7", "Treasurer")}


def test_of_a_long_session_the_last_turns_and_all_that_is_open_are_shown() -> None:
    log = Log().begun().inside("node:a", "node", "Group", None, "a").says("node:a", 1, "Host")
    log.asks("node:a", "q", "Boss")
    log.inside("node:b", "node", "Group", None, "b").says("node:b", 1, "Host").left("node:b")
    log.inside("node:c", "node", "Group", None, "c")
    for number in range(1, 31):
        log.says("node:c", number, "Scout")
    view = folded(log)
    hidden = view.before(10)
    assert {"t2", "turn-t2-1", "turn-t1-1"} <= hidden
    assert not {"t1", "ask-q", "t3"} & hidden
    assert len([turn for turn in view.turn_list if turn.id not in hidden]) == 10


def asked(form: str = "fields") -> Ask:
    log = Log().begun().asks("", "q", "Boss", form, schema=FORM, choices=["red", "blue"])
    return folded(log).open_asks[0]


def test_a_form_is_read_with_its_switches_and_its_ways_out() -> None:
    given = {"question": "q", "action": "say", "values.budget": "7", "values.verdict": "reject"}
    answer = answer_of(given, asked())
    assert answer.values == {"urgent": "false", "budget": "7", "verdict": "reject"}
    assert answer_of({**given, "values.urgent": "true"}, asked()).values == {
        "urgent": "true", "budget": "7", "verdict": "reject",
    }  # fmt: skip
    assert answer_of({"question": "q", "action": "end"}, asked()).text == "exit"
    assert answer_of({"question": "q", "action": "skip", "values.budget": ""}, asked()).text == ""
    assert answer_of({"question": "q", "text": "red"}, asked("choice")).text == "red"
    with pytest.raises(InvalidError):
        answer_of({"question": "q", "action": "say", "text": " "}, asked("text"))


def test_a_refused_form_keeps_what_was_typed_and_says_what_is_wrong_at_the_field() -> None:
    ask = asked()
    form = {"question": "q", "values.budget": '-1"', "values.verdict": "approve"}
    problems = [
        Problem(["values", "budget"], "Input should be 0 or more", "x"),
        Problem(["values", "gone"], "Nobody asks for this", "x"),
    ]
    typed = {ask.id: Typed.of(form, problems)}
    view = folded(Log().begun())
    page = Page(render("sessions/_ask.html", {"view": view, "block": ask, "typed": typed}))
    field = next(n for n in page.top.walk() if n.attributes.get("name") == "values.budget")
    assert field.attributes["value"] == '-1"'
    words = page.find(str(field.attributes["aria-describedby"])).text()
    assert words.startswith("Input should be 0 or more")
    assert "Nobody asks for this." in page.top.text()
    chosen = next(n for n in page.top.walk() if "selected" in n.attributes)
    assert chosen.text() == "approve"
