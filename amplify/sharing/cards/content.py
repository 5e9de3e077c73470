"""What stands on a card: the words, whose they are, the disclosure. All that the picture depends on, and no more."""

import json
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand, Location
from amplify.campaigns.models import Campaign
from amplify.core.i18n import best_language, force_locale
from amplify.core.i18n import gettext as _
from amplify.core.tokens import digest
from amplify.sharing.cards.typesetting import drawable
from amplify.sharing.models import Advocate, Share, ShareLink
from amplify.sharing.page import disclosure_of
from amplify.surveys.models import Response

# Raised when the drawing changes, so that every card is drawn anew under a new address.
VERSION = 1
# As much as a card may have to set; what does not fit even then ends in an ellipsis.
MOST_CHARACTERS = 700
PAIRS = {'"': '"', "\u201c": "\u201d", "\u201e": "\u201c", "\u00ab": "\u00bb", "\u2018": "\u2019"}


@dataclass(frozen=True, slots=True)
class CardContent:
    """One card. `words` are the customer's if `is_quote`, else the campaign's headline. `accent` is `#rrggbb` or ""."""

    words: str
    is_quote: bool
    name: str
    byline: str
    place: str
    wordmark: str
    accent: str
    disclosure: str

    @property
    def canonical(self) -> str:
        """All of it as one text, the same for the same card."""
        return json.dumps([VERSION, asdict(self)])

    @property
    def key(self) -> str:
        """Changes with anything that the picture shows; 16 hexadecimal digits, part of the picture's address."""
        return digest(self.canonical)[:16]

    @property
    def alt(self) -> str:
        """The card for those who cannot see it."""
        words = self.words if len(self.words) <= 300 else f"{self.words[:299].rsplit(' ', 1)[0]}\N{HORIZONTAL ELLIPSIS}"
        if self.is_quote:
            said = _("\u201c%(words)s\u201d %(name)s about %(brand)s", words=words, name=self.name, brand=self.wordmark)
        else:
            said = _("%(words)s. Recommended by %(name)s", words=words.rstrip("."), name=self.name)
        return " ".join(filter(None, (self.disclosure, said)))


def spoken_words(session: Session, link: ShareLink) -> str:
    """What was said with this link: what stood in the person's field when they last opened it, be it nothing.

    Words that they took out are not published. Before the link was opened, the promoter's latest comment.
    """
    last = sa.select(Share.text).where(Share.link_id == link.id).order_by(Share.id.desc()).limit(1)
    said = session.scalar(last)
    return _latest_praise(session, link) if said is None else said


def _latest_praise(session: Session, link: ShareLink) -> str:
    answers = sa.select(Response.comment).join(Advocate, Advocate.customer_id == Response.customer_id)
    theirs = answers.where(Advocate.id == link.advocate_id, Response.brand_id == link.brand_id)
    praise = theirs.where(Response.category == "promoter", Response.superseded_at.is_(None), Response.comment != "")
    return session.scalar(praise.order_by(Response.answered_at.desc(), Response.id.desc()).limit(1)) or ""


def card_of_link(session: Session, link: ShareLink, brand: Brand, campaign: Campaign) -> CardContent | None:
    """The card of a link, in the link's own language; None when there is nothing to say on it."""
    place = session.get(Location, link.location_id) if link.location_id else None
    return make(
        spoken_words(session, link),
        brand=brand,
        campaign=campaign,
        advocate=session.get_one(Advocate, link.advocate_id),
        locale=link.locale,
        place=place.name if place else "",
    )


def card_href(code: str, card: CardContent) -> str:
    """The address of a link's card below the installation's own; another one when the card changes."""
    return f"/s/{code}/card.png?v={card.key}"


def draft_href(token: str) -> str:
    """The address of the card that a share page's draft would make, for the page's preview."""
    return f"/share/{token}/card.png"


def make(
    words: str, *, brand: Brand, campaign: Campaign, advocate: Advocate, locale: str, place: str = ""
) -> CardContent | None:
    """A card of these words, else of the campaign's headline.

    None when there are neither, and no reward that would have to be disclosed: then the brand's general picture serves.
    """
    quote = drawable(_bare(words)[:MOST_CHARACTERS])
    headline = drawable(campaign.text(locale, "headline", best_language(brand.default_locale)))
    if not quote and not headline and not campaign.is_rewarded:
        return None
    theme, name = brand.theme or {}, drawable(advocate.public_name) or advocate.pseudonym
    with force_locale(locale):
        return CardContent(
            words=quote or headline or _("A recommendation for %(brand)s", brand=brand.name),
            is_quote=bool(quote),
            name=name,
            byline=name if quote else _("Recommended by %(name)s", name=name),
            place=drawable(place),
            wordmark=drawable(str(theme.get("wordmark") or brand.name)) or brand.slug,
            accent=str(theme.get("accent") or ""),
            disclosure=_disclosure(disclosure_of(campaign, brand, locale)),
        )


def _disclosure(text: str) -> str:
    """A disclosure is never left out because our fonts lack its script."""
    return (drawable(text) or _("Advertising: I may get a reward when you follow my link.")) if text else ""


def _bare(words: str) -> str:
    """The words without quotation marks around the whole: the card brings its own."""
    words = words.strip()
    inside = words[1:-1]
    is_quoted = len(words) > 2 and PAIRS.get(words[0]) == words[-1] and not {words[0], words[-1]} & set(inside)
    return inside.strip() if is_quoted else words
