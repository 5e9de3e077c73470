"""What the share page shows, gathered in one place; the templates only lay it out."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core.errors import AmplifyError
from amplify.core.i18n import best_language
from amplify.core.i18n import gettext as _
from amplify.sharing import drafts
from amplify.sharing.benefits import offered, told
from amplify.sharing.channel import Channel, Draft, registry
from amplify.sharing.models import Advocate, Share, ShareLink
from amplify.sharing.outcomes import Figure, outcomes
from amplify.sharing.services import link_for
from amplify.sharing.tokens import Visit


@dataclass(frozen=True)
class Card:
    """The preview that networks make of the link."""

    title: str
    host: str


@dataclass
class SharePage:
    """Everything on the page. `words` is the draft; `benefit`: what friends get, if anything; `direct`: links that
    scripts share without leaving the page."""

    token: str
    brand: Brand
    advocate: Advocate
    campaign: Campaign
    words: str
    disclosure: str
    card: Card
    room: int
    left: int
    benefit: str = ""
    direct: dict[str, str] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)
    has_shared: bool = False
    problem: AmplifyError | None = None
    answers: dict[str, str] = field(default_factory=dict)

    @property
    def channels(self) -> Iterator[Channel]:
        """Those with a button of their own."""
        return (channel for channel in registry().values() if channel.kind != "sheet")

    @property
    def sheets(self) -> Iterator[Channel]:
        """The device's own ways, where a script finds them."""
        return (channel for channel in registry().values() if channel.kind == "sheet")

    @property
    def questions(self) -> Iterator[Channel]:
        """Channels that may be told something more."""
        return (channel for channel in registry().values() if channel.question)


def disclosure_of(campaign: Campaign, brand: Brand, locale: str) -> str:
    """What stands first in every share of a rewarded campaign (16 CFR 255.5); "" if there is no reward."""
    if not campaign.is_rewarded:
        return ""
    own = campaign.text(locale, "disclosure", best_language(brand.default_locale))
    return own or _("Advertising: I may get a reward when you follow my link.")


def opening_of(session: Session, campaign: Campaign, brand: Brand, locale: str) -> str:
    """What stands first in a share and cannot be removed: the disclosure, then what the friend gets, if anything."""
    disclosure = disclosure_of(campaign, brand, locale)
    return f"{disclosure} {told(session, campaign, locale)}".strip() if disclosure else ""


def card_of(campaign: Campaign, brand: Brand, locale: str) -> Card:
    """The card of this campaign's links."""
    headline = campaign.text(locale, "headline", best_language(brand.default_locale))
    title = headline or _("A recommendation for %(brand)s", brand=brand.name)
    return Card(title, urlsplit(campaign.landing_url).hostname or "")


def build(
    session: Session, visit: Visit, brand: Brand, token: str, locale: str, *, base_url: str, words: str | None = None
) -> SharePage:
    """The page of this visit; `words` if the person typed some already. Makes the links that scripts share directly."""
    advocate, campaign = visit.advocate, visit.campaign
    disclosure = opening_of(session, campaign, brand, locale)
    if words is None:
        words = drafts.first_draft(session, brand, campaign, advocate, visit.response, locale)
    page = SharePage(
        token=token,
        brand=brand,
        advocate=advocate,
        campaign=campaign,
        words=words,
        disclosure=disclosure,
        card=card_of(campaign, brand, locale),
        room=_room("", disclosure, base_url),
        left=_room(words, disclosure, base_url),
        benefit=offered(session, campaign, locale),
        figures=outcomes(session, advocate),
        has_shared=_has_shared(session, advocate),
    )
    if campaign.takes_shares:
        page.direct = _direct(session, visit, brand, locale, base_url)
    return page


def _direct(session: Session, visit: Visit, brand: Brand, locale: str, base_url: str) -> dict[str, str]:
    names = [channel.name for channel in registry().values() if channel.kind == "sheet" or channel.name == "copy"]
    links = (
        link_for(session, brand, visit.advocate, visit.campaign, name, locale=locale, response=visit.response)
        for name in names
    )
    return {link.channel: f"{base_url}/s/{link.code}" for link in links}


def _room(words: str, disclosure: str, base_url: str) -> int:
    """How many characters more fit on every channel; negative when some network would not take the words."""
    # One character stands for the words that are to come: what joins them to the rest is counted too.
    draft = Draft(words=words or ".", url=f"{base_url}/s/{'x' * 9}", disclosure=disclosure)
    rooms = (channel.room(draft) for channel in registry().values() if channel.may_prefill)
    return min((room for room in rooms if room is not None), default=drafts.LONGEST) + (0 if words else 1)


def _has_shared(session: Session, advocate: Advocate) -> bool:
    opened = sa.exists().where(Share.link_id == ShareLink.id, ShareLink.advocate_id == advocate.id)
    return bool(session.scalar(sa.select(opened)))
