"""Reading a board: its top, one person's place on it and who stands around.

Ranks are true: an advocate who left the board keeps their place in the count, and nobody sees them in it. A name stands
there only if the person agreed to it and was not erased since; else it is the pseudonym.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import bulk, clock
from amplify.core.db import is_sqlite
from amplify.customers.models import Customer
from amplify.leaderboards.days import first_day
from amplify.leaderboards.decay import scorer
from amplify.leaderboards.histogram import Place, levels_of, place_of, ranked_on
from amplify.leaderboards.models import Board, Standing
from amplify.leaderboards.scoring import in_force
from amplify.leaderboards.snapshots import is_ranked, ranking_order
from amplify.sharing.models import Advocate, ShareLink
from amplify.tracking.models import ClickCount
from amplify.tracking.queries import board_name

# The column of a link that says whether it counts on a board of this kind.
LINK_COLUMNS: dict[str, Any] = {
    "campaign": ShareLink.campaign_id,
    "location": ShareLink.location_id,
    "business_line": ShareLink.business_line_id,
    "channel": ShareLink.channel,
}
# What a line is made of. Columns, not objects: a page of a hundred takes a fifth of the time.
COLUMNS: tuple[Any, ...] = (
    Standing.advocate_id, Advocate.pseudonym, Advocate.shown_name, Advocate.on_board, Customer.erased_at,
    Standing.score_log, Standing.recognition_log, Standing.human_clicks, Standing.conversions, Standing.shares,
    Standing.reached_at, Standing.milli_points, Standing.tie,
)  # fmt: skip


class Row(NamedTuple):
    """One line of a board. Scores are points now; `recognition` counts acts of sharing too and is never a reason for
    a reward. `raw_clicks` are all judged requests of the links, machines and repeats too."""

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
    return row._replace(is_me=True)


def top(session: Session, board: Board, limit: int, now: datetime) -> list[Row]:
    """The first `limit` advocates who show themselves, best first, with their true ranks."""
    listed = ((rank, line) for rank, line in _ranked(session, board, batch=limit + 20) if line.on_board)
    return _rows(session, board, list(islice(listed, limit)), now)


def rank_of(session: Session, board: Board, advocate_id: int) -> int | None:
    """An advocate's place, counted from 1; None while they have no points that count toward rewards there."""
    place = place_of(session, board.id, advocate_id, levels_of(board))
    return place.rank if place else None


def size(session: Session, board: Board) -> int:
    """How many are ranked on a board."""
    return ranked_on(session, board.id)


def around(session: Session, board: Board, advocate_id: int, span: int, now: datetime) -> list[Row]:
    """One advocate's line, marked, with up to `span` neighbours on each side; empty if they are not ranked.

    Their own line is there even if they left the board: only they get to read this.
    """
    place = place_of(session, board.id, advocate_id, levels_of(board))
    if place is None:
        return []
    near = sa.union_all(*_neighbours(board, advocate_id, place, span))
    found = session.execute(_lines().where(Standing.board_id == board.id, Standing.advocate_id.in_(near)))
    # Sorted here: asked to, the database would walk down the whole board in order, looking for them.
    lines = sorted(found, key=lambda line: (-line.score_log, line.tie, line.reached_at, line.advocate_id))
    mine = next((index for index, line in enumerate(lines) if line.advocate_id == advocate_id), 0)
    shown = [
        (rank, line)
        for rank, line in enumerate(lines, place.rank - mine)
        if line.on_board or line.advocate_id == advocate_id
    ]
    rows = _rows(session, board, shown, now)
    return [as_mine(row) if row.advocate_id == advocate_id else row for row in rows]


def _neighbours(board: Board, advocate_id: int, place: Place, span: int) -> Iterator[sa.Select[Any]]:
    """The advocate and `span` standings on each side, each side found by the index of the order."""
    ranked = sa.select(Standing.advocate_id).where(*is_ranked(board.id))
    yield ranked.where(Standing.advocate_id == advocate_id)
    better = _is_better_than(advocate_id, place)
    worse = sa.not_(better), Standing.advocate_id != advocate_id
    reverse = (Standing.score_log.asc(), Standing.tie.desc(), Standing.reached_at.desc(), Standing.advocate_id.desc())
    # The first condition of each only tells the database where to begin.
    above = ranked.where(Standing.score_log >= place.score_log, better).order_by(*reverse)
    below = ranked.where(Standing.score_log <= place.score_log, *worse).order_by(*ranking_order())
    for side in (above, below):
        yield sa.select(side.limit(span).subquery())


def _is_better_than(advocate_id: int, place: Place) -> sa.ColumnElement[bool]:
    """The order of `ranking_order`, as a comparison."""
    mine = (
        sa.literal(place.tie, Standing.tie.type),
        sa.literal(place.reached_at, Standing.reached_at.type),
        sa.literal(advocate_id),
    )
    earlier = sa.tuple_(Standing.tie, Standing.reached_at, Standing.advocate_id) < sa.tuple_(*mine)
    return sa.or_(Standing.score_log > place.score_log, sa.and_(Standing.score_log == place.score_log, earlier))


def _ranked(session: Session, board: Board, *, batch: int) -> Iterator[tuple[int, Any]]:
    """The whole board with ranks, read as far as it is asked for."""
    seen = 0
    while page := session.execute(_page(), {"board": board.id, "batch": batch, "seen": seen}).all():
        yield from enumerate(page, seen + 1)
        seen += len(page)


@cache
def _page() -> sa.Select[Any]:
    """Some of a board's lines in order. Made once: making it would take longer than the database."""
    board, batch, seen = (sa.bindparam(name, type_=sa.BigInteger) for name in ("board", "batch", "seen"))
    ranked = Standing.board_id == board, Standing.score_log.is_not(None)
    return _lines().where(*ranked).order_by(*ranking_order()).limit(batch).offset(seen)


def _lines() -> sa.Select[Any]:
    joined = sa.select(*COLUMNS).join(Advocate, Advocate.id == Standing.advocate_id)
    return joined.outerjoin(Customer, Customer.id == Advocate.customer_id)


def _rows(session: Session, board: Board, ranked: Sequence[tuple[int, Any]], now: datetime) -> list[Row]:
    """Raw and human counts always stand side by side (product.md rule 8)."""
    raw = raw_clicks(session, board, [line.advocate_id for _, line in ranked])
    points = _plain_points if board.days else scorer(now, in_force(session, board.brand_id).half_life_days)
    return [
        Row(
            rank=rank,
            advocate_id=who,
            name=board_name(pseudonym, shown_name, erased_at),
            is_named=bool(shown_name) and erased_at is None,
            is_listed=on_board,
            score=milli_points / 1000 if board.days else points(score_log),
            recognition=points(recognition_log),
            human_clicks=human_clicks,
            conversions=conversions,
            shares=shares,
            reached_at=reached_at,
            raw_clicks=raw.get(who, 0),
        )
        for rank, (
            who, pseudonym, shown_name, on_board, erased_at, score_log, recognition_log, human_clicks, conversions,
            shares, reached_at, milli_points, _tie,
        ) in ranked
    ]  # fmt: skip


def _plain_points(recognition: float | None) -> float:
    """A window keeps points as they are."""
    return recognition or 0.0


def raw_clicks(session: Session, board: Board, advocate_ids: Sequence[int]) -> dict[int, int]:
    """How many requests the links of these advocates got that count on this board, whatever they were judged to be."""
    which: dict[str, Any] = {"brand": board.brand_id, "who": bulk.told(session, advocate_ids)}
    kind, _colon, channel = board.kind.partition(":")
    if kind in LINK_COLUMNS:
        which["ref"] = channel or board.ref_id
    if board.days:
        which["since"] = first_day(board.days, clock.now()) * 24
    return {
        row[0]: int(row[1]) for row in session.execute(_raw_clicks(kind, bool(board.days), is_sqlite(session)), which)
    }


@cache
def _raw_clicks(kind: str, is_window: bool, on_sqlite: bool) -> sa.Select[Any]:
    who = bulk.is_one_of(ShareLink.advocate_id, "who", on_sqlite=on_sqlite)
    mine = [ShareLink.brand_id == sa.bindparam("brand"), who]
    if column := LINK_COLUMNS.get(kind):
        mine.append(column == sa.bindparam("ref"))
    if is_window:
        mine.append(ClickCount.hour >= sa.bindparam("since"))
    columns: tuple[Any, ...] = (ShareLink.advocate_id, sa.func.sum(ClickCount.n))
    joined = sa.select(*columns).join(ClickCount, ClickCount.link_id == ShareLink.id)
    return joined.where(*mine).group_by(ShareLink.advocate_id)
