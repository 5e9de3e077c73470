"""What follows when a click that was judged gets another verdict: roll-ups, shares, orders, and who is told of it."""

from collections import Counter
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.events import publish
from amplify.sharing.models import ShareLink
from amplify.tracking import counting
from amplify.tracking.confirming import confirm_shares, take_back_confirmations
from amplify.tracking.conversions import reconsider
from amplify.tracking.events import ClicksReclassified
from amplify.tracking.judging import Change, as_row
from amplify.tracking.models import ClickFacts, ClickVerdict, Correction, Reclassification


def revise(session: Session, changes: Sequence[Change], *, until: int) -> None:
    """Store these verdicts instead of the old ones, and all that follows but points. Judged so far: up to `until`."""
    if not changes:
        return
    session.execute(sa.update(ClickVerdict), [{"click_id": one.click.id, **as_row(one.after)} for one in changes])
    _count(session, changes)
    take_back_confirmations(session, [one.click for one in changes if one.is_lost], until=until)
    confirm_shares(session, [one.click for one in changes if one.is_gained])
    reconsider(session, [one.click.id for one in changes if one.before.name != one.after.name])


def take_back(session: Session, changes: Sequence[Change], *, until: int) -> None:
    """A burst that was recognised changes what the tracker had said of its first clicks, and whoever gave points
    is told."""
    mine = _not_passed(session, changes) if changes else []
    revise(session, mine, until=until)
    changed = [one for one in mine if one.is_gained or one.is_lost]
    for run in _unfinished(session) if changed else ():
        changed = drop_noted(session, run, changed)
    links = _links(session, changed)
    gained = [(one.click, links[one.click.link_id]) for one in changed if one.is_gained]
    lost = [(one.click, links[one.click.link_id]) for one in changed if one.is_lost]
    if changed:
        publish(session, ClicksReclassified(gained, lost))


def drop_noted(session: Session, run: Reclassification, changes: Sequence[Change]) -> list[Change]:
    """Of these (gained or lost each), what is still to be told: a correction the other way that nobody was told of
    yet goes instead."""
    advocates = {link.advocate_id for link in _links(session, changes).values()}
    ids = {one.click.id for one in changes}
    mine = Correction.run == run.id, Correction.advocate_id.in_(advocates), Correction.click_id.in_(ids)
    noted = set(session.scalars(sa.delete(Correction).where(*mine).returning(Correction.click_id)))
    return [one for one in changes if one.click.id not in noted]


def _count(session: Session, changes: Sequence[Change]) -> None:
    """Out of the roll-ups of their old verdicts, into those of their new ones."""
    links = _links(session, changes)
    moves: Counter[counting.Cell] = Counter()
    for one in changes:
        brand_id = links[one.click.link_id].brand_id
        moves[counting.cell(one.click, one.before.name, one.before.rule, brand_id)] -= 1
        moves[counting.cell(one.click, one.after.name, one.after.rule, brand_id)] += 1
    counting.move(session, moves)


def _not_passed(session: Session, changes: Sequence[Change]) -> list[Change]:
    """Without the clicks that a reclassification has judged again already: it sees the burst itself when it comes to
    it, by windows of its own. It does not move meanwhile (see reclassify.py)."""
    passed = [run for run in _unfinished(session) if run.judged_at is None]
    links = _links(session, changes) if passed else {}

    def is_passed(click: ClickFacts) -> bool:
        return any(
            click.id <= run.position and click.at >= run.since and run.brand_id in (None, links[click.link_id].brand_id)
            for run in passed
        )

    return [one for one in changes if not is_passed(one.click)]


def _unfinished(session: Session) -> Sequence[Reclassification]:
    query = sa.select(Reclassification).where(Reclassification.finished_at.is_(None)).order_by(Reclassification.id)
    return session.scalars(query, execution_options={"populate_existing": True}).all()


def _links(session: Session, changes: Sequence[Change]) -> dict[int, ShareLink]:
    ids = {one.click.link_id for one in changes}
    return {link.id: link for link in session.scalars(sa.select(ShareLink).where(ShareLink.id.in_(ids)))}
