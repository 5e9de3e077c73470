"""What the clock does with campaigns: starts and ends whatever is due, each time once, late ones too.

The row is the memory: a start that nobody was there for fires late. Two clocks at once make one start, because the
start is a conditional update. Of several starts that were missed the last one fires; the others are written down as
skipped, and so is every start that falls into a pause.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.campaigns import recurrence
from amplify.campaigns.events import CampaignReleased, CampaignStarted
from amplify.campaigns.models import Campaign, Occurrence
from amplify.campaigns.trace import SYSTEM, record
from amplify.core.events import publish

log = logging.getLogger(__name__)


def start_due(session: Session, now: datetime) -> list[Campaign]:
    """Start every campaign whose time has come, late ones too, each once; publishes CampaignStarted for each.

    One whose start fails stays as it was and is logged; it does not keep the others from starting.
    """
    first = sa.and_(Campaign.state == "scheduled", Campaign.starts_at <= now)
    again = sa.and_(Campaign.state.in_(("live", "paused")), Campaign.next_at <= now)
    due = sa.select(Campaign).where(sa.or_(first, again)).order_by(Campaign.starts_at, Campaign.id)
    return _each(session, list(session.scalars(due)), _start_or_skip, now)


def end_due(session: Session, now: datetime) -> list[Campaign]:
    """End every campaign whose end has come, late ones too."""
    due = sa.select(Campaign).where(Campaign.state.in_(("live", "paused")), Campaign.ends_at <= now)
    return _each(session, list(session.scalars(due.order_by(Campaign.ends_at, Campaign.id))), _end, now)


def ring(session: Session, now: datetime) -> int:
    """What the clock does: starts and ends whatever is due; how many campaigns moved. Ringing again does no harm."""
    return len(start_due(session, now)) + len(end_due(session, now))


def next_after(campaign: Campaign, now: datetime) -> datetime | None:
    """When a repeating campaign starts next; None when it does not repeat (any more)."""
    if not campaign.repeats:
        return None
    found = recurrence.upcoming(*_rule(campaign), now, campaign.ends_at, 1)
    return found[0].at if found else None


def start(session: Session, campaign: Campaign, now: datetime, actor: str, due: datetime) -> bool:
    """True for the one clock that wins; the others change nothing. `due`: the time that is fulfilled by this."""
    begun = _while_due(campaign, now).values(
        state="live",
        occurrence=Campaign.occurrence + 1,
        started_at=campaign.started_at or now,
        next_at=next_after(campaign, now),
    )
    if not _moved(session, campaign, begun):
        return False
    _decide(session, campaign, [due], now, number=campaign.occurrence)
    record(session, campaign, actor, "started", occurrence=campaign.occurrence, due=str(due))
    publish(session, CampaignStarted(campaign, now))
    return True


def skip_paused(session: Session, campaign: Campaign, now: datetime, actor: str) -> bool:
    """Write down the starts that fell into a pause, and look ahead to the next one."""
    if campaign.next_at is None or campaign.next_at > now:
        return False
    passed = [due.at for due in recurrence.between(*_rule(campaign), campaign.next_at, now, campaign.ends_at)]
    further = _while_due(campaign, now).values(next_at=next_after(campaign, now))
    if not _moved(session, campaign, further):
        return False
    _skip(session, campaign, passed, now, "paused", actor)
    return True


def _start_or_skip(session: Session, campaign: Campaign, now: datetime, actor: str) -> bool:
    if campaign.state == "paused":
        return skip_paused(session, campaign, now, actor)
    awaited = campaign.starts_at if campaign.state == "scheduled" else campaign.next_at
    if awaited is None:
        return False
    times = [due.at for due in recurrence.between(*_rule(campaign), awaited, now, campaign.ends_at)]
    *missed, due = times or [awaited]
    if not start(session, campaign, now, actor, due):
        return False
    _skip(session, campaign, missed, now, "missed", actor)
    return True


def _rule(campaign: Campaign) -> tuple[dict[str, Any], str, str]:
    return campaign.repeats, campaign.starts_local, campaign.timezone


def _while_due(campaign: Campaign, now: datetime) -> sa.Update:
    """A change that takes only while the campaign still waits for the time it was read with."""
    at = Campaign.starts_at if campaign.state == "scheduled" else Campaign.next_at
    awaited = campaign.starts_at if campaign.state == "scheduled" else campaign.next_at
    return sa.update(Campaign).where(
        Campaign.id == campaign.id, Campaign.state == campaign.state, at == awaited, at <= now
    )


def _skip(
    session: Session, campaign: Campaign, times: Sequence[datetime], now: datetime, reason: str, actor: str
) -> None:
    if times:
        _decide(session, campaign, times, now, reason=reason)
        record(session, campaign, actor, "skipped", reason=reason, due=[str(time) for time in times])


def _decide(
    session: Session, campaign: Campaign, times: Sequence[datetime], now: datetime, number: int | None = None,
    reason: str = "",
) -> None:  # fmt: skip
    """Write down what became of these times."""
    promise = {"landing_url": campaign.landing_url, "texts": campaign.texts} if number else {}
    shared: dict[str, Any] = {
        "brand_id": campaign.brand_id, "campaign_id": campaign.id, "number": number, "at": now, "reason": reason,
        "version": campaign.version, "landing_url": "", "texts": {},
    }  # fmt: skip
    session.add_all(Occurrence(**shared | promise, due_at=time) for time in times)
    session.flush()


def _each(session: Session, campaigns: list[Campaign], verb: Any, now: datetime) -> list[Campaign]:
    """Say a verb to each, in a savepoint of its own; those it worked for."""
    moved = []
    for campaign in campaigns:
        try:
            with session.begin_nested():
                if verb(session, campaign, now, SYSTEM):
                    moved.append(campaign)
        except Exception:
            log.exception("campaign %s could not %s; it is tried again", campaign.id, verb.__name__.strip("_"))
    return moved


def _end(session: Session, campaign: Campaign, now: datetime, actor: str) -> bool:
    over = sa.update(Campaign).where(
        Campaign.id == campaign.id, Campaign.state.in_(("live", "paused")), Campaign.ends_at <= now
    )
    if not _moved(session, campaign, over.values(state="ended", finished_at=now, next_at=None)):
        return False
    record(session, campaign, actor, "ended", due=str(campaign.ends_at))
    publish(session, CampaignReleased(campaign))
    return True


def _moved(session: Session, campaign: Campaign, change: sa.Update) -> bool:
    """Whether this conditional update was the one that took; either way the row is read again."""
    once = change.values(version=Campaign.version + 1).returning(Campaign.id)
    won = session.scalar(once.execution_options(synchronize_session=False)) is not None
    session.refresh(campaign)
    return won
