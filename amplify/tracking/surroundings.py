"""What happened near the clicks of one batch: bursts, mails, HEADs and the operator's list, read for all at once.

Looks back at the clicks of the last minutes (recent.py) and forward inside the batch, and says which of those before
the batch are in doubt now: with what has come meanwhile they may be part of a burst.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence, Set
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.asks.models import Ask
from amplify.delivery.models import Message
from amplify.sharing.models import ShareLink
from amplify.tracking import agent_list, recent
from amplify.tracking.agent_list import Listed
from amplify.tracking.models import TRACKER, ClickFacts
from amplify.tracking.recent import Recent
from amplify.tracking.verdicts import AFTER_MAIL, ALONE, BURST, HEADS, MAIL_BURST, Around

# Moments in order, by link.
Moments = Mapping[int, Sequence[datetime]]
# The advocate and the campaign of a link: a mail's ask leads to the links of both.
Owner = tuple[int, int]
# An advocate's links in the eyes of one visitor.
Path = tuple[Owner, str]


class Surroundings:
    """Of each click of a batch, and of those in doubt."""

    def __init__(
        self,
        owners: Mapping[int, Owner],
        visits: Mapping[Path, Moments],
        mails: Mapping[Owner, Sequence[datetime]],
        heads: Mapping[Path, Moments],
        listed: Mapping[str, Listed],
        too_often: Collection[int] = (),
        in_doubt: Collection[int] = (),
    ) -> None:
        self._owners, self._visits, self._mails, self._heads, self._listed = owners, visits, mails, heads, listed
        self._too_often, self.in_doubt = too_often, in_doubt

    def of(self, click: ClickFacts) -> Around:
        """What was near this click."""
        owner, at = self._owners[click.link_id], click.at
        visits, heads = self._visits.get((owner, click.visitor)), self._heads.get((owner, click.visitor))
        listed, mails = self._listed.get(click.user_agent), self._mails.get(owner)
        is_often = click.id in self._too_often
        if not (visits or listed or mails or heads or is_often):
            return ALONE  # nearly always
        since_mail = _since(mails, at) if mails else None
        within = BURST if since_mail is None else MAIL_BURST
        return Around(
            listed=listed,
            links=sum(_is_near(moments, at, within) for moments in visits.values()) if visits else 1,
            since_mail=since_mail,
            has_head=heads is not None and _is_near(heads.get(click.link_id, ()), at, HEADS),
            is_often=is_often,
        )


def read_surroundings(session: Session, clicks: Sequence[ClickFacts], run: int = TRACKER) -> Surroundings:
    """For these clicks, which are in order; remembers them for the run's batches to come."""
    oldest = min(click.at for click in clicks)
    listed = agent_list.look_up(session, {click.user_agent for click in clicks})
    near = recent.read(session, clicks, listed, run)
    recent.keep(session, near.new, oldest, run)
    owners = _owners(session, {click.link_id for click in clicks} | {visit.link_id for visit in near.before})
    visits, heads = _paths(near, owners, is_head=False), _paths(near, owners, is_head=True)
    several = {path: links for path, links in visits.items() if len(links) > 1}
    return Surroundings(
        owners=owners,
        visits=several,
        mails=_mails(session, {owners[click.link_id] for click in clicks}, oldest - recent.IN_DOUBT),
        heads=heads,
        listed=listed,
        too_often=near.too_often,
        in_doubt=_in_doubt(near, owners, {*several, *heads}, oldest),
    )


def _in_doubt(near: Recent, owners: Mapping[int, Owner], patterns: Set[Path], oldest: datetime) -> list[int]:
    """The clicks before the batch that it may make part of a pattern."""
    goes_on = patterns & {(owners[visit.link_id], visit.visitor) for visit in near.new}
    return [
        visit.click_id
        for visit in near.before
        if not visit.is_head
        and visit.at >= oldest - recent.IN_DOUBT
        and (owners[visit.link_id], visit.visitor) in goes_on
    ]


def _owners(session: Session, link_ids: set[int]) -> dict[int, Owner]:
    columns = ShareLink.id, ShareLink.advocate_id, ShareLink.campaign_id
    rows = session.execute(sa.select(*columns).where(ShareLink.id.in_(link_ids)))
    return {link_id: (advocate_id, campaign_id) for link_id, advocate_id, campaign_id in rows}


def _paths(near: Recent, owners: Mapping[int, Owner], *, is_head: bool) -> dict[Path, dict[int, list[datetime]]]:
    """When each visitor asked for which links of an advocate."""
    found: dict[Path, dict[int, list[datetime]]] = defaultdict(lambda: defaultdict(list))
    for visit in (*near.before, *near.new):
        if visit.is_head is is_head:
            found[owners[visit.link_id], visit.visitor][visit.link_id].append(visit.at)
    for links in found.values():
        for moments in links.values():
            moments.sort()
    return dict(found)


def _mails(session: Session, owners: set[Owner], oldest: datetime) -> dict[Owner, list[datetime]]:
    """When mails that lead to these advocates' links were sent, as far as a click of now may follow from them."""
    query = (
        sa.select(Ask.advocate_id, Ask.campaign_id, Message.sent_at)
        .join(Message, Message.id == Ask.message_id)
        .where(Ask.advocate_id.in_({advocate_id for advocate_id, _ in owners}))
        .where(Message.sent_at >= oldest - AFTER_MAIL)
        .order_by(Message.sent_at)
    )
    found: dict[Owner, list[datetime]] = defaultdict(list)
    for advocate_id, campaign_id, sent_at in session.execute(query):
        if sent_at is not None:
            found[advocate_id, campaign_id].append(sent_at)
    return found


def _is_near(moments: Sequence[datetime], at: datetime, within: timedelta) -> bool:
    return bisect_left(moments, at - within) < bisect_right(moments, at + within)


def _since(mails: Sequence[datetime], at: datetime) -> timedelta | None:
    """The time since the last mail before."""
    before = bisect_right(mails, at)
    return at - mails[before - 1] if before and at - mails[before - 1] <= AFTER_MAIL else None
