"""Speaker selection by a model: held to the names where the server can, else asked again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from studio.engine import GroupChat
from studio.engine.auto_select import CHECKER, SELECTOR, filled
from studio.engine.context import entered
from studio.engine.errors import ModelError
from studio.engine.llm.models import Profile
from studio.engine.speakers import Selection, select

from .builders import Clients, Log, context_of, llm_of, manager_of, scripted_llm, silent, spec_at
from .model_server import Act, ModelServer, answers, refuses


def _group(**rules: Any) -> GroupChat:
    members = [silent(n, description=f"{n} helps") for n in ("ann", "bob", "story_writer")]
    group = GroupChat(members, speaker_selection_method="auto", **rules)
    group.append({"content": "Hello", "role": "user"}, members[0])
    return group


async def _ask(
    structured: str, *acts: Act, compat: bool = False, group: GroupChat | None = None
) -> tuple[Selection, list[dict[str, Any]]]:
    """Selects the speaker after ann; returns the selection and the bodies of all requests."""
    group = group or _group()
    profile = Profile(structured=structured)  # type: ignore[arg-type]
    async with ModelServer(*acts) as server, Clients() as client:
        manager = manager_of(group, llm_of(client, spec_at(server.url, profile=profile)))
        with entered(context_of(compat=compat)):
            selection = await select(group, manager, group.agents[0])
    return selection, server.bodies


async def test_json_schema_names_the_candidates_and_one_attempt_suffices() -> None:
    selection, bodies = await _ask("json_schema", answers('{"next": "', 'bob"}'))
    assert selection.agent.name == "bob"
    assert bodies[0]["response_format"] == {
        "type": "json_schema",
        "json_schema": {
            "name": "reply",
            "strict": True,
            "schema": {
                "type": "object",
                "properties": {"next": {"type": "string", "enum": ["ann", "bob", "story_writer"]}},
                "required": ["next"],
                "additionalProperties": False,
            },
        },
    }
    assert "grammar" not in bodies[0]
    assert selection.reason == "model chose bob"


async def test_grammar_names_the_candidates_and_one_attempt_suffices() -> None:
    selection, bodies = await _ask("grammar", answers("story_writer"))
    assert selection.agent.name == "story_writer"
    assert bodies[0]["grammar"] == 'root ::= ("ann" | "bob" | "story_writer")'
    assert "response_format" not in bodies[0]


async def test_the_constraint_holds_the_candidates_not_all_members() -> None:
    group = _group(allow_repeat_speaker=False)
    _, bodies = await _ask("grammar", answers("bob"), group=group)
    assert bodies[0]["grammar"] == 'root ::= ("bob" | "story_writer")'


@pytest.mark.parametrize("structured", ["json_schema", "grammar", "none"])
async def test_compat_sends_words_only(structured: str) -> None:
    _, bodies = await _ask(structured, answers("bob"), compat=True)
    assert set(bodies[0]) == {"model", "messages", "stream", "stream_options"}


async def test_without_structure_a_wrong_answer_is_asked_again_in_words() -> None:
    selection, bodies = await _ask(
        "none", answers("Let me think"), answers("ann or bob"), answers("I choose bob!")
    )
    assert selection.agent.name == "bob"
    assert all("response_format" not in b and "grammar" not in b for b in bodies)
    first, second, third = [b["messages"] for b in bodies]
    assert second[: len(first)] == first
    assert third[: len(second)] == second
    assert second[len(first)] == {
        "role": "assistant", "name": SELECTOR, "content": "Let me think",
    }  # fmt: skip
    assert second[-1]["name"] == CHECKER
    assert second[-1]["content"].startswith("You didn't choose a speaker.")
    assert "['ann', 'bob', 'story_writer']" in second[-1]["content"]
    assert third[-1]["content"].startswith("You provided more than one name")


async def test_attempts_are_one_and_the_retries_then_the_next_in_order_speaks() -> None:
    group = _group(max_retries_for_selecting_speaker=1)
    selection, bodies = await _ask("none", answers("?"), answers("!"), group=group)
    assert len(bodies) == 2
    assert selection.agent.name == "bob"
    assert "no answer named one agent" in selection.reason


async def test_the_trace_tells_prompts_and_answers() -> None:
    selection, bodies = await _ask("none", answers("?"), answers("bob"))
    assert [t["role"] for t in selection.trace] == [
        "system", "system", "assistant", "user", "assistant",
    ]  # fmt: skip
    assert selection.trace[0]["content"] == bodies[0]["messages"][0]["content"]
    assert [t["content"] for t in selection.trace if t["role"] == "assistant"] == ["?", "bob"]


async def test_only_the_candidates_are_described() -> None:
    group = _group(allow_repeat_speaker=False)
    _, bodies = await _ask("none", answers("bob"), group=group)
    system = bodies[0]["messages"][0]["content"]
    assert "bob: bob helps\nstory_writer: story_writer helps" in system
    assert "ann: ann helps" not in system


async def test_no_model_means_the_next_in_order() -> None:
    group = _group()
    with entered(context_of()):
        selection = await select(group, manager_of(group), group.agents[1])
    assert selection.agent.name == "story_writer"
    assert selection.reason.startswith("no model to choose")


async def test_a_failing_model_fails_the_chat() -> None:
    """A wrong key must not quietly become round robin."""
    with pytest.raises(ModelError, match="401"):
        await _ask("none", refuses(401))


@pytest.mark.parametrize(
    "answer", ["null", "[]", '{"next": null}', '{"other": "bob"}', "{", "5", '{"next": ["bob"]}']
)
async def test_odd_json_never_breaks_the_choice(answer: str) -> None:
    group = _group(max_retries_for_selecting_speaker=0)
    selection, _ = await _ask("json_schema", answers(answer), group=group)
    assert selection.agent.name == "bob"


@pytest.mark.parametrize("template", ["{roles} {{7*7}} {agentlist}", "{0.__class__} {x}"])
def test_templates_are_filled_by_plain_substitution(template: str) -> None:
    text = filled(template, ["ann"], "ROLES {agentlist}")
    assert "{{7*7}}" in text or "{0.__class__} {x}" in text
    assert "49" not in text


def test_a_description_cannot_smuggle_a_placeholder() -> None:
    """One pass: what was filled in is not looked at again."""
    assert filled("{roles}|{agentlist}", ["ann"], "x: {agentlist}") == "x: {agentlist}|['ann']"


async def test_selection_is_no_turn_and_streams_nothing() -> None:
    group, log = _group(), Log()
    manager = manager_of(group, scripted_llm(["bob"]))
    with entered(context_of(log)) as context:
        await select(group, manager, group.agents[0])
    assert log.deltas == []
    assert [row["kind"] for _, row in log.rows()] == ["model_called"]
    assert log.rows()[0][1]["purpose"] == "select"
    assert context.turns == 0
    json.dumps(log.rows())
