"""Roll-ups: how many clicks of a link got which verdict in which hour, so that nobody has to count single clicks.

They move in the transaction that judges, and only through here. Every figure of the console is a sum of them; clicks
that wait for their verdict, a handful, are counted one by one.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.bulk import is_among, upsert
from amplify.sharing.models import ShareLink
from amplify.tracking import cursors
from amplify.tracking.models import Click, ClickCount, ClickVerdict, Cursor

HOUR_SECONDS = 3600
KEY = ("link_id", "hour", "verdict", "rule")
COLUMNS = (*KEY, "brand_id", "n", "removed")
BATCH = 5_000


class Cell(NamedTuple):
    """What is counted together."""

    link_id: int
    hour: int
    verdict: str
    rule: str
    brand_id: int


def hour_of(at: datetime) -> int:
    """Whole hours since the Unix epoch."""
    return int(at.timestamp()) // HOUR_SECONDS


def cell(click: Any, verdict: str, rule: str, brand_id: int) -> Cell:
    """Where a click (its row, or what tells its link and time) with this verdict is counted."""
    return Cell(click.link_id, hour_of(click.at), verdict, rule, brand_id)


def move(session: Session, moves: Mapping[Cell, int]) -> None:
    """Count so many more (or fewer) clicks."""
    _add(session, "n", [(*cell, by, 0) for cell, by in sorted(moves.items()) if by])
    fewer = {cell.link_id for cell, by in moves.items() if by < 0}
    if fewer:
        empty = ClickCount.n == 0, is_among(session, ClickCount.link_id, fewer)
        session.execute(sa.delete(ClickCount).where(*empty), execution_options={"synchronize_session": False})


def note_removed(session: Session, cells: Mapping[Cell, int]) -> None:
    """So many raw clicks are gone; they stay counted."""
    _add(session, "removed", [(*cell, 0, by) for cell, by in sorted(cells.items())])


def rebuild(session: Session, link_ids: Collection[int] | None = None) -> None:
    """Count anew from clicks and verdicts (of these links only); what was removed stays counted."""
    counted = [ClickCount.link_id.in_(link_ids)] if link_ids is not None else []
    plain = {"synchronize_session": False}
    session.execute(sa.delete(ClickCount).where(ClickCount.removed == 0, *counted), execution_options=plain)
    session.execute(sa.update(ClickCount).where(*counted).values(n=ClickCount.removed), execution_options=plain)
    _add(session, "n", [(*cell, by, 0) for cell, by in sorted(_recount(session, link_ids).items())])


def waiting(session: Session, *which: sa.ColumnElement[bool]) -> sa.Subquery:
    """Clicks (of these links) that have no verdict yet, as `link_id` and `n`.

    The tracker's place is in it twice: as a number, by which PostgreSQL sees how few clicks lie behind it, and as a
    query, so that a click judged meanwhile is not counted here and in the roll-ups.
    """
    place = cursors.place_of(session, cursors.TRACKER)
    there = sa.select(Cursor.position).where(Cursor.name == cursors.TRACKER).scalar_subquery()
    query = sa.select(Click.link_id, sa.func.count().label("n"))
    if which:
        query = query.join(ShareLink, ShareLink.id == Click.link_id).where(*which)
    behind = Click.id > place, Click.id > sa.func.coalesce(there, 0)
    return query.where(*behind).group_by(Click.link_id).subquery()


def _recount(session: Session, link_ids: Collection[int] | None) -> Counter[Cell]:
    query = (
        sa.select(ClickVerdict.link_id, Click.at, ClickVerdict.verdict, ClickVerdict.rule, ShareLink.brand_id)
        .join(Click, Click.id == ClickVerdict.click_id)
        .join(ShareLink, ShareLink.id == ClickVerdict.link_id)
        .where(*([ClickVerdict.link_id.in_(link_ids)] if link_ids is not None else []))
    )
    rows = session.execute(query.execution_options(yield_per=BATCH))
    return Counter(Cell(link, hour_of(at), verdict, rule, brand) for link, at, verdict, rule, brand in rows)


def _add(session: Session, column: str, rows: list[tuple[Any, ...]]) -> None:
    update = f"{column} = click_counts.{column} + excluded.{column}"
    for start in range(0, len(rows), BATCH):
        upsert(session, ClickCount, COLUMNS, rows[start : start + BATCH], key=", ".join(KEY), update=update)
