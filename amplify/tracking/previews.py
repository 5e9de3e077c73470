"""What a link looks like where it is posted: the words of the card that networks and messengers make of it."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core.i18n import best_language, force_locale
from amplify.sharing.cards.content import CardContent, card_href, card_of_link, spoken_words
from amplify.sharing.models import ShareLink
from amplify.sharing.page import opening_of

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
    # The picture made of the words; None: there are none, and the general picture serves.
    card: CardContent | None

    @property
    def image(self) -> str:
        """The picture's address below the installation's own; "" if the general one serves."""
        return card_href(self.code, self.card) if self.card else ""

    @property
    def og_locale(self) -> str:
        return OG_LOCALES.get(self.locale, "en_US")


def preview_of(session: Session, link_id: int) -> Preview:
    """What the customer said with this link, else the campaign's words; the disclosure first when the
    campaign is rewarded (16 CFR 255.5), since some networks keep the card for ever; then what the friend gets."""
    link = session.get_one(ShareLink, link_id)
    brand = session.get_one(Brand, link.brand_id)
    campaign = session.get_one(Campaign, link.campaign_id)
    default = best_language(brand.default_locale)
    words = spoken_words(session, link) or campaign.text(link.locale, "share_text", default)
    with force_locale(link.locale):
        opening = opening_of(session, campaign, brand, link.locale)
    return Preview(
        brand=brand,
        code=link.code,
        locale=link.locale,
        title=campaign.text(link.locale, "headline", default),
        description=_shortened(" ".join(f"{opening} {words}".split())),
        card=card_of_link(session, link, brand, campaign),
    )


def _shortened(text: str) -> str:
    if len(text) <= DESCRIPTION_LENGTH:
        return text
    return f"{text[: DESCRIPTION_LENGTH - 1].rsplit(' ', 1)[0]}\N{HORIZONTAL ELLIPSIS}"
