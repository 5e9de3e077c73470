"""Reading the points ledger: what is new after a cursor, and everything of some advocates."""

from collections.abc import Collection, Iterator
from itertools import groupby
from operator import attrgetter

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.bulk import is_among
from amplify.core.db import horizon
from amplify.core.prepared import Prepared
from amplify.leaderboards.folding import Entry
from amplify.leaderboards.models import PointsEntry
from amplify.leaderboards.reactions import FENCE

COLUMNS = tuple(getattr(PointsEntry, name) for name in Entry._fields)
_AFTER, _LAST, _MOST = (sa.bindparam(name, type_=sa.BigInteger) for name in ("after", "last", "most"))
_NEW = Prepared(
    sa.select(*COLUMNS).where(PointsEntry.id > _AFTER, PointsEntry.id <= _LAST).order_by(PointsEntry.id).limit(_MOST)
)


def new_entries(session: Session, position: int, limit: int) -> list[Entry]:
    """Up to `limit` entries after `position`, in order, none of which can still be overtaken (decision 3)."""
    last = horizon(session, FENCE, PointsEntry.id)
    return [Entry._make(row) for row in _NEW.rows(session, {"after": position, "last": last, "most": limit})]


def by_brand(entries: list[Entry]) -> Iterator[tuple[int, list[Entry]]]:
    """The entries of each brand, in their order."""
    brand = attrgetter("brand_id")
    for brand_id, group in groupby(sorted(entries, key=brand), brand):
        yield brand_id, list(group)


def ledgers(session: Session, advocates: Collection[int], *, up_to: int) -> Iterator[tuple[int, list[Entry]]]:
    """The whole ledger of each of these advocates, in order, one at a time in memory."""
    if not advocates:
        return
    # Without the brand, which is theirs anyway: named, SQLite would read all of its entries to find these.
    mine = sa.select(*COLUMNS).where(PointsEntry.id <= up_to, is_among(session, PointsEntry.advocate_id, advocates))
    ordered = mine.order_by(PointsEntry.advocate_id, PointsEntry.id)
    stream = map(Entry._make, session.execute(ordered, execution_options={"yield_per": 2_000}))
    for advocate_id, entries in groupby(stream, attrgetter("advocate_id")):
        yield advocate_id, list(entries)
