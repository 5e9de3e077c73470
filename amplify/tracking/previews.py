"""What a link looks like where it is posted: the words of the card that networks and messengers make of it."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.sharing.models import Share, ShareLink

# Networks cut a description between 150 and 300 characters; the rest is carried for nothing.
DESCRIPTION_LENGTH = 280
# Open Graph names a territory with each language.
OG_LOCALES = {"en": "en_US", "es": "es_ES"}


@dataclass(frozen=True)
class Preview:
    """The texts of one link's card, in the link's language; empty ones are for the template to fill."""

    brand: Brand
    code: str
    locale: str
    title: str
    description: str

    @property
    def og_locale(self) -> str:
        return OG_LOCALES.get(self.locale, "en_US")


def preview_of(session: Session, link_id: int) -> Preview:
    """The customer's own words of the last share with this link, else the campaign's; the disclosure first when the
    campaign is rewarded (16 CFR 255.5), since some networks keep the card for ever."""
    link = session.get_one(ShareLink, link_id)
    brand = session.get_one(Brand, link.brand_id)
    campaign = session.get_one(Campaign, link.campaign_id)
    words = _last_words(session, link_id) or campaign.text(link.locale, "share_text", brand.default_locale)
    disclosure = campaign.text(link.locale, "disclosure", brand.default_locale) if campaign.is_rewarded else ""
    return Preview(
        brand=brand,
        code=link.code,
        locale=link.locale,
        title=campaign.text(link.locale, "headline", brand.default_locale),
        description=_shortened(" ".join(f"{disclosure} {words}".split())),
    )


def _last_words(session: Session, link_id: int) -> str:
    said = sa.select(Share.text).where(Share.link_id == link_id, Share.text != "")
    return session.scalar(said.order_by(Share.id.desc()).limit(1)) or ""


def _shortened(text: str) -> str:
    if len(text) <= DESCRIPTION_LENGTH:
        return text
    return f"{text[: DESCRIPTION_LENGTH - 1].rsplit(' ', 1)[0]}\N{HORIZONTAL ELLIPSIS}"
