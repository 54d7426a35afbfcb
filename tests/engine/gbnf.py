"""Reads the part of llama.cpp's GBNF that the studio writes, so that tests can try a grammar.

Rules without recursion, literals, character classes, alternatives, groups and bounded repetition
become one regular expression. It is a second reading of the grammar, not the model's server.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<literal>"(?:\\.|[^"\\])*")
      | (?P<cls>\[\^?(?:\\.|[^\]\\])*\])
      | (?P<repeat>\{\d+(?:,\d*)?\})
      | (?P<mark>[()|*+?])
      | (?P<rule>[a-z][a-z-]*)
    )""",
    re.VERBOSE,
)


def rules_of(grammar: str) -> dict[str, str]:
    """Rule name -> body. A line that is no rule is an error, as it is for the server."""
    rules = {}
    for line in grammar.split("\n"):
        name, arrow, body = line.partition(" ::= ")
        assert arrow, f"not a rule: {line!r}"
        assert name not in rules, f"two rules {name}"
        rules[name] = body
    return rules


def expression(grammar: str) -> str:
    rules = rules_of(grammar)
    return _of(rules, rules["root"])


def _of(rules: dict[str, str], body: str) -> str:
    parts, at = [], 0
    while body[at:].strip():
        token = _TOKEN.match(body, at)
        assert token, f"cannot read {body[at : at + 30]!r}"
        at = token.end()
        parts.append(_part(rules, token))
    return "(?:" + "".join(parts) + ")"


def _part(rules: dict[str, str], token: re.Match[str]) -> str:
    kind, text = token.lastgroup, token[token.lastgroup or 0]
    match kind:
        case "literal":
            plain = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], text[1:-1])
            return "(?:" + re.escape(plain) + ")"
        case "rule":
            return _of(rules, rules[text])
        case "mark" if text == "(":
            return "(?:"
        case _:
            return text


def accepts(grammar: str, text: str) -> bool:
    return re.fullmatch(expression(grammar), text) is not None
