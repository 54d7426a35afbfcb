"""What a group chat forgets on demand, how it is brought back, and contexts that fill templates."""

from __future__ import annotations

import json
from typing import Any

import pytest

from studio.engine import ConversableAgent, GroupChat, GroupChatManager
from studio.engine.forgetting import cleared

from .library_user import config, plain, serving, speaker

TALK = [{"content": f"{i}", "name": "ann" if i % 2 else "bob_x", "role": "user"} for i in range(4)]


def group_of(*agents: ConversableAgent, **rules: Any) -> tuple[GroupChat, GroupChatManager]:
    given = {"speaker_selection_method": "round_robin", "max_round": 3, **rules}
    group = GroupChat(list(agents), **given)
    return group, GroupChatManager(group)


def remembering() -> tuple[GroupChat, ConversableAgent, ConversableAgent]:
    ann, bob = plain("ann"), plain("bob_x")
    group, manager = group_of(ann, bob, enable_clear_history=True)
    group.messages += TALK
    for agent in (ann, bob):
        agent.chat_messages[manager] += TALK
    return group, ann, bob


def counts(group: GroupChat) -> list[int]:
    """How much the group, and then each member, remembers."""
    return [len(group.messages), *(len(m) for a in group.agents for m in a.chat_messages.values())]


@pytest.mark.parametrize(
    ("words", "left", "rest"),
    [
        ("clear history", [0, 0, 0], ""),
        ("Please CLEAR HISTORY now", [0, 0, 0], "Please now"),
        ("clear history.", [0, 0, 0], ""),
        ("clear history 2", [2, 2, 2], ""),
        ("clear history 3. Go on", [3, 3, 3], "Go on"),
        ("clear history ann", [4, 0, 4], ""),
        ("clear history bob_x, then rest", [4, 4, 0], "then rest"),
        ("clear history ann 1", [4, 1, 4], ""),
        ("clear history 1 ann", [4, 1, 4], ""),
        ("clear history nobody", [0, 0, 0], "nobody"),
        ("clear history and then clear history 2 ok", [2, 2, 2], "clear history and then ok"),
        ("clear the history", [4, 4, 4], "clear the history"),
        ("an unclear history of it", [4, 4, 4], "an unclear history of it"),
    ],
)
def test_the_words_clear_history(words: str, left: list[int], rest: str) -> None:
    group, _, _ = remembering()
    assert cleared(group, {"content": words})["content"] == rest
    assert counts(group) == left


def test_inside_a_tools_answer_one_message_is_kept() -> None:
    group, _, _ = remembering()
    cleared(group, {"content": "clear history", "tool_responses": [{"content": "x"}]})
    assert counts(group) == [1, 1, 1]


@pytest.mark.parametrize("content", [None, [{"type": "text", "text": "clear history"}]])
def test_what_is_no_text_is_no_command(content: Any) -> None:
    group, _, _ = remembering()
    assert cleared(group, {"content": content}) == {"content": content}
    assert counts(group) == [4, 4, 4]


# -- resuming


def saved(*lines: tuple[str, str]) -> list[dict[str, str]]:
    return [{"role": "user", "name": name, "content": content} for name, content in lines]


def test_a_group_goes_on_from_its_json() -> None:
    with serving(bob=["bob again"]) as server:
        ann, bob = plain("ann"), speaker(server, "bob")
        group, manager = group_of(ann, bob, max_round=2)
        messages = saved(("ann", "Hi"), ("bob", "Hello"), ("ann", "And? TERMINATE"))
        last, message = manager.resume(
            json.dumps(messages), remove_termination_string=lambda text: text[:-10]
        )
        assert (last, message["content"]) == (ann, "And?")
        last.initiate_chat(manager, message=message, clear_history=False)
        wire = [(m["role"], m["content"]) for m in server.calls[0]["messages"][1:]]
    assert wire == [("user", "Hi"), ("assistant", "Hello"), ("user", "And?")]
    assert [m["content"] for m in group.messages] == ["Hi", "Hello", "And?", "bob again"]
    assert json.loads(manager.messages_to_string(group.messages)) == group.messages


def test_a_termination_string_is_removed_everywhere_in_the_last_message() -> None:
    _, manager = group_of(plain("ann"), plain("bob"))
    _, message = manager.resume(saved(("ann", "END a END")), remove_termination_string="END")
    assert message["content"] == " a "


def test_a_stranger_is_refused_before_anything_is_forgotten() -> None:
    group, manager = group_of(plain("ann"), plain("bob"))
    group.messages += TALK
    with pytest.raises(ValueError, match="eve is not an agent"):
        manager.resume(saved(("ann", "Hi"), ("eve", "Hello")))
    assert group.messages == TALK


def test_an_admin_outside_the_group_may_have_spoken_but_not_last() -> None:
    _, manager = group_of(plain("ann"), plain("bob"))
    last, _ = manager.resume(saved(("Admin", "Start"), ("ann", "Hi")))
    assert last.name == "ann"
    with pytest.raises(ValueError, match="Admin is not an agent"):
        manager.resume(saved(("ann", "Hi"), ("Admin", "Stop")))


@pytest.mark.parametrize("given", ["{", "[]", "{}", []])
def test_nothing_to_resume_from(given: Any) -> None:
    _, manager = group_of(plain("ann"), plain("bob"))
    with pytest.raises(ValueError, match=r"not JSON|no messages"):
        manager.resume(given)


def test_a_last_message_that_ends_the_group_is_warned_of() -> None:
    _, manager = group_of(plain("ann"), plain("bob"))
    end = saved(("ann", "TERMINATE"))
    with pytest.warns(UserWarning, match="ends the group chat at once"):
        manager.resume(end)
    manager.resume(end, silent=True)


# -- the context of a message


def on_the_wire(message: Any, **options: Any) -> str:
    with serving(bob=["ok"]) as server:
        bob = ConversableAgent("bob", llm_config=config(server, "bob", **options))
        opener = plain("opener", is_termination_msg=lambda m: False)
        bob.is_termination_msg = lambda m: False
        opener.initiate_chat(bob, message=message, max_turns=1)
        return str(server.calls[0]["messages"][-1]["content"])


CONTEXT = {"name": "there"}


def test_a_context_fills_names_where_the_configuration_says_so() -> None:
    message = {"content": "hello {name}", "context": CONTEXT}
    assert on_the_wire(message) == "hello {name}"
    assert on_the_wire(message, allow_format_str_template=True) == "hello there"


GREETING = {"content": lambda context: f"hello {context['name']}", "context": CONTEXT}


def test_a_context_is_what_a_function_gets(capsys: pytest.CaptureFixture[str]) -> None:
    assert on_the_wire(GREETING) == "hello there"
    assert capsys.readouterr().out.startswith("opener (to bob):\n\nhello there\n\n---")


def test_a_group_hears_what_the_function_makes() -> None:
    group, manager = group_of(plain("ann"), plain("bob"), max_round=1)
    result = group.agents[0].initiate_chat(manager, message=GREETING)
    assert (group.messages[0]["content"], result.summary) == ("hello there", "hello there")
