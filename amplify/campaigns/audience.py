"""What an audience names must be the brand's own: its places, its campaigns, its exclusion lists."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import BusinessLine, Location
from amplify.campaigns.models import Campaign, ExclusionList
from amplify.campaigns.schemas import AudienceIn
from amplify.core.errors import Invalid
from amplify.core.i18n import lazy_gettext as _l

PLACES: tuple[tuple[str, Any], ...] = (
    ("location_id", Location),
    ("business_line_id", BusinessLine),
    ("campaign_id", Campaign),
)


def check_audience(session: Session, brand_id: int, audience: AudienceIn) -> None:
    """Raises Invalid("audience.location_id", "place-known") and the like for what is no one's or another brand's."""
    for name, kind in PLACES:
        if _unknown(session, brand_id, kind, [wanted] if (wanted := getattr(audience, name)) else []):
            raise Invalid(f"audience.{name}", "place-known", _l("The brand has no such place."))
    if _unknown(session, brand_id, ExclusionList, audience.exclude):
        raise Invalid("audience.exclude", "list-known", _l("The brand has no such list."))


def _unknown(session: Session, brand_id: int, kind: Any, ids: list[int]) -> bool:
    if not ids:
        return False
    mine = sa.select(sa.func.count(kind.id)).where(kind.brand_id == brand_id, kind.id.in_(ids))
    return session.scalar(mine) != len(set(ids))
