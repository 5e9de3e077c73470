"""Boards that are counted when somebody asks: any campaign, location, business line and channel together, over the last
days or over a campaign's period.

They are sums of `day_points`, so they are exact, live and not decayed. What is not stored has to be read: a board of
more than MOST rows of days is refused, and one filter less (or the whole brand, which is stored) is the answer.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.campaigns.models import Campaign
from amplify.core.errors import Invalid
from amplify.core.i18n import lazy_gettext as _l
from amplify.customers.models import Customer
from amplify.leaderboards.days import day_of, first_day
from amplify.leaderboards.models import DayPoints
from amplify.leaderboards.queries import Row
from amplify.leaderboards.scoring import in_force, shown_id
from amplify.leaderboards.ties import by_conversions, by_pseudonym
from amplify.sharing.models import Advocate, ShareLink
from amplify.tracking.models import ClickCount
from amplify.tracking.queries import board_name

MOST = 300_000


class Segment(NamedTuple):
    """Which links count; None: all."""

    campaign: int | None = None
    location: int | None = None
    business_line: int | None = None
    channel: str | None = None


class Span(NamedTuple):
    """Which days count, both included, since the Unix epoch."""

    first: int
    last: int


def last_days(days: int, now: datetime) -> Span:
    """Today and the days before."""
    return Span(first_day(days, now), day_of(now) + 1)


def period_of(campaign: Campaign, now: datetime) -> Span:
    """A campaign's period: from the day it started to the day it ended, or until now."""
    start = campaign.started_at or campaign.starts_at or campaign.created_at
    return Span(day_of(start), day_of(campaign.finished_at or now))


def counted(session: Session, brand_id: int, segment: Segment, span: Span) -> list[Row]:
    """Everybody ranked on such a board, best first, those who left it too (`is_listed`). Raises Invalid("window")."""
    held = _held(brand_id, segment, span)
    _check_size(session, held)
    rule = in_force(session, brand_id).tie_rule
    lines = [line for line in session.execute(_sums(held)) if line.milli_points > 0]
    ranked = sorted(lines, key=lambda line: (-line.milli_points, _tie(rule, line), line.reached_at, line.advocate_id))
    return [_row(rank, line) for rank, line in enumerate(ranked, 1)]


def with_raw(session: Session, brand_id: int, segment: Segment, span: Span, rows: Sequence[Row]) -> list[Row]:
    """The same rows with all requests of their links beside the human clicks (product.md rule 8)."""
    who = ShareLink.advocate_id.in_([row.advocate_id for row in rows])
    on_days = ClickCount.hour >= span.first * 24, ClickCount.hour < (span.last + 1) * 24
    columns: tuple[Any, ...] = (ShareLink.advocate_id, sa.func.sum(ClickCount.n))
    asked = sa.select(*columns).join(ClickCount, ClickCount.link_id == ShareLink.id)
    asked = asked.where(ShareLink.brand_id == brand_id, who, *on_days, *_links(segment))
    raw = {row[0]: int(row[1]) for row in session.execute(asked.group_by(ShareLink.advocate_id))}
    return [row._replace(raw_clicks=raw.get(row.advocate_id, 0)) for row in rows]


def _held(brand_id: int, segment: Segment, span: Span) -> Any:
    """The rows of days that the board is made of."""
    on_days = DayPoints.scoring_id == shown_id(brand_id), DayPoints.day >= span.first, DayPoints.day <= span.last
    wanted = _links(segment)
    held = sa.select(DayPoints).where(*on_days)
    return held.join(ShareLink, ShareLink.id == DayPoints.link_id).where(*wanted) if wanted else held


def _links(segment: Segment) -> list[sa.ColumnElement[bool]]:
    columns = {
        "campaign": ShareLink.campaign_id,
        "location": ShareLink.location_id,
        "business_line": ShareLink.business_line_id,
        "channel": ShareLink.channel,
    }
    return [columns[name] == value for name, value in segment._asdict().items() if value is not None]


def _check_size(session: Session, held: Any) -> None:
    if len(session.execute(held.with_only_columns(sa.literal(1)).limit(1).offset(MOST)).all()):
        message = _l("This board is too large to be counted now. Choose fewer days or one more filter.")
        raise Invalid("window", "too-large", message)


def _sums(held: Any) -> sa.Select[Any]:
    day = held.subquery()
    names = ("milli_points", "recognition", "human_clicks", "conversions", "shares")
    sums = [sa.cast(sa.func.sum(day.c[name]), sa.BigInteger).label(name) for name in names]
    last = sa.func.max(day.c.reached_at).label("reached_at")
    found = sa.select(day.c.advocate_id, *sums, last).group_by(day.c.advocate_id).subquery()
    who: tuple[Any, ...] = (Advocate.pseudonym, Advocate.shown_name, Advocate.on_board, Customer.erased_at)
    joined = sa.select(*who, *found.c).join(found, found.c.advocate_id == Advocate.id)
    return joined.outerjoin(Customer, Customer.id == Advocate.customer_id)


def _tie(rule: str, line: Any) -> bytes:
    if rule == "conversions":
        return by_conversions(line.conversions)
    return by_pseudonym(line.pseudonym) if rule == "pseudonym" else b""


def _row(rank: int, line: Any) -> Row:
    return Row(
        rank=rank,
        advocate_id=line.advocate_id,
        name=board_name(line.pseudonym, line.shown_name, line.erased_at),
        is_named=bool(line.shown_name) and line.erased_at is None,
        is_listed=line.on_board,
        score=line.milli_points / 1000,
        recognition=line.recognition / 1000,
        human_clicks=line.human_clicks,
        conversions=line.conversions,
        shares=line.shares,
        reached_at=line.reached_at,
    )
