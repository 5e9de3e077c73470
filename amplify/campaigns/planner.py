"""What happens with a brand's campaigns, and when: starts planned and past, skipped ones, ends, and who is live."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns import recurrence
from amplify.campaigns.models import Campaign, Occurrence
from amplify.core.i18n import lazy_gettext as _l

# What a mark says, as it stands on the page; the names are the kinds of marks.
KINDS = {
    "draft": _l("Start, if it is scheduled"),
    "planned": _l("Start"),
    "started": _l("Started"),
    "skipped": _l("Skipped"),
    "end": _l("End"),
    "ended": _l("Ended"),
}


@dataclass(frozen=True)
class Mark:
    """Something that happens at a moment; `kind` is a name of KINDS, `due` when it was to happen if that is earlier."""

    at: datetime
    kind: str
    campaign: Campaign
    due: datetime | None = None


@dataclass(frozen=True)
class Day:
    """A day of the grid. `live`: whom people can share with on it, at least for a part of the day."""

    date: date
    is_inside: bool
    marks: list[Mark]
    live: list[Campaign]


@dataclass(frozen=True)
class Month:
    """A month in whole weeks, Monday first, in the brand's time zone."""

    first: date
    days: list[Day]
    live: list[Campaign]

    @property
    def before(self) -> date:
        return (self.first - timedelta(days=1)).replace(day=1)

    @property
    def after(self) -> date:
        return (self.first + timedelta(days=31)).replace(day=1)


def month(session: Session, brand: Brand, first: date, now: datetime) -> Month:
    """The month that begins on this day."""
    zone = ZoneInfo(brand.timezone)
    next_month = (first + timedelta(days=31)).replace(day=1)
    begin = first - timedelta(days=first.weekday())
    days = [begin + timedelta(days=n) for n in range((next_month - begin).days + -next_month.weekday() % 7)]
    found = marks(session, brand, _midnight(days[0], zone), _midnight(days[-1] + timedelta(days=1), zone), now)
    campaigns = _alive(session, brand, _midnight(first, zone), _midnight(next_month, zone))
    made = [_day(day, first, zone, found, campaigns) for day in days]
    return Month(first, made, campaigns)


def marks(session: Session, brand: Brand, begin: datetime, end: datetime, now: datetime) -> list[Mark]:
    """Everything from one instant until before another, in order."""
    chosen = sa.select(Campaign).where(Campaign.brand_id == brand.id, Campaign.is_always_on.is_(False))
    over = sa.or_(Campaign.finished_at.is_(None), Campaign.finished_at >= begin)
    found = [*_past(session, brand, begin, end)]
    for campaign in session.scalars(chosen.where(over)):
        found += _planned(campaign, begin, end, now)
        found += _ends(campaign, begin, end)
    return sorted(found, key=lambda mark: (mark.at, mark.campaign.id))


def _past(session: Session, brand: Brand, begin: datetime, end: datetime) -> Iterator[Mark]:
    """A start stands where it happened, a skipped one where it would have been."""
    when = sa.case((Occurrence.number.is_not(None), Occurrence.at), else_=Occurrence.due_at)
    rows = sa.select(Occurrence, Campaign).join(Campaign, Campaign.id == Occurrence.campaign_id)
    own = rows.where(Occurrence.brand_id == brand.id, when >= begin, when < end)
    for occurrence, campaign in session.execute(own):
        if occurrence.number is None:
            yield Mark(occurrence.due_at, "skipped", campaign)
        else:
            yield Mark(occurrence.at, "started", campaign, occurrence.due_at)


def _planned(campaign: Campaign, begin: datetime, end: datetime, now: datetime) -> Iterator[Mark]:
    first = {"draft": campaign.starts_at and max(campaign.starts_at, now), "scheduled": campaign.starts_at}
    awaited = first.get(campaign.state, campaign.next_at)
    if awaited is None:
        return
    rule = campaign.repeats, campaign.starts_local, campaign.timezone
    kind = "draft" if campaign.state == "draft" else "planned"
    for due in recurrence.between(*rule, max(awaited, begin), end - timedelta(microseconds=1), campaign.ends_at):
        yield Mark(due.at, kind, campaign)


def _ends(campaign: Campaign, begin: datetime, end: datetime) -> Iterator[Mark]:
    if campaign.finished_at and begin <= campaign.finished_at < end:
        yield Mark(campaign.finished_at, "ended", campaign)
    elif (
        campaign.finished_at is None
        and campaign.state != "draft"
        and campaign.ends_at
        and begin <= campaign.ends_at < end
    ):
        yield Mark(campaign.ends_at, "end", campaign)


def _alive(session: Session, brand: Brand, begin: datetime, end: datetime) -> list[Campaign]:
    """Those that have started and were, are or will be live between these instants, as far as it is known."""
    last = sa.func.coalesce(Campaign.finished_at, Campaign.ends_at)
    own = sa.select(Campaign).where(Campaign.brand_id == brand.id, Campaign.is_always_on.is_(False))
    running = own.where(Campaign.started_at < end, sa.or_(last.is_(None), last > begin))
    return list(session.scalars(running.order_by(Campaign.started_at, Campaign.id)))


def _day(day: date, first: date, zone: ZoneInfo, found: list[Mark], campaigns: list[Campaign]) -> Day:
    begin, end = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
    is_inside = (day.year, day.month) == (first.year, first.month)
    return Day(
        day,
        is_inside,
        [mark for mark in found if begin <= mark.at < end],
        [one for one in campaigns if _is_live(one, begin, end)] if is_inside else [],
    )


def _is_live(campaign: Campaign, begin: datetime, end: datetime) -> bool:
    last = campaign.finished_at or campaign.ends_at
    return campaign.started_at is not None and campaign.started_at < end and (last is None or last > begin)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
