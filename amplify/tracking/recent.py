"""The clicks of the last minutes, by visitor: a burst is a pattern among them, and may take back what they were.

What speaks against itself is not kept, nor an advocate's own click, nor what a visitor asks for too often: so a look at
the visitors of a batch stays a small one, whoever hammers on a link.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.bulk import insert_ignore, is_among
from amplify.tracking import verdicts
from amplify.tracking.agent_list import Listed
from amplify.tracking.models import ClickFacts, RecentClick
from amplify.tracking.verdicts import MAIL_BURST, OFTEN, OFTEN_WITHIN

# A click may be judged anew by what comes so much later: the longest burst, and some seconds since several processes
# store clicks not quite in the order of their times. What is near such a click is kept as long again.
IN_DOUBT = MAIL_BURST + timedelta(seconds=30)
KEPT = 2 * IN_DOUBT


class Visit(NamedTuple):
    """What is known of a click of the last minutes."""

    click_id: int
    visitor: str
    link_id: int
    at: datetime
    is_head: bool


class Recent(NamedTuple):
    """The visits before a batch, those of it, and which clicks of it are none since their visitor asks too often."""

    before: Sequence[Visit]
    new: Sequence[Visit]
    too_often: Collection[int]


def read(session: Session, clicks: Sequence[ClickFacts], listed: dict[str, Listed], run: int) -> Recent:
    """Those of the visitors of these clicks, which are in order."""
    oldest = min(click.at for click in clicks)
    columns = (getattr(RecentClick, name) for name in Visit._fields)
    theirs = is_among(session, RecentClick.visitor, {click.visitor for click in clicks})
    found = sa.select(*columns).where(RecentClick.run == run, theirs, RecentClick.at >= oldest - KEPT)
    before = [Visit(*row) for row in session.execute(found.order_by(RecentClick.click_id))]
    times: dict[tuple[str, int, bool], deque[datetime]] = defaultdict(lambda: deque(maxlen=OFTEN))
    for visit in before:
        times[visit.visitor, visit.link_id, visit.is_head].append(visit.at)
    new, too_often = [], set()
    for click in clicks:
        if not _is_visit(click, listed):
            continue
        visit = Visit(click.id, click.visitor, click.link_id, click.at, click.method == "HEAD")
        last = times[visit.visitor, visit.link_id, visit.is_head]
        if len(last) == OFTEN and visit.at - last[0] < OFTEN_WITHIN:
            too_often.add(click.id)
        else:
            last.append(visit.at)
            new.append(visit)
    return Recent(before, new, too_often)


def keep(session: Session, new: Sequence[Visit], oldest: datetime, run: int) -> None:
    """Remember these, and forget what nothing that is still to come can be near to."""
    insert_ignore(session, RecentClick, [{"run": run, **visit._asdict()} for visit in new])
    mine = RecentClick.run == run
    young = sa.select(RecentClick.click_id).where(mine, RecentClick.at >= oldest - KEPT)
    first = young.order_by(RecentClick.click_id).limit(1).scalar_subquery()
    gone = sa.delete(RecentClick).where(mine, RecentClick.click_id < first)
    session.execute(gone, execution_options={"synchronize_session": False})


def first_in_doubt(session: Session, run: int) -> int | None:
    """No click before this one will be judged anew by the run's next; None: none at all will."""
    return session.scalar(sa.select(sa.func.min(RecentClick.click_id)).where(RecentClick.run == run))


def _is_visit(click: ClickFacts, listed: dict[str, Listed]) -> bool:
    of_itself = click.method != "HEAD" and verdicts.by_itself(click, listed.get(click.user_agent))
    return not (click.is_own or of_itself)
