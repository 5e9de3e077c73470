"""What happened near the clicks of one batch: bursts, mails, HEADs and the operator's list, read for all at once.

Looks back at what the tracker keeps (windows of 24 hours, HEADs of seconds) and forward inside the batch. So a burst
that comes in while the worker is up to date may have its first click judged before the second is known.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.asks.models import Ask
from amplify.core.bulk import insert_ignore
from amplify.delivery.models import Message
from amplify.sharing.models import ShareLink
from amplify.tracking import agent_list
from amplify.tracking.agent_list import Listed
from amplify.tracking.models import TRACKER, Click, HeadHit
from amplify.tracking.verdicts import AFTER_MAIL, ALONE, BURST, HEADS, MAIL_BURST, Around

# When a visitor's current 24 hours on a link were opened, by link and visitor.
Window = dict[tuple[int, str], datetime]
# Moments in order, by link and visitor.
Moments = Mapping[tuple[int, str], Sequence[datetime]]
# The advocate and the campaign of a link: a mail's ask leads to the links of both.
Owner = tuple[int, int]


class Surroundings:
    """Of each click of a batch."""

    def __init__(
        self,
        owners: Mapping[int, Owner],
        visits: Mapping[tuple[Owner, str], Moments],
        mails: Mapping[Owner, Sequence[datetime]],
        heads: Moments,
        listed: Mapping[str, Listed],
    ) -> None:
        self._owners, self._visits, self._mails, self._heads, self._listed = owners, visits, mails, heads, listed

    def of(self, click: Click) -> Around:
        """What was near this click."""
        owner, at, key = self._owners[click.link_id], click.at, (click.link_id, click.visitor)
        visits = self._visits.get((owner, click.visitor))
        listed, mails, heads = self._listed.get(click.user_agent), self._mails.get(owner), self._heads.get(key)
        if not (visits or listed or mails or heads):
            return ALONE  # nearly always
        since_mail = _since(mails, at) if mails else None
        within = BURST if since_mail is None else MAIL_BURST
        return Around(
            listed=listed,
            links=sum(_is_near(moments, at, within) for moments in visits.values()) if visits else 1,
            since_mail=since_mail,
            has_head=bool(heads) and _is_near(heads or (), at, HEADS),
        )


def read_surroundings(session: Session, clicks: Sequence[Click], windows: Window, run: int = TRACKER) -> Surroundings:
    """For these clicks, which are in order; remembers their HEADs for the run's batches to come."""
    oldest = min(click.at for click in clicks)
    recent = {key: at for key, at in windows.items() if at >= oldest - MAIL_BURST}
    owners = _owners(session, {click.link_id for click in clicks} | {link_id for link_id, _ in recent})
    return Surroundings(
        owners=owners,
        visits=_visits(clicks, recent, owners),
        mails=_mails(session, {owners[click.link_id] for click in clicks}, oldest),
        heads=_heads(session, clicks, oldest, run),
        listed=agent_list.look_up(session, {click.user_agent for click in clicks}),
    )


def _owners(session: Session, link_ids: set[int]) -> dict[int, Owner]:
    columns = ShareLink.id, ShareLink.advocate_id, ShareLink.campaign_id
    rows = session.execute(sa.select(*columns).where(ShareLink.id.in_(link_ids)))
    return {link_id: (advocate_id, campaign_id) for link_id, advocate_id, campaign_id in rows}


def _visits(
    clicks: Sequence[Click], recent: Window, owners: Mapping[int, Owner]
) -> dict[tuple[Owner, str], dict[tuple[int, str], list[datetime]]]:
    """Of each visitor who asked for more than one link of an advocate: when, by link."""
    found: dict[tuple[Owner, str], dict[tuple[int, str], list[datetime]]] = defaultdict(lambda: defaultdict(list))
    for (link_id, visitor), at in recent.items():
        found[owners[link_id], visitor][link_id, visitor].append(at)
    for click in clicks:
        if click.method != "HEAD" and not click.is_own:
            found[owners[click.link_id], click.visitor][click.link_id, click.visitor].append(click.at)
    several = {key: links for key, links in found.items() if len(links) > 1}
    for links in several.values():
        for moments in links.values():
            moments.sort()
    return several


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


def _heads(
    session: Session, clicks: Sequence[Click], oldest: datetime, run: int
) -> dict[tuple[int, str], list[datetime]]:
    """When visitors asked by HEAD, in this batch and shortly before it."""
    session.execute(sa.delete(HeadHit).where(HeadHit.run == run, HeadHit.at < oldest - HEADS))
    found: dict[tuple[int, str], list[datetime]] = defaultdict(list)
    kept = sa.select(HeadHit.link_id, HeadHit.visitor, HeadHit.at).where(HeadHit.run == run)
    for link_id, visitor, at in session.execute(kept):
        found[link_id, visitor].append(at)
    latest = {(click.link_id, click.visitor): click.at for click in clicks if click.method == "HEAD"}
    rows = [{"run": run, "link_id": link_id, "visitor": visitor, "at": at} for (link_id, visitor), at in latest.items()]
    if insert_ignore(session, HeadHit, rows) < len(rows):
        session.execute(sa.update(HeadHit), rows)
    for click in clicks:
        if click.method == "HEAD":
            found[click.link_id, click.visitor].append(click.at)
    return {key: sorted(moments) for key, moments in found.items()}


def _is_near(moments: Sequence[datetime], at: datetime, within: timedelta) -> bool:
    return bisect_left(moments, at - within) < bisect_right(moments, at + within)


def _since(mails: Sequence[datetime], at: datetime) -> timedelta | None:
    """The time since the last mail before."""
    before = bisect_right(mails, at)
    return at - mails[before - 1] if before and at - mails[before - 1] <= AFTER_MAIL else None
