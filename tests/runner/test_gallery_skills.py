"""The skills of the gallery do what their docstrings say: their sources are run as they are."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.definitions.bundle import load_bundle
from studio.definitions.gallery import EXAMPLES, bundles
from studio.definitions.skills import SKILL

from ..applications.rules import Position

SKILLS = {
    body["name"]: SKILL.validate_python(body)
    for slug, text in bundles().items()
    if not slug.startswith("skill-")  # those that come by themselves: test_builtin_skills.py
    for body in load_bundle(text).bodies["skills"]
}
Functions = dict[str, Callable[..., Any]]


@pytest.fixture(autouse=True)
def _session_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Skills keep what they must remember in the folder that they run in."""
    monkeypatch.chdir(tmp_path)


def _module(skill: str) -> Functions:
    found: dict[str, Any] = {"__name__": "skill"}
    exec(compile(SKILLS[skill].source, skill, "exec", dont_inherit=True), found)
    return found


@pytest.mark.parametrize("name", SKILLS)
def test_what_a_model_reads_of_it(name: str) -> None:
    """Every function says what it does; nothing needs a network, a package or a secret."""
    skill = SKILLS[name]
    assert all(len(schema.description) > 20 for schema in skill.schemas())
    assert (skill.network, skill.packages, skill.secrets) == ("none", [], [])


def test_the_guide_gives_the_next_paragraphs_where_the_first_do_not_answer() -> None:
    retrieve = _module("Guide to Halmstow")["retrieve"]
    assert "Ida Calloway" in retrieve(EXAMPLES["Answers from documents"])
    assert "sole and turbot" in retrieve("When does the fish market open?")
    question = "What do people pay to see how salt was made?"
    pages = [retrieve(question, skip) for skip in range(0, 20, 2)]
    assert ["six crowns" in page for page in pages].count(True) == 1
    assert len({part for page in pages for part in page.split("\n\n")}) == 20
    assert retrieve(question, 20) == retrieve("", 99) == "There are no more paragraphs."
    assert retrieve("", -3) == retrieve("")


def test_the_kitchen_is_solved_by_common_sense_only() -> None:
    def act(command: str) -> str:
        """Each call is a process of its own: what it must know stands in the folder."""
        return str(_module("A kitchen in words")["act"](command))

    nothing = "Nothing happens."
    assert act("look").endswith("You stand in the middle.")
    assert [act("take the mug"), act("put the mug"), act("fly"), act("go to mars")] == [nothing] * 4
    assert act("Go to the cupboard.") == "The cupboard is closed."
    assert act("take mug") == nothing
    assert act("open cupboard") == "At the cupboard you see a plate, a mug."
    assert act("open cupboard") == nothing
    assert act("take mug") == "You hold the mug."
    assert [act("take plate"), act("clean mug")] == [nothing] * 2
    assert act("go to desk") == "At the desk you see a pen."
    assert act("put mug") == "You put the mug at the desk."
    assert act("take mug") == "You hold the mug."
    assert act("go to sink") == "At the sink you see nothing."
    assert act("clean mug") == "The mug is clean."
    assert act("go to desk") == "At the desk you see a pen."
    assert act("put mug") == "You put the mug at the desk. The task is solved."


@pytest.mark.parametrize("seed", range(6))
def test_the_chess_board_knows_every_legal_move(seed: int) -> None:
    """Beside rules that were written on their own: a random game of 60 moves, at every position."""
    legal = _module("Chess board")["_legal"]
    dice, moves, position = random.Random(seed), list[str](), Position.of()
    while len(moves) < 60 and (known := position.legal()):
        assert sorted(legal(moves)) == sorted(known), moves
        # captures, castling and pawns lead to the rules that are easy to get wrong
        rare = [m for m in known if m in ("e1g1", "e1c1", "e8g8", "e8c8") or m[1] in "27"]
        moves.append(dice.choice(rare if rare and dice.random() < 0.5 else known))
        position = position.after(moves[-1])


@pytest.mark.parametrize(
    ("moves", "wanted"),
    [
        ("e2e4 a7a6 e4e5 d7d5", {"e5d6"}),  # en passant, once
        ("e2e4 a7a6 e4e5 d7d5 a2a3 a6a5", set()),
        ("e2e4 e7e5 g1f3 b8c6 f1c4 f8c5", {"e1g1"}),
        ("a2a4 b7b5 a4b5 a7a6 b5a6 c8b7 a6b7 h7h6", {"b7a8q", "b7a8n"}),
    ],
)
def test_the_rules_that_are_forgotten_first(moves: str, wanted: set[str]) -> None:
    rare = {"e5d6", "e1g1", "b7a8q", "b7a8n"}
    assert rare & set(_module("Chess board")["_legal"](moves.split())) == wanted


def test_the_chess_board_keeps_the_game_and_says_how_it_stands() -> None:
    assert "The moves so far: none" in _module("Chess board")["board"]()
    for move, told in (
        ("f2-f3", "f2f3 stands. Black is to move."),
        (" E7E5 ", "e7e5 stands. White is to move."),
        ("g2g4", "g2g4 stands. Black is to move."),
        ("d8h4", "d8h4 stands. White is checkmated."),
    ):
        assert _module("Chess board")["make_move"](move) == told
    board = _module("Chess board")
    assert board["legal_moves"]() == "None: the game is over."
    with pytest.raises(ValueError, match=r"a2a3 is not legal here. The moves so far: f2f3 e7e5"):
        board["make_move"]("a2a3")
    assert "4 . . . . . . P q" in board["board"]()
