"""Approvals of calls, code and network, and boxed functions in pairs, groups and graphs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from studio.engine import ConversableAgent, GroupChat
from studio.engine.boxed import BoxedTool, ToolResult
from studio.engine.code_replies import CodeExecution
from studio.engine.context import RunContext, entered
from studio.engine.conversations import Group, Pair
from studio.engine.effects import Effect, Outcome, Perform, PlainEffects
from studio.engine.events import InputRequested, ToolReturned
from studio.engine.execution.executor import CodeResult
from studio.engine.execution.extract import CodeBlock
from studio.engine.execution.rules import CodeRules
from studio.engine.graph import Graph
from studio.engine.graph_plan import GraphNode

from .builders import Log, context_of, manager_of, scripted_llm, silent

SCHEMA = {
    "type": "function",
    "function": {
        "name": "add", "description": "Adds.",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
    },
}  # fmt: skip
YES: dict[str, Any] = {"approve": True}


def call(**arguments: Any) -> dict[str, Any]:
    return {"tool_calls": [{"name": "add", "arguments": arguments}]}


@dataclass
class Box:
    """Where `add` runs; remembers what ran."""

    ran: list[dict[str, Any]] = field(default_factory=list)

    def tool(self, **rules: Any) -> BoxedTool:
        async def run(arguments: dict[str, Any], key: str) -> ToolResult:
            self.ran.append(arguments)
            return ToolResult(ok=True, content=str(arguments["a"] + 1), printed="added")

        return BoxedTool("add", "Maths", run, **rules)


@dataclass
class Codes:
    """An executor that remembers what it was given."""

    ran: list[list[tuple[str, str]]] = field(default_factory=list)

    async def run(self, blocks: list[CodeBlock], rules: CodeRules | None = None) -> CodeResult:
        self.ran.append([(block.language, block.code) for block in blocks])
        return CodeResult(0, "ran\n")


@dataclass
class Answering(PlainEffects):
    """Gives the answers of people in order; one too many fails the test."""

    answers: list[dict[str, Any]]

    async def do(self, effect: Effect, perform: Perform) -> Outcome:
        if effect.kind == "input":
            return Outcome(self.answers.pop(0))
        return await super().do(effect, perform)


def caller(name: str, *replies: Any, tool: BoxedTool | None = None) -> ConversableAgent:
    """An agent that may call `add`, and runs it where nobody else is there to do so."""
    agent = ConversableAgent(
        name, "", llm=scripted_llm({name: list(replies)}), human_input_mode="NEVER"
    )
    agent.update_tool_signature(SCHEMA, is_remove=False)
    if tool is not None:
        agent.function_map["add"] = tool
    return agent


def context(answers: list[dict[str, Any]]) -> tuple[RunContext, Log]:
    log = Log()
    return context_of(log, effects=Answering(answers)), log


async def hold_pair(
    replies: list[Any], answers: list[dict[str, Any]], box: Box, **rules: Any
) -> Log:
    """A model that calls, and a stand-in that runs what was called; all answers are needed."""
    bob, user = caller("bob", *replies), silent("user")
    user.function_map["add"] = box.tool(**rules)
    running, log = context(answers)
    with entered(running):
        await Pair(name="pair", initiator=user, recipient=bob, max_turns=len(replies)).hold("Go")
    assert not answers
    return log


def asked(log: Log) -> list[InputRequested]:
    return [event for _, event in log.events if isinstance(event, InputRequested)]


def returned(log: Log) -> list[ToolReturned]:
    return [event for _, event in log.events if isinstance(event, ToolReturned)]


async def test_a_person_sees_the_exact_call_and_it_is_made() -> None:
    box = Box()
    log = await hold_pair([call(a=1), "2 it is"], [YES], box)
    [question] = asked(log)
    assert question.form == "approval"
    assert question.payload is not None
    assert json.loads(question.payload["arguments"]) == {"a": 1}
    assert (question.payload["skill"], question.payload["name"]) == ("Maths", "add")
    assert box.ran == [{"a": 1}]
    assert [(r.content, r.printed) for r in returned(log)] == [("2", "added")]
    assert log.said[-1] == ("bob", "2 it is")


async def test_a_refusal_reaches_the_model_as_text_and_nothing_runs() -> None:
    box = Box()
    refused = {"approve": False, "reason": "too dear"}
    log = await hold_pair([call(a=1), "Then not"], [refused], box)
    assert box.ran == []
    [answer] = returned(log)
    assert answer.content == "Error: add was refused by a person: too dear"
    assert not answer.ok
    assert log.said[-1] == ("bob", "Then not")


async def test_nobody_answered_in_time() -> None:
    box = Box()
    log = await hold_pair([call(a=1), "Then not"], [{"text": ""}], box)
    assert box.ran == []
    assert "nobody answered in time" in returned(log)[0].content


async def test_changed_arguments_are_what_runs_and_the_model_is_told() -> None:
    box = Box()
    log = await hold_pair([call(a=1), "So"], [{"approve": True, "edited": '{"a": 41}'}], box)
    assert box.ran == [{"a": 41}]
    assert returned(log)[0].content == '(A person changed the arguments to {"a": 41})\n42'


@pytest.mark.parametrize(("approval", "questions"), [("always", 3), ("once", 2), ("never", 0)])
async def test_an_approval_holds_for_the_same_arguments(approval: Any, questions: int) -> None:
    """Twice the same call, then another one: `once` asks again for what was not approved."""
    box = Box()
    replies = [call(a=1), call(a=1), call(a=2), "Done"]
    log = await hold_pair(replies, [YES] * questions, box, approval=approval)
    assert len(asked(log)) == questions
    assert box.ran == [{"a": 1}, {"a": 1}, {"a": 2}]


async def test_what_was_edited_or_refused_is_asked_about_again() -> None:
    box = Box()
    answers = [{"approve": False}, {"approve": True, "edited": '{"a": 5}'}, YES]
    await hold_pair([call(a=1)] * 3 + ["Done"], answers, box, approval="once")
    assert box.ran == [{"a": 5}, {"a": 1}]


async def test_an_approval_is_for_one_version_of_the_function() -> None:
    hashes = set()
    for version in ("1", "2"):
        log = await hold_pair([call(a=1), "Done"], [YES], Box(), version=version)
        hashes.add(asked(log)[0].payload_hash)
    assert len(hashes) == 2


async def test_hosts_are_agreed_to_once_and_before_the_call() -> None:
    box = Box()
    replies = [call(a=1), call(a=2), "Done"]
    log = await hold_pair(replies, [YES], box, approval="never", hosts=("b.example", "a.example"))
    [question] = asked(log)
    assert question.payload == {
        "kind": "network", "whose": "the skill Maths", "hosts": ["a.example", "b.example"],
    }  # fmt: skip
    assert len(box.ran) == 2


async def test_without_the_network_nothing_runs() -> None:
    box = Box()
    log = await hold_pair([call(a=1), "Done"], [{"approve": False}], box, hosts=("a.example",))
    assert box.ran == []
    assert returned(log)[0].content == "Error: The network was refused by a person"


async def test_a_person_behind_the_executor_is_not_asked_for_words_as_well() -> None:
    """The functions' own rule decides; in AutoGen the executor's person would be asked first."""
    box = Box()
    bob = caller("bob", call(a=1), "2")
    user = ConversableAgent("user", "", human_input_mode="ALWAYS")
    user.function_map["add"] = box.tool()
    running, log = context([YES, {"text": "exit"}])
    with entered(running):
        await Pair(name="pair", initiator=user, recipient=bob).hold("Go")
    assert [question.form for question in asked(log)] == ["approval", "text"]


# -- code


async def hold_code(
    answers: list[dict[str, Any]], code: str = "```python\nprint(1)\n```", **rules: Any
) -> tuple[Log, Codes]:
    codes = Codes()
    writer = ConversableAgent(
        "writer", "", llm=scripted_llm([code, "Done"]), human_input_mode="NEVER"
    )
    runner = ConversableAgent(
        "runner", "", human_input_mode="NEVER", code_execution=CodeExecution(codes, **rules)
    )
    running, log = context(answers)
    with entered(running):
        await Pair(name="pair", initiator=runner, recipient=writer, max_turns=2).hold("Go")
    assert not answers
    return log, codes


async def test_code_runs_once_a_person_has_seen_it() -> None:
    log, codes = await hold_code([YES], approval="always")
    payload = asked(log)[0].payload
    assert payload == {"kind": "code", "blocks": [["python", "print(1)"]]}
    assert codes.ran == [[("python", "print(1)")]]
    assert ("runner", "exitcode: 0 (execution succeeded)\nCode output: ran\n") in log.said


async def test_rejected_code_does_not_run_and_the_writer_reads_why() -> None:
    log, codes = await hold_code([{"approve": False, "reason": "no"}], approval="always")
    assert codes.ran == []
    words = "exitcode: 126 (execution failed)\nCode output: The code was refused by a person: no"
    assert ("runner", words) in log.said


@pytest.mark.parametrize(
    ("edited", "ran"),
    [
        ("print(2)", [("python", "print(2)")]),
        ("```sh\nls\n```\n\n```python\n1\n```", [("sh", "ls"), ("python", "1")]),
    ],
)
async def test_edited_code_is_what_runs(edited: str, ran: list[tuple[str, str]]) -> None:
    _, codes = await hold_code([{"approve": True, "edited": edited}], approval="always")
    assert codes.ran == [ran]


async def test_code_without_its_network_does_not_run() -> None:
    log, codes = await hold_code([{"approve": False}], hosts=("a.example",))
    assert codes.ran == []
    assert asked(log)[0].payload == {
        "kind": "network", "whose": "code of runner", "hosts": ["a.example"],
    }  # fmt: skip


# -- who runs what was called


async def hold_group(*agents: ConversableAgent, max_round: int, **rules: Any) -> Log:
    group = GroupChat([*agents], max_round=max_round, **rules)
    running, log = context([])
    with entered(running):
        await Group(name="group", initiator=agents[0], recipient=manager_of(group)).hold("Go")
    return log


async def test_in_a_group_the_caller_runs_its_call_and_goes_on() -> None:
    box = Box()
    tool = box.tool(approval="never")
    user, carol = silent("user"), silent("carol", default_auto_reply="I see")
    bob = caller("bob", call(a=1), "It is 2", tool=tool)
    other = caller("other", tool=tool)  # has the skill too, and is not the one who called
    log = await hold_group(
        user, bob, carol, other, max_round=5, speaker_selection_method="round_robin"
    )
    assert [name for name, _ in log.said] == ["user", "bob", "bob", "bob", "carol"]
    assert [text for _, text in log.said][2:] == ["2", "It is 2", "I see"]
    assert [s.reason for s in log.selections][1:3] == [
        "bob runs what it called", "bob reads what its call returned",
    ]  # fmt: skip


async def test_a_call_that_nobody_can_run_is_answered_with_a_text() -> None:
    bob = caller("bob", call(a=1), "Sorry")
    log = await hold_group(silent("user"), bob, max_round=4, speaker_selection_method="round_robin")
    assert ("bob", "Error: Function add not found.") in log.said


async def test_a_node_of_one_agent_answers_when_its_calls_are_done() -> None:
    box = Box()
    bob = caller("bob", call(a=1), call(a=2), "It is 3", tool=box.tool(approval="never"))
    graph = Graph(name="graph", nodes=[GraphNode("b", bob)], edges=[], start=["b"], end=["b"])
    running, log = context([])
    with entered(running):
        held = await graph.hold("Go")
    assert held.summary == "It is 3"
    assert box.ran == [{"a": 1}, {"a": 2}]
    assert len(log.said) == 5
