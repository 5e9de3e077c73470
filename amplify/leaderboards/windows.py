"""The boards of the last 7, 30 and 90 days: exact, live, and the same from nothing.

Every entry is added to one row, that of its advocate, link and day (`day_points`, whole milli-points). A standing is
the sum of the days its window holds, made again for everybody whose days changed, because something happened or a
day left. Days leave in the order (day, advocate), some at a time; how far that has come stands with the window, so at
every moment a standing is the sum of the days after that place, whoever reads and whatever was interrupted.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import bulk, clock
from amplify.core.bulk import is_among
from amplify.leaderboards import histogram
from amplify.leaderboards.boards import WHOLE_BRAND, board_ids
from amplify.leaderboards.days import EPOCH, WINDOWS, day_of, first_day
from amplify.leaderboards.folding import COUNTED_AS, Entry, living
from amplify.leaderboards.ledger import by_brand, ledgers, new_entries
from amplify.leaderboards.models import DayPoints, Scoring, Standing, Window
from amplify.leaderboards.scoring import IS_SHOWN, Edition, Rules, begin
from amplify.leaderboards.standings import FIGURES, SCORE, Stored, store
from amplify.leaderboards.ties import Ties, window_score
from amplify.tracking import cursors

CURSOR = "windows"
LAST_ADVOCATE = 2**63 - 1
KEY = ("advocate_id", "day", "link_id")
COUNTS = ("milli_points", "recognition", "human_clicks", "conversions", "shares")
# A day's figures while they are added up: COUNTS, and when it was last worth something.
Day = list[Any]


def fold_windows(session: Session, limit: int) -> int:
    """Worker round: fold up to `limit` new ledger entries into the windows, and let go of days that have passed.

    One worker at a time, one transaction. Returns how many entries and days.
    """
    cursor = cursors.take(session, CURSOR)
    if cursor is None:
        return 0
    entries = new_entries(session, cursor.position, limit)
    for brand_id, group in by_brand(entries):
        _fold_brand(session, brand_id, group)
    if entries:
        cursor.move(entries[-1].id)
    return len(entries) + _leave(session, limit, clock.now())


def write_first(session: Session, edition: Edition, groups: Sequence[tuple[int, list[Entry]]]) -> None:
    """The days and windows of advocates who have none in this edition yet, from their ledgers; nothing is counted."""
    ensure_windows(session, edition)
    _add(session, edition, _days(_living_of(groups), edition.rules))
    _stand(session, edition, [advocate_id for advocate_id, _entries in groups], is_first=True)


def fold_again(session: Session, edition: Edition, advocates: Collection[int], up_to: int) -> None:
    """Make the days and windows of these advocates again, from all of their entries up to one."""
    _add_again(session, edition, advocates, up_to)
    _stand(session, edition, advocates)


def _fold_brand(session: Session, brand_id: int, entries: list[Entry]) -> None:
    """Whose entries were taken back, their days are added up again from all of their entries."""
    edition = begin(session, brand_id)
    ensure_windows(session, edition)
    again = {entry.advocate_id for entry in entries if entry.reverses_id is not None}
    _add_again(session, edition, again, entries[-1].id)
    _add(session, edition, _days((entry for entry in entries if entry.advocate_id not in again), edition.rules))
    _stand(session, edition, {entry.advocate_id for entry in entries})


def _add_again(session: Session, edition: Edition, advocates: Collection[int], up_to: int) -> None:
    if not advocates:
        return
    theirs = DayPoints.scoring_id == edition.id, is_among(session, DayPoints.advocate_id, advocates)
    session.execute(sa.delete(DayPoints).where(*theirs), execution_options={"synchronize_session": False})
    _add(session, edition, _days(_living_of(ledgers(session, advocates, up_to=up_to)), edition.rules))


def _living_of(found: Iterable[tuple[int, list[Entry]]]) -> Iterator[Entry]:
    return (entry for _advocate_id, entries in found for entry in living(entries))


def _days(entries: Iterable[Entry], rules: Rules) -> dict[tuple[int, int, int], Day]:
    """Living entries added up: (advocate, day, link) -> figures."""
    days: dict[tuple[int, int, int], Day] = {}
    for entry in entries:
        key = entry.advocate_id, day_of(entry.occurred_at), entry.link_id or 0
        day = days.get(key)
        if day is None:
            day = days[key] = [0, 0, 0, 0, 0, EPOCH]
        milli_points = rules.milli_points(entry.cause, entry.milli_points)
        day[1] += milli_points
        if entry.is_reward_eligible:
            day[0] += milli_points
            day[5] = max(day[5], entry.occurred_at)
        if counter := COUNTED_AS.get(entry.cause):
            day[COUNTS.index(counter)] += 1
    return days


def _add(session: Session, edition: Edition, days: dict[tuple[int, int, int], Day]) -> None:
    names = ("scoring_id", *KEY, *COUNTS, "reached_at")
    later = "max" if session.get_bind().dialect.name == "sqlite" else "greatest"
    sums = [f"{name} = day_points.{name} + excluded.{name}" for name in COUNTS]
    update = ", ".join((*sums, f"reached_at = {later}(day_points.reached_at, excluded.reached_at)"))
    rows = [(edition.id, *key, *figures) for key, figures in sorted(days.items())]
    bulk.upsert(session, DayPoints, names, rows, key=", ".join(("scoring_id", *KEY)), update=update)


def ensure_windows(session: Session, edition: Edition) -> None:
    """The edition's three windows; a new one begins with the days it holds now."""
    if session.scalar(sa.select(Window.board_id).where(Window.scoring_id == edition.id).limit(1)) is None:
        now = clock.now()
        for days in WINDOWS:
            board_id = board_ids(session, edition, [WHOLE_BRAND], days=days)[WHOLE_BRAND]
            gone = {"gone_day": first_day(days, now) - 1, "gone_advocate": LAST_ADVOCATE}
            session.add(Window(board_id=board_id, scoring_id=edition.id, days=days, **gone))
        session.flush()


def _leave(session: Session, limit: int, now: datetime) -> int:
    """Let the next days leave the first window that holds days it should not; how many, and 1 for an empty one."""
    late = sa.or_(*(sa.and_(Window.days == days, Window.gone_day < first_day(days, now) - 1) for days in WINDOWS))
    half = sa.or_(*(sa.and_(Window.days == days, Window.gone_day < first_day(days, now)) for days in WINDOWS))
    behind = sa.or_(late, sa.and_(half, Window.gone_advocate < LAST_ADVOCATE))
    # Those that are being made follow when they are shown; those that were replaced go.
    shown = sa.select(Window, Scoring.brand_id).join(Scoring, Scoring.id == Window.scoring_id).where(IS_SHOWN)
    found = session.execute(shown.where(behind).order_by(Window.days).limit(1)).first()
    if found is None:
        return 0
    window, brand_id = found
    last = first_day(window.days, now) - 1
    place = sa.tuple_(DayPoints.day, DayPoints.advocate_id)
    gone = sa.tuple_(sa.literal(window.gone_day), sa.literal(window.gone_advocate))
    mine = DayPoints.scoring_id == window.scoring_id, place > gone, DayPoints.day <= last
    order = DayPoints.day, DayPoints.advocate_id
    leaving = session.execute(sa.select(*order).where(*mine).group_by(*order).order_by(*order).limit(limit)).all()
    window.gone_day, window.gone_advocate = leaving[-1] if len(leaving) == limit else (last, LAST_ADVOCATE)
    session.flush()
    if leaving:
        _stand(session, begin(session, brand_id), {row.advocate_id for row in leaving})
    return max(1, len(leaving))  # 0 would say that nothing is left to do; the next window may hold much


def _stand(session: Session, edition: Edition, advocates: Collection[int], *, is_first: bool = False) -> None:
    """Make the standings of these advocates again from their days; the first time there are none of them yet."""
    rules = edition.rules
    ties = Ties(session, rules.tie_rule, advocates)
    before = {} if is_first else _stored(session, edition, advocates)
    after: dict[tuple[int, int], tuple[Any, ...]] = {}
    for board_id, advocate_id, milli, recognition, clicks, conversions, shares, reached_at in session.execute(
        _sums(session, edition, advocates)
    ):
        tie = ties.of(advocate_id, conversions)
        score = window_score(milli, rules.tie_rule, reached_at, conversions, tie)
        figures = (reached_at, score, recognition / 1000, milli, clicks, conversions, shares)
        if any((milli, recognition, clicks, conversions, shares)):
            after[board_id, advocate_id] = figures
    store(session, after, before, ties, None if is_first else histogram.WINDOW_LEVELS)
    _remove(session, before, before.keys() - after.keys())


def _sums(session: Session, edition: Edition, advocates: Collection[int]) -> sa.Select[Any]:
    """For each window, what each advocate has on the days it holds: one statement, one moment."""
    is_held = sa.or_(
        DayPoints.day > Window.gone_day,
        sa.and_(DayPoints.day == Window.gone_day, DayPoints.advocate_id > Window.gone_advocate),
    )
    sums = (sa.cast(sa.func.sum(getattr(DayPoints, name)), sa.BigInteger) for name in COUNTS)
    which = Window.board_id, DayPoints.advocate_id
    columns: tuple[Any, ...] = (*which, *sums, sa.func.max(DayPoints.reached_at))
    held = sa.select(*columns).join_from(DayPoints, Window, is_held)
    mine = DayPoints.scoring_id == edition.id, Window.scoring_id == edition.id
    return held.where(*mine, is_among(session, DayPoints.advocate_id, advocates)).group_by(*which)


def _stored(session: Session, edition: Edition, advocates: Collection[int]) -> Stored:
    figures = (getattr(Standing, name) for name in FIGURES)
    mine = (
        sa.select(Standing.board_id, Standing.advocate_id, *figures)
        .join(Window, Window.board_id == Standing.board_id)
        .where(Window.scoring_id == edition.id, is_among(session, Standing.advocate_id, advocates))
    )
    return {(board_id, who): tuple(values) for board_id, who, *values in session.execute(mine)}


def _remove(session: Session, before: Stored, gone: Collection[tuple[int, int]]) -> None:
    """Who has nothing left in a window does not stand on its board."""
    histogram.apply(session, ((key[0], before[key][SCORE], None) for key in gone), histogram.WINDOW_LEVELS)
    for board_id in {key[0] for key in gone}:
        left = [advocate_id for board, advocate_id in gone if board == board_id]
        session.execute(
            sa.delete(Standing).where(Standing.board_id == board_id, is_among(session, Standing.advocate_id, left)),
            execution_options={"synchronize_session": False},
        )
