"""Every kind of workflow through the API: who says what in which chat, and what models are sent."""

from __future__ import annotations

from typing import Any

import pytest

from studio.engine.society import LEAD_IN, PREPARE

from .team import Team, call

# -- handoffs


SPECIALISTS = ("Tech", "Money", "Sales")


def _triage(team: Team, *chosen: Any, rounds: int = 20, **user: Any) -> str:
    person = team.stand_in("User", **user)
    helpers = [team.assistant(n, f"{n} one", f"{n} two") for n in SPECIALISTS]
    handoffs = [
        {"to": one, "when": f"it is about {n}"} for one, n in zip(helpers, SPECIALISTS, strict=True)
    ]
    triage = team.assistant("Triage", *chosen, handoffs=handoffs)
    return team.workflow(
        "group_chat", initiator=person, agents=[person, triage, *helpers], max_round=rounds,
        speaker_selection_method="handoff",
    )  # fmt: skip


@pytest.mark.parametrize(("number", "name"), list(enumerate(SPECIALISTS, 1)))
def test_triage_hands_over_to_the_specialist_that_its_model_chose(
    team: Team, number: int, name: str
) -> None:
    tool = f"transfer_to_{name}_{number}"
    one = team.played(_triage(team, call(tool)), "Help!")
    assert team.said(one) == [
        ("", "User", "Help!"),
        ("", "Triage", tool),
        ("", "_Group_Tool_Executor", f"Transfer to {name}"),
        ("", name, f"{name} one"),
    ]
    assert team.asked(name) == [[("system", f"I am {name}."), ("User", "Help!")]]
    offered = team.server.calls[0]["tools"]
    assert [(t["function"]["name"], t["function"]["description"]) for t in offered] == [
        (f"transfer_to_{n}_{k}", f"it is about {n}") for k, n in enumerate(SPECIALISTS, 1)
    ]


def test_a_follow_up_goes_on_with_whom_the_word_was_handed_to(team: Team) -> None:
    one = team.played(_triage(team, call("transfer_to_Money_2")), "Help!")
    team.studio.verb(one, "messages", {"message": "And now?"})
    team.rested(one)
    assert team.said(one)[4:] == [("", "User", "And now?"), ("", "Money", "Money two")]
    assert [text for _, text in team.asked("Money")[1]][1:] == ["Help!", "Money one", "And now?"]


def test_handoffs_by_text_by_a_variable_and_always(team: Team) -> None:
    user = team.stand_in("User")
    last = team.assistant("Last", "the end")
    middle = team.assistant("Middle", handoffs=[
        {"to": last, "when": {"context": {"name": "vip", "op": "==", "value": True}}}])  # fmt: skip
    side = team.assistant("Side", "never")
    first = team.assistant("First", "please ESCALATE", handoffs=[
        {"to": side, "when": {"contains": "RELAX"}},
        {"to": middle, "when": {"contains": "ESCALATE"}},
        {"to": side, "when": "always"}])  # fmt: skip
    group = team.workflow(
        "group_chat", initiator=user, agents=[first, side, middle, last],
        speaker_selection_method="handoff", context_variables={"vip": True},
    )  # fmt: skip
    assert team.said(team.played(group)) == [
        ("", "User", "Begin."), ("", "First", "please ESCALATE"),
        ("", "Middle", "[Handing off to Last]"), ("", "Last", "the end"),
    ]  # fmt: skip


def test_the_word_goes_back_to_a_person_and_to_the_agent_again(team: Team) -> None:
    person = team.studio.person(name="You")
    agent = team.assistant("Helper", "What exactly?", "I see.", handoffs=[
        {"to": "user", "when": "always"}])  # fmt: skip
    group = team.workflow("group_chat", initiator=person, agents=[person, agent],
                          speaker_selection_method="handoff", max_round=4)  # fmt: skip
    one = team.played(group, "Help!", "waiting")
    [question] = team.studio.session(one)["questions"]
    assert question["agent"] == "You"
    team.studio.verb(one, "answer", {"question": question["id"], "text": "The printer."})
    team.rested(one)
    assert [text for _, _, text in team.said(one)] == [
        "Help!", "What exactly?", "The printer.", "I see.",
    ]  # fmt: skip


# -- nested, sequential, team


def _review(team: Team) -> str:
    """A pair of an editor and a critic, two turns long."""
    return team.workflow(
        "two_agent", name="review", initiator=team.stand_in("Editor", "Shorter"),
        recipient=team.assistant("Critic", "too long", "still too long"), max_turns=2,
    )  # fmt: skip


def test_a_review_inside_the_writer(team: Team) -> None:
    user = team.stand_in("User", "Improve it.")
    nested = {"trigger": user, "workflow": _review(team), "message": "Review: {last}"}
    writer = team.assistant("Writer", nested=[nested])
    pair = team.workflow("two_agent", initiator=user, recipient=writer, max_turns=1)
    one = team.played(pair, "My text")
    assert team.said(one) == [
        ("", "User", "My text"),
        ("2/nested0", "Editor", "Review: My text"), ("2/nested0", "Critic", "too long"),
        ("2/nested0", "Editor", "Shorter"), ("2/nested0", "Critic", "still too long"),
        ("", "Writer", "still too long"),
    ]  # fmt: skip
    assert team.asked("Critic")[1] == [
        ("system", "I am Critic."), ("Editor", "Review: My text"), ("Critic", "too long"),
        ("Editor", "Shorter"),
    ]  # fmt: skip
    assert team.asked("Writer") == [], "its nested chats answered for it"
    started = [e for e in team.studio.events(one) if e["kind"] == "chat_started"]
    assert [(e["chat"], e["form"], e["title"], e["agent"]) for e in started] == [
        ("2/nested0", "nested", "review", "Writer"),
    ]  # fmt: skip


def test_a_nested_chat_has_turns_and_a_summary_of_its_own(team: Team) -> None:
    user = team.stand_in("User")
    nested = [
        {"workflow": _review(team), "max_turns": 1},
        {"workflow": team.workflow("two_agent", initiator=team.stand_in("Boss"),
                                   recipient=team.assistant("Judge", "Fine TERMINATE"),
                                   max_turns=1),
         "message": "Judge."},
    ]  # fmt: skip
    writer = team.assistant("Writer", nested=nested)
    pair = team.workflow("two_agent", initiator=user, recipient=writer, max_turns=1)
    said = team.said(team.played(pair, "My text"))
    assert said[-1] == ("", "Writer", "Fine ")
    assert [text for chat, _, text in said if chat == "2/nested0"] == ["My text", "too long"]
    assert [text for chat, _, text in said if chat == "2/nested1"] == [
        "Judge.\nContext: \ntoo long", "Fine TERMINATE",
    ]  # fmt: skip


def test_a_report_in_three_steps(team: Team) -> None:
    user = team.stand_in("User")
    steps = []
    for name, message, method in (
        ("Research", "", "last_msg"),
        ("Write", "Write about {task}.", "reflection_with_llm"),
        ("Polish", "Polish it.", "last_msg"),
    ):
        inner = team.workflow(
            "two_agent", initiator=user, recipient=team.assistant(name, f"{name} done"),
            max_turns=1, models=[team.model(f"{name}-summary", f"{name} in short")],
        )  # fmt: skip
        steps.append({"workflow": inner, "message": message, "summary_method": method})
    one = team.played(team.workflow("sequential", steps=steps), "Tea")
    assert team.said(one) == [
        ("step:1", "User", "Tea"), ("step:1", "Research", "Research done"),
        ("step:2", "User", "Write about Tea.\nContext: \nResearch done"),
        ("step:2", "Write", "Write done"),
        ("step:3", "User", "Polish it.\nContext: \nTea\nResearch done\nWrite in short"),
        ("step:3", "Polish", "Polish done"),
    ]  # fmt: skip
    assert team.asked("Write-summary")[0][:2] == [
        ("User", "Write about Tea.\nContext: \nResearch done"), ("Write", "Write done"),
    ]  # fmt: skip
    finished = team.studio.events(one)[-1]
    assert (finished["summary"], finished["reason"]) == ("Polish done", "All steps are done")


def test_a_society_of_mind(team: Team) -> None:
    first, second = team.assistant("One", "one says"), team.assistant("Two", "two says")
    inner = team.workflow("group_chat", initiator=first, agents=[first, second], max_round=3,
                          speaker_selection_method="round_robin")  # fmt: skip
    boss = team.assistant("Boss", "With one voice", kind="workflow", workflow=inner)
    user = team.stand_in("User")
    pair = team.workflow("two_agent", initiator=user, recipient=boss, max_turns=1)
    one = team.played(pair, "Think")
    assert team.said(one) == [
        ("", "User", "Think"), ("2/team0", "One", "Think"), ("2/team0", "Two", "two says"),
        ("2/team0", "One", "one says"), ("", "Boss", "With one voice"),
    ]  # fmt: skip
    assert team.asked("Boss") == [
        [("system", LEAD_IN), ("One", "Think"), ("Two", "two says"), ("One", "one says"),
         ("system", PREPARE)],
    ]  # fmt: skip
