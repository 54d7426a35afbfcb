"""What was found plain is not looked at again, and what is not plain is never sent as it is."""

from __future__ import annotations

import pytest

from studio.engine.messages import Message, Plain, is_plain


def said(text: str, **more: object) -> Message:
    return {"role": "user", "name": "ada", "content": text, **more}


class Counting(dict):  # type: ignore[type-arg]
    """A message that counts how often its content is asked for."""

    looks = 0

    def get(self, *key: object) -> object:
        self.looks += 1
        return super().get(*key)


def test_a_message_is_looked_at_once_while_its_chat_grows() -> None:
    first = Counting(said("a"))
    chat: list[Message] = [first]
    plain = Plain().on(chat)
    for text in "bcd":
        chat.append(said(text))
        plain = plain.on(chat)
    assert (plain.count, first.looks) == (4, 1)


@pytest.mark.parametrize(
    "more", [{"tool_responses": []}, {"context": {}}, {"content": lambda _: "filled"}]
)
def test_a_message_that_is_not_plain_ends_what_is(more: Message) -> None:
    special = said("b") | more
    chat = [said("a"), special, said("c")]
    assert not is_plain(special)
    assert Plain().on(chat[:1]).on(chat).count == 1


def test_a_chat_that_was_cleared_and_grew_again_is_looked_at_anew() -> None:
    chat = [said("a"), said("b")]
    plain = Plain().on(chat)
    chat.clear()
    chat += [said("a", tool_responses=[]), said("b"), said("c")]
    assert plain.on(chat) == Plain()


def test_another_chat_is_looked_at_anew() -> None:
    plain = Plain().on([said("a"), said("b")])
    assert plain.on([said("a", context={}), said("b")]).count == 0
    assert plain.on([]) == Plain()
