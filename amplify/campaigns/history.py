"""The history of a campaign: who changed what and when, field by field, from what to what. Rows are only ever added."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.campaigns.models import Campaign, Edit

# What staff write about a campaign; the rest of its row is derived from this, or is its state.
FIELDS = ("name", "landing_url", "audience", "texts", "starts_local", "ends_local", "timezone", "repeats")


def terms(campaign: Campaign) -> dict[str, Any]:
    """What staff wrote about it, as `note` compares it."""
    return flat({name: getattr(campaign, name) for name in FIELDS})


def note(session: Session, campaign: Campaign, actor: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Add what differs between the two, under the version that the campaign has now; nothing if nothing does."""
    names = sorted(before.keys() | after.keys())
    changes = {name: [before.get(name), after.get(name)] for name in names if before.get(name) != after.get(name)}
    if changes:
        own = {"brand_id": campaign.brand_id, "campaign_id": campaign.id, "revision": campaign.version}
        session.add(Edit(**own, actor=actor[:200], changes=changes))
        session.flush()


def edits(session: Session, campaign: Campaign) -> list[Edit]:
    """Every change of this campaign and of what it gives, the latest first."""
    own = Edit.brand_id == campaign.brand_id, Edit.campaign_id == campaign.id
    return list(session.scalars(sa.select(Edit).where(*own).order_by(Edit.id.desc())))


def flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """{"texts": {"en": {"headline": "Hi"}}} as {"texts.en.headline": "Hi"}; what says nothing is left out."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{above}{name}.")
        elif value not in (None, "", []):
            found[above + name] = value
    return found
