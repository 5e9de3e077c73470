"""A board as somebody asks for it: filters and a window in, the rows out, wherever they come from.

All time is decayed and stored for one filter; the windows of the whole brand are stored; every other combination is
counted (`counted.py`).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from amplify.campaigns.models import Campaign
from amplify.core.errors import Invalid
from amplify.core.i18n import lazy_gettext as _l
from amplify.leaderboards import counted, queries
from amplify.leaderboards.boards import WHOLE_BRAND, board_name, find_board
from amplify.leaderboards.counted import Segment, Span
from amplify.leaderboards.models import Board
from amplify.leaderboards.schemas import BoardFilter

ALL_TIME, PERIOD = "all", "campaign"


class Asked(NamedTuple):
    """The top of a board. `kind` says what it is about; `left_out` are the filters that all time could not take."""

    kind: str
    rows: Sequence[queries.Row]
    ranked: int
    left_out: Sequence[str] = ()


class Source(NamedTuple):
    """Where a board comes from: days to be counted (`span`), or a stored one, which nobody may stand on yet."""

    segment: Segment
    span: Span | None = None
    board: Board | None = None
    left_out: tuple[str, ...] = ()


def asked(session: Session, brand_id: int, wanted: BoardFilter, limit: int, now: datetime) -> Asked:
    """The first `limit` who show themselves. Raises Invalid("window")."""
    segment, span, board, left_out = source_of(session, brand_id, wanted, now)
    kind = kind_of(segment)
    if span is not None:
        everybody = counted.counted(session, brand_id, segment, span)
        listed = [row for row in everybody if row.is_listed][:limit]
        return Asked(kind, counted.with_raw(session, brand_id, segment, span, listed), len(everybody))
    if board is None:
        return Asked(kind, [], 0, left_out)
    return Asked(kind, queries.top(session, board, limit, now), queries.size(session, board), left_out)


def source_of(session: Session, brand_id: int, wanted: BoardFilter, now: datetime) -> Source:
    """Where this board comes from. All time keeps one filter. Raises Invalid("window")."""
    segment = Segment(wanted.campaign, wanted.location, wanted.business_line, wanted.channel)
    if wanted.window == ALL_TIME:
        name = _name(segment)
        taken = name[0].partition(":")[0]
        left_out = [one for one, value in segment._asdict().items() if value is not None and one != taken]
        kept = segment._replace(**dict.fromkeys(left_out))
        return Source(kept, board=find_board(session, brand_id, name), left_out=tuple(left_out))
    if wanted.window != PERIOD and segment == Segment():
        return Source(segment, board=find_board(session, brand_id, WHOLE_BRAND, days=int(wanted.window)))
    return Source(segment, span=_span(session, brand_id, wanted, now))


def kind_of(segment: Segment) -> str:
    """What a board is about, such as "location+channel"."""
    return "+".join(name for name, value in segment._asdict().items() if value is not None) or "brand"


def _name(segment: Segment) -> tuple[str, int]:
    return board_name(
        campaign_id=segment.campaign,
        location_id=segment.location,
        business_line_id=segment.business_line,
        channel=segment.channel,
    )


def _span(session: Session, brand_id: int, wanted: BoardFilter, now: datetime) -> Span:
    if wanted.window != PERIOD:
        return counted.last_days(int(wanted.window), now)
    campaign = session.get(Campaign, wanted.campaign) if wanted.campaign else None
    if campaign is None or campaign.brand_id != brand_id:
        raise Invalid("window", "needs-campaign", _l("Choose the campaign whose period you mean."))
    return counted.period_of(campaign, now)
