"""Reply rules as grammars, schemas and words, and what is made of the answers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.engine.llm.constrain import (
    constrain,
    fault,
    from_json,
    grammar,
    in_words,
    one_of,
    openings,
    read_choice,
    tidy,
)
from studio.engine.llm.models import Constraint, Profile
from studio.engine.prompting import Facts, ReplyRule

from .gbnf import accepts, rules_of

FOUND = Facts("a bakery", "the last words", ("Moss", 'Say "Hi"'), "Moss")
NOTHING = Facts("a bakery", "the last words", (), "")
LETTER = (
    r"[^\x00-\x20\x7f\u0080-\u00a0\u2000-\u200f\u2028\u2029\u3000.!?,;:"
    r"""“”„«»"()<>{}\[\]|/\\*_#~`=+@^%$…—–-]"""
)
SMALL = LETTER[:-2] + "A-Z-]"

GOLDEN: list[tuple[str, ReplyRule, str | None]] = [
    ("free text", ReplyRule(), None),
    (
        "text with an opening",
        ReplyRule(starts_with=("I say ",)),
        'root ::= "I say" [^\\n] rest\nrest ::= [^\\x00]*',
    ),
    ("choice", ReplyRule(kind="choice"), 'root ::= ("Moss" | "Say \\"Hi\\"")'),
    (
        "sentence",
        ReplyRule(kind="sentence"),
        f"root ::= {LETTER} {LETTER}* word{{1,28}} [.!?]\n"
        f'word ::= ","? " " {LETTER} {LETTER}* ("-" {LETTER}+)?',
    ),
    (
        "sentence with openings and bounds",
        ReplyRule(
            kind="sentence", starts_with=("Yes, ", "{list} is"), min_words=3, max_words=9,
            commas=False,
        ),
        'root ::= ("Yes," | "Moss is" | "Say \\"Hi\\" is") word{3,9} [.!?]\n'
        f'word ::= " " {LETTER} {LETTER}* ("-" {LETTER}+)?',
    ),
    (
        "list",
        ReplyRule(kind="list", count=2, max_words=3),
        'root ::= "1. " item "\\n" "2. " item\n'
        f'item ::= {LETTER}+ word{{0,2}}\nword ::= " " {LETTER}+',
    ),
    (
        "list of names",
        ReplyRule(kind="list", count=2, capitals=True),
        'root ::= "1. " item "\\n" "2. " item\n'
        f'item ::= ([A-SU-Z] | "T" {SMALL[:-2]}h-]) {SMALL}+ hump word{{0,7}}\n'
        f'word ::= " " [A-Z] {SMALL}* hump\nhump ::= ([A-Z] {SMALL}+)?',
    ),
    ("json", ReplyRule(kind="json"), None),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "text"), [g[1:] for g in GOLDEN], ids=[g[0] for g in GOLDEN])
def test_grammar(rule: ReplyRule, text: str | None) -> None:
    assert grammar(rule, FOUND) == text


SENTENCE = ReplyRule(kind="sentence", starts_with=("We sell",), min_words=2, max_words=4)


@pytest.mark.parametrize(
    ("rule", "text", "is_allowed"),
    [
        (SENTENCE, "We sell good bread.", True),
        (SENTENCE, "We sell bread, good bread!", True),
        (SENTENCE, "We sell süße Brötchen?", True),
        (SENTENCE, "We sell gluten-free bread.", True),
        (SENTENCE, "We sell bread.", False),
        (SENTENCE, "We sell one two three four five.", False),
        (SENTENCE, "We sell good bread", False),
        (SENTENCE, "We sell good bread. Really.", False),
        (SENTENCE, "They sell good bread.", False),
        (SENTENCE, "We sell **good** bread.", False),
        (SENTENCE, "We sell <b>good</b> bread.", False),
        (ReplyRule(kind="list", count=2), "1. Moss\n2. Old oak tree", True),
        (ReplyRule(kind="list", count=2), "1. Moss", False),
        (ReplyRule(kind="list", count=2), "1. Moss\n2. Oak\n3. Elm", False),
        (ReplyRule(kind="list", count=1, capitals=True), "1. Moss Garden", True),
        (ReplyRule(kind="list", count=1, capitals=True), "1. MossGarden", True),
        (ReplyRule(kind="list", count=1, capitals=True), "1. Tea Garden", True),
        (ReplyRule(kind="list", count=1, capitals=True), "1. The Garden", False),
        (ReplyRule(kind="list", count=1, capitals=True), "1. moss", False),
        (ReplyRule(kind="list", count=1, capitals=True), "1. MOSS", False),
        (ReplyRule(kind="choice"), "Moss", True),
        (ReplyRule(kind="choice"), 'Say "Hi"', True),
        (ReplyRule(kind="choice"), "Moss.", False),
        (ReplyRule(starts_with=("I say",)), "I say what I like,\n- as long as I like", True),
        (ReplyRule(starts_with=("I say",)), "I say", False),
    ],
)
def test_what_a_grammar_lets_through(rule: ReplyRule, text: str, is_allowed: bool) -> None:
    written = grammar(rule, FOUND)
    assert written is not None
    assert accepts(written, text) is is_allowed


@settings(deadline=None)
@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=4))
def test_any_item_makes_a_grammar_that_can_be_read(items: list[str]) -> None:
    """Items come from a model's list: quotes, backslashes and control characters included."""
    written = grammar(ReplyRule(kind="choice"), Facts("", "", tuple(items), ""))
    assert written is not None
    assert len(rules_of(written)) == 1
    printable = [i for i in items if i.isprintable()]
    assert all(accepts(written, item) for item in printable)


def test_one_of_names() -> None:
    names = ["ann", "bob"]
    assert one_of(names, Profile(structured="grammar")).grammar == 'root ::= ("ann" | "bob")'
    assert one_of(["ann"], Profile(structured="grammar")).grammar == 'root ::= "ann"'
    schema = one_of(names, Profile(structured="json_schema")).schema
    assert schema is not None
    assert schema["properties"] == {"next": {"type": "string", "enum": names}}
    assert one_of(names, Profile()) == Constraint()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"next": "ann"}', "ann"),
        ("ann", "ann"),
        ("{", "{"),
        ("[1]", "[1]"),
        ('{"a": 1}', '{"a": 1}'),
    ],
)
def test_read_choice(text: str, name: str) -> None:
    assert read_choice(text) == name


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object", "properties": properties, "required": list(properties),
        "additionalProperties": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "schema"),
    [
        (ReplyRule(kind="list"), _object(items={"type": "array", "items": {"type": "string"}})),
        (
            ReplyRule(kind="choice"),
            _object(choice={"type": "string", "enum": ["Moss", 'Say "Hi"']}),
        ),
        (ReplyRule(kind="json", schema={"type": "object"}), {"type": "object"}),
        (ReplyRule(kind="sentence"), None),
        (ReplyRule(starts_with=("I",)), None),
    ],
    ids=lambda v: v.kind if isinstance(v, ReplyRule) else "",
)
def test_schema(rule: ReplyRule, schema: dict[str, Any] | None) -> None:
    assert constrain(rule, FOUND, Profile(structured="json_schema")).schema == schema


def test_a_free_rule_and_a_plain_server_have_no_constraint() -> None:
    assert constrain(ReplyRule(), FOUND, Profile(structured="grammar")) == Constraint()
    assert constrain(ReplyRule(kind="list"), FOUND, Profile()) == Constraint()


def test_a_forced_opening_is_given_tokens_of_its_own() -> None:
    rule = ReplyRule(kind="sentence", starts_with=("x" * 30, "y"))
    assert constrain(rule, FOUND, Profile(structured="grammar")).extra_tokens == 10


def test_openings_stand_for_each_item_of_the_list() -> None:
    rule = ReplyRule(starts_with=("For {task}:", "{list} wins"))
    assert openings(rule, FOUND) == ["For a bakery:", "Moss wins", 'Say "Hi" wins']
    assert openings(rule, NOTHING) == ["For a bakery:", "the last words wins"]


@pytest.mark.parametrize(
    ("text", "rule", "read"),
    [
        ('{"items": ["a", "b", "c"]}', ReplyRule(kind="list", count=2), "1. a\n2. b"),
        ('{"items": []}', ReplyRule(kind="list"), ""),
        ('{"items": 5}', ReplyRule(kind="list"), '{"items": 5}'),
        ("1. a", ReplyRule(kind="list"), "1. a"),
        ("[1]", ReplyRule(kind="list"), "[1]"),
        ('{"choice": "a"}', ReplyRule(kind="choice"), "a"),
        ('{"other": "a"}', ReplyRule(kind="choice"), '{"other": "a"}'),
        ('{"choice": "a"}', ReplyRule(kind="json"), '{"choice": "a"}'),
        ('{"items": ["a"]}', ReplyRule(), '{"items": ["a"]}'),
    ],
)
def test_from_json(text: str, rule: ReplyRule, read: str) -> None:
    assert from_json(text, rule) == read


@pytest.mark.parametrize(
    ("text", "rule", "words"),
    [
        ("", ReplyRule(), "was empty"),
        (" \n", ReplyRule(), "was empty"),
        ("fine", ReplyRule(), ""),
        ("No.", ReplyRule(starts_with=("Yes ",)), "must begin with 'Yes'"),
        ("Yes!", ReplyRule(starts_with=("Yes ",)), ""),
        ("Moss is it", ReplyRule(starts_with=("{list} is",)), ""),
        ("1. a", ReplyRule(kind="list", count=2), "list of 2 items"),
        ("1. a\n2. b", ReplyRule(kind="list", count=2), ""),
        ("Oak", ReplyRule(kind="choice"), "exactly one of: Moss"),
        ("Moss\n", ReplyRule(kind="choice"), ""),
        ("{", ReplyRule(kind="json"), "one JSON object"),
        ("5", ReplyRule(kind="json"), "one JSON object"),
        ('{"a": 1}', ReplyRule(kind="json"), ""),
        ("a b c d", ReplyRule(max_words=2), "at most 2 words"),
        ("a b c", ReplyRule(max_words=2), ""),
    ],
)
def test_fault(text: str, rule: ReplyRule, words: str) -> None:
    found = fault(text, rule, FOUND)
    assert (words in found) if words else not found


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (ReplyRule(kind="sentence"), "Answer in one sentence."),
        (ReplyRule(kind="list", count=4),
         "Answer with a numbered list of 4 items and nothing else."),
        (ReplyRule(kind="choice"), 'Answer with exactly one of: Moss, Say "Hi".'),
        (ReplyRule(kind="json"), "Answer with one JSON object and nothing else."),
        (ReplyRule(starts_with=("I ", "We "), max_words=9),
         'Begin with "I" or "We". Use at most 9 words.'),
    ],
)  # fmt: skip
def test_in_words(rule: ReplyRule, words: str) -> None:
    assert in_words(rule, FOUND) == words


@pytest.mark.parametrize(
    ("text", "starts", "tidied"),
    [
        (" One two. And three. And fo", (), "One two."),
        ("Cut in the mid", (), "Cut in the mid"),
        ("It costs 3.50 euros. More", (), "It costs 3.50 euros."),
        ('He said "yes." Then', (), 'He said "yes."'),
        ("No. It is too dear. More", ("No. ",), "No. It is too dear."),
        ("Dr. Moss bakes bread. More", ("Dr. Moss",), "Dr. Moss bakes bread."),
    ],
)
def test_tidy_keeps_one_sentence(text: str, starts: tuple[str, ...], tidied: str) -> None:
    assert tidy(text, ReplyRule(kind="sentence", starts_with=starts)) == tidied


def test_tidy_leaves_other_kinds_whole() -> None:
    assert tidy(" One. Two. ", ReplyRule(kind="list")) == "One. Two."
