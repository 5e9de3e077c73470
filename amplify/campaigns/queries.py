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


def upcoming(session: Session) -> list[datetime]:
    """Every start and end still to come or missed, of all brands: when the clock must ring."""
    starts = sa.select(Campaign.starts_at).where(Campaign.state == "scheduled")
    ends = sa.select(Campaign.ends_at).where(Campaign.state.in_(("live", "paused")))
    return sorted({at for at in session.scalars(sa.union(starts, ends)) if at is not None})
