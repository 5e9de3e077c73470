"""Judges stored clicks again under the rules of now, and has what followed from the old verdicts put right.

`open_run` begins; `reclassify` is a worker round, and the command calls it too: whoever of them ends, the rest goes on.
A run reads the clicks in their order, as the tracker did, until it has caught up with it; then it tells who gained and
who lost, advocate by advocate. Each batch is a transaction with the run's position: a kill loses nothing, and nothing
is judged twice.
A run begins with a UTC day. Visitor keys end with theirs, so no window from before reaches into it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import clock, failpoints
from amplify.core.db import insert_ignore
from amplify.core.events import publish
from amplify.sharing import services as sharing
from amplify.sharing.models import ShareLink
from amplify.tracking import cursors, verdicts
from amplify.tracking.confirming import confirm_shares
from amplify.tracking.conversions import reconsider
from amplify.tracking.events import ClicksReclassified
from amplify.tracking.judging import TRACKER, as_row, judge_in_order
from amplify.tracking.models import Click, ClickVerdict, Correction, Cursor, FirstClick, Reclassification

TRACKER_CURSOR = "clicks"


@dataclass(frozen=True)
class Change:
    """A click whose verdict or rule is another one now."""

    click: Click
    before: str
    after: verdicts.Verdict

    @property
    def is_gained(self) -> bool:
        return self.before != "human" == self.after.name

    @property
    def is_lost(self) -> bool:
        return self.before == "human" != self.after.name


def open_run(session: Session, since: datetime, brand_id: int | None = None) -> Reclassification:
    """Begin to judge the clicks since a UTC day again, of one brand or of all; or the same run, if it was cut off.

    The caller commits, then calls `reclassify` until the run is finished, or leaves that to the worker.
    """
    same = Reclassification.since == since, Reclassification.brand_id.is_not_distinct_from(brand_id)
    unfinished = sa.select(Reclassification).where(*same, Reclassification.finished_at.is_(None))
    if run := session.scalars(unfinished.order_by(Reclassification.id)).first():
        return run
    wanted = _scope(sa.select(sa.func.count(), sa.func.min(Click.id)), since, brand_id)
    total, first = session.execute(wanted.where(Click.id <= _tracked(session))).one()
    start = (first or _tracked(session) + 1) - 1
    run = Reclassification(
        brand_id=brand_id, since=since, rules_version=verdicts.RULES_VERSION, start=start, position=start, total=total
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
    session.execute(sa.delete(FirstClick).where(FirstClick.run == run.id))
    run.rules_version, run.position, run.judged_at = verdicts.RULES_VERSION, run.start, None
    run.judged = run.changed = run.gained = run.lost = run.corrected = 0


def _tracked(session: Session) -> int:
    """How far the tracker is: what comes after has no verdict yet."""
    return session.scalar(sa.select(Cursor.position).where(Cursor.name == TRACKER_CURSOR)) or 0


def _scope(query: Any, since: datetime, brand_id: int | None) -> Any:
    query = query.select_from(Click).where(Click.at >= since)
    if brand_id is None:
        return query
    return query.join(ShareLink, ShareLink.id == Click.link_id).where(ShareLink.brand_id == brand_id)


def _next(session: Session, run: Reclassification, limit: int) -> Sequence[Any]:
    """The next clicks in their order, each with the verdict and the rule it has."""
    columns = sa.select(Click, ClickVerdict.verdict, ClickVerdict.rule)
    judged = _scope(columns, run.since, run.brand_id).join(ClickVerdict, ClickVerdict.click_id == Click.id)
    ahead = judged.where(Click.id > run.position, Click.id <= _tracked(session))
    return session.execute(ahead.order_by(Click.id).limit(limit)).all()


def _judge_on(session: Session, run: Reclassification, limit: int) -> int:
    rows = _next(session, run, limit)
    if not rows:
        # Held: the tracker must not judge by windows that are about to be others.
        cursors.take(session, TRACKER_CURSOR, wait=True)
        rows = _next(session, run, limit)
    if rows:
        _judge_again(session, run, rows)
        return len(rows)
    _hand_over(session, run)
    return 1


def _judge_again(session: Session, run: Reclassification, rows: Sequence[Any]) -> None:
    clicks = [click for click, _verdict, _rule in rows]
    judged = judge_in_order(session, clicks, run=run.id)
    pairs = zip(rows, judged, strict=True)
    changes = [Change(c, old, new) for (c, old, rule), new in pairs if (old, rule) != (new.name, new.rule)]
    if changes:
        replaced = [{"click_id": change.click.id, **as_row(change.after)} for change in changes]
        session.execute(sa.update(ClickVerdict), replaced)
    gained = [change.click for change in changes if change.is_gained]
    lost = [change.click for change in changes if change.is_lost]
    _note(session, run, gained, lost)
    human = [click for click, verdict in zip(clicks, judged, strict=True) if verdict.name == "human"]
    for click in lost:
        sharing.unconfirm(session, click.link_id, click.at)
    confirm_shares(session, human)
    others = [change.click.id for change in changes if change.before != change.after.name]
    reconsider(session, others)
    run.position = clicks[-1].id
    run.judged += len(clicks)
    run.changed += len(others)
    run.gained += len(gained)
    run.lost += len(lost)


def _note(session: Session, run: Reclassification, gained: Sequence[Click], lost: Sequence[Click]) -> None:
    """Remember who is to be told. A click that a run which started over had noted otherwise: the last word counts."""
    if not (gained or lost):
        return
    links = {click.link_id for click in (*gained, *lost)}
    found = session.execute(sa.select(ShareLink.id, ShareLink.advocate_id).where(ShareLink.id.in_(links)))
    advocates: dict[int, int] = dict(list(found))
    rows = [
        {"run": run.id, "advocate_id": advocates[click.link_id], "click_id": click.id, "is_gained": is_gained}
        for clicks, is_gained in ((gained, True), (lost, False))
        for click in clicks
    ]
    if insert_ignore(session, Correction, rows) < len(rows):
        session.execute(sa.update(Correction), rows)


def _hand_over(session: Session, run: Reclassification) -> None:
    """The run has caught up with the tracker, which goes on with the run's windows instead of its own."""
    old = sa.delete(FirstClick).where(FirstClick.run == TRACKER, FirstClick.at >= run.since)
    if run.brand_id is not None:
        old = old.where(FirstClick.link_id.in_(sa.select(ShareLink.id).where(ShareLink.brand_id == run.brand_id)))
    session.execute(old)
    session.execute(sa.update(FirstClick).where(FirstClick.run == run.id).values(run=TRACKER))
    run.judged_at = clock.now()


def _tell(session: Session, run: Reclassification, limit: int) -> int:
    """Tell of the next corrections; when there are none left, the run is finished."""
    mine = sa.select(Correction, Click, ShareLink).where(Correction.run == run.id)
    joined = mine.join(Click, Click.id == Correction.click_id).join(ShareLink, ShareLink.id == Click.link_id)
    found = session.execute(joined.order_by(Correction.advocate_id, Correction.click_id).limit(limit)).all()
    if not found:
        run.finished_at = clock.now()
        return 0
    gained = [(click, link) for noted, click, link in found if noted.is_gained]
    lost = [(click, link) for noted, click, link in found if not noted.is_gained]
    publish(session, ClicksReclassified(gained, lost))
    last = found[-1][0]
    done = sa.tuple_(Correction.advocate_id, Correction.click_id) <= sa.tuple_(last.advocate_id, last.click_id)
    session.execute(sa.delete(Correction).where(Correction.run == run.id, done))
    run.corrected += len(found)
    return len(found)
