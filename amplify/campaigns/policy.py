"""Which campaigns may be published: rules 1 to 3 of the product, as checks that name the rule and its source.

Only the structure is judged (addresses, hosts, triggers, presence of a disclosure), never the meaning of a text.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from amplify.brands.models import Brand
from amplify.core.errors import Forbidden, Invalid
from amplify.core.i18n import lazy_gettext as _l

# What a reward may hang on: outcomes, and the rank made from outcomes (product.md rule 2).
TRIGGERS = ("rank", "human_click", "conversion", "points")
# Acts and opinions. X Developer Policy "Pay to engage", Meta Developer Policy 3.2, 16 CFR 465.4.
REFUSED_TRIGGERS = (
    "share", "post", "repost", "retweet", "like", "follow", "reply", "comment", "review", "rating", "text",
    "nps", "nps_score", "score", "csat", "sentiment", "promoter", "share_confirmed",
)  # fmt: skip

# Review sites that exist under many top-level domains: any label of the host but the last.
REVIEW_NAMES = frozenset(
    {"yelp", "tripadvisor", "trustpilot", "glassdoor", "capterra", "holidaycheck", "kununu", "feefo", "opineo"}
)
REVIEW_HOSTS = (
    "g.page", "search.google.com", "g2.com", "trustradius.com", "gartner.com", "sitejabber.com", "bbb.org",
    "reviews.io", "reviews.co.uk", "consumeraffairs.com", "angi.com", "angieslist.com", "homeadvisor.com",
    "houzz.com", "healthgrades.com", "zocdoc.com", "ratemds.com", "vitals.com", "avvo.com", "dealerrater.com",
    "cars.com", "zomato.com", "opentable.com", "expedia.com", "indeed.com", "getapp.com", "softwareadvice.com",
    "producthunt.com", "trustedshops.com", "trustedshops.de", "ekomi.com", "provenexpert.com", "verified-reviews.com",
    "apps.apple.com", "itunes.apple.com", "play.google.com", "review.foursquare.com", "doctoralia.com", "doctoralia.es",
)  # fmt: skip
# Hosts that are more than a review site: only these paths of theirs are one.
REVIEW_PATHS = (
    (re.compile(r"(^|\.)google\.[a-z.]+$"), re.compile(r"^/(maps|local/writereview)\b")),
    (re.compile(r"(^|\.)(maps\.google\.[a-z.]+|maps\.app\.goo\.gl)$"), re.compile(r"")),
    (re.compile(r"(^|\.)amazon\.[a-z.]+$"), re.compile(r"^/(gp/)?(review|customer-reviews|product-reviews)\b")),
    (re.compile(r"(^|\.)(facebook|fb)\.com$"), re.compile(r"/reviews?/?$")),
)
ADDRESS = re.compile(r"(?:https?://)?((?:[a-z0-9-]+\.)+[a-z]{2,}(?:/[^\s]*)?)", re.IGNORECASE)


def is_review_site(url: str) -> bool:
    """Whether this address (with or without its scheme) is one where people rate or review businesses."""
    parts = urlsplit(url if "://" in url else f"https://{url}")
    host = (parts.hostname or "").rstrip(".").lower()
    if REVIEW_NAMES & set(host.split(".")[:-1]):
        return True
    if any(host == site or host.endswith(f".{site}") for site in REVIEW_HOSTS):
        return True
    return any(hosts.search(host) and path.search(parts.path.lower()) for hosts, path in REVIEW_PATHS)


def check_trigger(trigger: str, field: str = "reward.trigger") -> str:
    """The trigger itself. Raises Forbidden("pay-to-engage") for acts and opinions, Invalid for unknown ones."""
    name = trigger.strip().lower()
    if name in REFUSED_TRIGGERS:
        raise Forbidden(
            _l(
                "A reward may not hang on “%(trigger)s”: X (“Pay to engage”), Meta (Developer Policy 3.2) and "
                "16 CFR 465.4 forbid paying for posts, likes, follows, reviews or opinions. "
                "Use the rank, human clicks, conversions or the points made from them.",
                trigger=name,
            ),
            field=field,
            rule="pay-to-engage",
        )
    if name not in TRIGGERS:
        raise Invalid(field, "trigger", _l("A reward hangs on the rank, on human clicks, on conversions or on points."))
    return name


def check_landing(brand: Brand, url: str) -> str:
    """The landing address itself: on the brand's allowed hosts and no review site. Raises Invalid or Forbidden."""
    if is_review_site(url):
        raise _review_site("landing_url")
    return brand.allow_target("landing_url", url)


def check_texts(texts: Mapping[str, Mapping[str, Any]]) -> None:
    """No text leads to a review site either. Raises Forbidden("16-cfr-465.4")."""
    for locale, named in texts.items():
        for name, text in named.items():
            if any(is_review_site(found) for found in ADDRESS.findall(str(text))):
                raise _review_site(f"texts.{locale}.{name}")


def check_disclosure(texts: Mapping[str, Mapping[str, Any]], locales: Iterable[str]) -> None:
    """Each of these languages has a disclosure. Raises Forbidden("16-cfr-255.5") naming the first that has none."""
    for locale in locales:
        if not str(texts.get(locale, {}).get("disclosure", "")).strip():
            raise Forbidden(
                _l(
                    "A rewarded share needs its disclosure in every language (16 CFR 255.5; UK DMCC Act; EU UCPD). "
                    "It is missing in: %(locale)s.",
                    locale=locale,
                ),
                field=f"texts.{locale}.disclosure",
                rule="16-cfr-255.5",
            )


def spoken(texts: Mapping[str, Mapping[str, Any]], default_locale: str) -> list[str]:
    """The languages a campaign speaks: the brand's own, and each with any text of its own."""
    return sorted({default_locale} | {locale for locale, named in texts.items() if any(named.values())})


def check(brand: Brand, *, landing_url: str, texts: Mapping[str, Mapping[str, Any]], is_rewarded: bool) -> None:
    """All of it, before a campaign is published. Raises Invalid or Forbidden with field and rule."""
    check_landing(brand, landing_url)
    check_texts(texts)
    if is_rewarded:
        check_disclosure(texts, spoken(texts, brand.default_locale))


def _review_site(field: str) -> Forbidden:
    return Forbidden(
        _l(
            "Promoters are asked here, or a reward is given: neither may lead to a review site "
            "(16 CFR 465.4; the review policies of Google and others)."
        ),
        field=field,
        rule="16-cfr-465.4",
    )
