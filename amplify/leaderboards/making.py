"""Standings by new rules, made beside those that are shown and then put in their place: nobody waits, not even a click.

Each step is the turn of a worker round, and how far it came stands in the row of the rules (`Scoring`): first every
advocate from their whole ledger, then the counts of the scores, then whoever got points meanwhile, until so few are
left that they fit into the transaction that puts the new standings in force. The old ones are removed in turns as well.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from amplify.brands.events import ScoringChanged
from amplify.brands.models import Brand
from amplify.core import clock
from amplify.core.bulk import insert_ignore, is_among
from amplify.core.failpoints import reach
from amplify.leaderboards import all_time, histogram, windows
from amplify.leaderboards.folding import Entry
from amplify.leaderboards.freezing import CURSOR, is_freezing
from amplify.leaderboards.ledger import ledgers
from amplify.leaderboards.models import (
    Board,
    BoardLink,
    DayPoints,
    PointsEntry,
    ScoreCount,
    Scoring,
    Snapshot,
    Standing,
    Window,
)
from amplify.leaderboards.scoring import Edition, Rules, begin, shown, wished
from amplify.sharing.models import Advocate
from amplify.tracking import cursors

# Who reads page after page of a board still finds the old one for so long.
GRACE = timedelta(minutes=10)
# Counting a standing that is there costs so much less than making one.
COUNTED_AT_ONCE = 20
# In one transaction, for a caller who waits: as many as there are.
ALL = 2**31
POINTING: Sequence[Any] = (Snapshot, BoardLink)
_QUIETLY = {"synchronize_session": False}


def on_scoring_changed(session: Session, fact: ScoringChanged) -> None:
    """Half-life, weights or the rule for ties changed: the standings follow, outside the request that changed them."""
    order(session, fact.brand)


def order(session: Session, brand: Brand) -> Scoring:
    """Have a brand's standings made by the rules that it wishes now; what was being made by others is given up."""
    others = Scoring.brand_id == brand.id, Scoring.since.is_(None), Scoring.until.is_(None)
    given_up = sa.update(Scoring).where(*others).values(until=clock.now(), **_REMOVAL)
    session.execute(given_up, execution_options=_QUIETLY)
    made = Scoring(brand_id=brand.id, **wished(brand)._asdict())
    session.add(made)
    session.flush()
    return made


def make(session: Session, limit: int) -> int:
    """Worker round: some more of the standings that were ordered, about `limit` entries. Returns how many rows."""
    ordered = sa.select(Scoring).where(Scoring.since.is_(None), Scoring.until.is_(None))
    making = session.scalar(_held(ordered))
    return 0 if making is None else STEPS[making.step](session, making, limit)


def go_on(session: Session, making: Scoring, limit: int) -> int:
    """A turn of what was ordered, for a caller who waits for it. 0: it is in force, or was given up for another.

    Raises RuntimeError while a ranking is being frozen: the worker goes on then.
    """
    session.flush()  # what the turn before noted: a refresh forgets it
    session.refresh(making, with_for_update=True)
    if making.since or making.until:
        return 0
    if moved := STEPS[making.step](session, making, limit):
        return moved
    raise RuntimeError("a ranking is being frozen: the new standings are put in force afterwards")


def rebuild(session: Session, brand_id: int) -> int:
    """All of it in one transaction, as far as the ledger has been projected; how many standings of all time.

    To prove that the projection is right: nothing else may come out than what stood there.
    """
    making = order(session, session.get_one(Brand, brand_id, populate_existing=True))
    while go_on(session, making, ALL):
        pass
    return made(session, making)


def made(session: Session, making: Scoring) -> int:
    """How many standings of all time there are by these rules."""
    boards = sa.select(Board.id).where(Board.scoring_id == making.id, Board.days == 0)
    return session.scalar(sa.select(sa.func.count()).where(Standing.board_id.in_(boards))) or 0


def remove_replaced(session: Session, limit: int) -> int:
    """Worker round: some more of the standings that were replaced or given up a while ago. Returns how many rows."""
    old = session.scalar(_held(sa.select(Scoring).where(Scoring.until < clock.now() - GRACE)))
    return 0 if old is None else _remove(session, old, limit)


class Progress(NamedTuple):
    """How many advocates were gone through for the standings that are being made, and of how many."""

    done: int
    total: int


def progress(session: Session, brand_id: int) -> Progress | None:
    """Of a brand's; None while none are being made."""
    mine = Scoring.brand_id == brand_id, Scoring.since.is_(None), Scoring.until.is_(None)
    making = session.scalar(sa.select(Scoring).where(*mine).limit(1))
    if making is None:
        return None
    gone_through = Advocate.id <= making.place if making.step == "standings" else sa.true()
    counts = sa.select(sa.func.count().filter(gone_through), sa.func.count())
    return Progress(*session.execute(counts.where(Advocate.brand_id == brand_id)).one())


def _held(asked: sa.Select[Any]) -> sa.Select[Any]:
    """The first of these, for one worker until its transaction ends."""
    first = asked.order_by(Scoring.id).limit(1).with_for_update(skip_locked=True)
    return first.execution_options(populate_existing=True)


# The steps. Each moves some rows and notes how far it came.


def _make_standings(session: Session, making: Scoring, limit: int) -> int:
    """The next advocates, from all of their entries that boards and windows have folded so far."""
    of_boards, of_windows = (cursors.place_of(session, each.cursor) for each in READERS)
    if not making.place:
        making.boards_caught_up, making.windows_caught_up = of_boards, of_windows
    found = _next_advocates(session, making, limit)
    if not found:
        making.step, making.place = "counts", 0
        return 1
    groups = list(ledgers(session, found, up_to=max(of_boards, of_windows)))
    edition = _edition(making)
    made = all_time.write_first(session, edition, _up_to(groups, of_boards))
    windows.write_first(session, edition, _up_to(groups, of_windows))
    making.place = found[-1]
    return max(1, made)


def _count(session: Session, making: Scoring, limit: int) -> int:
    """The next ranges of scores on the next board."""
    board = session.scalar(
        sa.select(Board).where(Board.scoring_id == making.id, Board.id > making.place).order_by(Board.id).limit(1)
    )
    if board is None:
        making.step, making.place = "entries", 0
        return 1
    most = limit * COUNTED_AT_ONCE
    making.bucket = histogram.count_below(session, board, making.bucket, most)
    if making.bucket is None:
        making.place = board.id
    return most


def _catch_up(session: Session, making: Scoring, limit: int) -> int:
    """Whoever got points since; the last of them with the change of editions. 0 while a ranking is being frozen."""
    for each in READERS:
        entries = _came_since(session, making, each).limit(limit)
        if len(found := session.execute(entries).all()) == limit:
            _fold_again(session, making, each, found)
            setattr(making, each.place, found[-1].id)
            return limit
    for each in READERS:
        cursors.take(session, each.cursor, wait=True)
    if is_freezing(session):
        return 0
    for each in READERS:
        _fold_again(session, making, each, session.execute(_came_since(session, making, each)).all())
    _put_in_force(session, making)
    return 1


def _remove(session: Session, old: Scoring, limit: int) -> int:
    """The standings and days of the next advocates; at last the boards, and the rules themselves."""
    boards = sa.select(Board.id).where(Board.scoring_id == old.id)
    if found := _next_advocates(session, old, limit):
        theirs = (
            sa.delete(Standing).where(is_among(session, Standing.advocate_id, found), Standing.board_id.in_(boards)),
            sa.delete(DayPoints).where(DayPoints.scoring_id == old.id, is_among(session, DayPoints.advocate_id, found)),
        )
        for rows in theirs:
            session.execute(rows, execution_options=_QUIETLY)
        old.place = found[-1]
        return len(found)
    key = sa.tuple_(ScoreCount.board_id, ScoreCount.level, ScoreCount.bucket)
    some = sa.select(ScoreCount.board_id, ScoreCount.level, ScoreCount.bucket).where(ScoreCount.board_id.in_(boards))
    removed: Any = session.execute(sa.delete(ScoreCount).where(key.in_(some.limit(limit))), execution_options=_QUIETLY)
    if removed.rowcount:
        return int(removed.rowcount)
    _point_at_shown(session, old)  # what was linked while they changed
    session.execute(sa.delete(Window).where(Window.scoring_id == old.id), execution_options=_QUIETLY)
    session.execute(sa.delete(Board).where(Board.scoring_id == old.id), execution_options=_QUIETLY)
    session.delete(old)
    session.flush()
    return 1


Step = Callable[[Session, Scoring, int], int]
STEPS: Mapping[str, Step] = {"standings": _make_standings, "counts": _count, "entries": _catch_up}
_REMOVAL = {"step": "removal", "place": 0}


class Reader(NamedTuple):
    """Who folds the ledger: how far they came, how far the making did, and folding some advocates again."""

    cursor: str
    place: str
    fold_again: Callable[[Session, Edition, Collection[int], int], None]


READERS = (
    Reader(CURSOR, "boards_caught_up", all_time.fold_again),
    Reader(windows.CURSOR, "windows_caught_up", windows.fold_again),
)


def _edition(making: Scoring) -> Edition:
    rules = Rules(making.half_life_days, making.weights, making.tie_rule)
    return Edition(making.id, making.brand_id, rules)


def _up_to(groups: Sequence[tuple[int, list[Entry]]], last: int) -> list[tuple[int, list[Entry]]]:
    kept = ((advocate_id, [entry for entry in entries if entry.id <= last]) for advocate_id, entries in groups)
    return [(advocate_id, entries) for advocate_id, entries in kept if entries]


def _next_advocates(session: Session, scoring: Scoring, limit: int) -> list[int]:
    """The next `limit` in the order of their ids, or as many of them as have so many entries together; at least one."""
    mine = sa.select(Advocate.id).where(Advocate.brand_id == scoring.brand_id, Advocate.id > scoring.place)
    ids = session.scalars(mine.order_by(Advocate.id).limit(limit)).all()
    theirs = sa.select(PointsEntry.advocate_id).where(is_among(session, PointsEntry.advocate_id, ids))
    # Of each entry whose it is, and of one too many: of somebody's thousands no more are looked at than a turn takes.
    whose = session.scalars(theirs.order_by(PointsEntry.advocate_id).limit(limit + 1)).all()
    if len(whose) <= limit:
        return list(ids)
    first, last = whose[0], whose[-1]
    return [one for one in ids if one < last or one == first]


def _came_since(session: Session, making: Scoring, reader: Reader) -> sa.Select[Any]:
    """Entries that were folded since the advocates they belong to were perhaps gone through."""
    columns: tuple[Any, ...] = (PointsEntry.id, PointsEntry.brand_id, PointsEntry.advocate_id)
    last = cursors.place_of(session, reader.cursor)
    since = PointsEntry.id > getattr(making, reader.place), PointsEntry.id <= last
    return sa.select(*columns).where(*since).order_by(PointsEntry.id)


def _fold_again(session: Session, making: Scoring, reader: Reader, entries: Sequence[Any]) -> None:
    # The brand is not asked for: by it the database would look through all of its entries.
    advocates = {entry.advocate_id for entry in entries if entry.brand_id == making.brand_id}
    if advocates:
        reader.fold_again(session, _edition(making), advocates, cursors.place_of(session, reader.cursor))


def _put_in_force(session: Session, making: Scoring) -> None:
    """Everybody sees the new standings from this transaction's end on."""
    now, old = clock.now(), shown(session, making.brand_id)
    reach("edition-before-change")
    if old is not None:
        replaced = sa.update(Scoring).where(Scoring.id == old.id).values(until=now, **_REMOVAL)
        session.execute(replaced, execution_options=_QUIETLY)
    making.since = now
    session.flush()
    if old is not None:
        _point_at_shown(session, session.get_one(Scoring, old.id))


def _point_at_shown(session: Session, old: Scoring) -> None:
    """Frozen rankings and links of the edition's boards point at the boards of the same name that are shown."""
    new = begin(session, old.brand_id)
    other, own = aliased(Board), aliased(Board)
    pointed = sa.union(*(sa.select(each.board_id).where(each.brand_id == old.brand_id) for each in POINTING))
    named = sa.select(Board.kind, Board.ref_id, Board.days).where(Board.scoring_id == old.id, Board.id.in_(pointed))
    # A board may have been made by the link to it, and nobody stand there.
    which = {"brand_id": old.brand_id, "scoring_id": new.id}
    missing = [{**which, **row._asdict()} for row in session.execute(named)]
    insert_ignore(session, Board, missing)
    same = own.kind == other.kind, own.ref_id == other.ref_id, own.days == other.days
    for each in POINTING:
        twin = sa.select(other.id).join(own, sa.and_(*same)).where(other.scoring_id == new.id, own.id == each.board_id)
        theirs = each.board_id.in_(sa.select(Board.id).where(Board.scoring_id == old.id))
        moved = sa.update(each).where(each.brand_id == old.brand_id, theirs).values(board_id=twin.scalar_subquery())
        session.execute(moved, execution_options=_QUIETLY)
