"""What every verb on a campaign leaves behind, and the lock that lets one of two editors write."""

from typing import Any

from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from amplify.accounts import audit
from amplify.campaigns.models import Campaign
from amplify.core.errors import Conflict
from amplify.core.i18n import lazy_gettext as _l

SYSTEM = "system"


def record(session: Session, campaign: Campaign, actor: str, what: str, **detail: Any) -> None:
    """One entry in the audit log."""
    audit.record(session, campaign.brand_id, actor, f"campaign.{what}", "campaign", str(campaign.id), detail)


def flush(session: Session) -> None:
    """Write it now. Raises Conflict("version") if somebody else wrote since it was read."""
    try:
        session.flush()
    except StaleDataError as error:
        raise edited_elsewhere() from error


def edited_elsewhere() -> Conflict:
    """Two people at one campaign: the second one is told."""
    return Conflict(_l("Somebody else has changed this campaign in the meantime."), field="version", rule="version")
