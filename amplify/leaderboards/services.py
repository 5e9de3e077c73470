"""The standings, projected from the points ledger in order, exactly once, and made again from nothing when need be."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import groupby, islice
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core import bulk
from amplify.core.db import horizon
from amplify.leaderboards import histogram
from amplify.leaderboards.boards import board_ids
from amplify.leaderboards.folding import BoardName, Entry, Totals, fold, fold_all
from amplify.leaderboards.freezing import CURSOR, freeze, freeze_more, is_freezing
from amplify.leaderboards.models import Board, PointsEntry, Standing
from amplify.leaderboards.reactions import FENCE
from amplify.leaderboards.snapshots import Chosen, chosen
from amplify.tracking import cursors

__all__ = ["CURSOR", "Chosen", "chosen", "freeze", "freeze_more", "project", "rebuild"]

BATCH = 500
FIGURES = tuple(field.name for field in fields(Totals))
COLUMNS = tuple(getattr(PointsEntry, name) for name in Entry._fields)
SCORE = FIGURES.index("score_log")
NAMES = ("board_id", "advocate_id", *FIGURES)
OVERWRITE = ", ".join(f"{name} = excluded.{name}" for name in FIGURES)

figures_of = attrgetter(*FIGURES)

# Who stands how: advocate id -> board -> totals.
Standings = Mapping[int, Mapping[BoardName, Totals]]
# What is stored: (board id, advocate id) -> the values of FIGURES.
Stored = Mapping[tuple[int, int], tuple[Any, ...]]


def project(session: Session, limit: int) -> int:
    """Worker round: fold up to `limit` new ledger entries into the standings of every board they count on.

    Standings and cursor are one transaction, and only one worker at a time holds the cursor. Returns how many entries.
    While a ranking is being frozen nothing is folded.
    """
    cursor = cursors.take(session, CURSOR)
    if cursor is None or is_freezing(session):
        return 0
    last = horizon(session, FENCE, PointsEntry.id)
    new = sa.select(*COLUMNS).where(PointsEntry.id > cursor.position, PointsEntry.id <= last)
    entries = [Entry._make(row) for row in session.execute(new.order_by(PointsEntry.id).limit(limit))]
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
    Raises RuntimeError while a ranking is being frozen: come again.
    """
    cursor = cursors.take(session, CURSOR, wait=True)
    if cursor is None:
        raise RuntimeError("the cursor cannot be missing: it was waited for")
    if is_freezing(session):
        raise RuntimeError("a ranking is being frozen: the standings are made again afterwards")
    brand = session.get_one(Brand, brand_id, populate_existing=True)
    mine = Standing.board_id.in_(sa.select(Board.id).where(Board.brand_id == brand_id))
    session.execute(sa.delete(Standing).where(mine), execution_options={"synchronize_session": False})
    histogram.clear(session, brand_id)
    made = 0
    for group in _in_batches(_ledgers(session, brand_id, up_to=cursor.position)):
        standings = {advocate_id: fold_all(entries, brand.half_life_days) for advocate_id, entries in group}
        made += _store(session, brand_id, standings, before={})
    return made


def _project_brand(session: Session, brand: Brand, entries: Sequence[Entry]) -> None:
    """Entries in ledger order. Who had something taken back is folded again from all of their entries."""
    again = {entry.advocate_id for entry in entries if entry.reverses_id is not None}
    standings, before = _standings_now(session, {entry.advocate_id for entry in entries})
    for entry in entries:
        if entry.advocate_id not in again:
            fold((entry,), standings[entry.advocate_id], brand.half_life_days)
    for advocate_id, all_entries in _ledgers(session, brand.id, again, up_to=entries[-1].id):
        standings[advocate_id] = fold_all(all_entries, brand.half_life_days)
    _store(session, brand.id, standings, before)


def _standings_now(session: Session, advocates: set[int]) -> tuple[dict[int, dict[BoardName, Totals]], Stored]:
    """How these advocates stand, to be folded further, and the same as it is stored."""
    figures = (getattr(Standing, name) for name in FIGURES)
    mine = (
        sa.select(Standing.board_id, Standing.advocate_id, Board.kind, Board.ref_id, *figures)
        .join(Board, Board.id == Standing.board_id)
        .where(Standing.advocate_id.in_(advocates))
    )
    standings: dict[int, dict[BoardName, Totals]] = defaultdict(dict)
    stored = {}
    for board_id, advocate_id, kind, ref_id, *values in session.execute(mine):
        standings[advocate_id][kind, ref_id] = Totals(*values)
        stored[board_id, advocate_id] = tuple(values)
    return standings, stored


def _ledgers(
    session: Session, brand_id: int, advocates: Iterable[int] | None = None, *, up_to: int
) -> Iterator[tuple[int, list[Entry]]]:
    """The whole ledger of each of these advocates (of all, if none are given), in order, one at a time in memory."""
    mine = sa.select(*COLUMNS).where(PointsEntry.brand_id == brand_id, PointsEntry.id <= up_to)
    if advocates is not None:
        mine = mine.where(PointsEntry.advocate_id.in_(advocates))
    ordered = mine.order_by(PointsEntry.advocate_id, PointsEntry.id)
    stream = map(Entry._make, session.execute(ordered, execution_options={"yield_per": 2_000}))
    for advocate_id, entries in groupby(stream, attrgetter("advocate_id")):
        yield advocate_id, list(entries)


def _in_batches(ledgers: Iterator[tuple[int, list[Entry]]]) -> Iterator[list[tuple[int, list[Entry]]]]:
    while batch := list(islice(ledgers, BATCH)):
        yield batch


def _store(session: Session, brand_id: int, standings: Standings, before: Stored) -> int:
    """Write the standings that are not as `before`, and move the counts of their scores. Returns how many.

    The only place that writes standings.
    """
    ids = board_ids(session, brand_id, {board for boards in standings.values() for board in boards})
    after = {
        (ids[board], advocate_id): figures_of(totals)
        for advocate_id, boards in standings.items()
        for board, totals in boards.items()
    }
    changed = {key: figures for key, figures in after.items() if before.get(key) != figures}
    rows = [(*key, *figures) for key, figures in changed.items()]
    bulk.upsert(session, Standing, NAMES, rows, key="board_id, advocate_id", update=OVERWRITE)
    histogram.apply(
        session,
        ((key[0], before[key][SCORE] if key in before else None, figures[SCORE]) for key, figures in changed.items()),
    )
    return len(rows)
