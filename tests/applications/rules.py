"""The rules of chess: positions, legal moves, and how many there are (perft).

Moves are written as engines write them: from, to, promotion ("e2e4", "e1g1", "a7a8q"). Draws by
repetition, by fifty moves and by too few pieces are left out: they forbid no move.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

START = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1"
EMPTY = "."
FILES = "abcdefgh"
DIAGONAL = ((1, 1), (1, -1), (-1, 1), (-1, -1))
STRAIGHT = ((1, 0), (-1, 0), (0, 1), (0, -1))
KNIGHT = ((1, 2), (2, 1), (-1, 2), (-2, 1), (1, -2), (2, -1), (-1, -2), (-2, -1))
SLIDERS = {"b": DIAGONAL, "r": STRAIGHT, "q": DIAGONAL + STRAIGHT}
STEPPERS = {"n": KNIGHT, "k": DIAGONAL + STRAIGHT}
CORNERS = {0: "Q", 7: "K", 56: "q", 63: "k"}  # the right that ends when something moves here
CASTLINGS = {  # right: king from, king to, rook from, rook to
    "K": (4, 6, 7, 5), "Q": (4, 2, 0, 3), "k": (60, 62, 63, 61), "q": (60, 58, 56, 59),
}  # fmt: skip


def square(name: str) -> int:
    """0 for a1, 7 for h1, 63 for h8."""
    return FILES.index(name[0]) + 8 * (int(name[1]) - 1)


def name_of(index: int) -> str:
    return f"{FILES[index % 8]}{index // 8 + 1}"


def shifted(index: int, files: int, ranks: int) -> int | None:
    """The square so many files and ranks away; None off the board."""
    file, rank = index % 8 + files, index // 8 + ranks
    return file + 8 * rank if 0 <= file < 8 and 0 <= rank < 8 else None


@dataclass(frozen=True)
class Position:
    """`board` is 64 letters from a1 to h8, white's capital; `rights` those of KQkq that are left;
    `passed` the square a pawn has just passed in a double step."""

    board: str
    white: bool = True
    rights: str = ""
    passed: int | None = None

    @classmethod
    def of(cls, fen: str = START) -> Position:
        """From the Forsyth-Edwards notation; its counters are not read."""
        placed, turn, rights, passed, *_ = fen.split()
        ranks = ["".join(EMPTY * int(c) if c.isdigit() else c for c in rank)
                 for rank in placed.split("/")]  # fmt: skip
        return cls(
            "".join(reversed(ranks)),
            turn == "w",
            rights.strip("-"),
            None if passed == "-" else square(passed),
        )

    def legal(self) -> list[str]:
        """The moves that do not leave the own king in check; none is mate or stalemate."""
        return [m for m in self.pseudo_legal() if not self.after(m).in_check(self.white)]

    def pseudo_legal(self) -> Iterator[str]:
        """The moves that the pieces can make, whatever happens to the king."""
        for start, piece in enumerate(self.board):
            if not self._is_own(piece):
                continue
            if piece in "Pp":
                yield from self._pawn_moves(start)
            else:
                for end in self._reached(start, piece.lower()):
                    if not self._is_own(self.board[end]):
                        yield name_of(start) + name_of(end)
        yield from self._castlings()

    def after(self, move: str) -> Position:
        """The position after a move, legal or not, of whatever stands where it begins."""
        start, end = square(move), square(move[2:])
        board = list(self.board)
        piece, board[start] = board[start], EMPTY
        board[end] = piece
        passed = None
        if piece in "Pp":
            if end == self.passed:
                board[end - 8 if piece == "P" else end + 8] = EMPTY
            if abs(end - start) == 16:
                passed = (start + end) // 2
            if len(move) == 5:
                board[end] = move[4].upper() if piece == "P" else move[4]
        for right, (king, to, rook, rook_to) in CASTLINGS.items():
            if right in self.rights and piece in "Kk" and (start, end) == (king, to):
                board[rook_to], board[rook] = board[rook], EMPTY
        lost = {CORNERS.get(start), CORNERS.get(end)} | {4: set("KQ"), 60: set("kq")}.get(
            start, set()
        )
        rights = "".join(right for right in self.rights if right not in lost)
        return Position("".join(board), not self.white, rights, passed)

    def in_check(self, white: bool) -> bool:
        """Whether a king is attacked; one that is not there is not."""
        king = self.board.find("K" if white else "k")
        return king >= 0 and self.is_attacked(king, by_white=not white)

    def is_attacked(self, target: int, *, by_white: bool) -> bool:
        """Looks from the square as each kind of piece, whether it sees one of its kind."""
        own = str.upper if by_white else str.lower
        for kind in "nbrqk":
            if any(self.board[seen] == own(kind) for seen in self._reached(target, kind)):
                return True
        below = -1 if by_white else 1
        origins = (shifted(target, side, below) for side in (-1, 1))
        return any(o is not None and self.board[o] == own("p") for o in origins)

    def _is_own(self, piece: str) -> bool:
        return piece != EMPTY and piece.isupper() == self.white

    def _is_other(self, piece: str) -> bool:
        return piece != EMPTY and piece.isupper() != self.white

    def _reached(self, start: int, kind: str) -> Iterator[int]:
        """Squares that such a piece sees, the first piece in its way included."""
        for files, ranks in STEPPERS.get(kind, ()):
            end = shifted(start, files, ranks)
            if end is not None:
                yield end
        for files, ranks in SLIDERS.get(kind, ()):
            end = shifted(start, files, ranks)
            while end is not None:
                yield end
                end = shifted(end, files, ranks) if self.board[end] == EMPTY else None

    def _pawn_moves(self, start: int) -> Iterator[str]:
        ahead, home, last = (1, 1, 7) if self.white else (-1, 6, 0)
        ends = []
        one = shifted(start, 0, ahead)
        if one is not None and self.board[one] == EMPTY:
            ends.append(one)
            two = shifted(one, 0, ahead)
            if start // 8 == home and two is not None and self.board[two] == EMPTY:
                ends.append(two)
        for side in (-1, 1):
            end = shifted(start, side, ahead)
            if end is not None and (self._is_other(self.board[end]) or end == self.passed):
                ends.append(end)
        for end in ends:
            for promoted in "qrbn" if end // 8 == last else ("",):
                yield name_of(start) + name_of(end) + promoted

    def _castlings(self) -> Iterator[str]:
        """King and rook unmoved, nothing between them, no attacked square on the king's way."""
        for right in self.rights:
            if right.isupper() != self.white:
                continue
            king, to, rook, _ = CASTLINGS[right]
            is_free = set(self.board[min(king, rook) + 1 : max(king, rook)]) == {EMPTY}
            way = range(min(king, to), max(king, to) + 1)
            if is_free and not any(self.is_attacked(s, by_white=not self.white) for s in way):
                yield name_of(king) + name_of(to)


def perft(position: Position, depth: int) -> int:
    """The number of legal games of `depth` moves."""
    if depth == 0:
        return 1
    return sum(perft(position.after(move), depth - 1) for move in position.legal())
