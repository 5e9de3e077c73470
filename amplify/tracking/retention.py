"""Raw clicks leave when their brand keeps them no longer. Roll-ups, the ledger, orders and every figure stay.

Whole UTC days leave, oldest first, in small batches, each a transaction with its place: a kill loses nothing. Then a
month of which nothing is left goes as a whole (on PostgreSQL, see core/partitions.py), and its room is there again.
Only judged clicks leave; what they earned stands in the ledger since the transaction that judged them, and nobody who
ranks reads clicks. While clicks are judged again none leaves.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from itertools import takewhile
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core import clock, failpoints, partitions
from amplify.core.bulk import is_among
from amplify.sharing.models import ShareLink
from amplify.tracking import counting, cursors
from amplify.tracking.conversions import PENDING
from amplify.tracking.models import Click, ClickCount, ClickRemoval, ClickVerdict, Conversion, Reclassification

log = structlog.get_logger(__name__)


def remove_old_clicks(session: Session, limit: int) -> int:
    """Worker round: look at the next `limit` clicks for a brand that keeps its clicks no longer, and remove its own.

    Returns how many were looked at; 0 when there is nothing to do.
    """
    due = _due(session)
    if due is None or not _may_begin(session):
        return 0
    removal = _removal(session, *due)
    rows = _next(session, removal, limit)
    aged = list(takewhile(lambda row: row.at < removal.before, rows))
    awaited = _awaited(session, [row.id for row in aged])
    leaving = list(takewhile(lambda row: row.id not in awaited, aged))
    if leaving:
        _remove(session, [row for row in leaving if row.brand_id == removal.brand_id])
        removal.position = leaving[-1].id
    removal.is_done = len(leaving) == len(aged) < limit
    session.flush()
    if removal.is_done:
        _drop_empty_months(session)
    failpoints.reach("removal-before-commit")
    return len(leaving)


def whole_since(session: Session) -> dict[int, datetime]:
    """Brands from which clicks were removed, each with the moment since which it has all of them."""
    rows = session.execute(sa.select(ClickRemoval.brand_id, ClickRemoval.before))
    return {row.brand_id: row.before for row in rows}


def count_removed(session: Session, brand_id: int | None, since: datetime | None = None) -> int:
    """How many clicks (that came since then) are removed, of one brand or of all."""
    mine = [ClickCount.brand_id == brand_id] if brand_id is not None else []
    late = [ClickCount.hour >= counting.hour_of(since)] if since is not None else []
    return int(session.scalar(sa.select(sa.func.sum(ClickCount.removed)).where(*mine, *late)) or 0)


def _drop_empty_months(session: Session) -> None:
    """Give their room back. If the tables are in use for longer than clicks may wait: another day."""
    try:
        with session.begin_nested():
            partitions.drop_empty(session.connection(), clock.now())
    except OperationalError:
        log.info("months are in use")


def _due(session: Session) -> tuple[int, datetime] | None:
    """A brand that has clicks to remove, perhaps, and the UTC midnight before which they leave."""
    today = datetime.combine(clock.now().date(), time(), clock.now().tzinfo)
    columns = sa.select(Brand.id, Brand.keep_clicks_days, ClickRemoval.before, ClickRemoval.is_done)
    joined = columns.outerjoin(ClickRemoval, ClickRemoval.brand_id == Brand.id).order_by(Brand.id)
    for brand_id, days, before, is_done in session.execute(joined.where(Brand.keep_clicks_days.is_not(None))):
        cutoff = today - timedelta(days=days or 0)
        if before is None or before < cutoff or (before == cutoff and not is_done):
            return brand_id, cutoff
    return None


def _may_begin(session: Session) -> bool:
    """Not while clicks are judged again, which wants all of them."""
    if cursors.take(session, cursors.REMOVAL) is None:
        return False
    unfinished = sa.select(Reclassification.id).where(Reclassification.finished_at.is_(None)).limit(1)
    return session.scalar(unfinished) is None


def _removal(session: Session, brand_id: int, cutoff: datetime) -> ClickRemoval:
    removal = session.get(ClickRemoval, brand_id, populate_existing=True)
    if removal is None:
        removal = ClickRemoval(brand_id=brand_id, position=0, before=cutoff)
        session.add(removal)
    removal.before = cutoff
    return removal


def _next(session: Session, removal: ClickRemoval, limit: int) -> Sequence[Any]:
    """The next judged clicks, whosever they are. Never the newest: SQLite would give its id to the next click."""
    judged = cursors.place_of(session, cursors.TRACKER)
    return session.execute(
        sa.select(Click.id, Click.link_id, Click.at, ClickVerdict.verdict, ClickVerdict.rule, ShareLink.brand_id)
        .join(ClickVerdict, ClickVerdict.click_id == Click.id)
        .join(ShareLink, ShareLink.id == Click.link_id)
        .where(Click.id > removal.position, Click.id < judged)
        .order_by(Click.id)
        .limit(limit)
    ).all()


def _awaited(session: Session, ids: Sequence[int]) -> set[int]:
    """Those of these clicks for whose verdict an order still waits."""
    pending = Conversion.attribution == PENDING, is_among(session, Conversion.click_id, ids)
    return {click_id for click_id in session.scalars(sa.select(Conversion.click_id).where(*pending)) if click_id}


def _remove(session: Session, rows: Sequence[Any]) -> None:
    counting.note_removed(session, Counter(counting.cell(row, row.verdict, row.rule, row.brand_id) for row in rows))
    ids = [row.id for row in rows]
    quiet = {"synchronize_session": False}
    named = sa.update(Conversion).where(is_among(session, Conversion.click_id, ids))
    session.execute(named.values(click_id=None), execution_options=quiet)
    session.execute(
        sa.delete(ClickVerdict).where(is_among(session, ClickVerdict.click_id, ids)), execution_options=quiet
    )
    session.execute(sa.delete(Click).where(is_among(session, Click.id, ids)), execution_options=quiet)
