"""A brand and the places and lines its customers know. Everything else in the database belongs to one brand."""

from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, validates

from amplify.core import clock
from amplify.core.db import Base, Instant, PrimaryKey, Text80, Text200
from amplify.core.errors import Invalid
from amplify.core.i18n import lazy_gettext as _l

DEFAULT_CHANNELS = ("email", "webpush")
# Milli-points per cause (product.md, Score). Acts of sharing are recognition only; never reward-eligible.
DEFAULT_WEIGHTS = {"human_click": 1_000, "share_confirmed": 2_000, "conversion": 20_000}
# Who stands first of those with equal scores: see docs/leaderboards.md.
TIE_RULES = ("earliest", "conversions", "pseudonym")


def allow_target(field: str, url: str, hosts: Collection[str]) -> str:
    """The address itself if it is http(s) on one of these hosts. Raises Invalid naming `field`."""
    if any(ord(c) <= 32 or c == "\\" for c in url):
        raise Invalid(field, "url", _l("This is not a web address."))
    try:
        parts = urlsplit(url)
        port_ok = parts.port is None or 0 < parts.port < 65536
    except ValueError:
        raise Invalid(field, "url", _l("This is not a web address.")) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or not port_ok:
        raise Invalid(field, "url", _l("This is not a web address."))
    if parts.hostname not in hosts:
        raise Invalid(field, "target-host", _l("Links may lead only to the brand's own allowed hosts."))
    return url


class Brand(Base):
    """A tenant: its name, its rules and its look."""

    __tablename__ = "brands"

    id: Mapped[PrimaryKey]
    slug: Mapped[Text80] = mapped_column(sa.String(80), unique=True)
    name: Mapped[Text200]
    default_locale: Mapped[str] = mapped_column(sa.String(8), default="en")
    timezone: Mapped[str] = mapped_column(sa.String(64), default="UTC")
    currency: Mapped[str] = mapped_column(sa.String(3), default="USD")
    # {"accent": "#0b6bcb", "logo_url": "https://...", "wordmark": "Acme"}
    theme: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # Host names that tracked links may lead to: no open redirects.
    target_hosts: Mapped[list[str]] = mapped_column(default=list)
    # Pages that may show a shared board in a frame: https origins.
    frame_origins: Mapped[list[str]] = mapped_column(default=list)
    # Postal identity for mail footers (CAN-SPAM 15 USC 7704(a)(5)) and the privacy page.
    postal_address: Mapped[str] = mapped_column(sa.Text, default="")
    privacy_url: Mapped[str] = mapped_column(sa.Text, default="")

    # Thresholds on the normalised 0-10 score: >= promoter_min promotes, <= detractor_max detracts.
    promoter_min: Mapped[float] = mapped_column(sa.Float, default=9.0)
    detractor_max: Mapped[float] = mapped_column(sa.Float, default=6.0)
    half_life_days: Mapped[float] = mapped_column(sa.Float, default=30.0)
    weights: Mapped[dict[str, Any]] = mapped_column(default=lambda: dict(DEFAULT_WEIGHTS))
    tie_rule: Mapped[str] = mapped_column(sa.String(20), default="earliest")
    # Contact budget: at most one ask per person in this many days; a decline rests longer.
    ask_every_days: Mapped[int] = mapped_column(sa.Integer, default=30)
    declined_rest_days: Mapped[int] = mapped_column(sa.Integer, default=180)
    # No mail between these local hours of the customer.
    quiet_from_hour: Mapped[int] = mapped_column(sa.Integer, default=21)
    quiet_until_hour: Mapped[int] = mapped_column(sa.Integer, default=8)
    # Whether mails carry a picture that tells when it is loaded. Off: what people read is nobody's business.
    counts_opens: Mapped[bool] = mapped_column(default=False)
    # Single clicks are removed after so many days, and stay in every count. None: they are kept.
    keep_clicks_days: Mapped[int | None] = mapped_column(sa.Integer)
    # Risk (0-100) from which points and rewards are held until somebody decides, and from which they are refused.
    risk_hold: Mapped[int] = mapped_column(sa.Integer, default=40)
    risk_refuse: Mapped[int] = mapped_column(sa.Integer, default=80)
    # Mail domains of mailboxes for minutes, besides those we know (delivery/disposable.py).
    disposable_domains: Mapped[list[str]] = mapped_column(default=list)
    # At most so many marketing messages per person in so many days, over all campaigns; 0: no limit.
    cap_messages: Mapped[int] = mapped_column(sa.Integer, default=0)
    cap_days: Mapped[int] = mapped_column(sa.Integer, default=7)
    # {"email": 600}: at most so many a minute; a channel that is not there has no limit.
    per_minute: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # What 1,000 parts of text messages cost the brand, in minor units; 0: not said.
    sms_thousand_minor: Mapped[int] = mapped_column(sa.Integer, default=0)
    # By which ways a reward is brought, first the first that reaches the person.
    channel_order: Mapped[list[str]] = mapped_column(default=lambda: list(DEFAULT_CHANNELS))
    # {"en": ["..."], "es": ["..."]}: starting points for people who left no comment.
    suggestions: Mapped[dict[str, Any]] = mapped_column(default=dict)
    is_demo: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[Instant] = mapped_column(default=clock.now)

    def category_of(self, score: float) -> str:
        """promoter, passive or detractor, for a normalised score of 0-10."""
        if score >= self.promoter_min:
            return "promoter"
        return "detractor" if score <= self.detractor_max else "passive"

    def allow_target(self, field: str, url: str) -> str:
        """The address itself if it is http(s) on an allowed host. Raises Invalid naming `field`."""
        return allow_target(field, url, self.target_hosts)


class _Place:
    """What business lines and locations share: a key from outside and a name for people."""

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    key: Mapped[Text80]
    name: Mapped[Text200]
    created_at: Mapped[Instant] = mapped_column(default=clock.now)

    @validates("key")
    def _short_key(self, _attribute: str, value: str) -> str:
        if not value or len(value) > 80:
            raise Invalid("key", "length-1-80", _l("A key has 1 to 80 characters."))
        return value


class BusinessLine(_Place, Base):
    """A part of the business that answers are about (an airline partner, a product line)."""

    __tablename__ = "business_lines"
    __table_args__ = (sa.UniqueConstraint("brand_id", "key"),)


class Location(_Place, Base):
    """A place the experience happened at (a store, a city, an airport)."""

    __tablename__ = "locations"
    __table_args__ = (sa.UniqueConstraint("brand_id", "key"),)
