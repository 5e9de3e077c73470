"""What staff do with campaigns: write, schedule, start, pause, resume, end, stop; each verb is audited.

What the clock does is in starting.py.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns import policy, recurrence, starting
from amplify.campaigns import schedule as wall
from amplify.campaigns.audience import check_audience
from amplify.campaigns.events import CampaignPaused, CampaignReleased, CampaignStopped
from amplify.campaigns.models import Campaign
from amplify.campaigns.schemas import CampaignIn
from amplify.campaigns.trace import SYSTEM, edited_elsewhere, flush, record
from amplify.core import clock
from amplify.core.bulk import insert_ignore
from amplify.core.errors import Conflict, Invalid, NotFound
from amplify.core.events import publish
from amplify.core.i18n import lazy_gettext as _l

instant_of = wall.instant_of
start_due, end_due, ring = starting.start_due, starting.end_due, starting.ring
# Once people were asked with it, what decided the start stays as it was.
FIXED_ONCE_LIVE = ("audience", "starts_local", "timezone")


def create(session: Session, brand: Brand, data: CampaignIn, actor: str) -> Campaign:
    """A draft. Raises Invalid or Forbidden (policy.py) with field and rule."""
    campaign = Campaign(brand_id=brand.id, created_by=actor, state="draft", **_checked(session, brand, data, False))
    session.add(campaign)
    session.flush()
    record(session, campaign, actor, "created")
    return campaign


def edit(session: Session, campaign: Campaign, data: CampaignIn, actor: str, version: int) -> Campaign:
    """Write over it, if nobody else has since `version` was read. Raises Conflict("version") if somebody has,
    Conflict("edit-from") once it is over, Conflict("fixed-once-live") for what a start has decided."""
    _check_version(campaign, version)
    if campaign.state in ("ended", "stopped"):
        raise Conflict(_l("A campaign that is over is not changed any more."), field="state", rule="edit-from")
    brand = session.get_one(Brand, campaign.brand_id)
    new = _checked(session, brand, data, campaign.is_rewarded)
    changed = [name for name, value in new.items() if getattr(campaign, name) != value]
    _refuse_fixed(campaign, changed)
    for name in changed:
        setattr(campaign, name, new[name])
    if campaign.state == "scheduled":
        _check_start(campaign, clock.now())
    if campaign.state in ("live", "paused"):
        _look_ahead(campaign, clock.now())
    flush(session)
    record(session, campaign, actor, "edited", changed=changed)
    return campaign


def schedule(session: Session, campaign: Campaign, now: datetime, actor: str = SYSTEM) -> None:
    """Decide that it starts at its time. Raises Invalid("past") for a start that is over, Conflict by state,
    Forbidden when the policy refuses."""
    refuse_always_on(campaign)
    _publishable(session, campaign)
    _check_start(campaign, now)
    _move(session, campaign, "schedule", actor, starts_at=str(campaign.starts_at))


def unschedule(session: Session, campaign: Campaign, actor: str) -> None:
    """Back to a draft."""
    _move(session, campaign, "unschedule", actor)


def start_now(session: Session, campaign: Campaign, now: datetime, actor: str) -> Campaign:
    """Start a draft or a scheduled one at once, whatever its time says. Raises Conflict by state.

    One that repeats starts now besides, and its rule goes on from its own times.
    """
    refuse_always_on(campaign)
    _publishable(session, campaign)
    if campaign.state == "draft":
        campaign.move("schedule")
    campaign.starts_at = now
    if not campaign.repeats:
        campaign.starts_local = wall.local_of(now, campaign.timezone)
    _check_end(campaign)
    flush(session)
    if not starting.start(session, campaign, now, actor, now):
        campaign.move("start")  # says why: somebody else has started or changed it
        raise edited_elsewhere()
    return campaign


def pause(session: Session, campaign: Campaign, actor: str) -> None:
    """No new shares; publishes CampaignPaused, so that pending rewards wait."""
    _move(session, campaign, "pause", actor)
    publish(session, CampaignPaused(campaign))


def resume(session: Session, campaign: Campaign, actor: str) -> None:
    """Live again; publishes CampaignReleased, so that what waited leaves. Starts that fell into the pause are
    skipped."""
    if campaign.state == "paused":
        starting.skip_paused(session, campaign, clock.now(), actor)
    _move(session, campaign, "resume", actor)
    publish(session, CampaignReleased(campaign))


def end(session: Session, campaign: Campaign, actor: str) -> None:
    """No new shares; links lead on; publishes CampaignReleased, so that rewards still waiting are delivered."""
    refuse_always_on(campaign)
    campaign.finished_at, campaign.next_at = clock.now(), None
    _move(session, campaign, "end", actor)
    publish(session, CampaignReleased(campaign))


def stop(session: Session, campaign: Campaign, actor: str) -> None:
    """Links answer 410; publishes CampaignStopped, so that unsent rewards are cancelled."""
    refuse_always_on(campaign)
    campaign.finished_at, campaign.next_at = clock.now(), None
    _move(session, campaign, "stop", actor)
    publish(session, CampaignStopped(campaign))


def ensure_always_on(session: Session, brand: Brand, landing_url: str, texts: dict[str, Any]) -> Campaign:
    """The brand's always-on campaign, made live if there is none. It carries shares and never rewards by itself."""
    if (known := _always_on(session, brand.id)) is not None:
        return known
    policy.check(brand, landing_url=landing_url, texts=texts, is_rewarded=False)
    row = {
        "brand_id": brand.id, "name": "Always on", "state": "live", "is_always_on": True, "landing_url": landing_url,
        "texts": texts, "timezone": brand.timezone, "started_at": clock.now(), "created_by": SYSTEM,
    }  # fmt: skip
    insert_ignore(session, Campaign, [row])  # two may find none at once: one row is made
    made = _always_on(session, brand.id)
    if made is None:
        raise NotFound(_l("There is no such campaign."), rule="campaign-unknown")
    return made


def live_campaign_for(
    session: Session, brand: Brand, *, location_id: int | None, business_line_id: int | None
) -> Campaign:
    """The newest live campaign that fits the place, else the always-on one. Raises NotFound if neither is live."""
    live = sa.select(Campaign).where(Campaign.brand_id == brand.id, Campaign.state == "live")
    newest = live.order_by(Campaign.is_always_on, Campaign.started_at.desc(), Campaign.id.desc())
    for campaign in session.scalars(newest):
        if _fits(campaign, location_id, business_line_id):
            return campaign
    raise NotFound(_l("Nothing can be shared here at the moment."), field="campaign", rule="no-live-campaign")


def _fits(campaign: Campaign, location_id: int | None, business_line_id: int | None) -> bool:
    place = campaign.audience.get("location_id") or location_id
    line = campaign.audience.get("business_line_id") or business_line_id
    return (place, line) == (location_id, business_line_id)


def _always_on(session: Session, brand_id: int) -> Campaign | None:
    return session.scalar(sa.select(Campaign).where(Campaign.brand_id == brand_id, Campaign.is_always_on.is_(True)))


def _checked(session: Session, brand: Brand, data: CampaignIn, is_rewarded: bool) -> dict[str, Any]:
    """The columns these data make, once everything about them is checked."""
    texts = data.plain_texts()
    policy.check(brand, landing_url=data.landing_url, texts=texts, is_rewarded=is_rewarded)
    check_audience(session, brand.id, data.audience)
    wall.zone_of(data.timezone)
    ends = wall.read_local(data.ends_local, data.timezone, "ends_local").instant if data.ends_local else None
    starts = _first_start(data)
    if starts and ends and ends <= starts:
        raise Invalid("ends_local", "after-start", _l("The end comes after the start."))
    return {
        "name": data.name, "landing_url": data.landing_url, "audience": data.audience.stored(), "texts": texts,
        "starts_local": data.starts_local, "ends_local": data.ends_local, "timezone": data.timezone,
        "starts_at": starts, "ends_at": ends, "repeats": data.repeats.plain() if data.repeats else {},
    }  # fmt: skip


def _first_start(data: CampaignIn) -> datetime | None:
    """The first time that is due: the one given or, of one that repeats, the first of its rule from then on."""
    if not data.starts_local:
        if data.repeats:
            raise Invalid("starts_local", "required", _l("Say when it starts."))
        return None
    repeats = data.repeats.plain() if data.repeats else {}
    first = next(recurrence.dues(repeats, data.starts_local, data.timezone), None)
    if first is None:
        raise Invalid("repeats.until", "no-start", _l("With this end of the repetition it never starts."))
    return first.at


def _look_ahead(campaign: Campaign, now: datetime) -> None:
    """Its end or its rule may have changed; a start that is due already stays due."""
    if campaign.next_at is None or campaign.next_at > now:
        campaign.next_at = starting.next_after(campaign, now)


def _publishable(session: Session, campaign: Campaign) -> None:
    brand = session.get_one(Brand, campaign.brand_id)
    policy.check(brand, landing_url=campaign.landing_url, texts=campaign.texts, is_rewarded=campaign.is_rewarded)


def _check_start(campaign: Campaign, now: datetime) -> None:
    if campaign.starts_at is None:
        raise Invalid("starts_local", "required", _l("Say when it starts."))
    if campaign.starts_at <= now:
        raise Invalid("starts_local", "past", _l("This start is in the past. Choose a later time, or start at once."))
    _check_end(campaign)


def _check_end(campaign: Campaign) -> None:
    if campaign.ends_at and campaign.starts_at and campaign.ends_at <= campaign.starts_at:
        raise Invalid("ends_local", "after-start", _l("The end comes after the start."))


def _refuse_fixed(campaign: Campaign, changed: list[str]) -> None:
    fixed = next((name for name in FIXED_ONCE_LIVE if name in changed), None)
    if fixed and campaign.state in ("live", "paused"):
        raise Conflict(
            _l("The start has already happened: audience, start and time zone stay as they were."),
            field=fixed,
            rule="fixed-once-live",
        )


def refuse_always_on(campaign: Campaign) -> None:
    """Raises Conflict: it has no start, no end and no copy."""
    if campaign.is_always_on:
        raise Conflict(
            _l("The always-on campaign is neither started nor ended nor copied."), field="state", rule="always-on"
        )


def _move(session: Session, campaign: Campaign, verb: str, actor: str, **detail: Any) -> None:
    campaign.move(verb)
    flush(session)
    record(session, campaign, actor, PAST[verb], **detail)


PAST = {
    "schedule": "scheduled", "unschedule": "unscheduled", "pause": "paused", "resume": "resumed", "end": "ended",
    "stop": "stopped",
}  # fmt: skip


def write_once(session: Session, campaign: Campaign, version: int) -> None:
    """Write what was changed, if nobody else has since `version` was read. Raises Conflict("version")."""
    _check_version(campaign, version)
    flush(session)


def _check_version(campaign: Campaign, version: int) -> None:
    if campaign.version != version:
        raise edited_elsewhere()
