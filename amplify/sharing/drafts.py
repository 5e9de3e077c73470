"""What stands in the text field at first: the person's own comment, or a starting point that nobody else has shared."""

import hashlib
from collections.abc import Sequence
from itertools import product

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core.i18n import best_language, force_locale
from amplify.core.i18n import lazy_gettext as _l
from amplify.sharing.models import Advocate, Share, ShareLink
from amplify.sharing.wording import clean, words_hash
from amplify.surveys.models import Response

# Networks forbid the same text across accounts (X Developer Policy), so a suggestion comes in many variants.
OPENERS = ("", _l("Just saying:"), _l("A tip from me:"), _l("Happy customer here."), _l("Worth telling:"))
CLOSERS = ("", _l("Have a look."), _l("See for yourself."), _l("Glad I found them."), _l("Would choose them again."))
LONGEST = 5_000  # as long as a comment may be
# How many variants are tried before the field is left empty for the person's own words.
TRIES = 60


def first_draft(
    session: Session, brand: Brand, campaign: Campaign, advocate: Advocate, response: Response | None, locale: str
) -> str:
    """The comment as it was written; else a suggestion in a variant that no other account has used; else nothing."""
    if response is not None and response.comment.strip():
        return clean(response.comment)
    with force_locale(locale):  # the openings speak the suggestion's language, whatever the page's
        variants = _variants(suggestions(brand, campaign, locale), advocate.id)[:TRIES]
    used = _used(session, brand.id, advocate.id, [words_hash(variant) for variant in variants])
    return next((variant for variant in variants if words_hash(variant) not in used), "")


def suggestions(brand: Brand, campaign: Campaign, locale: str) -> list[str]:
    """The campaign's starting point and the brand's, in this language, else in the brand's own."""
    default = best_language(brand.default_locale)
    known = brand.suggestions.get(locale) or brand.suggestions.get(default) or []
    return [text for text in map(clean, (campaign.text(locale, "share_text", default), *map(str, known))) if text]


def _variants(texts: Sequence[str], advocate_id: int) -> list[str]:
    """Every suggestion with every opening and closing, in an order of this advocate's own."""

    def rank(variant: str) -> bytes:
        return hashlib.sha256(f"{advocate_id}:{variant}".encode()).digest()

    combined = (" ".join(filter(None, map(str, parts))) for parts in product(OPENERS, texts, CLOSERS))
    return sorted(set(combined), key=rank)


def _used(session: Session, brand_id: int, advocate_id: int, hashes: Sequence[str]) -> set[str]:
    others = (
        sa.select(Share.words_hash)
        .join(ShareLink, ShareLink.id == Share.link_id)
        .where(Share.brand_id == brand_id, Share.words_hash.in_(hashes), ShareLink.advocate_id != advocate_id)
    )
    return set(session.scalars(others))


def is_somebody_elses(
    session: Session, brand_id: int, advocate: Advocate, words: str, response: Response | None
) -> bool:
    """Whether another account already shared exactly these words; what a person wrote in their answer is their own."""
    wanted = words_hash(words)
    if not wanted or (response is not None and wanted == words_hash(response.comment)):
        return False
    return bool(_used(session, brand_id, advocate.id, [wanted]))
