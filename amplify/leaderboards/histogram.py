"""Exact ranks at any size: how many stand on a board in each range of scores, in several widths.

A score's ranges are a half-life, 1/16, 1/512 and 1/16384 of one wide, each inside the wider one. How many are better is
then the sum of the wide ranges above, of the narrower ones above inside my own, and so on, and a count by index inside
my narrowest. `apply` runs in the transaction that moves the standings.
"""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache
from math import floor
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session

from amplify.core import bulk, prepared
from amplify.core.prepared import Prepared
from amplify.leaderboards.models import Board, ScoreCount, Standing

# Width of a range on each level: 2^-bits of a score. A level's range number is that of the finest, shifted right.
Levels = tuple[int, ...]
LEVELS: Levels = (0, 4, 9, 14)
# Of a window's board (`ties.window_score`): some points, one milli-point, a part of those who are equal.
WINDOW_LEVELS: Levels = (0, 10, 26)
NAMES = ("board_id", "level", "bucket", "n")

# (board, level, number of the range) -> how many more stand there, or fewer.
Changes = dict[tuple[int, int, int], int]
# One standing's move: board, score before (None: was not ranked), score after (None: is not ranked any more).
Move = tuple[int, float | None, float | None]


def changes(moves: Iterable[Move], levels: Levels = LEVELS) -> Changes:
    """What these moves change in the counts; ranges that end as they began are left out."""
    moved: defaultdict[tuple[int, int], int] = defaultdict(int)
    scale = 1 << levels[-1]
    for board_id, before, after in moves:
        if before is not None:
            moved[board_id, floor(before * scale)] -= 1
        if after is not None:
            moved[board_id, floor(after * scale)] += 1
    return _with_wider(moved, levels)


def _with_wider(moved: Mapping[tuple[int, int], int], levels: Levels) -> Changes:
    """(board, finest range) -> how many more, on all levels."""
    found: Changes = {}
    # From the finest on: a wider range changes by the sum of those in it.
    for level in range(len(levels) - 1, -1, -1):
        wider: defaultdict[tuple[int, int], int] = defaultdict(int)
        step = levels[level] - levels[level - 1] if level else 0
        for (board_id, bucket), more in moved.items():
            if more:
                found[board_id, level, bucket] = more
                wider[board_id, bucket >> step] += more
        moved = wider
    return found


def apply(session: Session, moves: Iterable[Move], levels: Levels = LEVELS) -> None:
    """Move these standings in the counts. A range nobody is left in keeps a row with 0 until the next edition."""
    _add(session, changes(moves, levels))


def _add(session: Session, more: Changes) -> None:
    # In order: two transactions that meet here wait for each other, and never in a circle.
    rows = [(*place, step) for place, step in sorted(more.items())]
    add = f"n = {ScoreCount.__tablename__}.n + excluded.n"
    bulk.upsert(session, ScoreCount, NAMES, rows, key="board_id, level, bucket", update=add)


def fine_of(database: str, levels: Levels = LEVELS) -> str:
    """SQL: the finest range of a score (a float times a power of two is exact, so all levels agree at their edges).
    floor() by hand on SQLite, which is not always built with it."""
    scaled = f"score_log * {1 << levels[-1]}"
    if database == "sqlite":
        return f"CAST({scaled} AS INTEGER) - ({scaled} < CAST({scaled} AS INTEGER))"
    return f"CAST(floor({scaled}) AS BIGINT)"


def levels_of(board: Board) -> Levels:
    """The levels in which a board is counted."""
    return WINDOW_LEVELS if board.days else LEVELS


def count_below(session: Session, board: Board, below: int | None, most: int) -> int | None:
    """Count the next `most` standings of a board that has no counts yet, the best first, in whole ranges: those under
    the finest range `below` (None: from the top). The lowest range that was counted; None: there are no more.

    So neighbours come to lie side by side on the disk: a rank reads some dozens of them.
    """
    levels = levels_of(board)
    fine: sa.ColumnClause[int] = sa.literal_column(fine_of(session.get_bind().dialect.name, levels), sa.BigInteger)
    left = [Standing.board_id == board.id, Standing.score_log.is_not(None)]
    if below is not None:
        left.append(Standing.score_log < below / (1 << levels[-1]))
    ordered = sa.select(fine).select_from(Standing).where(*left).order_by(Standing.score_log.desc())
    lowest = session.scalar(ordered.limit(1).offset(most - 1))
    if lowest is not None:
        left.append(Standing.score_log >= lowest / (1 << levels[-1]))
    counted = session.execute(sa.select(fine, sa.func.count()).select_from(Standing).where(*left).group_by(fine))
    _add(session, _with_wider({(board.id, bucket): n for bucket, n in counted}, levels))
    return lowest


def count(session: Session, board: Board) -> None:
    """All of them at once."""
    count_below(session, board, None, sys.maxsize)


_RANKED = Prepared(
    sa.select(sa.func.sum(ScoreCount.n)).where(
        ScoreCount.board_id == sa.bindparam("board", type_=sa.BigInteger), ScoreCount.level == 0
    )
)


def ranked_on(session: Session, board_id: int) -> int:
    """How many are ranked on a board."""
    return int(_RANKED.rows(session, {"board": board_id})[0][0] or 0)


class Place(NamedTuple):
    """Where an advocate stands: counted from 1, and what put them there."""

    rank: int
    score_log: float
    tie: bytes
    reached_at: datetime


def place_of(session: Session, board_id: int, advocate_id: int, levels: Levels = LEVELS) -> Place | None:
    """An advocate's place; None while they are not ranked. One statement: it sees one moment."""
    dialect = session.get_bind().dialect
    who = {"board": board_id, "advocate": advocate_id}
    found = prepared.ask(session, _place_sql(dialect.name, levels), who)
    if not found:
        return None
    rank, score_log, tie, reached_at = found[0]
    return Place(int(rank), score_log, tie, _instant(dialect)(reached_at))


@cache
def _instant(dialect: Dialect) -> Callable[[Any], datetime]:
    """What the driver gives for an instant, as we know it."""
    convert: Any = sa.inspect(Standing).columns.reached_at.type.dialect_impl(dialect).result_processor(dialect, None)
    return convert  # type: ignore[no-any-return]  # SQLAlchemy calls it optional; an instant has one


@cache
def _place_sql(database: str, levels: Levels) -> str:
    """Straight for the driver: building an expression would cost more than the database's whole answer."""
    board, advocate = (":board", ":advocate") if database == "sqlite" else ("%(board)s", "%(advocate)s")
    on_board = f"FROM standings WHERE board_id = {board} AND"
    inside = f"score_log >= mine AND score_log < CAST(fine + 1 AS DOUBLE PRECISION) / {1 << levels[-1]}"
    ahead = "(score_log > mine OR (tie, reached_at, advocate_id) < (by_rule, since, id))"
    once = "AS" if database == "sqlite" else "AS MATERIALIZED"  # else PostgreSQL works `fine` out in each part
    above = " UNION ALL ".join(_ranges_above(level, levels) for level in range(len(levels)))
    # A look into the index for each range, whatever the database believes of its tables: as a join, PostgreSQL read all
    # counts while it took the table for empty. CAST: of longer numbers it would make decimals first.
    return f"""
        WITH me {once} (
          SELECT score_log AS mine, tie AS by_rule, reached_at AS since, advocate_id AS id,
            {fine_of(database, levels)} AS fine
          {on_board} advocate_id = {advocate} AND score_log IS NOT NULL),
        above AS ({above})
        SELECT 1
          + (SELECT sum((
               SELECT CAST(coalesce(sum(CAST(n AS INTEGER)), 0) AS INTEGER) FROM {ScoreCount.__tablename__}
               WHERE board_id = {board} AND level = of_level AND bucket > low AND bucket < high)) FROM above)
          + (SELECT count(*) {on_board} {inside} AND {ahead}), mine, by_rule, since
        FROM me"""  # noqa: S608 (numbers and names of ours)


def _ranges_above(level: int, levels: Levels) -> str:
    """The ranges of a level that are above mine, within mine of the next wider level."""
    low, high = f"fine >> {levels[-1] - levels[level]}", str(2**63 - 1)
    if level:
        fanned = levels[level] - levels[level - 1]
        high = f"((fine >> {levels[-1] - levels[level - 1]}) + 1) << {fanned}"
    return f"SELECT {level} AS of_level, {low} AS low, {high} AS high FROM me"  # noqa: S608
