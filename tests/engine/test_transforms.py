"""transforms.py: what a model sees of a history, while the history stays."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.engine.messages import Message
from studio.engine.transforms import (
    MessageHistoryLimiter,
    MessageTokenLimiter,
    TextMessageContentName,
    TransformMessages,
)

DATA = Path(__file__).parent.parent / "data"
TABLE = json.loads((DATA / "autogen_0_2_units.json").read_text())["history_limiter"]
SCENARIO = next(
    s
    for s in json.loads((DATA / "autogen_0_2.json").read_text())
    if s["name"] == "transform_history_limiter"
)
IMAGE = {"type": "image_url", "image_url": {"url": "http://x/y.png"}}


def said(*contents: Any, role: str = "user", **rest: Any) -> list[Message]:
    return [{"role": role, "content": content, **rest} for content in contents]


def contents(messages: list[Message]) -> list[Any]:
    return [message["content"] for message in messages]


def words(text: str) -> int:
    return len(text.split())


class Agent:
    """The part of an agent that capabilities need."""

    def __init__(self) -> None:
        self.hooks: dict[str, Callable[[list[Message]], list[Message]]] = {}

    def register_hook(
        self, hookable_method: str, hook: Callable[[list[Message]], list[Message]]
    ) -> None:
        self.hooks[hookable_method] = hook


@pytest.mark.parametrize("case", TABLE["cases"], ids=json.dumps)
def test_history_limiter_like_the_reference(case: dict[str, Any]) -> None:
    limiter = MessageHistoryLimiter(case["max"], case["keep_first"])
    given = copy.deepcopy(TABLE["messages"])
    kept = limiter.apply_transform(given)
    assert contents(kept) == case["out"]
    assert given == TABLE["messages"]
    assert limiter.get_logs(given, kept)[1] == (len(kept) < len(given))


def test_history_limiter_gives_the_recorded_wire() -> None:
    told = SCENARIO["expected"]
    (transform,) = SCENARIO["definition"]["agents"][0]["transforms"]
    limiter = MessageHistoryLimiter(**transform["args"])
    for turn, call in enumerate(SCENARIO["llm_calls"]):
        history = [
            {
                "content": m["content"],
                "role": "assistant" if m["speaker"] == "assistant" else "user",
                "name": m["speaker"],
            }
            for m in told[: 2 * turn + 1]
        ]
        seen = TransformMessages([limiter], verbose=False).transform(history)
        assert seen == call["messages"][1:]


class TestHistory:
    def test_several_results_at_the_start_are_all_dropped(self) -> None:
        history = [*said("q"), *said("r1", "r2", role="tool"), *said("a")]
        assert contents(MessageHistoryLimiter(3).apply_transform(history)) == ["a"]

    def test_the_first_message_is_not_there_twice(self) -> None:
        assert contents(MessageHistoryLimiter(1, True).apply_transform(said("a", "b"))) == ["a"]

    @pytest.mark.parametrize("limit", [0, -1])
    def test_a_limit_below_one(self, limit: int) -> None:
        with pytest.raises(ValueError, match="at least 1"):
            MessageHistoryLimiter(limit)

    def test_no_messages(self) -> None:
        assert MessageHistoryLimiter(1).apply_transform([]) == []


class TestTokens:
    def test_four_characters_are_a_token(self) -> None:
        limiter = MessageTokenLimiter(max_tokens_per_message=2)
        kept = limiter.apply_transform(said("x" * 8, "y" * 9, ""))
        assert contents(kept) == ["x" * 8, "y" * 8, ""]

    def test_newest_first_and_the_one_that_does_not_fit_is_cut(self) -> None:
        history = said("one two", "three four", "five six seven")
        limiter = MessageTokenLimiter(max_tokens=4, count=words)
        kept = limiter.apply_transform(history)
        assert [text.split() for text in contents(kept)] == [["three"], ["five", "six", "seven"]]
        assert limiter.get_logs(history, kept) == ("Tokens limited: 7 became 4", True)

    def test_what_fits_exactly_leaves_no_empty_message(self) -> None:
        limiter = MessageTokenLimiter(max_tokens=2, count=words)
        assert contents(limiter.apply_transform(said("a", "b c"))) == ["b c"]

    def test_both_limits(self) -> None:
        limiter = MessageTokenLimiter(max_tokens_per_message=2, max_tokens=5, count=words)
        kept = limiter.apply_transform(said("a b c", "d e f", "g h i"))
        assert [words(text) for text in contents(kept)] == [1, 2, 2]
        assert contents(kept)[2].split() == ["g", "h"]

    def test_below_the_minimum_nothing_happens(self) -> None:
        limiter = MessageTokenLimiter(
            max_tokens_per_message=1, max_tokens=9, min_tokens=4, count=words
        )
        assert contents(limiter.apply_transform(said("a b", "c"))) == ["a b", "c"]
        assert [words(t) for t in contents(limiter.apply_transform(said("a b", "c d")))] == [1, 1]

    def test_parts_of_a_list_share_the_tokens_and_images_stay(self) -> None:
        parts = [{"type": "text", "text": "a b"}, IMAGE, {"type": "text", "text": "c d"}]
        three = MessageTokenLimiter(max_tokens_per_message=3, count=words)
        assert contents(three.apply_transform(said(parts)))[0] == [
            {"type": "text", "text": "a b"}, IMAGE, {"type": "text", "text": "c "},
        ]  # fmt: skip
        two = MessageTokenLimiter(max_tokens_per_message=2, count=words)
        assert contents(two.apply_transform(said(parts)))[0] == [parts[0], IMAGE]
        assert parts[2] == {"type": "text", "text": "c d"}

    def test_messages_that_only_call_are_kept_and_results_never_lose_their_call(self) -> None:
        call: Message = {"role": "assistant", "content": None, "tool_calls": [{}]}
        history = [*said("a b"), call, *said("r s", role="tool"), *said("x y")]
        limiter = MessageTokenLimiter(max_tokens=3, count=words)
        assert contents(limiter.apply_transform(history)) == ["x y"]
        assert MessageTokenLimiter(max_tokens=5, count=words).apply_transform(history)[1] == call

    def test_exempt_messages_are_counted_but_not_cut(self) -> None:
        history = [*said("a b c", role="assistant"), *said("d e f")]
        limiter = MessageTokenLimiter(
            max_tokens_per_message=1, filter_dict={"role": "assistant"}, count=words
        )
        assert [words(t) for t in contents(limiter.apply_transform(history))] == [3, 1]
        other = MessageTokenLimiter(
            max_tokens_per_message=1,
            filter_dict={"role": ["assistant"]},
            exclude_filter=False,
            count=words,
        )
        assert [words(t) for t in contents(other.apply_transform(history))] == [1, 3]

    def test_no_limits_change_nothing(self) -> None:
        history = said("a" * 1000, None, [IMAGE])
        limiter = MessageTokenLimiter()
        assert limiter.apply_transform(history) == history
        assert limiter.get_logs(history, history)[1] is False

    @pytest.mark.parametrize(
        "limits",
        [
            {"max_tokens": -1},
            {"max_tokens_per_message": -1},
            {"min_tokens": -1},
            {"min_tokens": 2, "max_tokens": 1},
        ],
    )
    def test_limits_that_make_no_sense(self, limits: dict[str, int]) -> None:
        with pytest.raises(ValueError, match="must"):
            MessageTokenLimiter(**limits)  # type: ignore[arg-type]


class TestNames:
    def test_before_the_text_once(self) -> None:
        named = TextMessageContentName()
        history = said("hello", name="Ann") + said("none")
        once = named.apply_transform(history)
        assert contents(once) == ["Ann:\nhello", "none"]
        assert named.apply_transform(once) == once
        assert named.get_logs(history, once) == ("Names added: 1 messages changed", True)
        assert named.get_logs(once, once)[1] is False
        again = TextMessageContentName(deduplicate=False).apply_transform(once)
        assert contents(again)[0] == "Ann:\nAnn:\nhello"

    def test_behind_the_text(self) -> None:
        named = TextMessageContentName("end", "\n(said {name})")
        once = named.apply_transform(said("hello", name="Ann"))
        assert contents(once) == ["hello\n(said Ann)"]
        assert named.apply_transform(once) == once

    def test_the_first_or_last_text_of_a_list(self) -> None:
        parts: list[Any] = [
            IMAGE,
            {"type": "text", "text": "a"},
            {"type": "text", "text": "b"},
            IMAGE,
        ]
        history = said(parts, [IMAGE], None, "", name="Ann")
        first = TextMessageContentName(format_string="{name}: ").apply_transform(history)
        assert contents(first)[0][1]["text"] == "Ann: a"
        last = TextMessageContentName("end", " -{name}").apply_transform(history)
        assert contents(last)[0][2]["text"] == "b -Ann"
        assert contents(last)[1:] == [[IMAGE], None, ""]
        assert parts[1]["text"] == "a"

    def test_only_who_is_not_filtered_out(self) -> None:
        named = TextMessageContentName(filter_dict={"name": ["Ann"]})
        history = said("x", name="Ann") + said("y", name="Bob")
        assert contents(named.apply_transform(history)) == ["x", "Bob:\ny"]

    @pytest.mark.parametrize("form", ["no place", "{name", "{other}", "{}", "{name} {0}"])
    def test_a_format_that_cannot_hold_the_name(self, form: str) -> None:
        with pytest.raises(ValueError, match="format_string"):
            TextMessageContentName(format_string=form)

    def test_another_position(self) -> None:
        wrong: Any = "middle"
        with pytest.raises(ValueError, match="position"):
            TextMessageContentName(wrong)


class TestTogether:
    def test_the_hook_of_an_agent_leaves_the_history_alone(self) -> None:
        agent, told = Agent(), list[str]()
        TransformMessages(
            [TextMessageContentName(), MessageHistoryLimiter(2), MessageTokenLimiter(99)],
            say=told.append,
        ).add_to_agent(agent)
        history = [*said("rules", role="system"), *said("a", "b", ["c"], name="Ann")]
        history[-1]["content"] = [{"type": "text", "text": "c"}]
        before = copy.deepcopy(history)
        seen = agent.hooks["process_all_messages_before_reply"](history)
        assert contents(seen) == ["rules", "Ann:\nb", [{"type": "text", "text": "Ann:\nc"}]]
        seen[0]["content"] = "changed"
        seen[2]["content"][0]["text"] = "changed"
        assert history == before
        assert told == [
            "Names added: 3 messages changed",
            "History limited: 3 messages became 2",
        ]

    def test_a_transform_of_others_that_changes_what_it_gets(self) -> None:
        class Shout:
            def apply_transform(self, messages: list[Message]) -> list[Message]:
                for message in messages:
                    message["content"] = message["content"].upper()
                return messages

            def get_logs(
                self, pre_transform_messages: list[Message], post_transform_messages: list[Message]
            ) -> tuple[str, bool]:
                return "shouted", pre_transform_messages != post_transform_messages

        told: list[str] = []
        history = said("a")
        assert contents(TransformMessages([Shout()], say=told.append).transform(history)) == ["A"]
        assert (contents(history), told) == (["a"], ["shouted"])

    def test_lines_are_printed_unless_told_otherwise(self, capsys: Any) -> None:
        TransformMessages([MessageHistoryLimiter(1)]).transform(said("a", "b"))
        TransformMessages([MessageHistoryLimiter(1)], verbose=False).transform(said("a", "b"))
        assert capsys.readouterr().out == "History limited: 2 messages became 1\n"

    def test_no_messages_at_all(self) -> None:
        assert TransformMessages([MessageHistoryLimiter(1)]).transform([]) == []
