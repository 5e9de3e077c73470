"""The boards of the last 7, 30 and 90 days: exact, live, and the same from nothing.

Every entry is added to one row, that of its advocate, link and day (`day_points`, whole milli-points). A standing is
the sum of the days its window holds, made again for everybody whose days changed, because something happened or a
day left. Days leave in the order (day, advocate), some at a time; how far that has come stands with the window, so at
every moment a standing is the sum of the days after that place, whoever reads and whatever was interrupted.
"""

from collections.abc import Collection, Iterable, Iterator
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
from amplify.leaderboards.ledger import by_brand, in_batches, ledgers, new_entries
from amplify.leaderboards.models import DayPoints, Standing, Window
from amplify.leaderboards.scoring import Rules, begin
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


def rebuild_windows(session: Session, brand_id: int, rules: Rules) -> int:
    """Make a brand's windows from nothing, as far as they were folded, for the caller to count; in the caller's
    transaction. How many days."""
    cursor = cursors.take(session, CURSOR, wait=True)
    position = cursor.position if cursor else 0
    _clear(session, brand_id)
    made = 0
    for group in in_batches(ledgers(session, brand_id, up_to=position)):
        made += _add(session, brand_id, _days(_living_of(group), rules))
        _stand(session, brand_id, rules, [advocate_id for advocate_id, _entries in group], is_rebuild=True)
    return made


def _fold_brand(session: Session, brand_id: int, entries: list[Entry]) -> None:
    """Whose entries were taken back, their days are added up again from all of their entries."""
    rules = begin(session, brand_id)
    _ensure_windows(session, brand_id)
    again = {entry.advocate_id for entry in entries if entry.reverses_id is not None}
    if again:
        session.execute(
            sa.delete(DayPoints).where(is_among(session, DayPoints.advocate_id, again)),
            execution_options={"synchronize_session": False},
        )
        _add(session, brand_id, _days(_living_of(ledgers(session, brand_id, again, up_to=entries[-1].id)), rules))
    _add(session, brand_id, _days((entry for entry in entries if entry.advocate_id not in again), rules))
    _stand(session, brand_id, rules, {entry.advocate_id for entry in entries})


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


def _add(session: Session, brand_id: int, days: dict[tuple[int, int, int], Day]) -> int:
    names = ("brand_id", *KEY, *COUNTS, "reached_at")
    later = "max" if session.get_bind().dialect.name == "sqlite" else "greatest"
    sums = [f"{name} = day_points.{name} + excluded.{name}" for name in COUNTS]
    update = ", ".join((*sums, f"reached_at = {later}(day_points.reached_at, excluded.reached_at)"))
    rows = [(brand_id, *key, *figures) for key, figures in sorted(days.items())]
    bulk.upsert(session, DayPoints, names, rows, key=", ".join(KEY), update=update)
    return len(rows)


def _ensure_windows(session: Session, brand_id: int) -> None:
    """The brand's three windows; a new one begins with the days it holds now."""
    if session.scalar(sa.select(Window.board_id).where(Window.brand_id == brand_id).limit(1)) is None:
        now = clock.now()
        for days in WINDOWS:
            board_id = board_ids(session, brand_id, [WHOLE_BRAND], days=days)[WHOLE_BRAND]
            gone = {"gone_day": first_day(days, now) - 1, "gone_advocate": LAST_ADVOCATE}
            session.add(Window(board_id=board_id, brand_id=brand_id, days=days, **gone))
        session.flush()


def _clear(session: Session, brand_id: int) -> None:
    boards = sa.select(Window.board_id).where(Window.brand_id == brand_id)
    for mine in (
        sa.delete(DayPoints).where(DayPoints.brand_id == brand_id),
        sa.delete(Standing).where(Standing.board_id.in_(boards)),
    ):
        session.execute(mine, execution_options={"synchronize_session": False})


def _leave(session: Session, limit: int, now: datetime) -> int:
    """Let the next days leave the first window that holds days it should not; how many, and 1 for an empty one."""
    late = sa.or_(*(sa.and_(Window.days == days, Window.gone_day < first_day(days, now) - 1) for days in WINDOWS))
    half = sa.or_(*(sa.and_(Window.days == days, Window.gone_day < first_day(days, now)) for days in WINDOWS))
    behind = sa.or_(late, sa.and_(half, Window.gone_advocate < LAST_ADVOCATE))
    window = session.scalar(sa.select(Window).where(behind).limit(1))
    if window is None:
        return 0
    last = first_day(window.days, now) - 1
    place = sa.tuple_(DayPoints.day, DayPoints.advocate_id)
    gone = sa.tuple_(sa.literal(window.gone_day), sa.literal(window.gone_advocate))
    mine = DayPoints.brand_id == window.brand_id, place > gone, DayPoints.day <= last
    order = DayPoints.day, DayPoints.advocate_id
    leaving = session.execute(sa.select(*order).where(*mine).group_by(*order).order_by(*order).limit(limit)).all()
    window.gone_day, window.gone_advocate = leaving[-1] if len(leaving) == limit else (last, LAST_ADVOCATE)
    session.flush()
    if leaving:
        _stand(session, window.brand_id, begin(session, window.brand_id), {row.advocate_id for row in leaving})
    return max(1, len(leaving))  # 0 would say that nothing is left to do; the next window may hold much


def _stand(
    session: Session, brand_id: int, rules: Rules, advocates: Collection[int], *, is_rebuild: bool = False
) -> None:
    """Make the standings of these advocates again from their days; in a rebuild there are none of them yet."""
    ties = Ties(session, rules.tie_rule, advocates)
    before = {} if is_rebuild else _stored(session, brand_id, advocates)
    after: dict[tuple[int, int], tuple[Any, ...]] = {}
    for board_id, advocate_id, milli, recognition, clicks, conversions, shares, reached_at in session.execute(
        _sums(session, brand_id, advocates)
    ):
        tie = ties.of(advocate_id, conversions)
        score = window_score(milli, rules.tie_rule, reached_at, conversions, tie)
        figures = (reached_at, score, recognition / 1000, milli, clicks, conversions, shares)
        if any((milli, recognition, clicks, conversions, shares)):
            after[board_id, advocate_id] = figures
    store(session, after, before, ties, None if is_rebuild else histogram.WINDOW_LEVELS)
    _remove(session, before, before.keys() - after.keys())


def _sums(session: Session, brand_id: int, advocates: Collection[int]) -> sa.Select[Any]:
    """For each window, what each advocate has on the days it holds: one statement, one moment."""
    is_held = sa.or_(
        DayPoints.day > Window.gone_day,
        sa.and_(DayPoints.day == Window.gone_day, DayPoints.advocate_id > Window.gone_advocate),
    )
    sums = (sa.cast(sa.func.sum(getattr(DayPoints, name)), sa.BigInteger) for name in COUNTS)
    which = Window.board_id, DayPoints.advocate_id
    columns: tuple[Any, ...] = (*which, *sums, sa.func.max(DayPoints.reached_at))
    held = sa.select(*columns).join_from(DayPoints, Window, is_held)
    return held.where(Window.brand_id == brand_id, is_among(session, DayPoints.advocate_id, advocates)).group_by(*which)


def _stored(session: Session, brand_id: int, advocates: Collection[int]) -> Stored:
    figures = (getattr(Standing, name) for name in FIGURES)
    mine = (
        sa.select(Standing.board_id, Standing.advocate_id, *figures)
        .join(Window, Window.board_id == Standing.board_id)
        .where(Window.brand_id == brand_id, is_among(session, Standing.advocate_id, advocates))
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
