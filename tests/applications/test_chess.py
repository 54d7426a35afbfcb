"""The rules by counted games, and what a board agent keeps out of a conversation."""

from __future__ import annotations

import pytest

from studio.engine.events import MessageSent, ToolCalled, ToolReturned

from . import chess
from .rules import START, Position, perft

KIWIPETE = "r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq - 0 1"
PASSING = "8/2p5/3p4/KP5r/1R3p1k/8/4P1P1/8 w - - 0 1"
PROMOTING = "r3k2r/Pppp1ppp/1b3nbN/nP6/BBP1P3/q4N2/Pp1P2PP/R2Q1RK1 w kq - 0 1"
IN_CHECK = "rnbq1k1r/pp1Pbppp/2p5/8/2B5/8/PPP1NnPP/RNBQK2R w KQ - 1 8"
FOOLS_MATE = ("f2f3", "e7e5", "g2g4", "d8h4")


@pytest.mark.parametrize(
    ("fen", "counts"),
    [
        pytest.param(START, (20, 400, 8902), id="start"),
        pytest.param(KIWIPETE, (48, 2039), id="castling"),
        pytest.param(PASSING, (14, 191, 2812), id="en-passant"),
        pytest.param(PROMOTING, (6, 264, 9467), id="promotion"),
        pytest.param(IN_CHECK, (44, 1486), id="check"),
    ],
)
def test_as_many_games_as_there_are(fen: str, counts: tuple[int, ...]) -> None:
    """The counts are the published ones, on which all engines agree (chessprogramming: perft)."""
    position = Position.of(fen)
    assert tuple(perft(position, depth + 1) for depth in range(len(counts))) == counts


def test_mate_and_stalemate_leave_no_move() -> None:
    mated = chess.after(FOOLS_MATE)
    assert mated.legal() == []
    assert mated.in_check(white=True)
    stalemate = Position.of("7k/5Q2/6K1/8/8/8/8/8 b - - 0 1")
    assert stalemate.legal() == []
    assert not stalemate.in_check(white=False)


def test_illegal_moves_are_counted_where_they_are_made() -> None:
    assert chess.illegal_in(FOOLS_MATE) == 0
    assert chess.illegal_in(["e2e5"]) == 1
    assert chess.illegal_in(["e2e4", "e7e5", "e4e5", "a7a6"]) == 1


def test_a_board_agent_keeps_illegal_moves_away() -> None:
    figures = chess.run()
    assert figures.illegal == 0
    assert figures.refused > 0  # or the players were never careless
    assert figures.illegal_without > 0
    assert figures.broken_without > figures.games / 2
    assert figures.moves == figures.moves_without == figures.games * (chess.MOVES - 1)


def test_the_opponent_hears_the_move_that_stands() -> None:
    for seed in range(chess.GAMES):
        game, held = chess.with_board(seed)
        assert chess.moves_told(held) == game.moves
        outer = [e for chat, e in held.log.events if chat == "" and isinstance(e, MessageSent)]
        assert [e.agent for e in outer[1:3]] == ["white", "black"]


def test_a_refused_player_tries_again_and_then_asks_what_is_legal() -> None:
    events = [e for seed in range(chess.GAMES) for _, e in chess.with_board(seed)[1].log.events]
    calls = [e.name for e in events if isinstance(e, ToolCalled)]
    results = [e for e in events if isinstance(e, ToolReturned)]
    asked = [i for i, name in enumerate(calls) if name == "legal_moves"]
    assert asked
    for i in asked:
        assert [result.ok for result in results[i - chess.PATIENCE : i]] == [False] * chess.PATIENCE
        assert calls[i + 1] == "make_move"
        assert results[i + 1].ok


def test_a_game_that_is_over_ends_the_conversation() -> None:
    game, held = chess.with_board(0, opening=FOOLS_MATE)
    assert game.moves == list(FOOLS_MATE)
    assert held.log.said == [("black", "Let us play.")]
