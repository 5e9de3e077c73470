"""Exact ranks at any size: how many stand on a board in each range of scores, in three widths.

A score's ranges are a half-life, 1/32 and 1/1024 of one wide, each inside the wider one. How many are better is then
the sum of the wide ranges above, of the narrower ones above inside my own, of the narrowest inside that, and a count
by index inside my narrowest. `apply` runs in the transaction that moves the standings.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from math import floor
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session

from amplify.core import bulk
from amplify.leaderboards.models import Board, ScoreCount, Standing

# Width of a range on each level: 2^-bits of a half-life. A level's range number is that of the finest, shifted right.
LEVEL_BITS = (0, 5, 10)
FINEST = LEVEL_BITS[-1]
# The range of a score (a float times a power of two is exact, so all levels agree at their edges). floor() by hand on
# SQLite, which is not always built with it.
FINE_OF = {
    "sqlite": f"CAST(score_log * {1 << FINEST} AS INTEGER)"
    f" - (score_log * {1 << FINEST} < CAST(score_log * {1 << FINEST} AS INTEGER))",
    "postgresql": f"CAST(floor(score_log * {1 << FINEST}) AS BIGINT)",
}
NAMES = ("board_id", "level", "bucket", "n")

# (board, level, number of the range) -> how many more stand there, or fewer.
Changes = Counter[tuple[int, int, int]]
# One standing's move: board, score before (None: was not ranked), score after (None: is not ranked any more).
Move = tuple[int, float | None, float | None]


def changes(moves: Iterable[Move]) -> Changes:
    """What these moves change in the counts; ranges that end as they began are left out."""
    found: Changes = Counter()
    for board_id, before, after in moves:
        for score_log, step in ((before, -1), (after, +1)):
            if score_log is not None:
                fine = floor(score_log * (1 << FINEST))
                for level, bits in enumerate(LEVEL_BITS):
                    found[board_id, level, fine >> (FINEST - bits)] += step
    return Counter({place: step for place, step in found.items() if step})


def apply(session: Session, moves: Iterable[Move]) -> None:
    """Move these standings in the counts. A range nobody is left in keeps a row with 0 until the next rebuild."""
    # In order: two transactions that meet here wait for each other, and never in a circle.
    rows = [(*place, step) for place, step in sorted(changes(moves).items())]
    add = f"n = {ScoreCount.__tablename__}.n + excluded.n"
    bulk.upsert(session, ScoreCount, NAMES, rows, key="board_id, level, bucket", update=add)


def clear(session: Session, brand_id: int) -> None:
    """Forget the counts of a brand's boards, before they are made again."""
    mine = ScoreCount.board_id.in_(sa.select(Board.id).where(Board.brand_id == brand_id))
    session.execute(sa.delete(ScoreCount).where(mine), execution_options={"synchronize_session": False})


def ranked_on(session: Session, board_id: int) -> int:
    """How many are ranked on a board."""
    widest = ScoreCount.board_id == board_id, ScoreCount.level == 0
    return int(session.scalar(sa.select(sa.func.sum(ScoreCount.n)).where(*widest)) or 0)


class Place(NamedTuple):
    """Where an advocate stands: counted from 1, and what put them there."""

    rank: int
    score_log: float
    reached_at: datetime


def place_of(session: Session, board_id: int, advocate_id: int) -> Place | None:
    """An advocate's place; None while they are not ranked. One statement: it sees one moment."""
    connection = session.connection()
    who = {"board": board_id, "advocate": advocate_id}
    found = connection.exec_driver_sql(_place_sql(connection.dialect.name), who).one_or_none()
    return None if found is None else Place(int(found[0]), found[1], _instant(connection.dialect)(found[2]))


@cache
def _instant(dialect: Dialect) -> Callable[[Any], datetime]:
    """What the driver gives for an instant, as we know it."""
    convert: Any = sa.inspect(Standing).columns.reached_at.type.dialect_impl(dialect).result_processor(dialect, None)
    return convert  # type: ignore[no-any-return]  # SQLAlchemy calls it optional; an instant has one


@cache
def _place_sql(database: str) -> str:
    """Straight for the driver: building an expression would cost more than the database's whole answer."""
    board, advocate = (":board", ":advocate") if database == "sqlite" else ("%(board)s", "%(advocate)s")
    on_board = f"FROM standings WHERE board_id = {board} AND"
    above = " + ".join(_sum_above(level, board) for level in range(len(LEVEL_BITS)))
    inside = f"score_log > mine AND score_log < CAST(fine + 1 AS DOUBLE PRECISION) / {1 << FINEST}"
    return f"""
        WITH me AS (
          SELECT score_log AS mine, reached_at AS since, advocate_id AS id, {FINE_OF[database]} AS fine
          {on_board} advocate_id = {advocate} AND score_log IS NOT NULL)
        SELECT 1 + {above}
          + (SELECT count(*) {on_board} {inside})
          + (SELECT count(*) {on_board} score_log = mine AND (reached_at, advocate_id) < (since, id)),
          mine, since
        FROM me"""  # noqa: S608 (numbers and names of ours)


def _sum_above(level: int, board: str) -> str:
    """How many stand in the ranges of a level that are above mine, within mine of the next wider level."""
    here = f"(fine >> {FINEST - LEVEL_BITS[level]})"
    within = ""
    if level:
        fanned = LEVEL_BITS[level] - LEVEL_BITS[level - 1]
        within = f" AND bucket < ((fine >> {FINEST - LEVEL_BITS[level - 1]}) + 1) << {fanned}"
    where = f"board_id = {board} AND level = {level} AND bucket > {here}{within}"
    return f"(SELECT coalesce(sum(n), 0) FROM {ScoreCount.__tablename__} WHERE {where})"  # noqa: S608
