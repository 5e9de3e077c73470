"""Reads about campaigns."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.campaigns.models import Campaign
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


def next_change(session: Session) -> datetime | None:
    """The earliest start or end that is still to come, of any brand: when the clock must look again at the latest."""
    starts = sa.select(sa.func.min(Campaign.starts_at)).where(Campaign.state == "scheduled")
    ends = sa.select(sa.func.min(Campaign.ends_at)).where(Campaign.state.in_(("live", "paused")))
    return min((at for at in (session.scalar(starts), session.scalar(ends)) if at is not None), default=None)
