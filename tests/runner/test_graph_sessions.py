"""Graphs through the API: transcripts, what models are sent, and what later runs remember."""

from __future__ import annotations

from ..builders import Json, check_log, until
from ..fake_openai import FakeOpenAI
from .team import Team


def edge(path: str, **more: object) -> Json:
    """edge("a>b") leads from a to b."""
    source, target = path.split(">")
    return {"from": source, "to": target, **more}


def graph(team: Team, nodes: dict[str, Json | str], *edges: Json, **fields: object) -> str:
    """Nodes by id: an agent's id, or the fields of a node."""
    made = [
        {"id": one, **({"agent": given} if isinstance(given, str) else given)}
        for one, given in nodes.items()
    ]
    return team.workflow("graph", nodes=made, edges=list(edges), **fields)


def test_two_branches_and_a_join(team: Team) -> None:
    nodes: dict[str, Json | str] = {
        name.lower(): team.assistant(name, f"{name} one", f"{name} two")
        for name in ("Plan", "Left", "Right", "Join")
    }
    workflow = graph(team, nodes, edge("plan>left"), edge("plan>right"), edge("right>join"),
                     edge("left>join"))  # fmt: skip
    one = team.played(workflow, "Tea")
    assert sorted(team.said(one)) == [
        ("node:join", "Join", "Join one"), ("node:left", "Left", "Left one"),
        ("node:plan", "Plan", "Plan one"), ("node:right", "Right", "Right one"),
    ]  # fmt: skip
    assert team.asked("Join") == [
        [("system", "I am Join."), ("Left", "Left one"), ("Right", "Right one")]
    ]
    assert team.asked("Left") == [[("system", "I am Left."), ("Plan", "Plan one")]]
    taken = [(e["chat"], e["from"], e["to"], e["times"], e["reason"])
             for e in team.studio.events(one) if e["kind"] == "edge_taken"]  # fmt: skip
    assert sorted(taken) == [
        ("node:left", "left", "join", 1, "always"), ("node:plan", "plan", "left", 1, "always"),
        ("node:plan", "plan", "right", 1, "always"), ("node:right", "right", "join", 1, "always"),
    ]  # fmt: skip
    assert team.studio.events(one)[-1]["summary"] == "Join one"
    team.studio.verb(one, "messages", {"message": "Coffee"})
    team.rested(one)
    assert [text for _, text in team.asked("Join")[1]][1:] == [
        "Left one", "Right one", "Join one", "Left two", "Right two",
    ]  # fmt: skip


def test_a_loop_between_writer_and_critic(team: Team) -> None:
    writer = team.assistant("Writer", "draft", "better draft", "best draft")
    critic = team.assistant("Critic", "again", "again", "again")
    workflow = graph(
        team, {"w": writer, "c": critic}, edge("w>c"),
        edge("c>w", when={"contains": "again"}, max_times=2), start="w",
    )  # fmt: skip
    one = team.played(workflow)
    assert [(chat, text) for chat, _, text in team.said(one)] == [
        ("node:w", "draft"), ("node:c", "again"), ("node:w:2", "better draft"),
        ("node:c:2", "again"), ("node:w:3", "best draft"), ("node:c:3", "again"),
    ]  # fmt: skip
    assert [text for _, text in team.asked("Writer")[2]][1:] == [
        "Begin.", "draft", "again", "better draft", "again",
    ]  # fmt: skip
    calls = [e for e in team.studio.events(one) if e["kind"] == "model_called"]
    exact = team.studio.get(f"sessions/{one}/calls/{calls[-2]['seq']}")
    assert [m["content"] for m in exact["request"]["messages"]][1:] == [
        text for _, text in team.asked("Writer")[2]
    ][1:]


def test_a_model_decides_which_way(team: Team) -> None:
    workflow = graph(
        team, {n: team.assistant(n, f"{n} said") for n in ("In", "Yes", "No")},
        edge("In>Yes", when={"model": "Is it polite?"}), edge("In>No", when="else"),
        name="decider", models=[team.model("decider", "No.")],
    )  # fmt: skip
    assert [agent for _, agent, _ in team.said(team.played(workflow))] == ["In", "No"]
    [asked] = team.asked("decider")
    assert asked[0] == ("In", "In said")
    assert asked[1][1].startswith("Is it polite?")


def test_a_group_and_a_graph_stand_in_nodes(team: Team) -> None:
    members = [team.assistant(n, f"{n} one") for n in ("One", "Two")]
    group = team.workflow("group_chat", initiator=members[0], agents=members, max_round=3,
                          speaker_selection_method="round_robin")  # fmt: skip
    inner = graph(team, {"x": team.assistant("X", "x said"), "g": {"workflow": group}},
                  edge("x>g"))  # fmt: skip
    last = team.assistant("Last", "over")
    one = team.played(graph(team, {"i": {"workflow": inner}, "l": last}, edge("i>l")), "Tea")
    assert team.said(one) == [
        ("node:i/node:x", "X", "x said"), ("node:i/node:g", "One", "x said"),
        ("node:i/node:g", "Two", "Two one"), ("node:i/node:g", "One", "One one"),
        ("node:l", "Last", "over"),
    ]  # fmt: skip
    assert team.asked("Last")[0][1:] == [("i", "One one")]


def test_one_agent_in_two_branches_has_a_nested_chat_of_its_own_in_each(team: Team) -> None:
    """Side by side they would otherwise write into the same memory."""
    critic = team.assistant("Critic", *["fine"] * 4)
    review = team.workflow("two_agent", initiator=team.stand_in("Editor", "Sure?"),
                           recipient=critic, max_turns=2)  # fmt: skip
    writer = team.assistant("Writer", nested=[{"workflow": review}])
    team_of_one = team.assistant("Crew", kind="workflow", workflow=review, models=[])
    for agent in (writer, team_of_one):
        team.server.calls.clear()
        team.server.replies["Critic"] = ["fine"] * 4
        start = team.assistant(f"Start{len(team.server.replies)}", "begin")
        workflow = graph(team, {"s": start, "a": agent, "b": agent}, edge("s>a"), edge("s>b"))
        team.played(workflow)
        assert sorted(len(asked) for asked in team.asked("Critic")) == [2, 2, 4, 4]


def test_a_follow_up_remembers_a_branch_that_was_first_because_the_other_led_elsewhere(
    team: Team, fake: FakeOpenAI
) -> None:
    """Played again, the other branch is slower: what is first must not be asked anew."""
    slow = fake.endpoint("held", text="slow")
    pair = team.workflow("two_agent", initiator=team.stand_in("Asker", "More?"),
                         recipient=team.assistant("Expert", *"12345678"), max_turns=3)  # fmt: skip
    first = team.studio.assistant(team.studio.model(slow), name="First")
    workflow = graph(
        team,
        {"s": team.assistant("Start", "begin", "begin"), "a": first, "b": {"workflow": pair},
         "x": {"agent": team.assistant("End", "end one", "end two"), "join": "any"}},
        edge("s>a"), edge("s>b"), edge("a>x"), edge("b>x", when={"contains": "never"}),
    )  # fmt: skip
    one = team.studio.start(workflow)
    until(lambda: [e for e in team.studio.events(one)
                   if e["kind"] == "chat_ended" and e["chat"] == "node:b"])  # fmt: skip
    slow.release()
    team.rested(one)
    team.studio.verb(one, "messages", {"message": "Once more."})
    team.rested(one)
    asked = [text for _, text in team.asked("End")[1]]
    assert len(asked) == 4, asked
    assert asked[2] == "end one"


def test_a_follow_up_after_a_stop_remembers_what_the_other_branches_said(
    team: Team, fake: FakeOpenAI
) -> None:
    hang = fake.endpoint("hang")
    stuck = team.studio.assistant(team.studio.model(hang), name="Stuck")
    workflow = graph(
        team,
        {"s": team.assistant("Start", "begin", "begin"), "a": stuck,
         "b": team.assistant("Quick", "b one", "b two"),
         "c": team.assistant("Next", "c one", "c two"),
         "j": team.assistant("Join", "never", "never")},
        edge("s>a"), edge("s>b"), edge("b>c"), edge("a>j"), edge("c>j"),
    )  # fmt: skip
    one = team.studio.start(workflow)
    until(lambda: any(text == "c one" for _, _, text in team.said(one)) and hang.requests)
    team.studio.verb(one, "stop")
    team.studio.verb(one, "messages", {"message": "Once more."})
    until(lambda: any(text == "c two" for _, _, text in team.said(one)))
    assert [text for _, text in team.asked("Next")[1]][1:] == ["b one", "c one", "b two"]
    assert team.asked("Join") == []
    team.studio.verb(one, "stop")
    check_log(team.studio.session(one), team.studio.events(one))
