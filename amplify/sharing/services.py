"""Advocates, their links and what they opened with them."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core import clock, events
from amplify.core.bulk import insert_ignore
from amplify.core.i18n import best_language
from amplify.core.tokens import short_code
from amplify.customers.models import Customer
from amplify.sharing.events import ShareConfirmed, ShareOpened, ShareUnconfirmed
from amplify.sharing.models import Advocate, Share, ShareLink
from amplify.sharing.pseudonyms import pseudonym
from amplify.sharing.wording import words_hash
from amplify.surveys.models import Response

ATTEMPTS = 30


def advocate_of(session: Session, customer: Customer) -> Advocate:
    """The customer's advocate, made under a free pseudonym if there is none yet; the same one for calls at once."""
    own = sa.select(Advocate).where(Advocate.brand_id == customer.brand_id, Advocate.customer_id == customer.id)
    for attempt in range(ATTEMPTS):
        if (advocate := session.scalar(own)) is not None:
            return advocate
        row = {"brand_id": customer.brand_id, "customer_id": customer.id, "pseudonym": pseudonym(attempt)}
        insert_ignore(session, Advocate, [row | {"created_at": clock.now()}])
    raise RuntimeError(f"no free pseudonym in {ATTEMPTS} attempts")


def link_for(
    session: Session,
    brand: Brand,
    advocate: Advocate,
    campaign: Campaign,
    channel: str,
    *,
    locale: str,
    response: Response | None = None,
) -> ShareLink:
    """The tracked link of this advocate, campaign and channel: made once, the same ever after, also for calls at once.

    Where the experience was (business line, location) is taken from `response` when the link is made.
    Raises Invalid("landing_url", ...) if the campaign leads to a host that the brand does not allow.
    """
    own = sa.select(ShareLink).where(
        ShareLink.advocate_id == advocate.id, ShareLink.campaign_id == campaign.id, ShareLink.channel == channel
    )
    row: dict[str, Any] = {
        "brand_id": brand.id,
        "advocate_id": advocate.id,
        "campaign_id": campaign.id,
        "channel": channel,
        "locale": best_language(locale, best_language(brand.default_locale)),
        "business_line_id": response.business_line_id if response else None,
        "location_id": response.location_id if response else None,
    }
    for _attempt in range(ATTEMPTS):
        if (link := session.scalar(own)) is not None:
            return link
        target = brand.allow_target("landing_url", campaign.landing_url)
        new = {"code": short_code(), "target_url": target, "created_at": clock.now()}
        insert_ignore(session, ShareLink, [row | new])
    raise RuntimeError(f"no free code in {ATTEMPTS} attempts")


def open_share(
    session: Session, link: ShareLink, text: str, response: Response | None = None, *, disclosure: str = ""
) -> Share:
    """Record that a channel was opened with this link and these words. An intent: worth nothing yet."""
    share = Share(
        brand_id=link.brand_id,
        link_id=link.id,
        response_id=response.id if response else None,
        text=text,
        disclosure=disclosure,
        words_hash=words_hash(text),
        opened_at=clock.now(),
    )
    session.add(share)
    session.flush()
    events.publish(session, ShareOpened(share, link))
    return share


def confirm(session: Session, link: ShareLink, at: datetime, click_id: int) -> Share | None:
    """A human clicked the link at this instant: the last share opened with it before is confirmed, if it was not yet.

    Returns that share if this click confirmed it.
    """
    before = Share.link_id == link.id, Share.opened_at <= at
    share = session.scalar(sa.select(Share).where(*before).order_by(Share.opened_at.desc(), Share.id.desc()).limit(1))
    if share is None or share.state != "opened":
        return None
    share.state, share.confirmed_at, share.confirmed_by = "confirmed", at, click_id
    session.flush()
    events.publish(session, ShareConfirmed(share, link))
    return share


def unconfirm(session: Session, link_id: int, click_id: int) -> Share | None:
    """This click on the link was no person's after all: what it had confirmed is only opened again."""
    by_it = Share.link_id == link_id, Share.state == "confirmed", Share.confirmed_by == click_id
    share = session.scalars(sa.select(Share).where(*by_it).limit(1)).first()
    if share is None:
        return None
    share.state, share.confirmed_at, share.confirmed_by = "opened", None, None
    session.flush()
    events.publish(session, ShareUnconfirmed(share, share.link))
    return share


def show_name(session: Session, advocate: Advocate, name: str | None, *, on_board: bool = True) -> None:
    """How the advocate appears to others: under this name they agreed to, under the pseudonym (None), or not."""
    advocate.shown_name = name or None
    advocate.shown_name_at = clock.now() if name else None
    advocate.on_board = on_board
    session.flush()
