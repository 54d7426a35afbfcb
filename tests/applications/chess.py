"""A6, conversational chess: two players who talk, and a board that knows the rules.

The paper shows it without figures: a board agent checks every move with a rules library; without it
players make illegal moves, and the game falls apart.

Reproduced here: players are seeded models that know how each piece moves, and are careless. In one
of four moves they look past the pieces in the way, and they never look whether their king is in
check. With the board each turn is a nested chat of the player and the board agent: the player
calls `make_move`, reads why it was refused and tries again; after three refusals it asks for
`legal_moves`. What the opponent hears is the move that stands on the board. Without the board the
players say their moves to each other, and each plays what it hears. Afterwards every game is played
through by `rules.py`, move by move, which counts what was illegal.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from studio.engine import AssistantAgent, ConversableAgent
from studio.engine.events import ToolReturned
from studio.engine.messages import Message

from .rule_models import RULE_CONFIG, Held, following, hold
from .rules import EMPTY, Position, name_of
from .table import Row

GAMES = 8
MOVES = 40  # of one game, both colours counted, if it does not end before
CARELESS = 0.25
PATIENCE = 3  # refusals before a player asks what is legal
MOVE = re.compile(r"\b[a-h][1-8][a-h][1-8][qrbn]?\b")
PLAYED = "I played "


@dataclass(frozen=True)
class ChessFigures:
    """Of all games; `refused` are proposals that the board did not accept."""

    games: int
    moves: int
    illegal: int
    refused: int
    moves_without: int
    illegal_without: int
    broken_without: int


class Game:
    """What stands on the board, and the two tools of the players."""

    def __init__(self, opening: Sequence[str] = ()) -> None:
        self.moves = list(opening)
        self.position = after(opening)

    def make_move(self, move: Annotated[str, "from, to, promotion, as in e2e4"]) -> str:
        if move not in self.position.legal():
            raise ValueError(f"{move} is not legal here.")
        self.position = self.position.after(move)
        self.moves.append(move)
        return f"{move} stands."

    def legal_moves(self) -> str:
        return " ".join(self.position.legal())


def after(moves: Sequence[str]) -> Position:
    """The position after these moves, whether they were legal or not."""
    position = Position.of()
    for move in moves:
        position = position.after(move)
    return position


def illegal_in(moves: Sequence[str]) -> int:
    """How many of the moves were illegal where they were made."""
    return sum(move not in after(moves[:i]).legal() for i, move in enumerate(moves))


class Player:
    """The rule of one player, with its own dice."""

    def __init__(self, seed: str) -> None:
        self._dice = random.Random(seed)

    def at_the_board(self, messages: list[Message]) -> str | Message:
        """Calls a tool of the board until a move stands."""
        answers = [str(m["content"]) for m in messages if m["role"] == "tool"]
        if answers and answers[-1].endswith("stands."):
            return PLAYED + answers[-1].split()[0]
        if answers and not answers[-1].startswith("Error:"):
            return _calling("make_move", move=self._dice.choice(answers[-1].split()))
        if len(answers) >= PATIENCE:
            return _calling("legal_moves")
        moves = MOVE.findall(messages[1]["content"])
        return _calling("make_move", move=self._proposed(after(moves)))

    def in_words(self, messages: list[Message]) -> str:
        """Says a move, with what was said before as the game."""
        moves = [move for m in messages[1:] for move in MOVE.findall(m["content"])]
        return PLAYED + self._proposed(after(moves))

    def _proposed(self, position: Position) -> str:
        moves = list(position.pseudo_legal())
        if not moves or self._dice.random() < CARELESS:
            moves = _as_if_alone(position)
        return self._dice.choice(moves)


def _as_if_alone(position: Position) -> list[str]:
    """The moves that each own piece would have on an empty board."""
    moves: list[str] = []
    for index, piece in enumerate(position.board):
        if piece != EMPTY and piece.isupper() == position.white:
            board = EMPTY * index + piece + EMPTY * (63 - index)
            alone = Position(board, position.white).pseudo_legal()
            moves += [m for m in alone if m.startswith(name_of(index))]
    return moves


def _calling(name: str, **arguments: str) -> Message:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"content": None, "tool_calls": [{"id": name, "type": "function", "function": function}]}


def with_board(seed: int, opening: Sequence[str] = ()) -> tuple[Game, Held]:
    """Each turn is a nested chat: the board asks the player, and runs the tools it calls.

    After an `opening` it must be white's turn.
    """
    game = Game(opening)
    board = ConversableAgent(
        "board",
        human_input_mode="NEVER",
        is_termination_msg=lambda m: str(m.get("content")).startswith(PLAYED),
    )
    for tool in (game.make_move, game.legal_moves):
        board.register_for_execution()(tool)
    white, black = (_at_the_board(colour, seed, game) for colour in ("white", "black"))

    def question(agent: Any, messages: Any, sender: Any, config: Any) -> str:
        """Nothing when the game is over, and then nobody answers."""
        moves = " ".join(game.moves)
        return f"{agent.name}, make your move. So far: {moves}" if game.position.legal() else ""

    def on_the_board(sender: Any, recipient: Any, arguments: Any) -> str:
        return game.moves[-1]

    turn = {"sender": board, "message": question, "summary_method": on_the_board}
    white.register_nested_chats([{**turn, "recipient": white}], trigger=black)
    black.register_nested_chats([{**turn, "recipient": black}], trigger=white)
    return game, hold(black, white, "Let us play.", max_turns=MOVES // 2)


def _at_the_board(colour: str, seed: int, game: Game) -> AssistantAgent:
    player = AssistantAgent(colour, llm_config=RULE_CONFIG)
    player.register_for_llm(description="Makes a move.")(game.make_move)
    player.register_for_llm(description="All legal moves.")(game.legal_moves)
    return following(player, Player(f"{colour} {seed}").at_the_board)


def without_board(seed: int) -> list[str]:
    """The moves that two players told each other."""
    white, black = (
        following(
            AssistantAgent(colour, llm_config=RULE_CONFIG), Player(f"{colour} {seed}").in_words
        )
        for colour in ("white", "black")
    )
    held = hold(black, white, "Let us play.", max_turns=MOVES // 2)
    return [move for _, words in held.log.said for move in MOVE.findall(words)]


def moves_told(held: Held) -> list[str]:
    """What the players told each other in the outer chat."""
    return [move for m in held.result.chat_history for move in MOVE.findall(m["content"])]


def run() -> ChessFigures:
    """The same players with the board and without it."""
    games = [with_board(seed) for seed in range(GAMES)]
    told = [moves_told(held) for _, held in games]
    results = [e for _, held in games for _, e in held.log.events if isinstance(e, ToolReturned)]
    without = [without_board(seed) for seed in range(GAMES)]
    return ChessFigures(
        games=GAMES,
        moves=sum(map(len, told)),
        illegal=sum(map(illegal_in, told)),
        refused=sum(not result.ok for result in results),
        moves_without=sum(map(len, without)),
        illegal_without=sum(map(illegal_in, without)),
        broken_without=sum(illegal_in(moves) > 0 for moves in without),
    )


def rows(figures: ChessFigures) -> list[Row]:
    f = figures
    return [
        Row("with the board, illegal moves made", f"{f.illegal} of {f.moves}", "none (no figures)"),
        Row("with the board, proposals refused", str(f.refused), "-"),
        Row(
            "without it, illegal moves made",
            f"{f.illegal_without} of {f.moves_without}",
            "some (no figures)",
        ),
        Row(
            "without it, games broken", f"{f.broken_without} of {f.games}", "it breaks (no figures)"
        ),
    ]
