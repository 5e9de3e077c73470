"""What is done with campaigns: write, schedule, start when due, pause, resume, end, stop; each verb is audited.

The row is the memory: a start that nobody was there for fires late, once. Two clocks at once make one start, because
the start is a conditional update.
"""

import logging
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from amplify.accounts import audit
from amplify.brands.models import Brand, BusinessLine, Location
from amplify.campaigns import policy
from amplify.campaigns import schedule as wall
from amplify.campaigns.events import CampaignPaused, CampaignReleased, CampaignStarted, CampaignStopped
from amplify.campaigns.models import Campaign
from amplify.campaigns.schemas import CampaignIn
from amplify.core import clock
from amplify.core.bulk import insert_ignore
from amplify.core.errors import Conflict, Invalid, NotFound
from amplify.core.events import publish
from amplify.core.i18n import lazy_gettext as _l

log = logging.getLogger(__name__)

SYSTEM = "system"
instant_of = wall.instant_of
# Once people were asked with it, what decided the start stays as it was.
FIXED_ONCE_LIVE = ("audience", "starts_local", "timezone")


def create(session: Session, brand: Brand, data: CampaignIn, actor: str) -> Campaign:
    """A draft. Raises Invalid or Forbidden (policy.py) with field and rule."""
    campaign = Campaign(brand_id=brand.id, created_by=actor, state="draft", **_checked(session, brand, data, False))
    session.add(campaign)
    session.flush()
    _record(session, campaign, actor, "created")
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
    _flush(session)
    _record(session, campaign, actor, "edited", changed=changed)
    return campaign


def schedule(session: Session, campaign: Campaign, now: datetime, actor: str = SYSTEM) -> None:
    """Decide that it starts at its time. Raises Invalid("past") for a start that is over, Conflict by state,
    Forbidden when the policy refuses."""
    _refuse_always_on(campaign)
    _publishable(session, campaign)
    _check_start(campaign, now)
    _move(session, campaign, "schedule", actor, starts_at=str(campaign.starts_at))


def unschedule(session: Session, campaign: Campaign, actor: str) -> None:
    """Back to a draft."""
    _move(session, campaign, "unschedule", actor)


def start_now(session: Session, campaign: Campaign, now: datetime, actor: str) -> Campaign:
    """Start a draft or a scheduled one at once, whatever its time says. Raises Conflict by state."""
    _refuse_always_on(campaign)
    _publishable(session, campaign)
    if campaign.state == "draft":
        campaign.move("schedule")
    campaign.starts_at, campaign.starts_local = now, wall.local_of(now, campaign.timezone)
    _check_end(campaign)
    _flush(session)
    if not _start(session, campaign, now, actor):
        campaign.move("start")  # says why: somebody else has started or changed it
        raise _edited_elsewhere()
    return campaign


def start_due(session: Session, now: datetime) -> list[Campaign]:
    """Start every campaign whose time has come, late ones too, each once; publishes CampaignStarted for each.

    One whose start fails stays scheduled and is logged; it does not keep the others from starting.
    """
    due = sa.select(Campaign).where(Campaign.state == "scheduled", Campaign.starts_at <= now)
    return _each(session, list(session.scalars(due.order_by(Campaign.starts_at, Campaign.id))), _start, now)


def end_due(session: Session, now: datetime) -> list[Campaign]:
    """End every campaign whose end has come, late ones too."""
    due = sa.select(Campaign).where(Campaign.state.in_(("live", "paused")), Campaign.ends_at <= now)
    return _each(session, list(session.scalars(due.order_by(Campaign.ends_at, Campaign.id))), _end, now)


def ring(session: Session, now: datetime) -> int:
    """What the clock does: starts and ends whatever is due; how many campaigns moved. Ringing again does no harm."""
    return len(start_due(session, now)) + len(end_due(session, now))


def pause(session: Session, campaign: Campaign, actor: str) -> None:
    """No new shares; publishes CampaignPaused, so that pending rewards wait."""
    _move(session, campaign, "pause", actor)
    publish(session, CampaignPaused(campaign))


def resume(session: Session, campaign: Campaign, actor: str) -> None:
    """Live again; publishes CampaignReleased, so that what waited leaves."""
    _move(session, campaign, "resume", actor)
    publish(session, CampaignReleased(campaign))


def end(session: Session, campaign: Campaign, actor: str) -> None:
    """No new shares; links lead on; publishes CampaignReleased, so that rewards still waiting are delivered."""
    _refuse_always_on(campaign)
    campaign.finished_at = clock.now()
    _move(session, campaign, "end", actor)
    publish(session, CampaignReleased(campaign))


def stop(session: Session, campaign: Campaign, actor: str) -> None:
    """Links answer 410; publishes CampaignStopped, so that unsent rewards are cancelled."""
    _refuse_always_on(campaign)
    campaign.finished_at = clock.now()
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
    _check_place(session, brand.id, data.audience.location_id, Location, "audience.location_id")
    _check_place(session, brand.id, data.audience.business_line_id, BusinessLine, "audience.business_line_id")
    starts, ends = (
        wall.read_local(local, data.timezone, field).instant if local else None
        for local, field in ((data.starts_local, "starts_local"), (data.ends_local, "ends_local"))
    )
    wall.zone_of(data.timezone)
    if starts and ends and ends <= starts:
        raise Invalid("ends_local", "after-start", _l("The end comes after the start."))
    return {
        "name": data.name, "landing_url": data.landing_url, "audience": data.audience.model_dump(), "texts": texts,
        "starts_local": data.starts_local, "ends_local": data.ends_local, "timezone": data.timezone,
        "starts_at": starts, "ends_at": ends,
    }  # fmt: skip


def _check_place(session: Session, brand_id: int, place_id: int | None, kind: Any, field: str) -> None:
    if place_id is None:
        return
    known = sa.select(kind.id).where(kind.brand_id == brand_id, kind.id == place_id)
    if session.scalar(known) is None:
        raise Invalid(field, "place-known", _l("The brand has no such place."))


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


def _refuse_always_on(campaign: Campaign) -> None:
    if campaign.is_always_on:
        raise Conflict(_l("The always-on campaign is neither started nor ended."), field="state", rule="always-on")


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


def _start(session: Session, campaign: Campaign, now: datetime, actor: str) -> bool:
    """True for the one clock that wins; the others change nothing."""
    begun = sa.update(Campaign).where(
        Campaign.id == campaign.id, Campaign.state == "scheduled", Campaign.starts_at <= now
    )
    if not _moved(session, campaign, begun.values(state="live", occurrence=Campaign.occurrence + 1, started_at=now)):
        return False
    _record(session, campaign, actor, "started", occurrence=campaign.occurrence, due=str(campaign.starts_at))
    publish(session, CampaignStarted(campaign))
    return True


def _end(session: Session, campaign: Campaign, now: datetime, actor: str) -> bool:
    over = sa.update(Campaign).where(
        Campaign.id == campaign.id, Campaign.state.in_(("live", "paused")), Campaign.ends_at <= now
    )
    if not _moved(session, campaign, over.values(state="ended", finished_at=now)):
        return False
    _record(session, campaign, actor, "ended", due=str(campaign.ends_at))
    publish(session, CampaignReleased(campaign))
    return True


def _moved(session: Session, campaign: Campaign, change: sa.Update) -> bool:
    """Whether this conditional update was the one that took; either way the row is read again."""
    once = change.values(version=Campaign.version + 1).returning(Campaign.id)
    won = session.scalar(once.execution_options(synchronize_session=False)) is not None
    session.refresh(campaign)
    return won


def _move(session: Session, campaign: Campaign, verb: str, actor: str, **detail: Any) -> None:
    campaign.move(verb)
    _flush(session)
    _record(session, campaign, actor, PAST[verb], **detail)


PAST = {
    "schedule": "scheduled", "unschedule": "unscheduled", "pause": "paused", "resume": "resumed", "end": "ended",
    "stop": "stopped",
}  # fmt: skip


def _record(session: Session, campaign: Campaign, actor: str, what: str, **detail: Any) -> None:
    audit.record(session, campaign.brand_id, actor, f"campaign.{what}", "campaign", str(campaign.id), detail)


def write_once(session: Session, campaign: Campaign, version: int) -> None:
    """Write what was changed, if nobody else has since `version` was read. Raises Conflict("version")."""
    _check_version(campaign, version)
    _flush(session)


def _check_version(campaign: Campaign, version: int) -> None:
    if campaign.version != version:
        raise _edited_elsewhere()


def _flush(session: Session) -> None:
    """Write it now. Raises Conflict("version") if somebody else wrote since it was read."""
    try:
        session.flush()
    except StaleDataError as error:
        raise _edited_elsewhere() from error


def _edited_elsewhere() -> Conflict:
    return Conflict(_l("Somebody else has changed this campaign in the meantime."), field="version", rule="version")
