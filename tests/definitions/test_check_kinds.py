"""What is missing or unwise in sequences, graphs, nested chats, teams and groups by handoff."""

from __future__ import annotations

from typing import Any

import pytest

from ..builders import Json
from ..conftest import InProcess
from .test_checks import check, expect_refused, found


def made(studio: InProcess, kind: str, **fields: Any) -> str:
    return str(studio.create("workflows", kind=kind, **fields)["id"])


def says(studio: InProcess, **fields: Any) -> str:
    return studio.assistant(studio.scripted("Fine", "Fine"), **fields)


def pair_with(studio: InProcess, recipient: str, **fields: Any) -> str:
    return studio.pair_of(recipient, **fields)


def expect_told(studio: InProcess, workflow: str, *wanted: tuple[str, str]) -> None:
    """/check lists exactly these problems, none blocks, and a session begins."""
    problems = check(studio, workflow)
    assert found(problems, blocking=False) == set(wanted)
    assert found(problems, blocking=True) == set()
    studio.start(workflow)


# -- sequences


def test_a_sequence_needs_steps(studio: InProcess) -> None:
    expect_refused(studio, made(studio, "sequential"), {("steps", "steps_missing")})


def test_problems_of_a_step_stand_at_the_step(studio: InProcess) -> None:
    sound, mute = studio.pair(studio.scripted("Hi")), pair_with(studio, studio.assistant())
    steps = [{"workflow": sound}, {"workflow": mute}]
    workflow = made(studio, "sequential", steps=steps)
    expect_refused(studio, workflow, {("steps.1.workflow.recipient.models", "model_missing")})
    [problem] = check(studio, workflow)
    name = studio.get(f"workflows/{mute}")["name"]
    assert problem["msg"].startswith(f"{name}: "), "it says where it is"


def test_what_is_summed_up_by_a_model_needs_one(studio: InProcess) -> None:
    members = [says(studio), says(studio)]
    group = made(studio, "group_chat", initiator=members[0], agents=members,
                 speaker_selection_method="round_robin")  # fmt: skip
    step = {"workflow": group, "summary_method": "reflection_with_llm"}
    workflow = made(studio, "sequential", steps=[step])
    expect_refused(studio, workflow, {("steps.0.summary_method", "model_missing")})
    nested = [{"workflow": group, "summary_method": "reflection_with_llm"}]
    writer = studio.assistant(nested=nested)
    wanted = {("recipient.nested.0.summary_method", "model_missing")}
    expect_refused(studio, pair_with(studio, writer), wanted)
    whole = made(studio, "sequential", steps=[{"workflow": group}],
                 summary_method="reflection_with_llm")  # fmt: skip
    expect_refused(studio, whole, {("models", "model_missing")})


def test_a_workflow_that_contains_itself(studio: InProcess) -> None:
    inner = made(studio, "sequential", steps=[])
    outer = made(studio, "sequential", steps=[{"workflow": inner}])
    body = studio.get(f"workflows/{inner}")
    studio.put(f"workflows/{inner}", {**body, "steps": [{"workflow": outer}]},
               **{"if-match": f'"{body["revision"]}"'})  # fmt: skip
    problems = check(studio, outer)
    assert {code for _, code in found(problems, blocking=True)} == {"contains_itself"}
    expect_refused(studio, outer, found(problems, blocking=True))


# -- graphs


def graph(studio: InProcess, *edges: Json, nodes: str = "abc", **fields: Any) -> str:
    made_nodes = [{"id": one, "agent": says(studio)} for one in nodes]
    return made(studio, "graph", nodes=made_nodes, edges=list(edges), **fields)


def edge(way: str, **more: Any) -> Json:
    return {"from": way[0], "to": way[1], **more}


GOOD = {"contains": "good"}
BLOCKING: list[tuple[list[Json], Json, tuple[str, str]]] = [
    ([], {"nodes": ""}, ("nodes", "nodes_missing")),
    ([edge("ab", max_times=2), edge("bc", max_times=2), edge("ca", max_times=2)], {},
     ("start", "start_missing")),
    ([edge("ab"), edge("ba")], {"start": "a"}, ("edges.0.max_times", "endless_loop")),
    ([edge("aa")], {"start": "a"}, ("edges.0.max_times", "endless_loop")),
    ([edge("ab", when=GOOD), edge("bc"), edge("cb")], {},
     ("edges.1.max_times", "endless_loop")),
    ([edge("ab", when={"model": "Good?"})], {}, ("models", "model_missing")),
]  # fmt: skip


@pytest.mark.parametrize(("edges", "fields", "problem"), BLOCKING)
def test_a_graph_that_cannot_run(
    studio: InProcess, edges: list[Json], fields: Json, problem: tuple[str, str]
) -> None:
    expect_refused(studio, graph(studio, *edges, **fields), {problem})


WHENEVER = {"context": {"name": "mood", "op": "==", "value": "good"}}
UNWISE: list[tuple[list[Json], Json, set[tuple[str, str]]]] = [
    ([edge("ab"), edge("bc")], {}, set()),
    ([edge("ab"), edge("ba", when=GOOD), edge("bc")], {"start": "a"},
     {("edges.0.max_times", "uncapped_loop")}),
    ([edge("ab"), edge("ba", max_times=3), edge("bc")], {"start": "a"}, set()),
    ([edge("ab"), edge("ba"), edge("bc")], {"start": "a", "termination": {"max_messages": 9}},
     set()),
    ([edge("ab"), edge("ba"), edge("bc")], {"start": "a", "limits": {"max_messages": 9}}, set()),
    ([edge("ab"), edge("ba"), edge("ac")], {"start": "a", "end": "b"},
     {("edges.1.from", "edge_of_end")}),
    ([edge("ab")], {"start": "a"}, {("nodes.2", "unreachable")}),
    ([edge("ab"), edge("bc")], {"start": "a", "end": ["b"]},
     {("edges.1.from", "edge_of_end"), ("nodes.2", "unreachable")}),
    ([edge("ab", when=WHENEVER), edge("ac")], {},
     {("edges.0.when.context.name", "unknown_variable")}),
    ([edge("ab", when=WHENEVER), edge("ac")], {"context_variables": {"mood": "good"}}, set()),
]  # fmt: skip


@pytest.mark.parametrize(("edges", "fields", "wanted"), UNWISE)
def test_a_graph_that_runs_though_it_may_be_unwise(
    studio: InProcess, edges: list[Json], fields: Json, wanted: set[tuple[str, str]]
) -> None:
    expect_told(studio, graph(studio, *edges, **fields), *wanted)


def test_a_graph_without_a_start_offers_its_first_node(studio: InProcess) -> None:
    [problem] = [
        p for p in check(studio, graph(studio, edge("ab"), edge("ba"), edge("cc"), edge("bc"),
                                       limits={"max_messages": 9}))
        if p["code"] == "start_missing"
    ]  # fmt: skip
    assert problem["fix"] == "a"


def test_a_node_that_is_gone_and_one_that_is_not_whole(studio: InProcess) -> None:
    nodes = [{"id": "a", "agent": studio.assistant()}, {"id": "b", "workflow": "nothing"}]
    workflow = made(studio, "graph", nodes=nodes[:1])
    expect_refused(studio, workflow, {("nodes.0.agent.models", "model_missing")})
    refused = studio.call("POST", "workflows", {"kind": "graph", "name": "gone", "nodes": nodes})
    assert refused.status_code == 422, "a reference to nothing is not even kept"


# -- inside agents


@pytest.mark.parametrize("trigger", [True, False])
def test_a_nested_chat_that_holds_its_own_agent(studio: InProcess, trigger: bool) -> None:
    """It would begin again inside itself, unless somebody triggers it who is not in it."""
    outsider, partner = studio.stand_in(), studio.stand_in()
    writer = says(studio)
    inner = made(studio, "two_agent", initiator=partner, recipient=writer, max_turns=1)
    body = studio.get(f"agents/{writer}")
    nested = [{"workflow": inner, "trigger": outsider if trigger else None}]
    studio.put(f"agents/{writer}", {**body, "nested": nested},
               **{"if-match": f'"{body["revision"]}"'})  # fmt: skip
    workflow = made(studio, "two_agent", initiator=outsider, recipient=writer, max_turns=1)
    if trigger:
        expect_told(studio, workflow)
        return
    problems = check(studio, workflow)
    assert {code for _, code in found(problems, blocking=True)} == {"contains_itself"}


@pytest.mark.parametrize("kind", ["graph", "group_chat", "two_agent"])
def test_a_nested_chat_in_which_its_trigger_speaks_to_its_agent(
    studio: InProcess, kind: str
) -> None:
    friend, writer = studio.stand_in(default_auto_reply="Hm"), says(studio)
    fields: dict[str, Json] = {
        "graph": {"nodes": [{"id": "f", "agent": friend}, {"id": "w", "agent": writer}],
                  "edges": [edge("fw")]},
        "group_chat": {"initiator": friend, "agents": [friend, writer],
                       "speaker_selection_method": "round_robin"},
        "two_agent": {"initiator": friend, "recipient": writer, "max_turns": 1},
    }  # fmt: skip
    inner = made(studio, kind, **fields[kind])
    body = studio.get(f"agents/{writer}")
    studio.put(f"agents/{writer}", {**body, "nested": [{"workflow": inner, "trigger": friend}]},
               **{"if-match": f'"{body["revision"]}"'})  # fmt: skip
    problems = check(studio, pair_with(studio, writer))
    assert {code for _, code in found(problems, blocking=True)} == {"contains_itself"}


def test_a_team_needs_a_workflow_and_its_problems_stand_at_it(studio: InProcess) -> None:
    team = studio.create("agents", kind="workflow")["id"]
    wanted = {("recipient.workflow", "workflow_missing")}
    expect_refused(studio, pair_with(studio, team), wanted)
    inner = made(studio, "two_agent", initiator=studio.stand_in())
    team = studio.create("agents", kind="workflow", workflow=inner)["id"]
    wanted = {("recipient.workflow.recipient", "agent_missing")}
    expect_refused(studio, pair_with(studio, team), wanted)


def test_an_agent_whose_nested_chats_always_answer_needs_no_model(studio: InProcess) -> None:
    inner = studio.pair(studio.scripted("Hi", "Hi"))
    always = studio.assistant(nested=[{"workflow": inner}])
    expect_told(studio, pair_with(studio, always))
    user = studio.stand_in()
    sometimes = studio.assistant(nested=[{"workflow": inner, "trigger": user}])
    wanted = {("recipient.models", "model_missing")}
    expect_refused(studio, pair_with(studio, sometimes), wanted)


@pytest.mark.parametrize(
    ("question", "field", "code"),
    [
        ({"form": "choice"}, "choices", "choices_missing"),
        ({"form": "fields"}, "schema", "fields_missing"),
    ],
)
def test_a_person_who_is_asked_needs_something_to_answer(
    studio: InProcess, question: Json, field: str, code: str
) -> None:
    workflow = pair_with(studio, studio.person(question=question))
    expect_refused(studio, workflow, {(f"recipient.question.{field}", code)})
    nobody = studio.person(question=question, human_input_mode="NEVER")
    assert found(check(studio, pair_with(studio, nobody)), blocking=True) == set()


# -- handoffs


def by_handoff(studio: InProcess, *agents: str, **fields: Any) -> str:
    given = {"speaker_selection_method": "handoff", "initiator": studio.stand_in()}
    return made(studio, "group_chat", agents=list(agents), **given | fields)


def test_handoffs_have_no_effect_in_a_chat_of_two(studio: InProcess) -> None:
    other = says(studio)
    agent = says(studio, handoffs=[{"to": other, "when": "always"}])
    expect_told(studio, pair_with(studio, agent), ("recipient.handoffs", "handoffs_idle"))


def test_a_handoff_to_somebody_outside_and_a_table_that_is_not_read(studio: InProcess) -> None:
    outside, second = says(studio), says(studio)
    first = says(studio, handoffs=[{"to": outside, "when": "always"},
                                   {"to": second, "when": "always"}])  # fmt: skip
    field = "allowed_or_disallowed_speaker_transitions"
    table = {field: {first: [second], second: [first]}}
    workflow = by_handoff(studio, first, second, **table)
    expect_told(studio, workflow, ("agents.0.handoffs.0.to", "not_a_member"),
                (field, "table_unused"))  # fmt: skip


@pytest.mark.parametrize("when", ["it is about money", {"model": "Is it about money?"}])
@pytest.mark.parametrize("opens", [True, False])
def test_a_handoff_that_a_model_decides_needs_a_model(
    studio: InProcess, when: Any, opens: bool
) -> None:
    other = says(studio)
    agent = studio.stand_in(handoffs=[{"to": other, "when": when}])
    if opens:
        workflow = by_handoff(studio, other, initiator=agent)
        expect_refused(studio, workflow, {("initiator.handoffs", "model_missing")})
    else:
        workflow = by_handoff(studio, agent, other)
        expect_refused(studio, workflow, {("agents.0.handoffs", "model_missing")})


def test_a_model_that_calls_no_tools_will_not_choose(studio: InProcess) -> None:
    other = says(studio)
    model = studio.scripted("Fine", profile={"tools": "none"})
    agent = studio.assistant(model, handoffs=[{"to": other, "when": "money"}])
    expect_told(studio, by_handoff(studio, agent, other), ("agents.0.handoffs", "no_tools"))


def test_a_group_by_handoff_needs_somebody_beside_its_opener(studio: InProcess) -> None:
    user = studio.stand_in()
    workflow = by_handoff(studio, user, initiator=user)
    expect_refused(studio, workflow, {("agents", "too_few_agents")})


# -- ends


@pytest.mark.parametrize("name", ["source", "handoff"])
def test_a_stop_condition_about_nobody_is_not_even_kept(studio: InProcess, name: str) -> None:
    tree = {"any": [{"text": "x"}, {"all": [{name: "nobody"}, {"max_messages": 9}]}]}
    body = {"kind": "two_agent", "name": f"ends-by-{name}", "termination": tree}
    refused = studio.refused("POST", "workflows", body)
    assert [e["loc"] for e in refused["errors"]] == [["termination", "any", 1, "all", 0, name]]


def test_one_about_an_agent_of_an_inner_workflow_is_fine(studio: InProcess) -> None:
    agent = says(studio)
    steps = [{"workflow": pair_with(studio, agent)}]
    expect_told(studio, made(studio, "sequential", steps=steps, termination={"source": agent}))
