"""One advocate's place on the boards of the whole brand: of all time and of the last days."""

from typing import NamedTuple

from sqlalchemy.orm import Session

from amplify.leaderboards import queries
from amplify.leaderboards.boards import WHOLE_BRAND, find_board
from amplify.leaderboards.days import WINDOWS
from amplify.leaderboards.folding import BoardName
from amplify.sharing.models import Advocate


class Place(NamedTuple):
    """`days` 0: of all time. No rank: no points there that count toward rewards."""

    days: int
    rank: int | None
    ranked: int


def place(session: Session, advocate: Advocate, name: BoardName = WHOLE_BRAND, *, days: int = 0) -> Place:
    """Where an advocate stands on a board, and of how many."""
    board = find_board(session, advocate.brand_id, name, days=days)
    if board is None:
        return Place(days, None, 0)
    return Place(days, queries.rank_of(session, board, advocate.id), queries.size(session, board))


def places(session: Session, advocate: Advocate) -> list[Place]:
    """Of all time, and of each window."""
    return [place(session, advocate, days=days) for days in (0, *WINDOWS)]
