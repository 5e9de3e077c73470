"""The standings of all time, projected from the points ledger in order, exactly once."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import bulk
from amplify.core.db import is_sqlite
from amplify.core.prepared import Prepared
from amplify.leaderboards import histogram
from amplify.leaderboards.boards import board_ids
from amplify.leaderboards.folding import BoardName, Entry, Totals, fold, fold_all
from amplify.leaderboards.freezing import CURSOR, is_freezing
from amplify.leaderboards.ledger import by_brand, ledgers, new_entries
from amplify.leaderboards.models import Board, Standing
from amplify.leaderboards.scoring import Edition, begin
from amplify.leaderboards.standings import FIGURES, Stored, figures_of, store
from amplify.leaderboards.ties import Ties
from amplify.tracking import cursors

# Who stands how: advocate id -> board -> totals.
Standings = Mapping[int, Mapping[BoardName, Totals]]


def project(session: Session, limit: int) -> int:
    """Worker round: fold up to `limit` new ledger entries into the standings of every board they count on.

    Standings and cursor are one transaction, and only one worker at a time holds the cursor. Returns how many entries.
    While a ranking is being frozen nothing is folded.
    """
    cursor = cursors.take(session, CURSOR)
    if cursor is None or is_freezing(session):
        return 0
    entries = new_entries(session, cursor.position, limit)
    if not entries:
        return 0
    for brand_id, group in by_brand(entries):
        _project_brand(session, brand_id, group)
    cursor.move(entries[-1].id)
    return len(entries)


def write_first(session: Session, edition: Edition, groups: Sequence[tuple[int, list[Entry]]]) -> int:
    """The standings of advocates who have none in this edition yet, from their ledgers, not counted. How many."""
    standings = {advocate_id: fold_all(entries, edition.rules) for advocate_id, entries in groups}
    return _store(session, edition, standings, before={}, levels=None)


def fold_again(session: Session, edition: Edition, advocates: Collection[int], up_to: int) -> None:
    """Fold these advocates again, from all of their entries up to one."""
    standings, before = _standings_now(session, edition, advocates)
    for advocate_id, entries in ledgers(session, advocates, up_to=up_to):
        standings[advocate_id] = fold_all(entries, edition.rules)
    _store(session, edition, standings, before, histogram.LEVELS)


def _project_brand(session: Session, brand_id: int, entries: Sequence[Entry]) -> None:
    """Entries in ledger order. Who had something taken back is folded again from all of their entries."""
    edition = begin(session, brand_id)
    again = {entry.advocate_id for entry in entries if entry.reverses_id is not None}
    standings, before = _standings_now(session, edition, {entry.advocate_id for entry in entries})
    for entry in entries:
        if entry.advocate_id not in again:
            fold((entry,), standings[entry.advocate_id], edition.rules)
    for advocate_id, all_entries in ledgers(session, again, up_to=entries[-1].id):
        standings[advocate_id] = fold_all(all_entries, edition.rules)
    _store(session, edition, standings, before, histogram.LEVELS)


def _standings_now(
    session: Session, edition: Edition, advocates: Collection[int]
) -> tuple[dict[int, dict[BoardName, Totals]], Stored]:
    """How these advocates stand, to be folded further, and the same as it is stored."""
    standings: dict[int, dict[BoardName, Totals]] = defaultdict(dict)
    stored = {}
    found = _theirs(is_sqlite(session)).rows(session, {"edition": edition.id, "who": bulk.told(session, advocates)})
    for board_id, advocate_id, kind, ref_id, *values in found:
        standings[advocate_id][kind, ref_id] = Totals(*values)
        stored[board_id, advocate_id] = tuple(values)
    return standings, stored


@cache
def _theirs(on_sqlite: bool) -> Prepared:
    """The standings of all time of some advocates ("who") in an edition."""
    figures: tuple[Any, ...] = tuple(getattr(Standing, name) for name in FIGURES)
    columns = Standing.board_id, Standing.advocate_id, Board.kind, Board.ref_id
    mine = sa.select(*columns, *figures).join(Board, Board.id == Standing.board_id)
    among = bulk.is_one_of(Standing.advocate_id, "who", on_sqlite=on_sqlite)
    in_edition = Board.scoring_id == sa.bindparam("edition", type_=sa.BigInteger)
    return Prepared(mine.where(among, in_edition, Board.days == 0))


def _store(
    session: Session, edition: Edition, standings: Standings, before: Stored, levels: histogram.Levels | None
) -> int:
    """`store` for boards by their names."""
    ids = board_ids(session, edition, {board for boards in standings.values() for board in boards})
    after = {
        (ids[board], advocate_id): figures_of(totals)
        for advocate_id, boards in standings.items()
        for board, totals in boards.items()
    }
    return store(session, after, before, Ties(session, edition.rules.tie_rule, standings.keys()), levels)
