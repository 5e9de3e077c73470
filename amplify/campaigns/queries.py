"""Reads about campaigns."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.campaigns.models import Campaign, Occurrence
from amplify.core.errors import NotFound
from amplify.core.i18n import lazy_gettext as _l


def get(session: Session, brand_id: int, campaign_id: int) -> Campaign:
    """The brand's campaign. Raises NotFound, also for another brand's."""
    found = session.scalar(sa.select(Campaign).where(Campaign.brand_id == brand_id, Campaign.id == campaign_id))
    if found is None:
        raise NotFound(_l("There is no such campaign."), field="campaign", rule="campaign-unknown")
    return found


def of_brand(session: Session, brand_id: int, state: str | None = None) -> list[Campaign]:
    """The brand's launched campaigns, the next or newest start first, drafts on top; not the always-on one."""
    chosen = sa.select(Campaign).where(Campaign.brand_id == brand_id, Campaign.is_always_on.is_(False))
    if state:
        chosen = chosen.where(Campaign.state == state)
    when = sa.func.coalesce(Campaign.started_at, Campaign.starts_at, Campaign.created_at)
    return list(session.scalars(chosen.order_by((Campaign.state != "draft"), when.desc(), Campaign.id.desc())))


def upcoming(session: Session) -> list[datetime]:
    """Every start and end still to come or missed, of all brands: when the clock must ring."""
    starts = sa.select(Campaign.starts_at).where(Campaign.state == "scheduled")
    running = Campaign.state.in_(("live", "paused"))
    ends = sa.select(Campaign.ends_at).where(running, Campaign.ends_at.is_not(None))
    again = sa.select(Campaign.next_at).where(running, Campaign.next_at.is_not(None))
    return sorted({at for at in session.scalars(sa.union(starts, ends, again)) if at is not None})


def occurrences(session: Session, campaign: Campaign) -> list[Occurrence]:
    """Every time it was due so far, the latest first: started, or skipped and why."""
    own = sa.select(Occurrence).where(Occurrence.campaign_id == campaign.id)
    return list(session.scalars(own.order_by(Occurrence.due_at.desc())))


def occurrence(session: Session, campaign_id: int, number: int) -> Occurrence | None:
    """One start, with the words it promised."""
    own = Occurrence.campaign_id == campaign_id, Occurrence.number == number
    return session.scalar(sa.select(Occurrence).where(*own))
