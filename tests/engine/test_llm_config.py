"""llm_config at its public face: what is refused, merged, sent, kept, limited and paid for."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from pydantic import BaseModel

from studio.engine import (
    AssistantAgent,
    Cache,
    ConversableAgent,
    GroupChat,
    GroupChatManager,
    ModelError,
    UserProxyAgent,
    gather_usage_summary,
)
from studio.engine.context import entered

from .builders import context_of
from .library_user import config, entry, plain, serving, speaker

REFUSED = {"error": {"status": 400, "message": "no"}}


def ask(llm: Any, **more: Any) -> Any:
    agent = ConversableAgent("agent", llm_config=llm, human_input_mode="NEVER")
    return plain("user").initiate_chat(agent, message="Hi", max_turns=1, **more)


# -- what is refused


@pytest.mark.parametrize(
    "bad",
    [{}, {"config_list": []}, {"config_list": [{"model": ""}]}, {"config_list": [{"api_key": "k"}]},
     {"model": ""}, {"config_list": [{"model": "a"}, {}]}, {"config_list": ["gpt-4"]}],
)  # fmt: skip
def test_a_configuration_without_a_model(bad: Any) -> None:
    for kind in (ConversableAgent, AssistantAgent):
        with pytest.raises(ValueError, match="non-empty 'model'"):
            kind("agent", llm_config=bad)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"model": "m", "api_rate_limit": 0}, "api_rate_limit"),
        ({"model": "m", "price": "free"}, "price is"),
        ({"model": "m", "api_type": "mistral"}, "'mistral' is not built in"),
    ],
)
def test_settings_that_cannot_work(bad: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ConversableAgent("agent", llm_config=bad)


def test_what_cannot_be_copied_is_refused_with_advice() -> None:
    with pytest.raises(TypeError, match="model_client_cls and register_model_client"):
        ConversableAgent("agent", llm_config={"model": "m", "lock": threading.Lock()})


def test_a_manager_has_no_tools() -> None:
    group = GroupChat([plain("a"), plain("b")])
    for kind in ("tools", "functions"):
        with pytest.raises(ValueError, match="not allowed to make function/tool calls"):
            GroupChatManager(group, llm_config={"model": "m", kind: [{"name": "f"}]})


def test_no_model_is_no_error_until_a_summary_needs_one() -> None:
    UserProxyAgent("user", code_execution_config=False, llm_config=None)
    a, b = plain("a"), plain("b")
    with pytest.raises(ValueError, match="needs a model on either side"):
        a.initiate_chat(b, message="Hi", summary_method="reflection_with_llm")
    with pytest.raises(ValueError, match="summary_method 'other'"):
        a.initiate_chat(b, message="Hi", summary_method="other")
    assert not b.chat_messages[a]


# -- what is sent


def test_a_configuration_goes_before_what_all_share() -> None:
    with serving(one=["1"]) as server:
        own = entry(server, "one", temperature=0.5, tags=["t"])
        shared = {"temperature": 1.0, "top_p": 0.9, "model": "none", "api_key": "none"}
        assert ask({"config_list": [own], "cache_seed": None, **shared}).summary == "1"
        [body] = server.bodies
    assert (body["temperature"], body["top_p"], body["model"]) == (0.5, 0.9, "script/one")
    assert not {"cache_seed", "config_list", "api_key", "tags", "price"} & set(body)


def test_what_all_share_fills_what_a_configuration_leaves_out() -> None:
    with serving(one=["1"]) as server:
        shared = entry(server, "one")
        assert ask({**shared, "config_list": [{"temperature": 0.1}]}).summary == "1"
        assert server.bodies[0]["temperature"] == 0.1


def test_a_configuration_may_stand_alone() -> None:
    with serving(one=["1"]) as server:
        assert ask(entry(server, "one", cache_seed=None)).summary == "1"


class Colour(BaseModel):
    name: str
    shade: int = 0


class Answer(BaseModel):
    colours: list[Colour]
    sure: bool | None = None


def test_a_pydantic_model_as_response_format() -> None:
    """In the strict form that OpenAI demands: all properties required, no others."""
    with serving(one=['{"colours": []}']) as server:
        ask(config(server, "one", response_format=Answer))
        sent = server.bodies[0]["response_format"]
    assert sent["type"] == "json_schema"
    assert (sent["json_schema"]["name"], sent["json_schema"]["strict"]) == ("Answer", True)
    schema = sent["json_schema"]["schema"]
    colour = schema["$defs"]["Colour"]
    assert schema["properties"]["colours"]["items"] == {"$ref": "#/$defs/Colour"}
    for one, names in ((schema, ["colours", "sure"]), (colour, ["name", "shade"])):
        assert (one["required"], one["additionalProperties"]) == (names, False)
    assert "default" not in colour["properties"]["shade"]


# -- who is asked


def test_models_are_asked_in_order() -> None:
    with serving(one=[REFUSED], two=["2"], three=["3"]) as server:
        assert ask(config(server, "one", "two", "three")).summary == "2"
        assert [c["agent"] for c in server.calls] == ["one", "two"]


def test_the_last_models_error_is_raised() -> None:
    with (
        serving(one=[REFUSED], two=[REFUSED]) as server,
        pytest.raises(ModelError, match="script/two did not accept"),
    ):
        ask(config(server, "one", "two"))


def test_a_model_that_takes_too_long() -> None:
    """The server is there and says nothing; the next one is asked."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as mute, serving(two=["2"]) as server:
        slow = entry(server, "one", timeout=0.3)
        slow["base_url"] = f"http://127.0.0.1:{mute.getsockname()[1]}/v1"
        assert ask({"config_list": [slow, entry(server, "two")]}).summary == "2"
        with pytest.raises(ModelError, match=r"no full answer within 0\.3 s") as caught:
            ask({"config_list": [slow]})
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.code == "timeout"


def test_a_filter_refuses_answers() -> None:
    seen = []

    def short(context: Any, response: Any) -> bool:
        seen.append(response.choices[0].message.content)
        return len(seen[-1]) < 4

    with serving(one=["too long"], two=["ok"], three=["never"]) as server:
        assert ask(config(server, "one", "two", "three", filter_func=short)).summary == "ok"
        assert seen == ["too long", "ok"]
        server.replies |= {"one": ["too long"], "two": ["too long too"]}
        assert ask(config(server, "one", "two", filter_func=short)).summary == "too long too"


# -- what it costs: every reply is 10 prompt and 5 completion tokens


@pytest.mark.parametrize(("price", "cost"), [([0.1, 0.2], 0.002), ([0, 1], 0.005), (0.1, 0.0015)])
def test_a_price_per_thousand_tokens(price: Any, cost: float) -> None:
    with serving(one=["1"]) as server:
        llm = config(server, "one", price=price)
        if isinstance(price, list):
            result = ask(llm)
        else:
            with pytest.warns(UserWarning, match="One price"):
                result = ask(llm)
    used = result.cost["usage_including_cached_inference"]
    assert used["total_cost"] == pytest.approx(cost)
    assert used["script/one"]["total_tokens"] == 15


def test_usage_of_agents_alone_and_together(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(bob=["b", "b"], eve=["e"]) as server:
        bob, eve = (speaker(server, name) for name in ("bob", "eve"))
        assert bob.get_total_usage() is None
        bob.initiate_chat(eve, message="Hi", max_turns=1)
        plain("user").initiate_chat(bob, message="Hi", max_turns=1)
    assert bob.get_actual_usage() == {
        "total_cost": 0.0,
        "script/bob": {
            "cost": 0.0, "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
        },
    }  # fmt: skip
    together = gather_usage_summary([bob, eve, plain("c")])["usage_excluding_cached_inference"]
    assert set(together) == {"total_cost", "script/bob", "script/eve"}
    capsys.readouterr()
    bob.print_usage_summary("actual")
    plain("c").print_usage_summary()
    told = capsys.readouterr().out
    assert told.startswith("bob, actual usage: {")
    assert told.endswith("c, actual usage: none\nc, total usage: none\n")
    with pytest.raises(ValueError, match="mode is 'some'"):
        bob.print_usage_summary("some")


# -- what is kept


def test_a_seed_answers_the_same_request_once() -> None:
    kept = Cache.in_memory()
    with serving(one=["1", "2"]) as server, entered(context_of()) as context:
        context.open_cache = lambda seed: kept
        llm = config(server, "one", price=[0.1, 0.2])
        asked = [ask(llm | {"cache_seed": 7}) for _ in range(2)]
        assert ask(llm).summary == "2"
    assert [r.summary for r in asked] == ["1", "1"]
    first, second = (
        [r.cost[f"usage_{k}cluding_cached_inference"]["total_cost"] for k in ("in", "ex")]
        for r in asked
    )
    assert first == pytest.approx([0.002, 0.002])
    assert second == pytest.approx([0.002, 0])


def test_another_request_is_not_answered_from_what_is_kept() -> None:
    with serving(one=["1", "2"]) as server, Cache.in_memory() as cache:
        assert ask(config(server, "one"), cache=cache).summary == "1"
        assert ask(config(server, "one", temperature=0.7), cache=cache).summary == "2"


def test_a_cache_is_for_its_chat_and_those_in_a_queue() -> None:
    with serving(one=["1", "2"]) as server, Cache.in_memory() as cache:
        llm = config(server, "one")
        agent = ConversableAgent("agent", llm_config=llm, human_input_mode="NEVER")
        chat = {"recipient": agent, "message": "Hi", "max_turns": 1}
        user = plain("user")
        assert user.initiate_chats([chat | {"cache": cache}])[0].summary == "1"
        assert ask(llm, cache=cache).summary == "1"
        assert ask(llm).summary == "2"


def test_a_chats_cache_is_not_for_selecting_speakers() -> None:
    with serving(manager=["a", "a"]) as server, Cache.in_memory() as cache:
        for _ in range(2):
            group = GroupChat([plain("a", "A"), plain("b", "B"), plain("c")], max_round=2)
            manager = GroupChatManager(group, llm_config=config(server, "manager"))
            group.agents[1].initiate_chat(manager, message="Hi", cache=cache)
        assert len(server.calls) == 2
