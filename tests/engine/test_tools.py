"""Tools at their public face: how they are registered, offered on the wire, called and answered."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from studio.engine import ConversableAgent, UserProxyAgent, register_function

from .library_user import closing, config, plain, said, serving, speaker
from .scripted_server import ScriptedServer


def add(a: Annotated[int, "the first"], b: int = 2) -> int:
    return a + b


def call(name: str, arguments: Any = None, **more: Any) -> dict[str, Any]:
    """A reply of the model that calls one function."""
    return {"tool_calls": [{"name": name, "arguments": arguments or {}}], **more}


def asked(*functions: str, text: str = "{}") -> list[dict[str, Any]]:
    calls = [{"id": f"c{i}", "type": "function", "function": {"name": n, "arguments": text}}
             for i, n in enumerate(functions)]  # fmt: skip
    return [{"role": "assistant", "content": None, "tool_calls": calls}]


def answers(agent: ConversableAgent, *functions: str, text: str = "{}") -> list[str]:
    reply = agent.generate_reply(messages=asked(*functions, text=text), sender=plain("caller"))
    return [one["content"] for one in reply["tool_responses"]]


def chat(server: ScriptedServer, register: Any) -> Any:
    """Bob's model calls, the user runs; `register` says how the tool is made known."""
    bob, user = speaker(server, "bob"), plain("user")
    register(bob, user)
    return user.initiate_chat(bob, message="Add 1", max_turns=2)


def _by_function(bob: Any, user: Any) -> None:
    register_function(add, caller=bob, executor=user, description="Adds.")


def _llm_inside(bob: Any, user: Any) -> None:
    user.register_for_execution()(bob.register_for_llm(description="Adds.")(add))


def _llm_outside(bob: Any, user: Any) -> None:
    def sum_of(a: Annotated[int, "the first"], b: int = 2) -> int:
        return a + b

    kept = user.register_for_execution(name="add")(sum_of)
    assert kept is sum_of
    bob.register_for_llm(description="Adds.")(kept)


@pytest.mark.parametrize("register", [_by_function, _llm_inside, _llm_outside])
def test_a_tool_is_offered_and_run(register: Any) -> None:
    with serving(bob=[call("add", {"a": 1}), "It is 3."]) as server:
        result = chat(server, register)
        first, second = server.calls
    assert result.summary == "It is 3."
    assert first["tools"] == [{"type": "function", "function": {
        "name": "add", "description": "Adds.",
        "parameters": {"type": "object", "required": ["a"], "properties": {
            "a": {"type": "integer", "description": "the first"},
            "b": {"type": "integer", "default": 2, "description": "b"}}}}}]  # fmt: skip
    assert second["messages"][-1] == {"tool_call_id": "call_1", "role": "tool", "content": "3"}


class Shop:
    def price(self, of: str) -> int:
        """Of anything."""
        return len(of)


def test_a_bound_method_is_a_tool() -> None:
    def register(bob: Any, user: Any) -> None:
        register_function(Shop().price, caller=bob, executor=user, description="Price.")

    with serving(bob=[call("price", {"of": "tea"}), "Three."]) as server:
        assert chat(server, register).summary == "Three."
        assert server.calls[1]["messages"][-1]["content"] == "3"


def test_the_legacy_style() -> None:
    def register(bob: Any, user: Any) -> None:
        user.register_for_execution()(
            bob.register_for_llm(description="Adds.", api_style="function")(add)
        )

    legacy = {"function_call": {"name": "add", "arguments": {"a": 1}}}
    with serving(bob=[legacy, "It is 3."]) as server:
        assert chat(server, register).summary == "It is 3."
        first, second = server.calls
    assert [f["name"] for f in first["functions"]] == ["add"]
    assert "tools" not in first
    assert second["messages"][-1] == {"role": "function", "name": "add", "content": "3"}


def test_what_cannot_be_offered() -> None:
    with serving() as server:
        bob = speaker(server, "bob")
        with pytest.raises(ValueError, match="description is required"):
            bob.register_for_llm()(lambda: "")
        with pytest.raises(ValueError, match="Unsupported API style"):
            bob.register_for_llm(description="d", api_style="other")(add)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="Invalid name"):
            bob.register_for_llm(name="not a name", description="d")(add)
    with pytest.raises(ValueError, match="must have an llm_config"):
        plain("a").register_for_llm(description="d")(add)
    with pytest.raises(ValueError, match="Invalid name"):
        plain("a").register_function({"not a name": add})


def test_signatures_are_replaced_with_a_warning_and_removed() -> None:
    with serving(bob=["a", "b"]) as server:
        bob = speaker(server, "bob")
        bob.register_for_llm(description="Adds.")(add)
        with pytest.warns(UserWarning, match="'add' is being overridden"):
            bob.register_for_llm(description="Adds numbers.")(add)
        assert [t["function"]["description"] for t in bob.llm_config["tools"]] == ["Adds numbers."]
        bob.update_tool_signature("add", is_remove=True)
        with pytest.raises(ValueError, match="There is no tool add"):
            bob.update_tool_signature("add", is_remove=True)
        with pytest.raises(ValueError, match="must be of the type dict"):
            bob.update_function_signature("add", is_remove=False)
        plain("user").initiate_chat(bob, message="Hi", max_turns=1)
        assert "tools" not in server.calls[0]


def test_functions_are_replaced_with_a_warning_and_removed() -> None:
    agent = plain("a")
    agent.register_function({"f": add})
    with pytest.warns(UserWarning, match="'f' is being overridden"):
        agent.register_function({"f": lambda: "other"})
    assert answers(agent, "f") == ["other"]
    agent.register_function({"f": None})
    assert answers(agent, "f") == ["Error: Function f not found."]
    with pytest.raises(ValueError, match="has no function f"):
        agent.register_function({"f": None})


def test_tools_are_offered_by_their_agent_only() -> None:
    """Agents may be made of one llm_config; what one registers concerns no other."""
    with serving(bob=["b"]) as server:
        shared = config(server, "bob")
        one, other = (ConversableAgent(n, llm_config=shared) for n in ("one", "other"))
        one.register_for_llm(description="Adds.")(add)
        plain("user").initiate_chat(other, message="Hi", max_turns=1)
        assert "tools" not in server.calls[0]
    assert "tools" not in shared


# -- running


def test_calls_are_run_in_order_in_a_sync_chat() -> None:
    agent, seen = plain("a"), []

    async def slow() -> str:
        await asyncio.sleep(0.05)
        seen.append("slow")
        return "s"

    def fast() -> str:
        seen.append("fast")
        return "f"

    agent.register_function({"slow": slow, "fast": fast})
    assert answers(agent, "slow", "fast") == ["s", "f"]
    assert seen == ["slow", "fast"]


async def test_calls_are_run_together_in_an_async_chat_and_answered_in_order() -> None:
    both = threading.Barrier(2, timeout=20)

    def first() -> str:
        both.wait()
        return "1"

    async def second() -> str:
        await asyncio.to_thread(both.wait)
        return "2"

    agent = plain("a")
    agent.register_function({"first": first, "second": second})
    reply = await agent.a_generate_reply(messages=asked("first", "second"), sender=plain("b"))
    assert isinstance(reply, dict)
    assert [r["content"] for r in reply["tool_responses"]] == ["1", "2"]
    assert reply["content"] == "1\n\n2"


def test_a_tool_may_hold_a_sync_chat() -> None:
    with serving(bob=[call("ask"), "He says four."], expert=["Four."]) as server:
        expert = speaker(server, "expert")

        def ask() -> str:
            return plain("asker").initiate_chat(expert, message="2+2?", max_turns=1).summary

        def register(bob: Any, user: Any) -> None:
            register_function(ask, caller=bob, executor=user, description="Asks.")

        assert chat(server, register).summary == "He says four."
        assert server.calls[-1]["messages"][-1]["content"] == "Four."
        again = speaker(server, "bob")
        server.replies |= {"bob": [call("ask"), "Four again."], "expert": ["Four."]}
        user = plain("user")
        register(again, user)
        result = asyncio.run(closing(user.a_initiate_chat(again, message="?", max_turns=2)))
        assert result.summary == "Four again."


class Point(BaseModel):
    x: int
    y: int = 0


def test_pydantic_arguments_and_results() -> None:
    def mirrored(point: Point, others: list[Point]) -> Point:
        assert isinstance(others[0], Point)
        return Point(x=point.y, y=point.x)

    agent = plain("a")
    agent.register_for_execution()(mirrored)
    text = json.dumps({"point": {"x": 1, "y": 2}, "others": [{"x": 0}]})
    assert [json.loads(t) for t in answers(agent, "mirrored", text=text)] == [{"x": 2, "y": 1}]
    [error] = answers(agent, "mirrored", text='{"point": {"x": "no"}, "others": []}')
    assert error.startswith("Error: 1 validation error")


def test_errors_are_answers() -> None:
    def fails() -> str:
        raise OSError("no disk")

    agent = plain("a", function_map={"fails": fails, "add": add})
    assert answers(agent, "fails", "nothing") == [
        "Error: no disk",
        "Error: Function nothing not found.",
    ]
    [bad] = answers(agent, "add", text="{a: 1")
    assert bad.startswith("Error: ")
    assert bad.endswith("The argument must be in JSON format.")
    assert answers(agent, "add", text="{}")[0].startswith("Error: ")
    assert answers(agent, "add", text='{"a": 1, "b": "x"}')[0].startswith("Error: ")


def test_results_as_text() -> None:
    agent = plain("a", function_map={"d": lambda: {"ä": [1]}, "n": lambda: None, "t": lambda: "ä"})
    assert answers(agent, "d", "n", "t") == ['{"ä": [1]}', "null", "ä"]


def test_a_function_is_run_by_hand() -> None:
    agent = plain("a", function_map={"add": add, "says_error": lambda: "Error: is what I say"})
    ok, answer = agent.execute_function({"name": "add", "arguments": '{"a": 1}'})
    assert (ok, answer) == (True, {"name": "add", "role": "function", "content": "3"})
    assert agent.execute_function({"name": "says_error", "arguments": "{}"})[0] is True
    assert agent.execute_function({"name": "missing"})[0] is False
    assert agent.can_execute_function("add")
    assert not agent.can_execute_function(["add", "missing"])


class Typing(UserProxyAgent):
    def get_human_input(self, prompt: str) -> str:
        return "wait"


def test_a_person_interrupts_pending_calls() -> None:
    with serving(bob=[call("add", {"a": 1}), "I wait."]) as server:
        bob, user = speaker(server, "bob"), Typing("user", code_execution_config=False)
        register_function(add, caller=bob, executor=user, description="Adds.")
        result = user.initiate_chat(bob, message="Add 1", max_turns=2)
        assert server.calls[-1]["messages"][-2:] == [
            {"tool_call_id": "call_1", "role": "tool", "content": "USER INTERRUPTED"},
            {"role": "user", "name": "user", "content": "wait"},
        ]
    assert said(result)[-1] == ("bob", "I wait.")
