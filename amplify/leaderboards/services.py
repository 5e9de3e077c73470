"""The standings, projected from the points ledger in order, exactly once, and made again from nothing when need be."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from itertools import groupby
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core.db import horizon, is_sqlite
from amplify.leaderboards.boards import board_ids
from amplify.leaderboards.folding import BoardName, Totals, boards_of, fold, fold_all
from amplify.leaderboards.models import Board, PointsEntry, Standing
from amplify.leaderboards.reactions import FENCE
from amplify.leaderboards.snapshots import Chosen, chosen, freeze
from amplify.tracking import cursors

__all__ = ["CURSOR", "Chosen", "chosen", "freeze", "project", "rebuild"]

CURSOR = "points"
BATCH = 500
FIGURES = tuple(field.name for field in fields(Totals))

# Who stands how: advocate id -> board -> totals.
Standings = dict[int, dict[BoardName, Totals]]


def project(session: Session, limit: int) -> int:
    """Worker round: fold up to `limit` new ledger entries into the standings of every board they count on.

    Standings and cursor are one transaction, and only one worker at a time holds the cursor. Returns how many entries.
    """
    cursor = cursors.take(session, CURSOR)
    if cursor is None:
        return 0
    last = horizon(session, FENCE, PointsEntry.id)
    new = sa.select(PointsEntry).where(PointsEntry.id > cursor.position, PointsEntry.id <= last)
    entries = session.scalars(new.order_by(PointsEntry.id).limit(limit)).all()
    if not entries:
        return 0
    by_brand = attrgetter("brand_id")
    for brand_id, group in groupby(sorted(entries, key=by_brand), by_brand):
        _project_brand(session, session.get_one(Brand, brand_id), list(group))
    cursor.move(entries[-1].id)
    return len(entries)


def rebuild(session: Session, brand_id: int) -> int:
    """Make a brand's standings from nothing, as far as the ledger has been projected. Returns how many standings.

    For a changed half-life, and to prove that the projection is right: nothing else may come out than what stood there.
    """
    cursor = cursors.take(session, CURSOR, wait=True)
    if cursor is None:
        raise RuntimeError("the cursor cannot be missing: it was waited for")
    brand = session.get_one(Brand, brand_id, populate_existing=True)
    mine = Standing.board_id.in_(sa.select(Board.id).where(Board.brand_id == brand_id))
    session.execute(sa.delete(Standing).where(mine), execution_options={"synchronize_session": False})
    made = 0
    for group in _in_batches(_whole_ledger(session, brand_id, cursor.position)):
        made += _store(session, brand_id, {who: fold_all(entries, brand.half_life_days) for who, entries in group})
    return made


def _project_brand(session: Session, brand: Brand, entries: Sequence[PointsEntry]) -> None:
    """Entries in ledger order. Who had something taken back is folded again from all of their entries."""
    again = {entry.advocate_id for entry in entries if entry.reverses_id is not None}
    forward = [entry for entry in entries if entry.advocate_id not in again]
    standings = _standings_now(session, brand.id, forward)
    for entry in forward:
        fold((entry,), standings[entry.advocate_id], brand.half_life_days)
    for advocate_id, all_entries in _ledgers(session, brand.id, again, up_to=entries[-1].id):
        standings[advocate_id] = fold_all(all_entries, brand.half_life_days)
    _store(session, brand.id, standings)


def _standings_now(session: Session, brand_id: int, entries: Iterable[PointsEntry]) -> Standings:
    """The stored standings that these entries may change."""
    advocates: dict[BoardName, set[int]] = defaultdict(set)
    for entry in entries:
        for board in boards_of(entry):
            advocates[board].add(entry.advocate_id)
    found: Standings = defaultdict(dict)
    for board, board_id in board_ids(session, brand_id, advocates).items():
        mine = Standing.board_id == board_id, Standing.advocate_id.in_(advocates[board])
        for row in session.execute(sa.select(*_columns()).where(*mine)).mappings():
            found[row["advocate_id"]][board] = Totals(**{name: row[name] for name in FIGURES})
    return found


def _columns() -> list[Any]:
    return [Standing.advocate_id, *(getattr(Standing, name) for name in FIGURES)]


def _ledgers(
    session: Session, brand_id: int, advocates: Iterable[int], *, up_to: int
) -> Iterator[tuple[int, list[PointsEntry]]]:
    """The whole ledger of each advocate, in order, up to an entry."""
    for advocate_id in sorted(advocates):
        mine = PointsEntry.brand_id == brand_id, PointsEntry.advocate_id == advocate_id, PointsEntry.id <= up_to
        yield advocate_id, list(session.scalars(sa.select(PointsEntry).where(*mine).order_by(PointsEntry.id)))


def _whole_ledger(session: Session, brand_id: int, up_to: int) -> Iterator[tuple[int, list[PointsEntry]]]:
    """Every advocate of a brand with their ledger, one at a time in memory."""
    mine = PointsEntry.brand_id == brand_id, PointsEntry.id <= up_to
    ordered = sa.select(PointsEntry).where(*mine).order_by(PointsEntry.advocate_id, PointsEntry.id)
    stream = session.scalars(ordered, execution_options={"yield_per": 2_000})
    for advocate_id, entries in groupby(stream, attrgetter("advocate_id")):
        yield advocate_id, list(entries)


def _in_batches(
    ledgers: Iterator[tuple[int, list[PointsEntry]]],
) -> Iterator[list[tuple[int, list[PointsEntry]]]]:
    batch = []
    for ledger in ledgers:
        batch.append(ledger)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _store(session: Session, brand_id: int, standings: Mapping[int, Mapping[BoardName, Totals]]) -> int:
    """Write standings over what is there. The only place that does: what is kept beside them belongs here too."""
    ids = board_ids(session, brand_id, {board for boards in standings.values() for board in boards})
    rows = [
        {"board_id": ids[board], "advocate_id": advocate_id, **asdict(totals)}
        for advocate_id, boards in standings.items()
        for board, totals in boards.items()
    ]
    if rows:
        session.execute(_upsert(session), rows)
    return len(rows)


def _upsert(session: Session) -> Any:
    insert: Any = (sqlite if is_sqlite(session) else postgresql).insert(Standing)
    return insert.on_conflict_do_update(
        index_elements=["board_id", "advocate_id"], set_={name: insert.excluded[name] for name in FIGURES}
    )
