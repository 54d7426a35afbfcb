"""Compiles a reply rule into what a model's server can enforce, and checks what came back.

Grammars are written in llama.cpp's GBNF and kept simple on purpose: alternatives, character
classes and one bounded repetition of words. Whoever writes a definition never writes a grammar.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from ..prompting import Facts, ReplyRule
from .models import Constraint, Profile

SENTENCE_WORDS = 28
ITEM_WORDS = 8
NO_FACTS = Facts("", "", (), "")
_SENTENCE_END = re.compile(r'[.!?]["\')\]]?(?=\s|$)')


def openings(rule: ReplyRule, found: Facts) -> list[str]:
    """The allowed beginnings, with placeholders filled; {list} gives one per item."""
    filled: list[str] = []
    for opening in rule.starts_with:
        if "{list}" in opening and found.items:
            filled += [found.fill(opening.replace("{list}", item)) for item in found.items]
        else:
            filled.append(found.fill(opening))
    return filled


def constrain(rule: ReplyRule, found: Facts, profile: Profile) -> Constraint:
    if rule.is_free or profile.structured == "none":
        return Constraint()
    if profile.structured == "grammar":
        written = grammar(rule, found)
        if written is None:
            return Constraint()
        longest = max((len(o) for o in openings(rule, found)), default=0)
        return Constraint(grammar=written, extra_tokens=longest // 3)
    return Constraint(schema=json_schema(rule, found))


def one_of(names: list[str], profile: Profile) -> Constraint:
    """One of these names and nothing else."""
    if profile.structured == "grammar":
        return Constraint(grammar=f"root ::= {_any(names)}")
    if profile.structured == "json_schema":
        return Constraint(schema=_object({"next": {"type": "string", "enum": names}}))
    return Constraint()


def read_choice(text: str) -> str:
    """The name inside {"next": name}, or the text itself."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return str(value.get("next", text)) if isinstance(value, dict) else text


def json_schema(rule: ReplyRule, found: Facts) -> dict[str, Any] | None:
    if rule.kind == "json":
        return rule.schema
    if rule.kind == "list":
        items = {"type": "array", "items": {"type": "string"}}
        return _object({"items": items})
    if rule.kind == "choice" and found.items:
        return _object({"choice": {"type": "string", "enum": list(found.items)}})
    return None


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def from_json(text: str, rule: ReplyRule) -> str:
    """A structured answer as the text that people and other agents read."""
    if rule.kind not in ("list", "choice"):
        return text
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    if not isinstance(value, dict):
        return text
    if rule.kind == "choice":
        return str(value.get("choice", text))
    items = value.get("items")
    if not isinstance(items, list):
        return text
    return "\n".join(f"{i}. {item}" for i, item in enumerate(items[: rule.count], 1))


def in_words(rule: ReplyRule, found: Facts) -> str:
    """The same demand as an instruction, for models that cannot be forced."""
    parts = []
    if rule.kind == "sentence":
        parts.append("Answer in one sentence.")
    elif rule.kind == "list":
        parts.append(f"Answer with a numbered list of {rule.count} items and nothing else.")
    elif rule.kind == "choice" and found.items:
        parts.append(f"Answer with exactly one of: {', '.join(found.items)}.")
    elif rule.kind == "json":
        parts.append("Answer with one JSON object and nothing else.")
    if rule.starts_with:
        starts = " or ".join(f'"{o.strip()}"' for o in openings(rule, found))
        parts.append(f"Begin with {starts}.")
    if rule.max_words:
        parts.append(f"Use at most {rule.max_words} words.")
    return " ".join(parts)


def fault(text: str, rule: ReplyRule, found: Facts) -> str:
    """What is wrong with an answer, in words for the model; "" when it keeps the rule."""
    stripped = text.strip()
    if not stripped:
        return "The answer was empty."
    starts = openings(rule, found)
    if starts and not any(stripped.startswith(o.strip()) for o in starts):
        return f"The answer must begin with {starts[0].strip()!r}."
    if rule.kind == "list" and len(stripped.splitlines()) < rule.count:
        return f"The answer must be a list of {rule.count} items, one on each line."
    if rule.kind == "choice" and found.items and stripped not in found.items:
        return f"The answer must be exactly one of: {', '.join(found.items)}."
    if rule.kind == "json":
        try:
            is_object = isinstance(orjson.loads(stripped), dict)
        except orjson.JSONDecodeError:
            is_object = False
        if not is_object:
            return "The answer must be one JSON object."
    if rule.max_words and len(stripped.split()) > rule.max_words * 1.5:
        return f"The answer must have at most {rule.max_words} words."
    return ""


def tidy(text: str, rule: ReplyRule, found: Facts = NO_FACTS) -> str:
    """One sentence where one was asked for; full stops of its opening do not end it."""
    text = text.strip()
    if rule.kind != "sentence":
        return text
    heads = [o.strip() for o in openings(rule, found) if text.startswith(o.strip())]
    end = _SENTENCE_END.search(text, max(map(len, heads), default=0))
    return text[: end.end()] if end else text


def grammar(rule: ReplyRule, found: Facts) -> str | None:
    """GBNF for a rule; None where there is nothing to enforce.

    A word brings its own leading space, so openings end without one. Bounded repetition makes an
    answer end before its token limit; forbidding commas keeps very small models from rambling.
    """
    starts = [o.strip() for o in openings(rule, found)]
    match rule.kind:
        case "text":
            return f"root ::= {_any(starts)} [^\\n] rest\nrest ::= [^\\x00]*" if starts else None
        case "choice":
            return f"root ::= {_any(list(found.items))}" if found.items else None
        case "sentence":
            head = _any(starts) if starts else f"{_LETTER} {_LETTER}*"
            comma = '","? ' if rule.commas else ""
            bounds = f"{{{rule.min_words},{rule.max_words or SENTENCE_WORDS}}}"
            word = f'word ::= {comma}" " {_LETTER} {_LETTER}* ("-" {_LETTER}+)?'
            return f"root ::= {head} word{bounds} [.!?]\n{word}"
        case "list":
            return _list_grammar(rule)
        case "json":
            return None


# A letter of a word in any alphabet: no space, sentence end, quote, bracket, dash or markup.
_LETTER = (
    r"[^\x00-\x20\x7f\u0080-\u00a0\u2000-\u200f\u2028\u2029\u3000.!?,;:"
    r"""“”„«»"()<>{}\[\]|/\\*_#~`=+@^%$…—–-]"""
)
_SMALL = _LETTER[:-2] + "A-Z-]"


def _list_grammar(rule: ReplyRule) -> str:
    lines = ' "\\n" '.join(f'"{i}. " item' for i in range(1, rule.count + 1))
    more = f"{{0,{(rule.max_words or ITEM_WORDS) - 1}}}"
    if not rule.capitals:
        return f'root ::= {lines}\nitem ::= {_LETTER}+ word{more}\nword ::= " " {_LETTER}+'
    # Names: a capital, small letters, at most one more hump, and no "The" or "A" in front.
    first = f'([A-SU-Z] | "T" {_SMALL[:-2]}h-]) {_SMALL}+ hump'
    return (
        f"root ::= {lines}\nitem ::= {first} word{more}\n"
        f'word ::= " " [A-Z] {_SMALL}* hump\nhump ::= ([A-Z] {_SMALL}+)?'
    )


def _any(texts: list[str]) -> str:
    literals = [_literal(t) for t in texts]
    return literals[0] if len(literals) == 1 else f"({' | '.join(literals)})"


def _literal(text: str) -> str:
    plain = re.sub(r"[\x00-\x1f\x7f]+", " ", text)
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
