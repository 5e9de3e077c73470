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
from amplify.core.prepared import Prepared
from amplify.customers.models import Customer
from amplify.leaderboards.days import first_day
from amplify.leaderboards.decay import scorer
from amplify.leaderboards.histogram import levels_of, place_of, ranked_on
from amplify.leaderboards.models import Board, Standing
from amplify.leaderboards.scoring import in_force
from amplify.leaderboards.snapshots import ranking_order
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


class Line(NamedTuple):
    """What a line of a board is made of. Columns, not objects: a page of a hundred takes a fifth of the time."""

    advocate_id: int
    pseudonym: str
    shown_name: str | None
    on_board: bool
    erased_at: datetime | None
    score_log: float
    recognition_log: float | None
    milli_points: int
    human_clicks: int
    conversions: int
    shares: int
    reached_at: datetime
    tie: bytes


COLUMNS: tuple[Any, ...] = (
    Standing.advocate_id, Advocate.pseudonym, Advocate.shown_name, Advocate.on_board, Customer.erased_at,
    Standing.score_log, Standing.recognition_log, Standing.milli_points, Standing.human_clicks, Standing.conversions,
    Standing.shares, Standing.reached_at, Standing.tie,
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
    found = _near(span).rows(session, {"board": board.id, "who": advocate_id, **place._asdict()})
    # Sorted here: asked to, the database would walk down the whole board in order, looking for them.
    lines = sorted(
        map(Line._make, found), key=lambda line: (-line.score_log, line.tie, line.reached_at, line.advocate_id)
    )
    mine = next((index for index, line in enumerate(lines) if line.advocate_id == advocate_id), 0)
    shown = [
        (rank, line)
        for rank, line in enumerate(lines, place.rank - mine)
        if line.on_board or line.advocate_id == advocate_id
    ]
    rows = _rows(session, board, shown, now)
    return [as_mine(row) if row.advocate_id == advocate_id else row for row in rows]


@cache
def _near(span: int) -> Prepared:
    """The lines of an advocate ("who") and of `span` others on each side, each side found by the index of the order."""
    board, who = (sa.bindparam(name, type_=sa.BigInteger) for name in ("board", "who"))
    score = sa.bindparam("score_log", type_=Standing.score_log.type)
    on_board = Standing.board_id == board, Standing.score_log.is_not(None)
    ranked = sa.select(Standing.advocate_id).where(*on_board)
    better = _is_better(who, score)
    worse = sa.not_(better), Standing.advocate_id != who
    reverse = (Standing.score_log.asc(), Standing.tie.desc(), Standing.reached_at.desc(), Standing.advocate_id.desc())
    # The first condition of each only tells the database where to begin.
    above = ranked.where(Standing.score_log >= score, better).order_by(*reverse)
    below = ranked.where(Standing.score_log <= score, *worse).order_by(*ranking_order())
    sides = (sa.select(side.limit(span).subquery()) for side in (above, below))
    near = sa.union_all(ranked.where(Standing.advocate_id == who), *sides)
    return Prepared(_lines().where(Standing.board_id == board, Standing.advocate_id.in_(near)))


def _is_better(who: sa.BindParameter[int], score: sa.BindParameter[Any]) -> sa.ColumnElement[bool]:
    """The order of `ranking_order`, as a comparison with the place that the parameters name."""
    tie, reached_at = (sa.bindparam(column.key, type_=column.type) for column in (Standing.tie, Standing.reached_at))
    earlier = sa.tuple_(Standing.tie, Standing.reached_at, Standing.advocate_id) < sa.tuple_(tie, reached_at, who)
    return sa.or_(Standing.score_log > score, sa.and_(Standing.score_log == score, earlier))


def _ranked(session: Session, board: Board, *, batch: int) -> Iterator[tuple[int, Line]]:
    """The whole board with ranks, read as far as it is asked for."""
    seen = 0
    while page := _page().rows(session, {"board": board.id, "batch": batch, "seen": seen}):
        yield from enumerate(map(Line._make, page), seen + 1)
        seen += len(page)


@cache
def _page() -> Prepared:
    """Some of a board's lines in order. Made once: making it would take longer than the database."""
    board, batch, seen = (sa.bindparam(name, type_=sa.BigInteger) for name in ("board", "batch", "seen"))
    ranked = Standing.board_id == board, Standing.score_log.is_not(None)
    return Prepared(_lines().where(*ranked).order_by(*ranking_order()).limit(batch).offset(seen))


def _lines() -> sa.Select[Any]:
    joined = sa.select(*COLUMNS).join(Advocate, Advocate.id == Standing.advocate_id)
    return joined.outerjoin(Customer, Customer.id == Advocate.customer_id)


def _rows(session: Session, board: Board, ranked: Sequence[tuple[int, Line]], now: datetime) -> list[Row]:
    """Raw and human counts always stand side by side (product.md rule 8)."""
    raw = raw_clicks(session, board, [line.advocate_id for _, line in ranked])
    points = _plain_points if board.days else scorer(now, in_force(session, board.brand_id).half_life_days)
    # By place: a hundred rows of so many names take longer than the database needs to find them.
    return [
        Row(
            rank, line.advocate_id, board_name(line.pseudonym, line.shown_name, line.erased_at),
            bool(line.shown_name) and line.erased_at is None, line.on_board,
            line.milli_points / 1000 if board.days else points(line.score_log), points(line.recognition_log),
            line.human_clicks, line.conversions, line.shares, line.reached_at, raw.get(line.advocate_id, 0),
        )
        for rank, line in ranked
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
    found = _raw_clicks(kind, bool(board.days), is_sqlite(session)).rows(session, which)
    return {advocate_id: int(clicks) for advocate_id, clicks in found}


@cache
def _raw_clicks(kind: str, is_window: bool, on_sqlite: bool) -> Prepared:
    who = bulk.is_one_of(ShareLink.advocate_id, "who", on_sqlite=on_sqlite)
    mine = [ShareLink.brand_id == sa.bindparam("brand"), who]
    if column := LINK_COLUMNS.get(kind):
        mine.append(column == sa.bindparam("ref"))
    if is_window:
        mine.append(ClickCount.hour >= sa.bindparam("since"))
    columns: tuple[Any, ...] = (ShareLink.advocate_id, sa.func.sum(ClickCount.n))
    joined = sa.select(*columns).join(ClickCount, ClickCount.link_id == ShareLink.id)
    return Prepared(joined.where(*mine).group_by(ShareLink.advocate_id))
