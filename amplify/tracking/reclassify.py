"""Judges stored clicks again under the rules of now, and has what followed from the old verdicts put right.

`open_run` begins; `reclassify` is a worker round, and the command calls it too: whoever of them ends, the rest goes on.
A run reads the clicks in their order, as the tracker did, until it has caught up with it; then it tells who gained and
who lost, advocate by advocate. Each batch is a transaction with the run's position: a kill loses nothing, and nothing
is judged twice.
A run begins with a UTC day. Visitor keys end with theirs, so no window from before reaches into it. Of days from which
raw clicks were removed (retention.py) every click keeps its verdict: without its fellows it cannot be judged.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import clock, failpoints
from amplify.core.bulk import insert_ignore
from amplify.core.events import publish
from amplify.sharing.models import ShareLink
from amplify.tracking import cursors, recent, retention, verdicts
from amplify.tracking.confirming import confirm_shares
from amplify.tracking.events import ClicksReclassified
from amplify.tracking.judging import Change, judge_in_order
from amplify.tracking.models import (
    SEEN,
    TRACKER,
    Click,
    ClickVerdict,
    Correction,
    FirstClick,
    RecentClick,
    Reclassification,
    Seen,
)
from amplify.tracking.revising import drop_noted, revise
from amplify.tracking.verdicts import Verdict


class Extent(NamedTuple):
    """The last click before a run, and how many it will judge."""

    start: int
    total: int


class Again(NamedTuple):
    """A click that is judged again, and whose it is."""

    click: Seen
    verdict: Verdict
    brand_id: int


def extent_of(session: Session, since: datetime, brand_id: int | None = None) -> Extent:
    """Where a run would begin, and how many clicks it would judge. Reads them all: best inside `reading()`."""
    tracked = cursors.place_of(session, cursors.TRACKER)
    counted = sa.select(sa.func.count(), sa.func.min(Click.id)).where(Click.at >= since, Click.id <= tracked)
    whole = retention.whole_since(session)
    if brand_id is not None or whole:
        mine = [ShareLink.brand_id == brand_id] if brand_id is not None else []
        judged = [sa.or_(ShareLink.brand_id != one, Click.at >= before) for one, before in whole.items()]
        counted = counted.join(ShareLink, ShareLink.id == Click.link_id).where(*mine, *judged)
    total, first = session.execute(counted).one()
    return Extent(tracked if first is None else first - 1, total)


def open_run(session: Session, since: datetime, brand_id: int | None, extent: Extent) -> Reclassification:
    """Begin to judge the clicks since a UTC day again, of one brand or of all; or the same run, if it was cut off.

    The caller commits, then calls `reclassify` until the run is finished, or leaves that to the worker.
    """
    same = Reclassification.since == since, Reclassification.brand_id.is_not_distinct_from(brand_id)
    cursors.take(session, cursors.REMOVAL, wait=True)
    unfinished = sa.select(Reclassification).where(*same, Reclassification.finished_at.is_(None))
    if run := session.scalars(unfinished.order_by(Reclassification.id)).first():
        return run
    run = Reclassification(
        brand_id=brand_id,
        since=since,
        rules_version=verdicts.RULES_VERSION,
        start=extent.start,
        position=extent.start,
        total=extent.total,
    )
    session.add(run)
    session.flush()
    return run


def reclassify(session: Session, limit: int) -> int:
    """Worker round: judge up to `limit` clicks of the oldest unfinished run again, or tell of as many corrections.

    Returns how many; 0 when the run is finished, or there is none.
    """
    run = _current(session)
    if run is None:
        return 0
    if run.rules_version != verdicts.RULES_VERSION:
        _start_over(session, run)
    moved = _judge_on(session, run, limit) if run.judged_at is None else _tell(session, run, limit)
    session.flush()
    failpoints.reach("reclassify-before-commit")
    return moved


def _current(session: Session) -> Reclassification | None:
    """The run whose turn it is, held: two workers (or a worker and a command) go on one after the other."""
    unfinished = sa.select(Reclassification).where(Reclassification.finished_at.is_(None)).order_by(Reclassification.id)
    return session.scalars(unfinished.limit(1).with_for_update(), execution_options={"populate_existing": True}).first()


def _start_over(session: Session, run: Reclassification) -> None:
    """The rules changed in the middle: one run, one rule set. What is still to be told stays so."""
    for kept in (FirstClick, RecentClick):
        session.execute(sa.delete(kept).where(kept.run == run.id), execution_options={"synchronize_session": False})
    run.rules_version, run.position, run.judged_at = verdicts.RULES_VERSION, run.start, None
    run.judged = run.changed = run.gained = run.lost = run.corrected = 0


def _next(session: Session, run: Reclassification, limit: int, before: int | None = None) -> list[Again]:
    """The next clicks in their order, whosever they are, each with its verdict and rule and its brand's id."""
    ahead = [Click.id > run.position, Click.id <= cursors.place_of(session, cursors.TRACKER)]
    ahead += [Click.id < before] if before is not None else []
    rows = session.execute(
        sa.select(*SEEN, ClickVerdict.verdict, ClickVerdict.rule, ShareLink.brand_id)
        .join(ClickVerdict, ClickVerdict.click_id == Click.id)
        .join(ShareLink, ShareLink.id == Click.link_id)
        .where(*ahead)
        .order_by(Click.id)
        .limit(limit)
    )
    return [Again(Seen(*click), Verdict(name, rule), brand_id) for *click, name, rule, brand_id in rows]


def _judge_on(session: Session, run: Reclassification, limit: int) -> int:
    rows = _next(session, run, limit, recent.first_in_doubt(session, TRACKER))
    if not rows:
        # Held: what the tracker may still take back is judged by one of the two at a time, and the tracker must not
        # judge by windows that are about to be others.
        cursors.take(session, cursors.TRACKER, wait=True)
        rows = _next(session, run, limit)
    if not rows:
        _hand_over(session, run)
        return 1
    # Around midnight ids and times are not quite in the same order.
    whole = retention.whole_since(session)
    mine = [
        row
        for row in rows
        if run.brand_id in (None, row.brand_id) and row.click.at >= max(run.since, whole.get(row.brand_id, run.since))
    ]
    if mine:
        _judge_again(session, run, mine)
    run.position = rows[-1].click.id
    return len(rows)


def _judge_again(session: Session, run: Reclassification, rows: Sequence[Again]) -> None:
    clicks = [row.click for row in rows]
    judged = judge_in_order(session, clicks, run=run.id)
    pairs = zip(rows, judged.verdicts, strict=True)
    again = (Change(row.click, row.verdict, new) for row, new in pairs)
    changes = [*judged.changes, *(change for change in again if change.before != change.after)]
    revise(session, changes, until=run.position)
    confirm_shares(session, [click for click, new in zip(clicks, judged.verdicts, strict=True) if new.name == "human"])
    _note(session, run, [change for change in changes if change.is_gained or change.is_lost])
    run.judged += len(clicks)
    run.changed += sum(change.before.name != change.after.name for change in changes)
    run.gained += sum(change.is_gained for change in changes)
    run.lost += sum(change.is_lost for change in changes)


def _note(session: Session, run: Reclassification, changes: Sequence[Change]) -> None:
    """Remember who is to be told."""
    if not changes:
        return
    links = {change.click.link_id for change in changes}
    found = session.execute(sa.select(ShareLink.id, ShareLink.advocate_id).where(ShareLink.id.in_(links)))
    advocates: dict[int, int] = dict(list(found))
    rows = [
        {
            "run": run.id,
            "advocate_id": advocates[change.click.link_id],
            "click_id": change.click.id,
            "is_gained": change.is_gained,
        }
        for change in drop_noted(session, run, changes)
    ]
    insert_ignore(session, Correction, rows)


def _hand_over(session: Session, run: Reclassification) -> None:
    """The run has caught up with the tracker, which goes on with the run's windows instead of its own."""
    pair = sa.tuple_(FirstClick.link_id, FirstClick.visitor)
    known = sa.select(FirstClick.link_id, FirstClick.visitor).where(FirstClick.run == run.id)
    old = FirstClick.run == TRACKER, sa.or_(FirstClick.at >= run.since, pair.in_(known))
    theirs = sa.select(ShareLink.id).where(ShareLink.brand_id == run.brand_id)
    for kept, which in ((FirstClick, old), (RecentClick, (RecentClick.run == TRACKER,))):
        mine = sa.true() if run.brand_id is None else kept.link_id.in_(theirs)
        session.execute(sa.delete(kept).where(*which, mine), execution_options={"synchronize_session": False})
        session.execute(sa.update(kept).where(kept.run == run.id).values(run=TRACKER))
    run.judged_at = clock.now()


def _tell(session: Session, run: Reclassification, limit: int) -> int:
    """Tell of the next corrections; when there are none left, the run is finished."""
    mine = sa.select(Correction, ShareLink, *SEEN).where(Correction.run == run.id)
    joined = mine.join(Click, Click.id == Correction.click_id).join(ShareLink, ShareLink.id == Click.link_id)
    found = session.execute(joined.order_by(Correction.advocate_id, Correction.click_id).limit(limit)).all()
    if not found:
        run.finished_at = clock.now()
        return 0
    gained = [(Seen(*click), link) for noted, link, *click in found if noted.is_gained]
    lost = [(Seen(*click), link) for noted, link, *click in found if not noted.is_gained]
    publish(session, ClicksReclassified(gained, lost))
    last = found[-1][0]
    done = sa.tuple_(Correction.advocate_id, Correction.click_id) <= sa.tuple_(last.advocate_id, last.click_id)
    session.execute(sa.delete(Correction).where(Correction.run == run.id, done))
    run.corrected += len(found)
    return len(found)
