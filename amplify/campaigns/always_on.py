"""The brand's always-on campaign: what asks and shares belong to while no launched campaign is live."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts import audit
from amplify.brands.models import Brand
from amplify.campaigns import history, policy
from amplify.campaigns.models import Campaign
from amplify.campaigns.schemas import AlwaysOnIn
from amplify.campaigns.services import ensure_always_on, write_once


def of(session: Session, brand: Brand) -> Campaign | None:
    """The brand's always-on campaign, if it has one."""
    mine = sa.select(Campaign).where(Campaign.brand_id == brand.id, Campaign.is_always_on.is_(True))
    return session.scalar(mine)


def write(session: Session, brand: Brand, data: AlwaysOnIn, actor: str, version: int) -> Campaign:
    """Say where its links lead and in which words; the first time makes it, live at once.

    Links that are out lead where they led. Raises Invalid or Forbidden (policy.py), Conflict("version") if somebody
    else has changed it since `version` was read (0: there was none).
    """
    texts = data.plain_texts()
    policy.check(brand, landing_url=data.landing_url, texts=texts, is_rewarded=False)
    known = of(session, brand)
    campaign = known or ensure_always_on(session, brand, data.landing_url, texts)
    if known is None:
        _record(session, campaign, actor, "campaign.created", {"always_on": True})
        return campaign
    new: dict[str, Any] = {"landing_url": data.landing_url, "texts": texts}
    changed = [name for name, value in new.items() if getattr(campaign, name) != value]
    before = history.terms(campaign)
    for name in changed:
        setattr(campaign, name, new[name])
    write_once(session, campaign, version)
    history.note(session, campaign, actor, before, history.terms(campaign))
    if changed:
        _record(session, campaign, actor, "campaign.edited", {"changed": changed})
    return campaign


def _record(session: Session, campaign: Campaign, actor: str, action: str, detail: dict[str, Any]) -> None:
    audit.record(session, campaign.brand_id, actor, action, "campaign", str(campaign.id), detail)
