"""Reading a board: its top, one person's place on it and who stands around.

Ranks are true: an advocate who left the board keeps their place in the count, and nobody sees them in it. A name stands
there only if the person agreed to it and was not erased since; else it is the pseudonym.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.customers.models import Customer
from amplify.leaderboards.decay import score_at
from amplify.leaderboards.models import Board, Standing
from amplify.leaderboards.snapshots import is_ranked, ranking_order
from amplify.sharing.models import Advocate, ShareLink
from amplify.tracking.models import Click
from amplify.tracking.queries import board_name

# The column of a link that says whether it counts on a board of this kind.
LINK_COLUMNS: dict[str, Any] = {
    "campaign": ShareLink.campaign_id,
    "location": ShareLink.location_id,
    "business_line": ShareLink.business_line_id,
}


@dataclass(frozen=True)
class Row:
    """One line of a board. Scores are points now; `recognition` counts acts of sharing too and is never a reason for
    a reward. `raw_clicks` are all requests of the links, machines and repeats among them."""

    rank: int
    advocate_id: int
    name: str
    is_named: bool
    is_listed: bool
    score: float
    recognition: float
    human_clicks: int
    conversions: int
    shares: int
    reached_at: datetime
    raw_clicks: int = 0
    is_me: bool = False

    @property
    def highlight(self) -> bool:
        """For the table: the reader's own line."""
        return self.is_me


def as_mine(row: Row) -> Row:
    """The same line, marked as the reader's own."""
    return replace(row, is_me=True)


def top(session: Session, board: Board, limit: int, now: datetime) -> list[Row]:
    """The first `limit` advocates who show themselves, best first, with their true ranks."""
    rows = (row for row in _rows(session, board, now, batch=limit + 20) if row.is_listed)
    return _with_raw_clicks(session, board, list(islice(rows, limit)))


def rank_of(session: Session, board: Board, advocate_id: int) -> int | None:
    """An advocate's place, counted from 1; None while they have no points that count toward rewards there."""
    mine = _standing(session, board, advocate_id)
    if mine is None:
        return None
    better = sa.select(sa.func.count()).select_from(Standing).where(*is_ranked(board.id), _is_better_than(mine))
    return 1 + int(session.scalar(better) or 0)


def size(session: Session, board: Board) -> int:
    """How many are ranked on a board."""
    counted = sa.select(sa.func.count()).select_from(Standing).where(*is_ranked(board.id))
    return int(session.scalar(counted) or 0)


def around(session: Session, board: Board, advocate_id: int, span: int, now: datetime) -> list[Row]:
    """One advocate's line, marked, with up to `span` neighbours on each side; empty if they are not ranked.

    Their own line is there even if they left the board: only they get to read this.
    """
    mine, rank = _standing(session, board, advocate_id), rank_of(session, board, advocate_id)
    if mine is None or rank is None:
        return []
    worse = sa.and_(sa.not_(_is_better_than(mine)), Standing.advocate_id != advocate_id)
    reverse = (Standing.score_log.asc(), Standing.reached_at.desc(), Standing.advocate_id.desc())
    above = _fetch(session, board, now, where=_is_better_than(mine), order=reverse, limit=span)
    below = _fetch(session, board, now, where=worse, order=ranking_order(), limit=span)
    me = [as_mine(row) for row in _fetch(session, board, now, where=Standing.advocate_id == advocate_id)]
    first = rank - len(above)
    ranked = [replace(row, rank=first + index) for index, row in enumerate([*reversed(above), *me, *below])]
    return _with_raw_clicks(session, board, [row for row in ranked if row.is_listed or row.is_me])


def _standing(session: Session, board: Board, advocate_id: int) -> Standing | None:
    return session.scalar(sa.select(Standing).where(*is_ranked(board.id), Standing.advocate_id == advocate_id))


def _is_better_than(mine: Standing) -> sa.ColumnElement[bool]:
    """The order of `ranking_order`, as a comparison."""
    same_score, same_time = Standing.score_log == mine.score_log, Standing.reached_at == mine.reached_at
    return sa.or_(
        Standing.score_log > mine.score_log,
        sa.and_(same_score, Standing.reached_at < mine.reached_at),
        sa.and_(same_score, same_time, Standing.advocate_id < mine.advocate_id),
    )


def _rows(session: Session, board: Board, now: datetime, *, batch: int) -> Iterator[Row]:
    """The whole board, read as far as it is asked for."""
    seen = 0
    while page := _fetch(session, board, now, order=ranking_order(), limit=batch, offset=seen):
        yield from (replace(row, rank=rank) for rank, row in enumerate(page, seen + 1))
        seen += len(page)


def _fetch(
    session: Session,
    board: Board,
    now: datetime,
    *,
    where: sa.ColumnElement[bool] | None = None,
    order: Sequence[Any] = (),
    limit: int | None = None,
    offset: int = 0,
) -> list[Row]:
    half_life = session.get_one(Brand, board.brand_id).half_life_days
    query = (
        sa.select(Standing, Advocate, Customer.erased_at)
        .join(Advocate, Advocate.id == Standing.advocate_id)
        .outerjoin(Customer, Customer.id == Advocate.customer_id)
        .where(*is_ranked(board.id), *(() if where is None else (where,)))
        .order_by(*order)
        .limit(limit)
        .offset(offset)
    )
    return [
        _row(standing, advocate, erased_at, now, half_life) for standing, advocate, erased_at in session.execute(query)
    ]


def _row(standing: Standing, advocate: Advocate, erased_at: datetime | None, now: datetime, half_life: float) -> Row:
    return Row(
        rank=0,
        advocate_id=advocate.id,
        name=board_name(advocate, erased_at),
        is_named=bool(advocate.shown_name) and erased_at is None,
        is_listed=advocate.on_board,
        score=score_at(standing.score_log, now, half_life),
        recognition=score_at(standing.recognition_log, now, half_life),
        human_clicks=standing.human_clicks,
        conversions=standing.conversions,
        shares=standing.shares,
        reached_at=standing.reached_at,
    )


def _with_raw_clicks(session: Session, board: Board, rows: list[Row]) -> list[Row]:
    """Raw and human counts always stand side by side (product.md rule 8)."""
    raw = raw_clicks(session, board, [row.advocate_id for row in rows])
    return [replace(row, raw_clicks=raw.get(row.advocate_id, 0)) for row in rows]


def raw_clicks(session: Session, board: Board, advocate_ids: Sequence[int]) -> dict[int, int]:
    """How many requests the links of these advocates got that count on this board, whatever they were."""
    mine = [ShareLink.brand_id == board.brand_id, ShareLink.advocate_id.in_(advocate_ids)]
    if column := LINK_COLUMNS.get(board.kind):
        mine.append(column == board.ref_id)
    counted = (
        sa.select(ShareLink.advocate_id, sa.func.count(Click.id))
        .join(Click, Click.link_id == ShareLink.id)
        .where(*mine)
        .group_by(ShareLink.advocate_id)
    )
    return {row[0]: row[1] for row in session.execute(counted)}
