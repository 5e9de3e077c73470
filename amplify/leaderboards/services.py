"""The standings, projected from the points ledger in order, exactly once, and made again from nothing when need be."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core import bulk
from amplify.core.db import is_sqlite
from amplify.core.prepared import Prepared
from amplify.leaderboards import histogram
from amplify.leaderboards.boards import board_ids
from amplify.leaderboards.folding import BoardName, Entry, Totals, fold, fold_all
from amplify.leaderboards.freezing import CURSOR, freeze, freeze_more, is_freezing
from amplify.leaderboards.ledger import by_brand, in_batches, ledgers, new_entries
from amplify.leaderboards.models import Board, Standing
from amplify.leaderboards.scoring import Rules, begin, enforce
from amplify.leaderboards.snapshots import Chosen, choice, chosen, how_many
from amplify.leaderboards.standings import FIGURES, Stored, figures_of, store
from amplify.leaderboards.ties import Ties
from amplify.leaderboards.windows import rebuild_windows
from amplify.tracking import cursors

__all__ = [
    "CURSOR", "FIGURES", "Chosen", "choice", "chosen", "freeze", "freeze_more", "how_many", "project", "rebuild",
]  # fmt: skip

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


def rebuild(session: Session, brand_id: int) -> int:
    """Make a brand's standings from nothing, as far as the ledger has been projected, by the rules that the brand
    wishes now. Returns how many standings of all time.

    For changed rules, and to prove that the projection is right: nothing else may come out than what stood there.
    Raises RuntimeError while a ranking is being frozen: come again.
    """
    cursor = cursors.take(session, CURSOR, wait=True)
    if cursor is None:
        raise RuntimeError("the cursor cannot be missing: it was waited for")
    if is_freezing(session):
        raise RuntimeError("a ranking is being frozen: the standings are made again afterwards")
    rules = enforce(session, session.get_one(Brand, brand_id, populate_existing=True))
    mine = Standing.board_id.in_(sa.select(Board.id).where(Board.brand_id == brand_id, Board.days == 0))
    session.execute(sa.delete(Standing).where(mine), execution_options={"synchronize_session": False})
    made = 0
    for group in in_batches(ledgers(session, brand_id, up_to=cursor.position)):
        standings = {advocate_id: fold_all(entries, rules) for advocate_id, entries in group}
        made += _store(session, brand_id, rules, standings, before={}, levels=None)
    rebuild_windows(session, brand_id, rules)
    histogram.count_again(session, brand_id)
    return made


def _project_brand(session: Session, brand_id: int, entries: Sequence[Entry]) -> None:
    """Entries in ledger order. Who had something taken back is folded again from all of their entries."""
    rules = begin(session, brand_id)
    again = {entry.advocate_id for entry in entries if entry.reverses_id is not None}
    standings, before = _standings_now(session, {entry.advocate_id for entry in entries})
    for entry in entries:
        if entry.advocate_id not in again:
            fold((entry,), standings[entry.advocate_id], rules)
    for advocate_id, all_entries in ledgers(session, brand_id, again, up_to=entries[-1].id):
        standings[advocate_id] = fold_all(all_entries, rules)
    _store(session, brand_id, rules, standings, before, histogram.LEVELS)


def _standings_now(session: Session, advocates: set[int]) -> tuple[dict[int, dict[BoardName, Totals]], Stored]:
    """How these advocates stand, to be folded further, and the same as it is stored."""
    standings: dict[int, dict[BoardName, Totals]] = defaultdict(dict)
    stored = {}
    found = _theirs(is_sqlite(session)).rows(session, {"who": bulk.told(session, advocates)})
    for board_id, advocate_id, kind, ref_id, *values in found:
        standings[advocate_id][kind, ref_id] = Totals(*values)
        stored[board_id, advocate_id] = tuple(values)
    return standings, stored


@cache
def _theirs(on_sqlite: bool) -> Prepared:
    """The standings of all time of some advocates ("who")."""
    figures: tuple[Any, ...] = tuple(getattr(Standing, name) for name in FIGURES)
    columns = Standing.board_id, Standing.advocate_id, Board.kind, Board.ref_id
    mine = sa.select(*columns, *figures).join(Board, Board.id == Standing.board_id)
    among = bulk.is_one_of(Standing.advocate_id, "who", on_sqlite=on_sqlite)
    return Prepared(mine.where(among, Board.days == 0))


def _store(
    session: Session,
    brand_id: int,
    rules: Rules,
    standings: Standings,
    before: Stored,
    levels: histogram.Levels | None,
) -> int:
    """`store` for boards by their names."""
    ids = board_ids(session, brand_id, {board for boards in standings.values() for board in boards})
    after = {
        (ids[board], advocate_id): figures_of(totals)
        for advocate_id, boards in standings.items()
        for board, totals in boards.items()
    }
    return store(session, after, before, Ties(session, rules.tie_rule, standings.keys()), levels)
