"""Reading the points ledger: what is new after a cursor, and everything of some advocates."""

from collections.abc import Collection, Iterator
from itertools import groupby, islice
from operator import attrgetter

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.bulk import is_among
from amplify.core.db import horizon
from amplify.core.prepared import Prepared
from amplify.leaderboards.folding import Entry
from amplify.leaderboards.models import PointsEntry
from amplify.leaderboards.reactions import FENCE

BATCH = 500
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


def ledgers(
    session: Session, brand_id: int, advocates: Collection[int] | None = None, *, up_to: int
) -> Iterator[tuple[int, list[Entry]]]:
    """The whole ledger of each of these advocates (of all, if none are given), in order, one at a time in memory."""
    mine = sa.select(*COLUMNS).where(PointsEntry.id <= up_to)
    if advocates is None:
        mine = mine.where(PointsEntry.brand_id == brand_id)
    elif advocates:
        # Without the brand, which is theirs anyway: named, SQLite would read all of its entries to find these.
        mine = mine.where(is_among(session, PointsEntry.advocate_id, advocates))
    else:
        return
    ordered = mine.order_by(PointsEntry.advocate_id, PointsEntry.id)
    stream = map(Entry._make, session.execute(ordered, execution_options={"yield_per": 2_000}))
    for advocate_id, entries in groupby(stream, attrgetter("advocate_id")):
        yield advocate_id, list(entries)


def in_batches(found: Iterator[tuple[int, list[Entry]]]) -> Iterator[list[tuple[int, list[Entry]]]]:
    """Some ledgers at a time."""
    while batch := list(islice(found, BATCH)):
        yield batch
