"""The board by rate: purchases per human click, ranked by what is surely reached, not by luck.

Ranked are advocates with at least MIN_CLICKS clicks and one purchase, by the lower end of their interval: who has the
same rate from more clicks stands first. Everybody with a click has a part in the brand's mean.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.customers.models import Customer
from amplify.leaderboards.asked import Source, source_of
from amplify.leaderboards.counted import counted
from amplify.leaderboards.models import Board, Standing
from amplify.leaderboards.rates import Pair, Prior, Rate, lowest, prior_of, rate_of
from amplify.leaderboards.schemas import BoardFilter
from amplify.sharing.models import Advocate
from amplify.tracking.queries import board_name

MIN_CLICKS = 20


class RateRow(NamedTuple):
    """One line: what was counted, and the rate that it lets us believe."""

    rank: int
    advocate_id: int
    name: str
    human_clicks: int
    conversions: int
    rate: Rate


class Rated(NamedTuple):
    """The top by rate. `too_few` have clicks, but fewer than MIN_CLICKS; `left_out` as on the board of points."""

    rows: list[RateRow]
    prior: Prior
    ranked: int
    too_few: int
    left_out: tuple[str, ...]


class Line(NamedTuple):
    """An advocate who may be shown."""

    advocate_id: int
    name: str
    human_clicks: int
    conversions: int
    is_listed: bool


def rated(session: Session, brand_id: int, wanted: BoardFilter, limit: int, now: datetime) -> Rated:
    """The first `limit` by rate who show themselves, with true ranks. Raises Invalid("window")."""
    source = source_of(session, brand_id, wanted, now)
    if source.span is not None:
        everybody = counted(session, brand_id, source.segment, source.span)
        lines = [Line(row.advocate_id, row.name, row.human_clicks, row.conversions, row.is_listed) for row in everybody]
        numbers = Counter((line.human_clicks, line.conversions) for line in lines)
        return _rated(source, [(n, x, count) for (n, x), count in numbers.items()], limit, lines)
    if source.board is None:
        return _rated(source, [], limit, [])
    pairs = _pairs(session, source.board)
    return _rated(source, pairs, limit, _lines(session, source.board))


def _rated(source: Source, pairs: Iterable[Pair], limit: int, lines: Iterable[Line]) -> Rated:
    """Rank by pairs: whoever has the same clicks and purchases has the same rate, and the older advocate is first."""
    seen = [(n, min(x, n), count) for n, x, count in pairs if n > 0]
    prior = prior_of(seen)
    enough: Counter[tuple[int, int]] = Counter()
    for n, x, count in seen:
        if n >= MIN_CLICKS and x > 0:
            enough[n, x] += count
    rows = _rows(_best_first(prior, enough), enough, lines, prior, limit)
    too_few = sum(count for n, _x, count in seen if n < MIN_CLICKS)
    return Rated(rows, prior, sum(enough.values()), too_few, source.left_out)


def _best_first(prior: Prior, pairs: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Pairs by the lower end of their interval, which is worked out only for those that may come next: of as many
    purchases, fewer clicks are always better."""
    waiting: dict[int, list[int]] = defaultdict(list)
    for n, x in sorted(pairs, reverse=True):
        waiting[x].append(n)
    heap = [_graded(prior, clicks.pop(), x) for x, clicks in waiting.items()]
    heapify(heap)
    while heap:
        _low, n, x = heappop(heap)
        yield -n, x
        if waiting[x]:
            heappush(heap, _graded(prior, waiting[x].pop(), x))


def _graded(prior: Prior, n: int, x: int) -> tuple[float, int, int]:
    return -lowest(prior, n, x), -n, x


def _rows(
    pairs: Iterable[tuple[int, int]], enough: Counter[tuple[int, int]], lines: Iterable[Line], prior: Prior, limit: int
) -> list[RateRow]:
    having: dict[tuple[int, int], list[Line]] = defaultdict(list)
    for line in sorted(lines):
        having[_pair(line)].append(line)
    rows: list[RateRow] = []
    before = 0
    for pair in pairs:
        if len(rows) >= limit:
            break
        rate = rate_of(prior, *pair)
        rows += (
            RateRow(rank, line.advocate_id, line.name, line.human_clicks, line.conversions, rate)
            for rank, line in enumerate(having[pair], before + 1)
            if line.is_listed
        )
        before += enough[pair]
    return rows[:limit]


def _pair(line: Line) -> tuple[int, int]:
    """More purchases than clicks (one person bought twice) count as one for each click."""
    return line.human_clicks, min(line.conversions, line.human_clicks)


def _pairs(session: Session, board: Board) -> list[Pair]:
    """How many have which clicks and purchases: a few thousand lines for any number of people."""
    pair = Standing.human_clicks, Standing.conversions
    found = sa.select(*pair, sa.func.count()).where(Standing.board_id == board.id, Standing.human_clicks > 0)
    return [(n, x, count) for n, x, count in session.execute(found.group_by(*pair))]


def _lines(session: Session, board: Board) -> list[Line]:
    """Everybody who can be ranked: buyers among those with clicks enough."""
    who: tuple[Any, ...] = (
        Standing.advocate_id, Advocate.pseudonym, Advocate.shown_name, Customer.erased_at, Standing.human_clicks,
        Standing.conversions, Advocate.on_board,
    )  # fmt: skip
    enough = Standing.human_clicks >= MIN_CLICKS, Standing.conversions > 0
    found = sa.select(*who).join(Advocate, Advocate.id == Standing.advocate_id)
    found = found.outerjoin(Customer, Customer.id == Advocate.customer_id)
    return [
        Line(who, board_name(pseudonym, shown, erased), clicks, conversions, is_listed)
        for who, pseudonym, shown, erased, clicks, conversions, is_listed in session.execute(
            found.where(Standing.board_id == board.id, *enough)
        )
    ]
